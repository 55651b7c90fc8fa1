/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/reshape_write.h"

#include "core/array/io_role.h"
#include "core/array/seal_write.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/code/kernel.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* An old group that gives something to the group being made. */
struct source {
	const struct group *group;
	uint32_t columns; /* that are read, a bit each */
	struct rows *rows;
};

/* One column of the group being made. */
struct target {
	enum reshape_way way;
	uint32_t source; /* of what stays or moves: which source, and which column of it */
	uint32_t column;
	struct seal seal; /* of what moves or is new */
	uint32_t seed;
	uint8_t *bytes; /* of a new check: the window */
};

struct reshape_writer {
	struct rows rows[RESHAPE_GROUPS_MAX];
	uint8_t *checks; /* CODE_PARITY_MAX windows */
	size_t checks_capacity;
	/* of the group being made */
	struct array *array;
	const struct rewrite_index *index;
	const struct group *fresh;
	struct code *code;
	struct reshape_sum sum;
	uint32_t data, source_count, window;
	struct source sources[RESHAPE_GROUPS_MAX];
	struct target targets[CODE_COLUMNS_MAX];
	struct reshape_report report;
};

int reshape_writer_create(struct reshape_writer **writer_out)
{
	*writer_out = mem_calloc(1, sizeof(**writer_out));
	return *writer_out ? 0 : ERR_NOMEM;
}

void reshape_writer_free(struct reshape_writer *writer)
{
	if (!writer)
		return;
	for (uint32_t i = 0; i < RESHAPE_GROUPS_MAX; i++)
		rows_free(&writer->rows[i]);
	mem_pages_free(writer->checks);
	mem_free(writer);
}

/* ---- groups that only move: each extent by itself, as in a rebuild */

static int move_extent(struct reshape_writer *writer, const struct group *old, uint32_t column,
		       const struct extent *place, struct err *err)
{
	const struct rewrite_request request = { .group = old,
						 .column = column,
						 .place = *place,
						 .read_old = true,
						 .index = writer->index };
	struct rewrite_report report = { 0 };
	int rc = rewrite_extent(&writer->rows[0], writer->array, &request, &report, err);

	if (rc)
		return rc;
	writer->report.bytes_read += report.bytes_read;
	writer->report.bytes_written += report.bytes_written;
	writer->report.blocks_lost += report.blocks_lost;
	writer->report.extents++;
	mem_free(report.lost);
	return 0;
}

static int move_columns(struct reshape_writer *writer, const struct group *fresh, struct err *err)
{
	int rc = 0;

	for (uint32_t c = 0; !rc && c < fresh->shape.columns; c++) {
		const struct group *old;
		uint32_t column;

		if (reshape_way(writer->array->map, fresh, c, &old, &column) == RESHAPE_MOVES)
			rc = move_extent(writer, old, column, &fresh->extents[c], err);
	}
	return rc;
}

/* ---- groups with new checks */

static uint32_t source_of(struct reshape_writer *writer, const struct group *group)
{
	uint32_t i = 0;

	while (i < writer->source_count && writer->sources[i].group != group)
		i++;
	if (i == writer->source_count) {
		assert(writer->source_count < RESHAPE_GROUPS_MAX);
		writer->sources[writer->source_count++] =
			(struct source){ .group = group, .rows = &writer->rows[i] };
	}
	return i;
}

static void find_sources(struct reshape_writer *writer, const struct reshape *reshape)
{
	const struct map *map = writer->array->map;

	writer->source_count = 0;
	writer->data = group_data_columns(writer->fresh);
	reshape_sum(&writer->sum, map, reshape, writer->fresh);
	for (uint32_t i = 0; i < writer->sum.count; i++) {
		const struct reshape_term *term = &writer->sum.terms[i];

		writer->sources[source_of(writer, term->group)].columns |= UINT32_C(1)
									   << term->column;
	}
	for (uint32_t c = 0; c < writer->fresh->shape.columns; c++) {
		struct target *target = &writer->targets[c];
		const struct group *old;

		*target = (struct target){ 0 };
		target->way = reshape_way(map, writer->fresh, c, &old, &target->column);
		target->seed = seal_extent_seed(&map->uuid, writer->fresh->extents[c].id);
		if (target->way == RESHAPE_COMPUTED)
			continue;
		target->source = source_of(writer, old);
		if (target->way == RESHAPE_MOVES)
			writer->sources[target->source].columns |= UINT32_C(1) << target->column;
	}
}

static int reserve_checks(struct reshape_writer *writer)
{
	size_t blocks = (size_t)writer->window * CODE_PARITY_MAX;

	if (writer->checks_capacity < blocks) {
		mem_pages_free(writer->checks);
		writer->checks = mem_pages(blocks * BLOCK_SIZE);
		writer->checks_capacity = writer->checks ? blocks : 0;
	}
	return writer->checks ? 0 : ERR_NOMEM;
}

static int open_group(struct reshape_writer *writer, struct err *err)
{
	int rc = code_create(&writer->code, &writer->fresh->shape, err);

	writer->window = rows_window(writer->array, writer->sources[0].group);
	for (uint32_t i = 0; !rc && i < writer->source_count; i++)
		rc = rows_open(writer->sources[i].rows, writer->array, writer->sources[i].group, 0,
			       writer->window, ROWS_WHOLE, err);
	if (!rc && reserve_checks(writer))
		rc = err_set(err, ERR_NOMEM, "no memory to compute checks");
	for (uint32_t c = 0; !rc && c < writer->fresh->shape.columns; c++) {
		struct target *target = &writer->targets[c];

		if (target->way == RESHAPE_COMPUTED)
			target->bytes = writer->checks +
					(size_t)(c - writer->data) * writer->window * BLOCK_SIZE;
		if (target->way != RESHAPE_STAYS &&
		    seal_init(&target->seal, &writer->array->map->uuid, writer->fresh, c))
			rc = err_set(err, ERR_NOMEM, "no memory for a seal");
	}
	return rc;
}

static void close_group(struct reshape_writer *writer)
{
	for (uint32_t i = 0; i < writer->source_count; i++) {
		if (!writer->sources[i].rows->group)
			continue;
		writer->report.bytes_read += writer->sources[i].rows->bytes_read;
		rows_close(writer->sources[i].rows);
	}
	for (uint32_t c = 0; c < writer->fresh->shape.columns; c++)
		seal_reset(&writer->targets[c].seal);
	code_free(writer->code);
	writer->code = NULL;
}

static bool window_is_good(const struct rows *rows)
{
	for (uint32_t c = 0; c < rows->columns; c++) {
		for (uint32_t t = rows->first; t < rows->first + rows->count; t++) {
			if (rows_fate(rows, c, 0, t) != BLOCK_GOOD)
				return false;
		}
	}
	return true;
}

/* Load the window: what is needed, or all of it and solved. *whole_out tells which. */
static int load_window(struct reshape_writer *writer, uint32_t first, uint32_t count,
		       bool *whole_out, struct err *err)
{
	bool good = true;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < writer->source_count; i++) {
		struct source *source = &writer->sources[i];

		rc = rows_load_columns(source->rows, source->columns, first, count);
		if (!rc) {
			rows_judge(source->rows);
			good = good && window_is_good(source->rows);
		}
	}
	*whole_out = !good;
	for (uint32_t i = 0; !rc && !good && i < writer->source_count; i++) {
		struct rows *rows = writer->sources[i].rows;
		uint32_t lost = 0;

		rc = rows_load(rows, first, count);
		if (!rc) {
			rows_judge(rows);
			rc = rows_solve(rows, &lost);
		}
		writer->report.impossible = writer->report.impossible || lost > 0;
	}
	return rc ? err_set(err, rc, "no memory to read groups") : 0;
}

static const uint8_t *source_bytes(const struct reshape_writer *writer, const struct target *target,
				   uint32_t slice)
{
	return rows_block(writer->sources[target->source].rows, target->column, 0, slice);
}

/* Check j of the window, as the sum of what was read, or of the data. */
static void compute_check(struct reshape_writer *writer, uint32_t j, bool whole)
{
	struct kernel_source sources[RESHAPE_TERMS_MAX];
	const struct rows *first = writer->sources[0].rows;
	size_t count = 0;

	for (uint32_t i = 0; !whole && i < writer->sum.count; i++) {
		const struct reshape_term *term = &writer->sum.terms[i];
		const struct rows *rows = writer->sources[source_of(writer, term->group)].rows;

		if (term->coefficients[j])
			sources[count++] = (struct kernel_source){ rows_block(rows, term->column, 0,
									      rows->first),
								   term->coefficients[j] };
	}
	for (uint32_t i = 0; whole && i < writer->data; i++)
		sources[count++] = (struct kernel_source){
			source_bytes(writer, &writer->targets[i], first->first),
			gf_power((uint32_t)j * writer->fresh->shape.index[i])
		};
	kernel_combine(writer->targets[writer->data + j].bytes, sources, count,
		       (size_t)first->count * BLOCK_SIZE);
}

/* Generations of the data blocks of a slice; where a block was solved, what its checks say. */
static int slice_generations(struct reshape_writer *writer, uint32_t slice, uint32_t *generations)
{
	for (uint32_t i = 0; i < writer->data; i++) {
		const struct target *target = &writer->targets[i];
		const struct rows *rows = writer->sources[target->source].rows;
		struct seal seal = { 0 };

		generations[i] = rows->seals[target->column].entries[slice].generation;
		if (rows_fate(rows, target->column, 0, slice) == BLOCK_GOOD)
			continue;
		if (seal_init(&seal, &writer->array->map->uuid, rows->group, target->column))
			return ERR_NOMEM;
		rows_restore_entry(rows, target->column, 0, slice, &seal);
		generations[i] = seal.entries[slice].generation;
		seal_reset(&seal);
	}
	return 0;
}

/* Entries of everything that is written of a slice. */
static int seal_slice(struct reshape_writer *writer, uint32_t slice)
{
	uint32_t generations[CODE_COLUMNS_MAX] = { 0 }, newest;
	int rc = slice_generations(writer, slice, generations);

	if (rc)
		return rc;
	newest = generations[0];
	for (uint32_t i = 1; i < writer->data; i++) {
		if ((int32_t)(generations[i] - newest) > 0)
			newest = generations[i];
	}
	for (uint32_t c = 0; c < writer->fresh->shape.columns; c++) {
		struct target *target = &writer->targets[c];
		const uint8_t *bytes;

		if (target->way == RESHAPE_STAYS)
			continue;
		bytes = c < writer->data ? source_bytes(writer, target, slice)
					 : target->bytes + (size_t)(slice - writer->rows[0].first) *
								   BLOCK_SIZE;
		target->seal.entries[slice] =
			(struct seal_entry){ crc32_of(seal_block_seed(target->seed, slice), bytes,
						      BLOCK_SIZE),
					     c < writer->data ? generations[c] : newest };
		for (uint32_t i = 0; c >= writer->data && i < writer->data; i++)
			seal_witnesses(&target->seal, slice)[i] = (uint16_t)generations[i];
	}
	return 0;
}

static int run_writes(struct reshape_writer *writer, struct io *ios, size_t count, struct err *err)
{
	int rc = io_run(ios, count);

	for (size_t i = 0; i < count; i++) {
		if (ios[i].result)
			return err_set(err, ios[i].result, "write to %s at %" PRIu64 " failed",
				       dev_name(ios[i].dev), ios[i].offset);
		writer->report.bytes_written += ios[i].size;
	}
	return rc ? err_set(err, rc, "an extent could not be written") : 0;
}

static int write_window(struct reshape_writer *writer, uint32_t first, uint32_t count,
			struct err *err)
{
	struct iovec iovs[CODE_COLUMNS_MAX];
	struct io ios[CODE_COLUMNS_MAX];
	size_t writes = 0;

	for (uint32_t c = 0; c < writer->fresh->shape.columns; c++) {
		const struct target *target = &writer->targets[c];
		const struct extent *extent = &writer->fresh->extents[c];

		if (target->way == RESHAPE_STAYS)
			continue;
		iovs[writes].iov_base = c < writer->data
						? rows_block(writer->sources[target->source].rows,
							     target->column, 0, first)
						: target->bytes;
		iovs[writes].iov_len = (size_t)count * BLOCK_SIZE;
		ios[writes] =
			(struct io){ .dev = array_dev(writer->array, extent->slot),
				     .op = IO_WRITE,
				     .role = io_role_of_cell(writer->code, (uint16_t)c),
				     .offset = extent_offset(writer->array->map, extent, first),
				     .size = iovs[writes].iov_len,
				     .iov = &iovs[writes],
				     .iov_count = 1 };
		writes++;
	}
	return run_writes(writer, ios, writes, err);
}

static int make_window(struct reshape_writer *writer, uint32_t first, uint32_t count,
		       struct err *err)
{
	bool whole;
	int rc = load_window(writer, first, count, &whole, err);

	if (rc || writer->report.impossible)
		return rc;
	for (uint32_t j = 0; j < writer->fresh->shape.checks; j++)
		compute_check(writer, j, whole);
	for (uint32_t t = first; !rc && t < first + count; t++)
		rc = seal_slice(writer, t);
	if (rc)
		return err_set(err, rc, "no memory for a seal");
	return write_window(writer, first, count, err);
}

static int write_seal(struct reshape_writer *writer, uint32_t column, struct err *err)
{
	const struct group *fresh = writer->fresh;
	const struct target *target = &writer->targets[column];
	const struct extent *extent = &fresh->extents[column];
	uint32_t blocks = seal_write_blocks(&target->seal);
	struct iovec iov = { mem_pages((size_t)blocks * BLOCK_SIZE), (size_t)blocks * BLOCK_SIZE };
	struct io io = { .dev = array_dev(writer->array, extent->slot),
			 .op = IO_WRITE,
			 .role = io_role_of_seal(&target->seal.shape),
			 .offset = extent_seal_offset(writer->array->map, extent),
			 .size = iov.iov_len,
			 .iov = &iov,
			 .iov_count = 1 };
	const struct volume *volume;
	const struct span *span;

	if (!iov.iov_base)
		return err_set(err, ERR_NOMEM, "no memory for a seal");
	rewrite_index_find(writer->index, seal_write_named(fresh, column), &volume, &span);
	seal_write_encode(iov.iov_base, writer->array, fresh, column, volume, span, &target->seal);
	int rc = run_writes(writer, &io, 1, err);
	mem_pages_free(iov.iov_base);
	writer->report.extents++;
	return rc;
}

static int make_group(struct reshape_writer *writer, const struct reshape *reshape,
		      const struct group *fresh, struct err *err)
{
	writer->fresh = fresh;
	find_sources(writer, reshape);
	int rc = open_group(writer, err);
	for (uint32_t t = 0; !rc && !writer->report.impossible && t < fresh->segment_blocks;
	     t += writer->window)
		rc = make_window(writer, t,
				 (uint32_t)size_min(writer->window, fresh->segment_blocks - t),
				 err);
	for (uint32_t c = 0; !rc && !writer->report.impossible && c < fresh->shape.columns; c++) {
		if (writer->targets[c].way != RESHAPE_STAYS)
			rc = write_seal(writer, c, err);
	}
	close_group(writer);
	return rc;
}

static bool has_new_checks(const struct map *map, const struct group *fresh)
{
	for (uint32_t c = 0; c < fresh->shape.columns; c++) {
		const struct group *old;
		uint32_t column;

		if (reshape_way(map, fresh, c, &old, &column) == RESHAPE_COMPUTED)
			return true;
	}
	return false;
}

int reshape_write(struct reshape_writer *writer, struct array *array, const struct reshape *reshape,
		  const struct rewrite_index *index, struct reshape_report *report_out,
		  struct err *err)
{
	int rc = 0;

	writer->array = array;
	writer->index = index;
	writer->report = (struct reshape_report){ 0 };
	for (uint32_t i = 0; !rc && !writer->report.impossible && i < reshape->fresh_count; i++) {
		const struct group *fresh = reshape->fresh[i];

		rc = has_new_checks(array->map, fresh) ? make_group(writer, reshape, fresh, err)
						       : move_columns(writer, fresh, err);
	}
	*report_out = writer->report;
	return rc;
}

/* ---- in advance */

static uint64_t seal_bytes(const struct group *group, uint32_t column)
{
	const struct seal_shape shape = seal_shape_of(group, column);

	return (1 + (uint64_t)seal_entry_pages(&shape)) * BLOCK_SIZE;
}

/* All seals of a group whose columns are summed are read. */
static uint64_t source_seals(const struct map *map, const struct reshape *reshape,
			     const struct group *fresh)
{
	uint64_t bytes = 0;

	for (uint32_t g = 0; g < reshape->old_count; g++) {
		const struct group *old = map_group(map, reshape->old[g]);
		bool takes_part = false;

		for (uint32_t c = 0; !takes_part && c < fresh->shape.columns; c++) {
			const struct group *from;
			uint32_t column;

			takes_part =
				reshape_way(map, fresh, c, &from, &column) != RESHAPE_COMPUTED &&
				from == old;
		}
		for (uint32_t c = 0; takes_part && c < old->shape.columns; c++)
			bytes += seal_bytes(old, c);
	}
	return bytes;
}

struct reshape_bytes reshape_bytes(const struct map *map, const struct reshape *reshape)
{
	struct reshape_cost cost = reshape_cost(map, reshape);
	struct reshape_bytes bytes = { cost.blocks_read * BLOCK_SIZE,
				       cost.blocks_written * BLOCK_SIZE, cost.extents };

	for (uint32_t g = 0; g < reshape->fresh_count; g++) {
		const struct group *fresh = reshape->fresh[g];
		bool summed = has_new_checks(map, fresh);

		if (summed)
			bytes.read += source_seals(map, reshape, fresh);
		for (uint32_t c = 0; c < fresh->shape.columns; c++) {
			const struct group *old;
			uint32_t column;
			enum reshape_way way = reshape_way(map, fresh, c, &old, &column);

			if (way != RESHAPE_STAYS)
				bytes.written += seal_bytes(fresh, c);
			if (way == RESHAPE_MOVES && !summed)
				bytes.read += seal_bytes(old, column);
		}
	}
	return bytes;
}
