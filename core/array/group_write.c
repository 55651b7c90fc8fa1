/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/group_write.h"

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
	const uint8_t *data;
	struct code *code;
	struct code_plan plan; /* computes the checks */
	uint8_t *checks;       /* check cells, in the order of `plan`'s steps' cells */
	size_t checks_size;
	uint8_t *seal_bytes;
	size_t seal_size;
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

/* Check columns, or the tails of sequential columns, follow each other in `checks`. */
static uint8_t *check_cell(const struct group_writer *writer, uint32_t column, uint32_t segment)
{
	uint32_t tails = writer->segments - writer->data_segments;
	size_t cell = writer->group->shape.layout == LAYOUT_SEQUENTIAL
			      ? (size_t)column * tails + segment - writer->data_segments
			      : (size_t)column - group_data_columns(writer->group);

	return writer->checks + cell * writer->group->segment_blocks * BLOCK_SIZE;
}

static bool is_check(const struct group_writer *writer, uint32_t column, uint32_t segment)
{
	return column >= group_data_columns(writer->group) || segment >= writer->data_segments;
}

/* Block `slice` of a cell, and how many blocks follow it in memory. */
static const uint8_t *cell_bytes(const struct group_writer *writer, uint32_t column,
				 uint32_t segment, uint32_t slice, uint32_t *run_out)
{
	uint32_t segment_blocks = writer->group->segment_blocks;
	uint64_t unit = writer->span->unit_blocks;
	uint64_t block = (uint64_t)segment * segment_blocks + slice;

	*run_out = segment_blocks - slice;
	if (is_check(writer, column, segment))
		return check_cell(writer, column, segment) + (size_t)slice * BLOCK_SIZE;
	if (unit == 0) {
		uint64_t data_blocks = (uint64_t)writer->data_segments * segment_blocks;

		return writer->data + (column * data_blocks + block) * BLOCK_SIZE;
	}
	*run_out = (uint32_t)size_min(*run_out, unit - block % unit);
	return writer->data +
	       ((block / unit * group_data_columns(writer->group) + column) * unit + block % unit) *
		       BLOCK_SIZE;
}

static int begin(struct group_writer *writer, const struct array *array, const struct group *group,
		 const struct span *span, const uint8_t *data, struct err *err)
{
	writer->array = array;
	writer->group = group;
	writer->span = span;
	writer->data = data;
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
	size_t cells = group->shape.layout == LAYOUT_SEQUENTIAL
			       ? (size_t)group->shape.columns * group->shape.checks
			       : (size_t)group->shape.columns - group_data_columns(group);
	if (!rc && group->shape.layout != LAYOUT_MIRROR)
		rc = reserve(&writer->checks, &writer->checks_size,
			     cells * group->segment_blocks * BLOCK_SIZE);
	return rc ? err_set(err, rc, "no memory to write a group") : 0;
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
	kernel_combine(check_cell(writer, column, segment) + (size_t)slice * BLOCK_SIZE, sources,
		       step->term_count, (size_t)count * BLOCK_SIZE);
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
		checks[j] = check_cell(writer, data_count + j, 0) + (size_t)slice * BLOCK_SIZE;
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

/* Sum the data and compute the checks of all slices, tile by tile. */
static void encode_group(struct group_writer *writer)
{
	uint32_t data_columns = group_data_columns(writer->group);
	uint32_t end = writer->group->segment_blocks;

	for (uint32_t slice = 0; slice < end;) {
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

/* What one column is written from. */
struct column_write {
	struct iovec *iovs;
	uint32_t iov_count;
};

/* Scatter list of a column's body, in body order. */
static uint32_t body_iovs(const struct group_writer *writer, uint32_t column, struct iovec *iovs)
{
	uint32_t count = 0;

	for (uint32_t s = 0; s < writer->segments; s++) {
		for (uint32_t t = 0; t < writer->group->segment_blocks;) {
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

/* At most this many scattered parts has a body: one per unit, or data and tails. */
static size_t iovs_max(const struct group_writer *writer)
{
	uint64_t unit = writer->span->unit_blocks;

	return unit ? size_divide_up(writer->group->segment_blocks, unit) + 1
		    : (size_t)writer->segments + 1;
}

/* Append the writes of one column's body; parts of at most IO_IOV_MAX pieces. */
static size_t add_body(const struct group_writer *writer, uint32_t column, const struct iovec *iovs,
		       uint32_t iov_count, struct io *ios)
{
	const struct extent *extent = &writer->group->extents[column];
	uint64_t offset = extent_offset(writer->array->map, extent, 0);
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

static struct io seal_io(const struct group_writer *writer, uint32_t column, uint8_t *bytes,
			 struct iovec *iov)
{
	const struct extent *extent = &writer->group->extents[column];
	const struct seal *seal = &writer->seals[column];

	*iov = (struct iovec){ bytes, (size_t)seal_write_blocks(seal) * BLOCK_SIZE };
	return (struct io){ .dev = array_dev(writer->array, extent->slot),
			    .op = IO_WRITE,
			    .role = seal->shape.witness_blocks ? IO_ROLE_WITNESS : IO_ROLE_SEAL,
			    .offset = extent_seal_offset(writer->array->map, extent),
			    .size = iov->iov_len,
			    .iov = iov,
			    .iov_count = 1 };
}

static int encode_seals(struct group_writer *writer, const struct volume *volume)
{
	uint32_t columns = writer->group->shape.columns;
	size_t size = 0;

	for (uint32_t c = 0; c < columns; c++)
		size += (size_t)seal_write_blocks(&writer->seals[c]) * BLOCK_SIZE;
	if (reserve(&writer->seal_bytes, &writer->seal_size, size))
		return ERR_NOMEM;
	uint8_t *at = writer->seal_bytes;
	for (uint32_t c = 0; c < columns; c++) {
		seal_write_encode(at, writer->array, writer->group, c, volume, writer->span,
				  &writer->seals[c]);
		at += (size_t)seal_write_blocks(&writer->seals[c]) * BLOCK_SIZE;
	}
	return 0;
}

static int run_writes(const struct group_writer *writer, struct io *ios, size_t count,
		      uint64_t *bytes_out, struct err *err)
{
	int rc = io_run(ios, count);

	*bytes_out = 0;
	for (size_t i = 0; i < count; i++) {
		if (ios[i].result)
			return err_set(err, ios[i].result, "write to %s at %" PRIu64 " failed",
				       dev_name(ios[i].dev), ios[i].offset);
		*bytes_out += ios[i].size;
	}
	return rc ? err_set(err, rc, "group %" PRIu64 " could not be written", writer->group->id)
		  : 0;
}

static int write_out(struct group_writer *writer, uint64_t *bytes_out, struct err *err)
{
	uint32_t columns = writer->group->shape.columns;
	size_t iovs_column = iovs_max(writer), ios_column = iovs_column / IO_IOV_MAX + 2;
	struct iovec *iovs = mem_calloc(columns * (iovs_column + 1), sizeof(*iovs));
	struct io *ios = mem_calloc(columns * ios_column, sizeof(*ios));
	uint8_t *seal = writer->seal_bytes;
	size_t count = 0;
	int rc;

	for (uint32_t c = 0; iovs && ios && c < columns; c++) {
		struct iovec *own = iovs + c * (iovs_column + 1);
		uint32_t parts = body_iovs(writer, c, own);

		assert(parts <= iovs_column);
		count += add_body(writer, c, own, parts, ios + count);
		ios[count++] = seal_io(writer, c, seal, own + iovs_column);
		seal += (size_t)seal_write_blocks(&writer->seals[c]) * BLOCK_SIZE;
	}
	if (!iovs || !ios)
		rc = err_set(err, ERR_NOMEM, "no memory to write a group");
	else
		rc = run_writes(writer, ios, count, bytes_out, err);
	mem_free(iovs);
	mem_free(ios);
	return rc;
}

int group_write(struct group_writer *writer, struct array *array, const struct group *group,
		const struct volume *volume, const struct span *span, const uint8_t *data,
		uint64_t *bytes_out, struct err *err)
{
	int rc = begin(writer, array, group, span, data, err);

	if (!rc) {
		encode_group(writer);
		stamp(writer);
		rc = encode_seals(writer, volume);
		if (rc)
			err_set(err, rc, "no memory to write seals");
	}
	if (!rc)
		rc = write_out(writer, bytes_out, err);
	forget(writer);
	return rc;
}
