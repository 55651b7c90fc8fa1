/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/group_write.h"

#include "core/array/io_role.h"
#include "core/array/seal_write.h"
#include "core/array/span_read.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/code/kernel.h"

#include <assert.h>
#include <inttypes.h>

#define TILE_BLOCKS 8u /* of each cell at a time: with 16 cells 512 KiB, which the cache holds */

struct group_writer {
	const struct array *array;
	const struct group *group;
	const struct span *span;
	uint32_t strip;       /* slices of a strip */
	uint32_t first, next; /* slices of the strip that is being written */
	const uint8_t *data;  /* of that strip */
	struct code *code;
	struct code_plan plan; /* computes the checks */
	uint8_t *checks;       /* the strip's check cells, in the order of `plan`'s steps' cells */
	size_t checks_size;
	uint8_t *seal_bytes;
	size_t seal_size;
	struct iovec *iovs; /* of each column: iovs_max() */
	struct io *ios;     /* of each column: ios_max(), and the caller's */
	uint64_t bytes;     /* written of this group */
	uint32_t segments, data_segments;
	struct seal seals[CODE_COLUMNS_MAX];
	uint32_t seeds[CODE_COLUMNS_MAX];
};

int group_writer_create(struct group_writer **writer_out)
{
	*writer_out = mem_calloc(1, sizeof(**writer_out));
	return *writer_out ? 0 : ERR_NOMEM;
}

/* Forget the group, keep the buffers. */
static void forget(struct group_writer *writer)
{
	for (uint32_t i = 0; i < CODE_COLUMNS_MAX; i++)
		seal_reset(&writer->seals[i]);
	if (writer->code)
		code_plan_reset(&writer->plan);
	code_free(writer->code);
	writer->code = NULL;
	mem_free(writer->iovs);
	mem_free(writer->ios);
	writer->iovs = NULL;
	writer->ios = NULL;
}

void group_writer_free(struct group_writer *writer)
{
	if (!writer)
		return;
	forget(writer);
	mem_pages_free(writer->checks);
	mem_pages_free(writer->seal_bytes);
	mem_free(writer);
}

/* A page buffer of at least `size` bytes; its content is not kept. */
static int reserve(uint8_t **pages, size_t *have, size_t size)
{
	if (*have >= size)
		return 0;
	mem_pages_free(*pages);
	*pages = mem_pages(size);
	*have = *pages ? size : 0;
	return *pages ? 0 : ERR_NOMEM;
}

/* Slice `slice` of a check; check columns, or the tails of sequential columns, follow each other. */
static uint8_t *check_cell(const struct group_writer *writer, uint32_t column, uint32_t segment,
			   uint32_t slice)
{
	uint32_t tails = writer->segments - writer->data_segments;
	size_t cell = writer->group->shape.layout == LAYOUT_SEQUENTIAL
			      ? (size_t)column * tails + segment - writer->data_segments
			      : (size_t)column - group_data_columns(writer->group);

	assert(slice >= writer->first && slice < writer->next);
	return writer->checks + (cell * writer->strip + slice - writer->first) * BLOCK_SIZE;
}

static bool is_check(const struct group_writer *writer, uint32_t column, uint32_t segment)
{
	return column >= group_data_columns(writer->group) || segment >= writer->data_segments;
}

/* Block `slice` of a cell, and how many blocks of the strip follow it in memory. */
static const uint8_t *cell_bytes(const struct group_writer *writer, uint32_t column,
				 uint32_t segment, uint32_t slice, uint32_t *run_out)
{
	uint32_t ahead = slice - writer->first;
	uint64_t unit = writer->span->unit_blocks;

	assert(slice >= writer->first && slice < writer->next);
	*run_out = writer->next - slice;
	if (is_check(writer, column, segment))
		return check_cell(writer, column, segment, slice);
	if (unit == 0) { /* whole segments, or the one column that there is */
		uint64_t cell = (uint64_t)column * writer->data_segments + segment;

		return writer->data + (cell * writer->group->segment_blocks + ahead) * BLOCK_SIZE;
	}
	*run_out = (uint32_t)size_min(*run_out, unit - ahead % unit);
	return writer->data +
	       ((ahead / unit * group_data_columns(writer->group) + column) * unit + ahead % unit) *
		       BLOCK_SIZE;
}

/*
 * Strips hold whole units, so that each is one run of the volume; of data in whole segments that is the
 * group.
 */
static uint32_t choose_strip(const struct array *array, const struct group *group,
			     const struct span *span)
{
	uint32_t slices = rows_window(array, group);

	if (group->shape.layout == LAYOUT_SEQUENTIAL)
		return group->segment_blocks;
	if (span->unit_blocks)
		slices = (uint32_t)size_max(slices / span->unit_blocks, 1) * span->unit_blocks;
	return (uint32_t)size_min(slices, group->segment_blocks);
}

/* At most this many scattered parts has a column's part of a strip: one per unit, or data and tails. */
static size_t iovs_max(const struct group_writer *writer)
{
	uint64_t unit = writer->span->unit_blocks;

	return unit ? size_divide_up(writer->strip, unit) : (size_t)writer->segments;
}

static size_t ios_max(const struct group_writer *writer)
{
	return iovs_max(writer) / IO_IOV_MAX + 1;
}

static int reserve_strip(struct group_writer *writer)
{
	const struct group *group = writer->group;
	uint32_t columns = group->shape.columns;
	size_t cells = group->shape.layout == LAYOUT_SEQUENTIAL
			       ? (size_t)columns * group->shape.checks
			       : (size_t)columns - group_data_columns(group);

	writer->iovs = mem_calloc(columns * iovs_max(writer), sizeof(*writer->iovs));
	writer->ios = mem_calloc(columns * ios_max(writer) + 1, sizeof(*writer->ios));
	if (!writer->iovs || !writer->ios)
		return ERR_NOMEM;
	if (group->shape.layout == LAYOUT_MIRROR)
		return 0;
	return reserve(&writer->checks, &writer->checks_size, cells * writer->strip * BLOCK_SIZE);
}

int group_write_begin(struct group_writer *writer, const struct array *array,
		      const struct group *group, const struct span *span, struct err *err)
{
	assert(!writer->code);
	writer->array = array;
	writer->group = group;
	writer->span = span;
	writer->strip = choose_strip(array, group, span);
	writer->next = 0;
	writer->bytes = 0;
	int rc = code_create(&writer->code, &group->shape, err);
	if (rc)
		return rc;
	rc = code_encode_plan(&writer->plan, writer->code);
	if (rc) {
		code_free(writer->code);
		writer->code = NULL;
		return err_set(err, rc, "no memory to encode a group");
	}
	writer->segments = code_segment_count(writer->code);
	writer->data_segments = code_data_segments(writer->code);
	for (uint32_t i = 0; !rc && i < group->shape.columns; i++) {
		writer->seeds[i] = seal_extent_seed(&array->map->uuid, group->extents[i].id);
		rc = seal_init(&writer->seals[i], &array->map->uuid, group, i);
	}
	if (!rc)
		rc = reserve_strip(writer);
	if (!rc)
		return 0;
	forget(writer);
	return err_set(err, rc, "no memory to write a group");
}

uint32_t group_write_strip_slices(const struct group_writer *writer)
{
	assert(writer->code);
	return writer->strip;
}

static struct seal_entry *entry_of(struct group_writer *writer, uint32_t column, uint32_t segment,
				   uint32_t slice)
{
	return &writer->seals[column].entries[segment * writer->group->segment_blocks + slice];
}

static void sum_blocks(struct group_writer *writer, uint32_t column, uint32_t segment,
		       uint32_t slice, uint32_t count)
{
	uint32_t run;
	const uint8_t *bytes = cell_bytes(writer, column, segment, slice, &run);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t block = segment * writer->group->segment_blocks + slice + i;
		uint32_t seed = seal_block_seed(writer->seeds[column], block);

		entry_of(writer, column, segment, slice + i)->crc =
			crc32_of(seed, bytes + (size_t)i * BLOCK_SIZE, BLOCK_SIZE);
	}
}

/* The checksum of a check block of an XOR code, from those of the blocks it is the sum of. */
static void derive_sums(struct group_writer *writer, const struct code_step *step, uint32_t slice,
			uint32_t count)
{
	uint32_t segments = writer->segments, segment_blocks = writer->group->segment_blocks;

	for (uint32_t t = slice; t < slice + count; t++) {
		uint32_t column = step->target / segments, segment = step->target % segments;
		uint32_t sum = crc32_zero_block(
			seal_block_seed(writer->seeds[column], segment * segment_blocks + t));

		for (uint16_t i = 0; i < step->term_count; i++) {
			uint32_t c = step->terms[i].cell / segments;
			uint32_t s = step->terms[i].cell % segments;
			uint32_t seed = seal_block_seed(writer->seeds[c], s * segment_blocks + t);

			sum ^= entry_of(writer, c, s, t)->crc ^ crc32_zero_block(seed);
		}
		entry_of(writer, column, segment, t)->crc = sum;
	}
}

/* Slices that every source of the step and its target have in a row in memory. */
static uint32_t common_run(const struct group_writer *writer, uint32_t slice)
{
	uint32_t run;

	cell_bytes(writer, 0, 0, slice, &run);
	return run;
}

/* One check cell of slices `slice` and on, from the cells of its equation. */
static void encode_cell(struct group_writer *writer, const struct code_step *step, uint32_t slice,
			uint32_t count)
{
	struct kernel_source sources[KERNEL_SOURCES_MAX];
	uint32_t column = step->target / writer->segments;
	uint32_t segment = step->target % writer->segments;
	uint32_t run;

	assert(step->term_count <= KERNEL_SOURCES_MAX);
	for (uint16_t i = 0; i < step->term_count; i++) {
		uint32_t cell = step->terms[i].cell;

		sources[i].bytes = cell_bytes(writer, cell / writer->segments,
					      cell % writer->segments, slice, &run);
		sources[i].coefficient = step->terms[i].coefficient;
	}
	kernel_combine(check_cell(writer, column, segment, slice), sources, step->term_count,
		       (size_t)count * BLOCK_SIZE);
}

/* All checks of a parity group in one visit of the data. */
static void encode_parity(struct group_writer *writer, uint32_t slice, uint32_t count)
{
	const struct code_shape *shape = &writer->group->shape;
	uint32_t data_count = group_data_columns(writer->group), run;
	const uint8_t *data[CODE_COLUMNS_MAX];
	uint8_t *checks[CODE_PARITY_MAX];

	for (uint32_t i = 0; i < data_count; i++)
		data[i] = cell_bytes(writer, i, 0, slice, &run);
	for (uint32_t j = 0; j < shape->checks; j++)
		checks[j] = check_cell(writer, data_count + j, 0, slice);
	kernel_encode(checks, shape->checks, data, shape->index, data_count,
		      (size_t)count * BLOCK_SIZE);
}

static bool is_xor_step(const struct code_step *step)
{
	for (uint16_t i = 0; i < step->term_count; i++) {
		if (step->terms[i].coefficient != 1)
			return false;
	}
	return true;
}

/* The checks of slices `slice` and on, and their sums. */
static void encode_slices(struct group_writer *writer, uint32_t slice, uint32_t count)
{
	enum layout layout = writer->group->shape.layout;

	if (layout == LAYOUT_PARITY)
		encode_parity(writer, slice, count);
	for (uint16_t i = 0; i < writer->plan.step_count; i++) {
		const struct code_step *step = &writer->plan.steps[i];

		/* A mirror's copies are the primary itself: there is nothing to compute. */
		if (layout == LAYOUT_SEQUENTIAL)
			encode_cell(writer, step, slice, count);
		if (is_xor_step(step))
			derive_sums(writer, step, slice, count);
		else
			sum_blocks(writer, step->target / writer->segments,
				   step->target % writer->segments, slice, count);
	}
}

/* Sum the data and compute the checks of the strip, tile by tile. */
static void encode_strip(struct group_writer *writer)
{
	uint32_t data_columns = group_data_columns(writer->group);

	for (uint32_t slice = writer->first; slice < writer->next;) {
		uint32_t count = (uint32_t)size_min(TILE_BLOCKS, common_run(writer, slice));

		for (uint32_t s = 0; s < writer->data_segments; s++) {
			for (uint32_t c = 0; c < data_columns; c++)
				sum_blocks(writer, c, s, slice, count);
		}
		encode_slices(writer, slice, count);
		slice += count;
	}
}

/* All blocks of a new group were written by the same commit. */
static void stamp(struct group_writer *writer)
{
	uint32_t generation = (uint32_t)writer->group->generation;

	for (uint32_t c = 0; c < writer->group->shape.columns; c++) {
		struct seal *seal = &writer->seals[c];
		const struct seal_shape *shape = &seal->shape;
		uint32_t blocks = shape->plain_blocks + shape->witness_blocks;
		/* The pure parity covers one block less than the rows do. */
		bool pure = writer->group->shape.layout == LAYOUT_SEQUENTIAL &&
			    c == writer->group->shape.pure;
		uint32_t witnesses = shape->witness_count - (pure ? 1 : 0);

		for (uint32_t b = 0; b < blocks; b++)
			seal->entries[b].generation = generation;
		for (uint32_t b = shape->plain_blocks; b < blocks; b++) {
			for (uint32_t w = 0; w < witnesses; w++)
				seal_witnesses(seal, b)[w] = (uint16_t)generation;
		}
	}
}

/* Scatter list of a column's part of the strip, in body order. */
static uint32_t body_iovs(const struct group_writer *writer, uint32_t column, struct iovec *iovs)
{
	uint32_t count = 0;

	for (uint32_t s = 0; s < writer->segments; s++) {
		for (uint32_t t = writer->first; t < writer->next;) {
			uint32_t run;
			bool copy = writer->group->shape.layout == LAYOUT_MIRROR;
			const uint8_t *bytes = cell_bytes(writer, copy ? 0 : column, s, t, &run);
			struct iovec *last = count ? &iovs[count - 1] : NULL;

			if (last && (const uint8_t *)last->iov_base + last->iov_len == bytes)
				last->iov_len += (size_t)run * BLOCK_SIZE;
			else /* iovec has no const; a write only reads */
				iovs[count++] = (struct iovec){ (void *)(uintptr_t)bytes,
								(size_t)run * BLOCK_SIZE };
			t += run;
		}
	}
	return count;
}

/* The writes of one column's part of the strip; each of at most IO_IOV_MAX pieces. */
static size_t add_body(const struct group_writer *writer, uint32_t column, const struct iovec *iovs,
		       uint32_t iov_count, struct io *ios)
{
	const struct extent *extent = &writer->group->extents[column];
	uint64_t offset = extent_offset(writer->array->map, extent, writer->first);
	bool check = column >= group_data_columns(writer->group);
	size_t count = 0;

	for (uint32_t at = 0; at < iov_count; at += IO_IOV_MAX) {
		uint32_t part = (uint32_t)size_min(IO_IOV_MAX, iov_count - at);
		uint64_t size = 0;

		for (uint32_t i = 0; i < part; i++)
			size += iovs[at + i].iov_len;
		ios[count++] = (struct io){ .dev = array_dev(writer->array, extent->slot),
					    .op = IO_WRITE,
					    .role = check ? IO_ROLE_PARITY : IO_ROLE_DATA,
					    .offset = offset,
					    .size = size,
					    .iov = iovs + at,
					    .iov_count = part };
		offset += size;
	}
	return count;
}

/* Run the first `count` operations, and `beside` with them; its result is its owner's to look at. */
static int run_writes(struct group_writer *writer, size_t count, struct io *beside, struct err *err)
{
	struct io *ios = writer->ios;

	if (beside)
		ios[count] = *beside;
	int rc = io_run(ios, count + (beside ? 1 : 0));

	if (beside) {
		beside->result = ios[count].result;
		rc = 0; /* which of them it was shows below */
	}
	for (size_t i = 0; i < count; i++) {
		if (ios[i].result)
			return err_set(err, ios[i].result, "write to %s at %" PRIu64 " failed",
				       dev_name(ios[i].dev), ios[i].offset);
		writer->bytes += ios[i].size;
	}
	return rc;
}

int group_write_strip(struct group_writer *writer, const uint8_t *data, struct io *beside,
		      struct err *err)
{
	uint32_t columns = writer->group->shape.columns, end = writer->group->segment_blocks;
	size_t iovs_column = iovs_max(writer), count = 0;

	assert(writer->code && writer->next < end);
	writer->first = writer->next;
	writer->next += (uint32_t)size_min(writer->strip, end - writer->first);
	writer->data = data;
	encode_strip(writer);
	for (uint32_t c = 0; c < columns; c++) {
		struct iovec *own = writer->iovs + c * iovs_column;
		uint32_t parts = body_iovs(writer, c, own);

		assert(parts <= iovs_column);
		count += add_body(writer, c, own, parts, writer->ios + count);
	}
	assert(count <= columns * ios_max(writer));
	return run_writes(writer, count, beside, err);
}

uint64_t group_write_bytes(const struct group_writer *writer)
{
	assert(writer->code);
	return writer->bytes;
}

/* The entry pages of a seal, which lie behind its header. */
static struct io entries_io(const struct group_writer *writer, uint32_t column, uint8_t *bytes,
			    struct iovec *iov)
{
	const struct extent *extent = &writer->group->extents[column];
	const struct seal *seal = &writer->seals[column];

	*iov = (struct iovec){ bytes, (size_t)seal_entry_pages(&seal->shape) * BLOCK_SIZE };
	return (struct io){ .dev = array_dev(writer->array, extent->slot),
			    .op = IO_WRITE,
			    .role = io_role_of_seal(&seal->shape),
			    .offset = extent_seal_offset(writer->array->map, extent) + BLOCK_SIZE,
			    .size = iov->iov_len,
			    .iov = iov,
			    .iov_count = 1 };
}

/* Encode the entry pages of all columns, and make the operations that write them. */
static int encode_entries(struct group_writer *writer)
{
	uint32_t columns = writer->group->shape.columns;
	size_t size = 0;

	for (uint32_t c = 0; c < columns; c++)
		size += (size_t)seal_entry_pages(&writer->seals[c].shape) * BLOCK_SIZE;
	if (reserve(&writer->seal_bytes, &writer->seal_size, size))
		return ERR_NOMEM;
	uint8_t *at = writer->seal_bytes;
	for (uint32_t c = 0; c < columns; c++) {
		const struct seal *seal = &writer->seals[c];

		writer->ios[c] = entries_io(writer, c, at, &writer->iovs[c]);
		for (uint32_t page = 0; page < seal_entry_pages(&seal->shape); page++) {
			seal_encode_page(seal, page, at);
			at += BLOCK_SIZE;
		}
	}
	return 0;
}

int group_write_end(struct group_writer *writer, uint64_t *bytes_out, struct err *err)
{
	assert(writer->code && writer->next == writer->group->segment_blocks);
	stamp(writer);
	int rc = encode_entries(writer);

	if (rc)
		err_set(err, rc, "no memory to write seals");
	else
		rc = run_writes(writer, writer->group->shape.columns, NULL, err);
	if (!rc)
		*bytes_out = writer->bytes;
	forget(writer);
	return rc;
}

void group_write_abandon(struct group_writer *writer)
{
	forget(writer);
}

int group_write(struct group_writer *writer, const struct array *array, const struct group *group,
		const struct span *span, const uint8_t *data, uint64_t *bytes_out, struct err *err)
{
	int rc = group_write_begin(writer, array, group, span, err);

	if (rc)
		return rc;
	size_t strip = (size_t)writer->strip * group_data_columns(group) * BLOCK_SIZE;
	while (!rc && writer->next < group->segment_blocks) {
		rc = group_write_strip(writer, data, NULL, err);
		data += strip;
	}
	if (!rc)
		return group_write_end(writer, bytes_out, err);
	group_write_abandon(writer);
	return rc;
}

int group_write_headers(const struct array *array, const struct group *group,
			const struct volume *volume, const struct span *span, struct err *err)
{
	uint32_t columns = group->shape.columns;
	uint8_t *pages = mem_pages((size_t)columns * BLOCK_SIZE);
	struct iovec iovs[CODE_COLUMNS_MAX];
	struct io ios[CODE_COLUMNS_MAX];

	if (!pages)
		return err_set(err, ERR_NOMEM, "no memory to write seals");
	for (uint32_t c = 0; c < columns; c++) {
		const struct extent *extent = &group->extents[c];

		iovs[c] = (struct iovec){ pages + (size_t)c * BLOCK_SIZE, BLOCK_SIZE };
		seal_write_header(iovs[c].iov_base, array, group, c, volume, span);
		ios[c] = (struct io){ .dev = array_dev(array, extent->slot),
				      .op = IO_WRITE,
				      .role = IO_ROLE_SEAL,
				      .offset = extent_seal_offset(array->map, extent),
				      .size = BLOCK_SIZE,
				      .iov = &iovs[c],
				      .iov_count = 1 };
	}
	int rc = io_run(ios, columns);
	for (uint32_t c = 0; rc && c < columns; c++) {
		if (ios[c].result) {
			err_set(err, rc, "write to %s at %" PRIu64 " failed", dev_name(ios[c].dev),
				ios[c].offset);
			break;
		}
	}
	mem_pages_free(pages);
	return rc;
}
