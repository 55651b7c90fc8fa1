/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_run.h"

#include "core/array/io_role.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct row_writer *row_writer_create(struct array *array, struct array_write_result *result)
{
	struct row_writer *writer = mem_calloc(1, sizeof(*writer));

	if (writer) {
		writer->array = array;
		writer->result = result;
	}
	return writer;
}

void row_writer_reset(struct row_writer *writer)
{
	mem_free(writer->cells);
	mem_pages_free(writer->content);
	mem_free(writer->half);
	seal_late_free(writer->late);
	mem_pages_free(writer->fresh_pages);
	mem_pages_free(writer->old_pages);
	rows_free(&writer->rows);
}

void row_writer_free(struct row_writer *writer)
{
	row_writer_reset(writer);
	mem_free(writer);
}

void row_writer_move(struct row_writer *to, struct row_writer *from)
{
	*to = *from;
	to->rows = (struct rows){ 0 };
	to->old_pages = NULL;
	to->source = NULL;
	to->heal = NULL;
	to->result = NULL;
	from->cells = NULL;
	from->cells_capacity = 0;
	from->fresh_pages = NULL;
	from->fresh_capacity = 0;
	from->content = NULL;
	from->half = NULL;
	from->late = NULL;
}

uint32_t writer_block(const struct row_writer *writer, uint32_t cell, uint32_t slice)
{
	const struct sealed_group *sealed = writer->sealed;

	return cell % sealed->segments * sealed->group->segment_blocks + slice;
}

bool writer_is_absent(const struct row_writer *writer, uint32_t cell)
{
	return writer->absent >> cell / writer->sealed->segments & 1;
}

/* Slices first..first+count-1 of a cell, from or to `bytes`. */
struct io writer_cell_io(const struct row_writer *writer, enum io_op op, uint16_t cell,
			 uint32_t first, uint32_t count, uint8_t *bytes, struct iovec *iov)
{
	const struct extent *extent =
		&writer->sealed->group->extents[cell / writer->sealed->segments];

	*iov = (struct iovec){ bytes, (size_t)count * BLOCK_SIZE };
	return (struct io){
		.dev = array_dev(writer->array, extent->slot),
		.op = op,
		.role = io_role_of_cell(writer->sealed->code, cell),
		.offset = extent_offset(writer->array->map, extent,
					writer_block(writer, cell, first)),
		.size = iov->iov_len,
		.iov = iov,
		.iov_count = 1,
	};
}

/* ---- buffers */

static int reserve(uint8_t **pages, size_t *capacity, size_t size)
{
	if (*capacity >= size)
		return 0;
	mem_pages_free(*pages);
	*pages = mem_pages(size);
	*capacity = *pages ? size : 0;
	return *pages ? 0 : ERR_NOMEM;
}

static bool is_partial(const struct row_writer *writer, uint32_t cell)
{
	for (uint32_t i = 0; i < writer->partial_count; i++) {
		if (writer->partials[i].cell == cell)
			return true;
	}
	return false;
}

/* Room for the old content of what is read, unless all has to be solved. */
static int reserve_old(struct row_writer *writer)
{
	const struct write_plan *plan = &writer->plan;
	size_t size = (size_t)writer->run.count * BLOCK_SIZE, count = 0;
	uint16_t cells = code_cell_count(writer->sealed->code);

	memset(writer->old, 0, cells * sizeof(writer->old[0]));
	if (plan->solve)
		return 0;
	int rc = reserve(&writer->old_pages, &writer->old_capacity,
			 (plan->reads + WRITE_PARTIAL_MAX) * size);

	for (uint16_t cell = 0; !rc && cell < cells; cell++) {
		if ((plan->read[cell / 64] >> cell % 64 & 1) || is_partial(writer, cell))
			writer->old[cell] = writer->old_pages + count++ * size;
	}
	return rc;
}

static int reserve_buffers(struct row_writer *writer)
{
	const struct write_plan *plan = &writer->plan;
	size_t size = (size_t)writer->run.count * BLOCK_SIZE;
	size_t cells = (size_t)plan->cell_count * writer->run.count;
	int rc = reserve(&writer->fresh_pages, &writer->fresh_capacity, plan->cell_count * size);

	seal_late_free(writer->late);
	writer->late = seal_late_create(plan->cell_count, writer->run.count);
	rc = rc ? rc : writer->late ? 0 : ERR_NOMEM;
	if (!rc && writer->cells_capacity < cells) {
		mem_free(writer->cells);
		writer->cells = mem_calloc(cells, sizeof(*writer->cells));
		writer->cells_capacity = writer->cells ? cells : 0;
		rc = writer->cells ? 0 : ERR_NOMEM;
	}
	memset(writer->fresh, 0, code_cell_count(writer->sealed->code) * sizeof(writer->fresh[0]));
	for (uint16_t i = 0; !rc && i < plan->cell_count; i++)
		writer->fresh[plan->cells[i]] = writer->fresh_pages + i * size;
	return rc ? rc : reserve_old(writer);
}

/* ---- new bytes */

/* The block of the span that is block `block` of a data column; inverse of span_locate(). */
static uint64_t span_block(const struct write_source *source, uint32_t column, uint32_t block)
{
	const struct span *span = source->span;
	uint64_t unit = span->unit_blocks ? span->unit_blocks : source->data_blocks;

	return (block / unit * span->extent_count + source->positions[column]) * unit +
	       block % unit;
}

/* The new bytes of a block; what lies behind the end of the span is zeros, and not old. */
static struct write_partial copy_block(const struct row_writer *writer, uint32_t cell,
				       uint32_t slice, uint8_t *to)
{
	const struct write_source *source = writer->source;
	uint32_t column = cell / writer->sealed->segments;
	uint64_t at = span_block(source, column, writer_block(writer, cell, slice)) * BLOCK_SIZE;
	uint64_t begin = size_max(at, source->from), end = size_min(at + BLOCK_SIZE, source->stop);
	struct write_partial part = { cell, slice, (uint32_t)(begin - at), (uint32_t)(end - at) };

	assert(begin < end);
	memcpy(to + part.begin, source->bytes + (begin - source->from), end - begin);
	if (end == source->span->length) {
		memset(to + part.end, 0, BLOCK_SIZE - part.end);
		part.end = BLOCK_SIZE;
	}
	return part;
}

static void find_partials(struct row_writer *writer)
{
	uint8_t scratch[BLOCK_SIZE];

	writer->partial_count = 0;
	for (uint16_t i = 0; i < writer->plan.data_count; i++) {
		uint32_t last = writer->run.count - 1;

		for (uint32_t t = 0; t <= last; t = t < last ? last : last + 1) {
			const struct write_partial part = copy_block(
				writer, writer->plan.cells[i], writer->run.first + t, scratch);

			if (part.begin == 0 && part.end == BLOCK_SIZE)
				continue;
			assert(writer->partial_count < WRITE_PARTIAL_MAX);
			writer->partials[writer->partial_count++] = part;
		}
	}
}

static void copy_data(struct row_writer *writer)
{
	for (uint16_t i = 0; i < writer->plan.data_count; i++) {
		uint32_t cell = writer->plan.cells[i];

		for (uint32_t t = 0; t < writer->run.count; t++)
			copy_block(writer, cell, writer->run.first + t,
				   writer->fresh[cell] + (size_t)t * BLOCK_SIZE);
	}
}

void writer_merge(struct row_writer *writer, const struct write_partial *partial,
		  const uint8_t *old)
{
	uint8_t *fresh = writer->fresh[partial->cell] +
			 (size_t)(partial->slice - writer->run.first) * BLOCK_SIZE;

	memcpy(fresh, old, partial->begin);
	memcpy(fresh + partial->end, old + partial->end, BLOCK_SIZE - partial->end);
}

/* ---- generations */

static uint32_t later_of(const struct row_writer *writer, uint32_t cell, uint32_t slice,
			 uint32_t generation)
{
	const struct seal *seal = &writer->sealed->seals[cell / writer->sealed->segments];
	uint32_t block = writer_block(writer, cell, slice);

	return seal_knows(seal, block) && seal->entries[block].generation > generation
		       ? seal->entries[block].generation
		       : generation;
}

/* One more than any cell of the equations is known to have, and than any that a failed write had. */
static uint64_t next_generation(const struct row_writer *writer, uint32_t slice)
{
	const struct write_plan *plan = &writer->plan;
	uint32_t newest = __atomic_load_n(&writer->sealed->generation_floor, __ATOMIC_RELAXED);

	for (uint16_t i = 0; i < plan->cell_count; i++)
		newest = later_of(writer, plan->cells[i], slice, newest);
	for (uint16_t i = 0; i + plan->data_count < plan->cell_count; i++) {
		const struct code_equation *equation =
			code_equation(writer->sealed->code, plan->equations[i]);

		for (uint16_t n = 0; n < equation->term_count; n++)
			newest = later_of(writer, equation->terms[n].cell, slice, newest);
	}
	return (uint64_t)newest + 1;
}

static struct log_cell *cells_of(const struct row_writer *writer, uint32_t t)
{
	return writer->cells + (size_t)t * writer->plan.cell_count;
}

static int set_generations(struct row_writer *writer, struct err *err)
{
	writer->generation_max = 0;
	for (uint32_t t = 0; t < writer->run.count; t++) {
		uint64_t generation = next_generation(writer, writer->run.first + t);

		if (generation > UINT32_MAX - WRITES_UNNAMED_MAX)
			return err_set(err, ERR_FORMAT,
				       "group %" PRIu64 ": a block was written %" PRIu64
				       " times, more cannot be counted",
				       writer->sealed->group->id, generation);
		for (uint16_t i = 0; i < writer->plan.cell_count; i++)
			cells_of(writer, t)[i].generation = (uint32_t)generation;
		writer->generation_max = (uint32_t)size_max(writer->generation_max, generation);
	}
	return 0;
}

int writer_prepare(struct row_writer *writer, struct err *err)
{
	const struct write_run *run = &writer->run;
	int rc = write_plan_make(&writer->plan, writer->sealed->code, run->segment, run->columns,
				 writer->absent);

	if (rc)
		return err_set(err, rc, "group %" PRIu64 " has too many columns to write at once",
			       writer->sealed->group->id);
	writer->volume = writer->source->volume->id;
	find_partials(writer);
	rc = reserve_buffers(writer);
	if (rc)
		return err_set(err, rc, "no memory to write %u rows", run->count);
	copy_data(writer);
	return set_generations(writer, err);
}

/* ---- the record */

void writer_note_cells(struct row_writer *writer, const struct write_plan *plan, uint32_t t)
{
	const struct sealed_group *sealed = writer->sealed;
	uint32_t slice = writer->run.first + t;

	for (uint16_t i = 0; i < plan->cell_count; i++) {
		uint32_t cell = plan->cells[i], column = cell / sealed->segments;
		uint8_t *bytes = writer->fresh[cell] + (size_t)t * BLOCK_SIZE;
		uint32_t seed =
			seal_block_seed(sealed->seeds[column], writer_block(writer, cell, slice));
		struct log_cell *noted = &cells_of(writer, t)[i];
		bool unknown = i >= plan->data_count &&
			       plan->checks[i - plan->data_count] == CHECK_UNKNOWN;

		if (unknown)
			memset(bytes, 0, BLOCK_SIZE);
		noted->crc = crc32_of(seed, bytes, BLOCK_SIZE);
		if (unknown && writer->absent >> column & 1)
			*noted = (struct log_cell){ 0, 0 };
		else if (unknown)
			noted->crc = ~noted->crc;
	}
}

struct log_rows writer_rows(const struct row_writer *writer)
{
	return (struct log_rows){
		.volume = writer->volume,
		.group = writer->sealed->group->id,
		.segment = writer->run.segment,
		.first = writer->run.first,
		.count = writer->run.count,
		.columns = writer->run.columns,
		.cell_count = writer->plan.cell_count,
		.generation_limit = writer->generation_max + writer->generations_ahead,
		.cells = writer->cells,
		.content = writer->content,
	};
}

int writer_make_content(struct row_writer *writer)
{
	const struct write_plan *plan = &writer->plan;
	uint8_t *at = mem_pages((size_t)plan->cell_count * writer->run.count * BLOCK_SIZE);

	assert(!writer->content);
	if (!at)
		return ERR_NOMEM;
	writer->content = at;
	for (uint32_t t = 0; t < writer->run.count; t++) {
		for (uint16_t i = 0; i < plan->cell_count; i++, at += BLOCK_SIZE)
			memcpy(at, writer->fresh[plan->cells[i]] + (size_t)t * BLOCK_SIZE,
			       BLOCK_SIZE);
	}
	return 0;
}

void writer_drop_content(struct row_writer *writer)
{
	mem_pages_free(writer->content);
	writer->content = NULL;
}
