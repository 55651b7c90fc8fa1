/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/span_read.h"

#include "core/array/array_internal.h"
#include "core/array/row_lock.h"
#include "core/array/seal_cache.h"
#include "core/array/span_place.h"
#include "core/array/write_behind.h"
#include "core/array/write_finish.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define CACHED_RUN 32u /* blocks of an extent: 128 KiB of each stay in the cache */
#define WINDOW_SPAN_MAX                                                                            \
	2048u /* blocks of a span in a window: 8 MiB, less than what one call may take */

/*
 * Is the column read by itself? With a data extent absent, reading the others of a group by themselves would
 * mean to read them twice.
 */
static bool is_straight(struct array *array, const struct span_column *column)
{
	uint32_t needed = (uint32_t)((UINT64_C(1) << group_data_columns(column->group)) - 1);

	if (column->group->shape.layout == LAYOUT_MIRROR)
		needed = UINT32_C(1) << column->column;
	return (~array_usable_columns(array, column->group) & needed) == 0;
}

static bool is_mirror(const struct span_reader *reader, uint32_t position)
{
	return reader->columns[position].group->shape.layout == LAYOUT_MIRROR;
}

/* From which block on each copy of a mirror is read, by its share of the blocks; one that is gone has none. */
static void share_copies(struct span_reader *reader, uint32_t position)
{
	struct span_column *copies = &reader->copies[(size_t)position * CODE_MIRROR_MAX];
	const struct group *group = copies->group;
	uint32_t parts[CODE_MIRROR_MAX], first = CODE_MIRROR_MAX;
	uint64_t sum = 0;

	for (uint32_t c = group->shape.columns; c-- > 0;)
		first = copies[c].straight ? c : first;
	if (first == CODE_MIRROR_MAX) /* nobody is read by himself */
		first = 0;
	if (!share_of(reader->array->shares, group, parts))
		parts[first] = SHARE_WHOLE;
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (c == first || copies[c].straight)
			continue;
		parts[first] += parts[c];
		parts[c] = 0;
	}
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		sum += parts[c];
		copies[c].end =
			(uint32_t)((sum * reader->data_blocks + SHARE_WHOLE / 2) / SHARE_WHOLE);
	}
}

/* The extent that this block is read from. */
static struct span_column *find_column(struct span_reader *reader, const struct span_place *place)
{
	struct span_column *copies;

	if (!is_mirror(reader, place->position))
		return &reader->columns[place->position];
	copies = &reader->copies[(size_t)place->position * CODE_MIRROR_MAX];
	while (place->block >= copies->end)
		copies++;
	return copies;
}

/*
 * Slices of a window that the span passes through once: whole units, so that it is one run of the span.
 * 0 where there is none, in whole data runs and units too long to be one.
 */
static uint32_t choose_window(const struct array *array, const struct span *span)
{
	uint32_t column, unit = span->unit_blocks, most = WINDOW_SPAN_MAX / span->extent_count;
	const struct group *group = map_extent(array->map, span->extents[0], &column);

	assert(group); /* map_check() saw to it */
	if (unit == 0 || unit > SPAN_READ_BLOCKS_MAX / span->extent_count)
		return 0;
	most = (uint32_t)size_min(most, rows_window(array, group));
	return (uint32_t)size_max(most / unit, 1) * unit;
}

uint32_t span_read_piece(const struct array *array, const struct span *span, uint32_t wanted)
{
	assert(wanted > 0 && wanted <= SPAN_READ_BLOCKS_MAX);
	if (span_is_bare(array->map, span))
		return bare_read_piece(array, span, wanted, SPAN_READ_BLOCKS_MAX);
	uint32_t window = choose_window(array, span) * span->extent_count;

	return window ? (uint32_t)size_max(wanted / window, 1) * window : wanted;
}

/* Which column is read by itself, and room for its seal. Returns 0 or ERR_NOMEM. */
static int open_column(struct span_reader *reader, struct span_column *column, uint32_t *pages)
{
	struct array *array = reader->array;
	const struct extent *extent = &column->group->extents[column->column];
	const struct dev *dev = array_dev(array, extent->slot);
	int rc;

	column->straight = is_straight(array, column);
	if (dev)
		reader->piece =
			(uint32_t)size_max(reader->piece, dev_info(dev)->preferred_io / BLOCK_SIZE);
	column->seed = seal_extent_seed(&array->map->uuid, extent->id);
	rc = seal_init(&column->seal, &array->map->uuid, column->group, column->column);
	if (rc)
		return rc;
	column->page_loaded = mem_calloc(seal_entry_pages(&column->seal.shape), sizeof(bool));
	column->first_page = *pages;
	*pages += seal_entry_pages(&column->seal.shape);
	return column->page_loaded ? 0 : ERR_NOMEM;
}

/* The copies of a mirror, each with its part of the blocks; those that have none cost nothing. */
static int open_copies(struct span_reader *reader, uint32_t position, uint32_t *pages)
{
	const struct group *group = reader->columns[position].group;
	int rc = 0;

	if (!is_mirror(reader, position))
		return 0;
	if (!reader->copies)
		reader->copies = mem_calloc((size_t)reader->span->extent_count * CODE_MIRROR_MAX,
					    sizeof(*reader->copies));
	if (!reader->copies)
		return ERR_NOMEM;
	for (uint32_t c = 0; !rc && c < group->shape.columns; c++) {
		struct span_column *copy = &reader->copies[(size_t)position * CODE_MIRROR_MAX + c];

		copy->group = group;
		copy->column = c;
		rc = open_column(reader, copy, pages);
	}
	share_copies(reader, position);
	return rc;
}

int span_reader_open(struct span_reader *reader, struct array *array, const struct span *span,
		     struct err *err)
{
	uint32_t pages = 0;
	int rc = 0;

	assert(!reader->span && !reader->rows_group);
	reader->array = array;
	reader->span = span;
	if (span_is_bare(array->map, span)) {
		rc = bare_reader_open(&reader->bare, array, span, err);
		if (rc)
			span_reader_close(reader);
		return rc;
	}
	reader->piece = CACHED_RUN;
	reader->window = choose_window(array, span);
	for (uint32_t i = 0; !rc && i < span->extent_count; i++) {
		struct span_column *column = &reader->columns[i];

		column->group = map_extent(array->map, span->extents[i], &column->column);
		assert(column->group); /* map_check() saw to it */
		reader->data_blocks = group_data_blocks(column->group);
		rc = open_column(reader, column, &pages);
		if (!rc)
			rc = open_copies(reader, i, &pages);
	}
	if (!rc)
		reader->pages = mem_pages((size_t)pages * BLOCK_SIZE);
	if (rc || !reader->pages) {
		span_reader_close(reader);
		return err_set(err, ERR_NOMEM, "no memory to read a span");
	}
	return 0;
}

static void close_column(struct span_column *column)
{
	seal_reset(&column->seal);
	mem_free(column->page_loaded);
}

void span_reader_close(struct span_reader *reader)
{
	for (uint32_t i = 0; i < CODE_COLUMNS_MAX; i++)
		close_column(&reader->columns[i]);
	for (uint32_t i = 0; reader->copies && i < reader->span->extent_count * CODE_MIRROR_MAX;
	     i++)
		close_column(&reader->copies[i]);
	mem_free(reader->copies);
	bare_reader_free(reader->bare);
	if (reader->rows_group)
		rows_close(&reader->rows);
	mem_pages_free(reader->pages);
	*reader = (struct span_reader){ .rows = reader->rows };
}

void span_reader_free(struct span_reader *reader)
{
	span_reader_close(reader);
	rows_free(&reader->rows);
}

/* The rows of a group, opened anew after anything was written in place since. */
static int open_group(struct span_reader *reader, const struct group *group, uint64_t changes,
		      struct err *err)
{
	if (reader->rows_group == group && reader->rows_changes == changes)
		return 0;
	if (reader->rows_group)
		rows_close(&reader->rows);
	reader->rows_group = NULL;
	int rc = rows_open(&reader->rows, reader->array, group, 0,
			   reader->window ? reader->window : rows_window(reader->array, group),
			   ROWS_WHOLE, err);
	if (rc)
		return rc;
	reader->rows_group = group;
	reader->rows_changes = changes;
	return 0;
}

/*
 * A block through the window of rows around it. Where rows may be written in place meanwhile, a window is loaded
 * under their lock: then blocks and seals are of one moment.
 */
static int fetch_locked(struct span_reader *reader, const struct span_column *column,
			uint32_t block, uint8_t *out, bool *stands, bool *rebuilt, struct err *err)
{
	struct array *array = reader->array;
	const struct group *group = column->group;
	struct row_lock lock;
	uint32_t slices = reader->window ? reader->window : rows_window(array, group);
	uint32_t slice = block % group->segment_blocks;
	uint32_t first = slice / slices * slices;
	uint32_t count = (uint32_t)size_min(slices, group->segment_blocks - first);

	/* What a write left half done may not be solved; while there is no space, what can be is read. */
	const struct half_place place = { group->id, first, count };
	struct err later = { 0 };
	int rc = write_finish_halves(array, &place, &later);

	(void)rc;
	rc = row_lock_take(array->row_locks, &lock, group->id, first, count);
	if (rc)
		return err_set(err, rc, "rows of group %" PRIu64 " wait for space", group->id);
	rc = open_group(reader, group, seal_cache_changes(array->seal_cache), err);
	if (!rc)
		rc = rows_fetch(&reader->rows, column->column, block, out, stands, rebuilt);
	row_lock_give(array->row_locks, &lock);
	return rc;
}

/* The window of rows that holds a block of a column, for what cannot be read straight. */
static int fetch(struct span_reader *reader, const struct span_column *column, uint32_t block,
		 uint8_t *out, bool *lost_out, struct array_read_result *result, struct err *err)
{
	bool stands = false, rebuilt = false;
	int rc;

	if (reader->array->row_locks) {
		rc = fetch_locked(reader, column, block, out, &stands, &rebuilt, err);
	} else {
		rc = open_group(reader, column->group, 0, err);
		if (!rc)
			rc = rows_fetch(&reader->rows, column->column, block, out, &stands,
					&rebuilt);
	}
	if (rc)
		return err->code
			       ? rc
			       : err_set(err, rc, "no memory to rebuild a block of group %" PRIu64,
					 column->group->id);
	if (!stands)
		result->lost += BLOCK_SIZE;
	else if (rebuilt)
		result->reconstructed += BLOCK_SIZE;
	if (rebuilt)
		heal_note(reader->heal, &reader->rows, column->column,
			  block / column->group->segment_blocks,
			  block % column->group->segment_blocks);
	if (lost_out)
		*lost_out = !stands;
	return 0;
}

static bool verifies(const struct span_reader *reader, const struct span_column *column,
		     uint32_t block, const uint8_t *bytes)
{
	struct seal_cache *cache = reader->array->seal_cache;
	struct seal_entry entry;

	/* What was written in place has its seal in memory first. */
	if (!cache || !seal_cache_entry(cache, column->group->id, column->column, block, &entry)) {
		if (!seal_knows(&column->seal, block))
			return false;
		entry = column->seal.entries[block];
	}
	return entry.crc == crc32_of(seal_block_seed(column->seed, block), bytes, BLOCK_SIZE);
}

/* What one call reads from one column: blocks in a row on the member, scattered in `out`. */
struct column_run {
	struct span_column *column;
	uint32_t first, count;         /* blocks of the body */
	struct iovec iovs[IO_IOV_MAX]; /* where they go, one entry per unit */
	uint32_t iov_count;
	uint32_t first_page, page_count; /* entry pages that have to be read with them */
	struct iovec pages;
};

/* Part the range into one run a column; returns how many blocks of it were taken. */
static uint32_t plan_runs(struct span_reader *reader, uint64_t first, uint32_t count, uint8_t *out,
			  struct column_run *runs)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < reader->span->extent_count; i++)
		runs[i].iov_count = runs[i].count = 0;
	while (taken < count) {
		struct span_place place =
			span_locate(reader->span, reader->data_blocks, first + taken);
		struct column_run *run = &runs[place.position];
		uint32_t blocks = (uint32_t)size_min(place.run, count - taken);

		struct span_column *column = find_column(reader, &place);

		if (run->iov_count == IO_IOV_MAX || (run->count > 0 && run->column != column))
			break;
		if (run->count == 0) {
			run->column = column;
			run->first = place.block;
		}
		if (is_mirror(reader, place.position))
			blocks = (uint32_t)size_min(blocks, column->end - place.block);
		assert(place.block == run->first + run->count);
		run->iovs[run->iov_count++] = (struct iovec){ out + (size_t)taken * BLOCK_SIZE,
							      (size_t)blocks * BLOCK_SIZE };
		run->count += blocks;
		taken += blocks;
	}
	return taken;
}

/* Compare the blocks of a run; what does not verify is fetched through its rows. */
static int verify_run(struct span_reader *reader, const struct column_run *run, bool read_failed,
		      const uint8_t *out, bool *lost_out, struct array_read_result *result,
		      struct err *err)
{
	uint32_t block = run->first;

	for (uint32_t i = 0; i < run->iov_count; i++) {
		for (size_t at = 0; at < run->iovs[i].iov_len; at += BLOCK_SIZE, block++) {
			uint8_t *bytes = (uint8_t *)run->iovs[i].iov_base + at;
			size_t number = (size_t)(bytes - out) / BLOCK_SIZE;

			if (!read_failed && run->column->straight &&
			    verifies(reader, run->column, block, bytes))
				continue;
			int rc = fetch(reader, run->column, block, bytes,
				       lost_out ? &lost_out[number] : NULL, result, err);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static struct io run_io(const struct span_reader *reader, const struct column_run *run)
{
	const struct extent *extent = &run->column->group->extents[run->column->column];

	return (struct io){
		.dev = array_dev(reader->array, extent->slot),
		.op = IO_READ,
		.role = IO_ROLE_DATA,
		.offset = extent_offset(reader->array->map, extent, run->first),
		.size = (uint64_t)run->count * BLOCK_SIZE,
		.iov = run->iovs,
		.iov_count = run->iov_count,
	};
}

/* The entry pages that the run needs and that were not read before, in a row. */
static void plan_pages(const struct span_reader *reader, struct column_run *run)
{
	const struct span_column *column = run->column;
	uint32_t page = seal_page_of(&column->seal.shape, run->first);
	uint32_t last = seal_page_of(&column->seal.shape, run->first + run->count - 1);

	while (page <= last && column->page_loaded[page])
		page++;
	run->first_page = page;
	run->page_count = last + 1 - page;
	run->pages = (struct iovec){
		reader->pages + (size_t)(column->first_page + page) * BLOCK_SIZE,
		(size_t)run->page_count * BLOCK_SIZE,
	};
}

static struct io pages_io(const struct span_reader *reader, const struct column_run *run)
{
	const struct extent *extent = &run->column->group->extents[run->column->column];

	return (struct io){
		.dev = array_dev(reader->array, extent->slot),
		.op = IO_READ,
		.role = IO_ROLE_SEAL,
		.offset = extent_seal_offset(reader->array->map, extent) +
			  (uint64_t)(run->first_page + 1) * BLOCK_SIZE, /* behind the header */
		.size = run->pages.iov_len,
		.iov = &run->pages,
		.iov_count = 1,
	};
}

/* Take in the entry pages that were read; bad ones are noted. */
static void take_pages(struct column_run *run, bool failed)
{
	struct span_column *column = run->column;
	uint8_t *bytes = run->pages.iov_base;

	if (failed)
		memset(bytes, 0, run->pages.iov_len); /* a page of zeros is no good page */
	for (uint32_t i = 0; i < run->page_count; i++) {
		seal_decode_page(&column->seal, run->first_page + i,
				 bytes + (size_t)i * BLOCK_SIZE);
		column->page_loaded[run->first_page + i] = true;
	}
}

/* So many of `count` blocks from `first` on are read at once. */
static uint32_t choose_piece(const struct span_reader *reader, uint64_t first, uint32_t count)
{
	uint32_t extents = reader->span->extent_count;
	uint64_t window = (uint64_t)reader->window * extents;
	uint32_t piece = (uint32_t)size_min(count, (uint64_t)reader->piece * extents);

	/* Column by column through two windows of rows would load each of them for every column. */
	return window ? (uint32_t)size_min(piece, window - first % window) : piece;
}

/* Blocks and the seal pages they are judged by, all in one batch. */
static int read_runs(struct span_reader *reader, struct column_run *runs, uint32_t count,
		     const uint8_t *out, bool *lost_out, struct array_read_result *result,
		     struct err *err)
{
	struct io ios[2 * CODE_COLUMNS_MAX];
	uint32_t io_of[CODE_COLUMNS_MAX], io_count = 0;
	int rc = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct column_run *run = &runs[i];

		io_of[i] = UINT32_MAX;
		if (run->count == 0 || !run->column->straight)
			continue;
		io_of[i] = io_count;
		ios[io_count++] = run_io(reader, run);
		plan_pages(reader, run);
		if (run->page_count > 0)
			ios[io_count++] = pages_io(reader, run);
		reader->bytes_read += (uint64_t)(run->count + run->page_count) * BLOCK_SIZE;
	}
	if (io_count > 0 && io_run(ios, io_count))
		rc = 0; /* each result is looked at below */
	for (uint32_t i = 0; !rc && i < count; i++) {
		bool failed = io_of[i] == UINT32_MAX || ios[io_of[i]].result != 0;

		if (io_of[i] != UINT32_MAX && runs[i].page_count > 0)
			take_pages(&runs[i], ios[io_of[i] + 1].result != 0);
		if (runs[i].count > 0)
			rc = verify_run(reader, &runs[i], failed, out, lost_out, result, err);
	}
	return rc;
}

/* Writes that were acknowledged before are in their place, those to the groups of this span. */
static int wait_for_writes(const struct span_reader *reader, struct err *err)
{
	struct array *array = reader->array;
	struct err why = { 0 };

	if (!array->behind || write_behind_wait(array, &why) == 0)
		return 0;
	for (uint32_t i = 0; i < reader->span->extent_count; i++) {
		if (write_behind_holds(array, reader->columns[i].group->id)) {
			*err = why;
			return why.code;
		}
	}
	return 0;
}

/* After anything was written in place, what is known of seals and columns is not to be believed. */
static void refresh_column(const struct span_reader *reader, struct span_column *column)
{
	memset(column->page_loaded, false, seal_entry_pages(&column->seal.shape) * sizeof(bool));
	column->straight = is_straight(reader->array, column);
}

static void refresh(struct span_reader *reader)
{
	struct array *array = reader->array;
	uint64_t changes = array->seal_cache ? seal_cache_changes(array->seal_cache) : 0;

	if (changes == reader->changes)
		return;
	reader->changes = changes;
	for (uint32_t i = 0; i < reader->span->extent_count; i++) {
		refresh_column(reader, &reader->columns[i]);
		if (!is_mirror(reader, i))
			continue;
		for (uint32_t c = 0; c < reader->columns[i].group->shape.columns; c++)
			refresh_column(reader, &reader->copies[(size_t)i * CODE_MIRROR_MAX + c]);
		share_copies(reader, i);
	}
}

int span_read(struct span_reader *reader, uint64_t first, uint32_t count, uint8_t *out,
	      bool *lost_out, struct array_read_result *result, struct err *err)
{
	uint32_t extents = reader->span->extent_count;
	struct column_run *runs;
	uint32_t done = 0;
	int rc = 0;

	assert(count > 0 && count <= SPAN_READ_BLOCKS_MAX);
	if (reader->bare) {
		reader->bytes_read += (uint64_t)count * BLOCK_SIZE;
		return bare_read(reader->bare, first, count, out, lost_out, result, err);
	}
	rc = wait_for_writes(reader, err);
	if (rc)
		return rc;
	refresh(reader);
	runs = mem_calloc(extents, sizeof(*runs));
	if (!runs)
		return err_set(err, ERR_NOMEM, "no memory to read a span");
	if (lost_out)
		memset(lost_out, false, count * sizeof(*lost_out));
	/* In pieces that stay in the cache between read and checksum. */
	while (!rc && done < count) {
		uint32_t piece = choose_piece(reader, first + done, count - done);
		uint8_t *at = out + (size_t)done * BLOCK_SIZE;

		piece = plan_runs(reader, first + done, piece, at, runs);
		rc = read_runs(reader, runs, extents, at, lost_out ? lost_out + done : NULL, result,
			       err);
		done += piece;
	}
	mem_free(runs);
	return rc;
}
