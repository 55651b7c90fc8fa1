/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/bare_read.h"

#include "core/array/array_internal.h"
#include "core/array/row.h"
#include "core/array/span_place.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PERIOD_BLOCKS                                                                              \
	2048u /* 8 MiB: what the windows of all groups hold of the span, where chunks are small */
#define WINDOW_BLOCKS                                                                              \
	4096u /* 16 MiB: what the window of one group may have, where they are large */

/* The rows of one group of the span. */
struct bare_rows {
	const struct group *group;
	struct rows rows;
	bool open;
};

/* One extent of the span; of a mirror the copy that is read. */
struct bare_column {
	uint32_t group; /* of the reader's */
	uint32_t column;
	bool straight; /* read by itself; else through the rows */
};

struct bare_reader {
	struct array *array;
	const struct span *span;
	uint32_t data_blocks; /* of each extent */
	uint32_t window;      /* slices of a window of rows */
	struct bare_column *columns;
	struct bare_rows *groups;
	uint32_t group_count;
	struct io *ios; /* of one call, and where each begins */
	struct iovec *iovs;
	struct span_place *places;
	uint32_t capacity;
};

static const struct group *group_of(const struct array *array, const struct span *span, uint32_t i,
				    uint32_t *column_out)
{
	const struct group *group = map_extent(array->map, span->extents[i], column_out);

	assert(group); /* map_check() saw to it */
	return group;
}

/* Chunks in turn, as many as the bound allows; of a chunk that is too long a part. */
static uint32_t choose_window(const struct array *array, const struct span *span)
{
	uint32_t column, unit = span->unit_blocks;
	const struct group *group = group_of(array, span, 0, &column);
	uint64_t period = (uint64_t)unit * span->extent_count;

	if (unit == 0)
		return rows_window(array, group);
	if (period <= PERIOD_BLOCKS)
		unit *= PERIOD_BLOCKS / (uint32_t)period;
	while (unit % 2 == 0 && (uint64_t)unit * group->shape.columns > WINDOW_BLOCKS)
		unit /= 2;
	return (uint32_t)size_min(unit, group->segment_blocks);
}

uint32_t bare_read_piece(const struct array *array, const struct span *span, uint32_t wanted,
			 uint32_t most)
{
	uint32_t column, unit = span->unit_blocks, window = choose_window(array, span);
	uint64_t period = (uint64_t)window * span->extent_count;
	uint64_t row = (uint64_t)unit * group_data_columns(group_of(array, span, 0, &column));

	/* Whole windows, or at least whole chunks of a row: nobody else loads the same. */
	if (unit && window >= unit && period <= most)
		return (uint32_t)(size_max(wanted / period, 1) * period);
	if (unit && row <= most)
		return (uint32_t)(size_max(wanted / row, 1) * row);
	return wanted;
}

/* Is the column read by itself? With one absent that is read anyway, the group is read whole, once. */
static bool is_straight(struct array *array, const struct group *group)
{
	uint32_t needed = (uint32_t)((UINT64_C(1) << group_data_columns(group)) - 1);

	return (~array_usable_columns(array, group) & needed) == 0;
}

/* The first copy that can be read. */
static void choose_copy(struct array *array, const struct group *group, struct bare_column *column)
{
	uint32_t usable = array_usable_columns(array, group);

	column->straight = usable != 0;
	if (usable)
		column->column = (uint32_t)__builtin_ctz(usable);
}

static uint32_t group_number(struct bare_reader *reader, const struct group *group)
{
	uint32_t i = 0;

	while (i < reader->group_count && reader->groups[i].group != group)
		i++;
	if (i == reader->group_count)
		reader->groups[reader->group_count++].group = group;
	return i;
}

static void open_columns(struct bare_reader *reader)
{
	for (uint32_t i = 0; i < reader->span->extent_count; i++) {
		struct bare_column *column = &reader->columns[i];
		const struct group *group =
			group_of(reader->array, reader->span, i, &column->column);

		column->group = group_number(reader, group);
		reader->data_blocks = group_data_blocks(group);
		if (group->shape.layout == LAYOUT_MIRROR)
			choose_copy(reader->array, group, column);
		else
			column->straight = is_straight(reader->array, group);
	}
}

int bare_reader_open(struct bare_reader **reader_out, struct array *array, const struct span *span,
		     struct err *err)
{
	struct bare_reader *reader = mem_calloc(1, sizeof(*reader));

	if (reader) {
		reader->columns = mem_calloc(span->extent_count, sizeof(*reader->columns));
		reader->groups = mem_calloc(span->extent_count, sizeof(*reader->groups));
	}
	if (!reader || !reader->columns || !reader->groups) {
		bare_reader_free(reader);
		return err_set(err, ERR_NOMEM, "no memory to read a span");
	}
	reader->array = array;
	reader->span = span;
	reader->window = choose_window(array, span);
	open_columns(reader);
	*reader_out = reader;
	return 0;
}

static void free_list(struct bare_reader *reader)
{
	mem_free(reader->ios);
	mem_free(reader->iovs);
	mem_free(reader->places);
	reader->ios = NULL;
	reader->iovs = NULL;
	reader->places = NULL;
	reader->capacity = 0;
}

void bare_reader_free(struct bare_reader *reader)
{
	if (!reader)
		return;
	for (uint32_t i = 0; i < reader->group_count; i++)
		rows_free(&reader->groups[i].rows);
	mem_free(reader->groups);
	mem_free(reader->columns);
	free_list(reader);
	mem_free(reader);
}

/* Room for a call of so many parts. */
static int reserve(struct bare_reader *reader, uint32_t parts)
{
	if (parts <= reader->capacity)
		return 0;
	free_list(reader);
	reader->ios = mem_calloc(parts, sizeof(*reader->ios));
	reader->iovs = mem_calloc(parts, sizeof(*reader->iovs));
	reader->places = mem_calloc(parts, sizeof(*reader->places));
	if (!reader->ios || !reader->iovs || !reader->places)
		return ERR_NOMEM;
	reader->capacity = parts;
	return 0;
}

/* A block from the window of rows around it. */
static int fetch(struct bare_reader *reader, const struct bare_column *column, uint32_t block,
		 uint8_t *out, bool *lost_out, struct array_read_result *result, struct err *err)
{
	struct bare_rows *rows = &reader->groups[column->group];
	bool stands = false, rebuilt = false;
	int rc = 0;

	if (!rows->open)
		rc = rows_open(&rows->rows, reader->array, rows->group, 0, reader->window,
			       ROWS_WHOLE, err);
	if (rc)
		return rc;
	rows->open = true;
	rc = rows_fetch(&rows->rows, column->column, block, out, &stands, &rebuilt);
	if (rc)
		return err_set(err, rc, "no memory to rebuild a block of group %" PRIu64,
			       rows->group->id);
	if (!stands)
		result->lost += BLOCK_SIZE;
	else if (rebuilt)
		result->reconstructed += BLOCK_SIZE;
	if (lost_out)
		*lost_out = !stands;
	return 0;
}

/* One operation a chunk, or for what the call has of it; those that are not straight have size 0. */
static uint32_t plan(struct bare_reader *reader, uint64_t first, uint32_t count, uint8_t *out)
{
	uint32_t parts = 0;

	for (uint32_t done = 0; done < count; parts++) {
		struct span_place *place = &reader->places[parts];

		*place = span_locate(reader->span, reader->data_blocks, first + done);
		place->run = (uint32_t)size_min(place->run, count - done);
		reader->iovs[parts] = (struct iovec){ out + (size_t)done * BLOCK_SIZE,
						      (size_t)place->run * BLOCK_SIZE };
		done += place->run;
	}
	return parts;
}

static struct io part_io(const struct bare_reader *reader, uint32_t part)
{
	const struct span_place *place = &reader->places[part];
	const struct bare_column *column = &reader->columns[place->position];
	const struct group *group = reader->groups[column->group].group;
	const struct extent *extent = &group->extents[column->column];

	return (struct io){
		.dev = array_dev(reader->array, extent->slot),
		.op = IO_READ,
		.role = IO_ROLE_DATA,
		.offset = extent_offset(reader->array->map, extent, place->block),
		.size = reader->iovs[part].iov_len,
		.iov = &reader->iovs[part],
		.iov_count = 1,
	};
}

/* A part that is not straight, or could not be read. */
static int solve_part(struct bare_reader *reader, uint32_t part, const uint8_t *out, bool *lost_out,
		      struct array_read_result *result, struct err *err)
{
	const struct span_place *place = &reader->places[part];
	const struct bare_column *column = &reader->columns[place->position];
	uint8_t *bytes = reader->iovs[part].iov_base;
	size_t number = (size_t)(bytes - out) / BLOCK_SIZE;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < place->run; i++)
		rc = fetch(reader, column, place->block + i, bytes + (size_t)i * BLOCK_SIZE,
			   lost_out ? &lost_out[number + i] : NULL, result, err);
	return rc;
}

int bare_read(struct bare_reader *reader, uint64_t first, uint32_t count, uint8_t *out,
	      bool *lost_out, struct array_read_result *result, struct err *err)
{
	uint32_t unit = reader->span->unit_blocks ? reader->span->unit_blocks : reader->data_blocks;
	uint32_t io_count = 0, parts;
	int rc;

	if (lost_out)
		memset(lost_out, false, count * sizeof(*lost_out));
	if (reserve(reader, count / unit + 2))
		return err_set(err, ERR_NOMEM, "no memory to read a span");
	parts = plan(reader, first, count, out);
	for (uint32_t i = 0; i < parts; i++) {
		if (reader->columns[reader->places[i].position].straight)
			reader->ios[io_count++] = part_io(reader, i);
	}
	rc = io_run(reader->ios, io_count);
	if (rc == 0 && io_count == parts)
		return 0;
	rc = 0;
	for (uint32_t i = 0, io = 0; !rc && i < parts; i++) {
		bool straight = reader->columns[reader->places[i].position].straight;

		if (!straight || reader->ios[io].result)
			rc = solve_part(reader, i, out, lost_out, result, err);
		io += straight;
	}
	return rc;
}
