/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/rewrite.h"

#include "core/array/io_role.h"
#include "core/array/seal_write.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_SIZE (UINT64_C(256) << 10)

struct home {
	uint64_t extent;
	const struct volume *volume;
	const struct span *span;
};

struct rewrite_index {
	size_t count;
	struct home homes[];
};

static int compare_homes(const void *a, const void *b)
{
	const struct home *left = a, *right = b;

	return left->extent < right->extent ? -1 : left->extent > right->extent;
}

int rewrite_index_create(struct rewrite_index **index_out, const struct map *map)
{
	struct rewrite_index *index;
	size_t count = 0;

	for (uint32_t v = 0; v < map->volume_count; v++) {
		for (uint32_t s = 0; s < map->volumes[v]->span_count; s++)
			count += map->volumes[v]->spans[s].extent_count;
	}
	index = mem_calloc(1, sizeof(*index) + count * sizeof(index->homes[0]));
	if (!index)
		return ERR_NOMEM;
	for (uint32_t v = 0; v < map->volume_count; v++) {
		for (uint32_t s = 0; s < map->volumes[v]->span_count; s++) {
			const struct span *span = &map->volumes[v]->spans[s];

			for (uint32_t i = 0; i < span->extent_count; i++)
				index->homes[index->count++] =
					(struct home){ span->extents[i], map->volumes[v], span };
		}
	}
	qsort(index->homes, index->count, sizeof(index->homes[0]), compare_homes);
	*index_out = index;
	return 0;
}

void rewrite_index_free(struct rewrite_index *index)
{
	mem_free(index);
}

bool rewrite_index_find(const struct rewrite_index *index, uint64_t extent,
			const struct volume **volume_out, const struct span **span_out)
{
	const struct home key = { .extent = extent };
	const struct home *home =
		bsearch(&key, index->homes, index->count, sizeof(index->homes[0]), compare_homes);

	*volume_out = home ? home->volume : NULL;
	*span_out = home ? home->span : NULL;
	return home != NULL;
}

struct rewriting {
	struct rows *rows;
	struct array *array;
	const struct rewrite_request *request;
	struct rewrite_report report;
	struct seal seal;
	uint32_t lost_capacity;
	bool in_place;    /* only what differs is written */
	uint8_t *scratch; /* what is there, SCRATCH_SIZE bytes */
};

static int note_lost(struct rewriting *work, uint32_t block)
{
	if (work->report.blocks_lost == work->lost_capacity) {
		uint32_t larger = work->lost_capacity ? work->lost_capacity * 2 : 64;
		uint32_t *lost = mem_realloc(work->report.lost, larger, sizeof(*lost));

		if (!lost)
			return ERR_NOMEM;
		work->report.lost = lost;
		work->lost_capacity = larger;
	}
	work->report.lost[work->report.blocks_lost++] = block;
	return 0;
}

/* The entry of a block at its new place. */
static int settle_entry(struct rewriting *work, uint32_t segment, uint32_t slice)
{
	struct rows *rows = work->rows;
	uint32_t column = work->request->column;
	uint32_t block = segment * rows->segment_blocks + slice;
	const struct seal *old = &rows->seals[column];

	if (rows_fate(rows, column, segment, slice) == BLOCK_GOOD) { /* carry the checksum */
		work->seal.entries[block] = old->entries[block];
		if (block >= old->shape.plain_blocks)
			memcpy(seal_witnesses(&work->seal, block), seal_witnesses(old, block),
			       old->shape.witness_count * sizeof(uint16_t));
		return 0;
	}
	rows_restore_entry(rows, column, segment, slice, &work->seal);
	if (rows_stands(rows, column, segment, slice))
		return 0;
	memset(rows_block(rows, column, segment, slice), 0, BLOCK_SIZE);
	rows_restore_entry(rows, column, segment, slice, &work->seal);
	work->seal.entries[block].crc = ~work->seal.entries[block].crc;
	return note_lost(work, block);
}

/* Segments first..end-1 of the window, as few writes as they adjoin. */
static size_t add_writes(const struct rewriting *work, uint32_t first, uint32_t end,
			 struct iovec *iovs, struct io *ios)
{
	const struct rows *rows = work->rows;
	bool whole = rows->count == rows->segment_blocks && rows->slices_max == rows->count;
	uint32_t step = whole ? end - first : 1;
	size_t count = 0;

	for (uint32_t s = first; s < end; s += step) {
		size_t size = (size_t)step * rows->count * BLOCK_SIZE;

		iovs[count] =
			(struct iovec){ rows_block(rows, work->request->column, s, rows->first),
					size };
		ios[count] = (struct io){
			.dev = array_dev(work->array, work->request->place.slot),
			.op = IO_WRITE,
			.role = rows_role(rows, work->request->column, s),
			.offset = extent_offset(work->array->map, &work->request->place,
						s * rows->segment_blocks + rows->first),
			.size = size,
			.iov = &iovs[count],
			.iov_count = 1,
		};
		count++;
	}
	return count;
}

static bool is_lost(const struct rewriting *work, uint64_t offset)
{
	uint64_t body = extent_offset(work->array->map, &work->request->place, 0);

	for (uint32_t i = 0; i < work->report.blocks_lost; i++) {
		if (body + (uint64_t)work->report.lost[i] * BLOCK_SIZE == offset)
			return true;
	}
	return false;
}

/* Blocks at..end-1 of an operation that is a single run of memory. */
static int write_run(struct rewriting *work, const struct io *whole, uint64_t at, uint64_t end)
{
	const uint8_t *bytes = whole->iov->iov_base;

	if (at == end)
		return 0;
	work->report.bytes_written += end - at;
	return io_write(whole->dev, whole->role, whole->offset + at, bytes + at, end - at);
}

/* Write those blocks of an operation that are not there yet. What cannot be read is not there. */
static int write_differences(struct rewriting *work, const struct io *whole)
{
	const uint8_t *bytes = whole->iov->iov_base;
	uint64_t from = 0; /* of the run that is to be written, up to `at` */
	int rc = 0;

	for (uint64_t at = 0; !rc && at < whole->size; at += BLOCK_SIZE) {
		uint64_t in_scratch = at % SCRATCH_SIZE;
		uint64_t size = size_min(SCRATCH_SIZE, whole->size - at);

		if (in_scratch == 0 &&
		    io_read(whole->dev, whole->role, whole->offset + at, work->scratch, size))
			memset(work->scratch, 0xa5, size);
		if (in_scratch == 0)
			work->report.bytes_read += size;
		if (memcmp(bytes + at, work->scratch + in_scratch, BLOCK_SIZE) != 0 &&
		    !is_lost(work, whole->offset + at))
			continue;
		rc = write_run(work, whole, from, at);
		from = at + BLOCK_SIZE;
	}
	return rc ? rc : write_run(work, whole, from, whole->size);
}

static int run_differences(struct rewriting *work, const struct io *ios, size_t count,
			   struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = write_differences(work, &ios[i]);

		if (rc)
			return err_set(err, rc, "write to %s at %" PRIu64 " failed",
				       dev_name(ios[i].dev), ios[i].offset);
	}
	return 0;
}

static int run_writes(struct rewriting *work, struct io *ios, size_t count, struct err *err)
{
	if (work->in_place)
		return run_differences(work, ios, count, err);
	int rc = io_run(ios, count);

	for (size_t i = 0; i < count; i++) {
		if (ios[i].result)
			return err_set(err, ios[i].result, "write to %s at %" PRIu64 " failed",
				       dev_name(ios[i].dev), ios[i].offset);
		work->report.bytes_written += ios[i].size;
	}
	return rc ? err_set(err, rc, "an extent could not be written") : 0;
}

/* Tails before data, as they were rebuilt (SPEC claim 10). */
static int write_window(struct rewriting *work, struct err *err)
{
	uint32_t segments = work->rows->segments;
	uint32_t data = code_data_segments(work->rows->code);
	struct iovec *iovs = mem_calloc(segments, sizeof(*iovs));
	struct io *ios = mem_calloc(segments, sizeof(*ios));
	int rc;

	if (!iovs || !ios) {
		rc = err_set(err, ERR_NOMEM, "no memory to write an extent");
	} else {
		size_t count = data < segments ? add_writes(work, data, segments, iovs, ios) : 0;

		count += add_writes(work, 0, data, iovs + count, ios + count);
		rc = run_writes(work, ios, count, err);
	}
	mem_free(iovs);
	mem_free(ios);
	return rc;
}

static int rewrite_window(struct rewriting *work, uint32_t first, uint32_t count, struct err *err)
{
	struct rows *rows = work->rows;
	uint32_t lost;
	int rc = rows_load(rows, first, count);

	if (!rc) {
		rows_judge(rows);
		rc = rows_solve(rows, &lost);
	}
	for (uint32_t s = 0; !rc && s < rows->segments; s++) {
		for (uint32_t t = first; !rc && t < first + count; t++)
			rc = settle_entry(work, s, t);
	}
	if (rc)
		return err_set(err, rc, "no memory to rebuild group %" PRIu64, rows->group->id);
	return write_window(work, err);
}

static int write_seal(struct rewriting *work, struct err *err)
{
	const struct rewrite_request *request = work->request;
	const struct group *group = request->group;
	const struct volume *volume;
	const struct span *span;
	uint32_t blocks = seal_write_blocks(&work->seal);
	struct group *moved = map_group_create(group->shape.columns);
	uint8_t *bytes = mem_pages((size_t)blocks * BLOCK_SIZE);
	struct iovec iov = { bytes, (size_t)blocks * BLOCK_SIZE };
	struct io io = { .dev = array_dev(work->array, request->place.slot),
			 .op = IO_WRITE,
			 .role = io_role_of_seal(&work->seal.shape),
			 .offset = extent_seal_offset(work->array->map, &request->place),
			 .size = iov.iov_len,
			 .iov = &iov,
			 .iov_count = 1 };
	int rc;

	if (!moved || !bytes) {
		rc = err_set(err, ERR_NOMEM, "no memory to write a seal");
	} else {
		memcpy(moved, group,
		       sizeof(*group) + group->shape.columns * sizeof(group->extents[0]));
		moved->extents[request->column] = request->place;
		rewrite_index_find(request->index, seal_write_named(group, request->column),
				   &volume, &span);
		seal_write_encode(bytes, work->array, moved, request->column, volume, span,
				  &work->seal);
		rc = run_writes(work, &io, 1, err);
	}
	mem_free(moved);
	mem_pages_free(bytes);
	return rc;
}

static bool column_is_good(const struct rows *rows, uint32_t column)
{
	for (uint32_t s = 0; s < rows->segments; s++) {
		for (uint32_t t = rows->first; t < rows->first + rows->count; t++) {
			if (rows_fate(rows, column, s, t) != BLOCK_GOOD)
				return false;
		}
	}
	return true;
}

/* Copy the old place as long as every block of it verifies; *good_out tells whether it did. */
static int copy_old(struct rewriting *work, bool *good_out, struct err *err)
{
	struct rows *rows = work->rows;
	const struct rewrite_request *request = work->request;
	uint32_t others = ~(UINT32_C(1) << request->column), window;
	int rc;

	*good_out = true;
	window = rows_window(work->array, request->group);
	rc = rows_open(rows, work->array, request->group, others, window, ROWS_TAILS_FIRST, err);
	for (uint32_t t = 0; !rc && *good_out && t < rows->segment_blocks; t += window) {
		uint32_t count = (uint32_t)size_min(window, rows->segment_blocks - t);

		rc = rows_load(rows, t, count);
		if (rc)
			return err_set(err, rc, "no memory to read an extent");
		*good_out = column_is_good(rows, request->column);
		for (uint32_t s = 0; !rc && *good_out && s < rows->segments; s++) {
			for (uint32_t i = t; !rc && i < t + count; i++)
				rc = settle_entry(work, s, i);
		}
		if (!rc && *good_out)
			rc = write_window(work, err);
	}
	work->report.bytes_read += rows->bytes_read;
	rows_close(rows);
	return rc;
}

static int rebuild_from_others(struct rewriting *work, struct err *err)
{
	struct rows *rows = work->rows;
	const struct rewrite_request *request = work->request;
	const struct group *group = request->group;
	uint32_t except = request->read_old ? 0 : UINT32_C(1) << request->column;
	uint32_t window =
		request->group_buffer ? group->segment_blocks : rows_window(work->array, group);
	enum rows_order order = request->group_buffer ? ROWS_ONE_READ : ROWS_TAILS_FIRST;
	int rc = rows_open(rows, work->array, group, except, window, order, err);

	if (rc)
		return rc;
	work->report.buffer = (uint64_t)(rows->columns - 1) * rows->segments * window * BLOCK_SIZE;
	for (uint32_t t = 0; !rc && t < rows->segment_blocks; t += window)
		rc = rewrite_window(work, t, (uint32_t)size_min(window, rows->segment_blocks - t),
				    err);
	work->report.bytes_read += rows->bytes_read;
	rows_close(rows);
	return rc;
}

int rewrite_extent(struct rows *rows, struct array *array, const struct rewrite_request *request,
		   struct rewrite_report *report_out, struct err *err)
{
	struct rewriting work = { .rows = rows, .array = array, .request = request };
	const struct extent *old = &request->group->extents[request->column];
	bool copied = false;
	int rc = seal_init(&work.seal, &array->map->uuid, request->group, request->column);

	if (rc)
		return err_set(err, rc, "no memory to rewrite an extent");
	assert(request->place.id == old->id && request->place.body_blocks == old->body_blocks);
	work.in_place = request->place.slot == old->slot && request->place.frame == old->frame;
	if (work.in_place) {
		assert(old->stale);
		work.scratch = mem_pages(SCRATCH_SIZE);
		if (!work.scratch)
			rc = err_set(err, ERR_NOMEM, "no memory to rewrite an extent");
	}
	if (!rc && request->read_old && array_extent_usable(array, old))
		rc = copy_old(&work, &copied, err);
	if (!rc && !copied) {
		work.report.blocks_lost = 0;
		rc = rebuild_from_others(&work, err);
	}
	/* With blocks lost a stale extent stays stale: its seal may yet prove what is left of it. */
	if (!rc && !(work.in_place && work.report.blocks_lost > 0))
		rc = write_seal(&work, err);
	mem_pages_free(work.scratch);
	seal_reset(&work.seal);
	if (rc) {
		mem_free(work.report.lost);
		work.report.lost = NULL;
		return rc;
	}
	*report_out = work.report;
	return 0;
}
