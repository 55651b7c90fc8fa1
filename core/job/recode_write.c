/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/recode_write.h"

#include "core/array/group_write.h"
#include "core/array/span_read.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/span_judge.h"
#include "core/store/seal.h"

#include <assert.h>
#include <string.h>

#define READ_BLOCKS 2048u /* 8 MiB: long enough for every member to be busy */

struct recode_writer {
	struct group_writer *writer;
	struct span_reader reader;
	struct span_judge judge; /* of the span that is open */
	const struct span *open; /* of the reader; NULL: none */
	uint8_t *data;           /* a strip */
	size_t data_size;
	bool *lost; /* a flag per block of the strip */
	size_t lost_count;
	/* of the group being written */
	struct array *array;
	const struct recode_request *request;
	uint64_t bytes_before; /* read by the reader when the span was opened */
	struct recode_report report;
};

int recode_writer_create(struct recode_writer **writer_out)
{
	struct recode_writer *writer = mem_calloc(1, sizeof(*writer));

	if (!writer)
		return ERR_NOMEM;
	int rc = group_writer_create(&writer->writer);
	if (rc)
		mem_free(writer);
	else
		*writer_out = writer;
	return rc;
}

void recode_writer_free(struct recode_writer *writer)
{
	if (!writer)
		return;
	group_writer_free(writer->writer);
	span_reader_free(&writer->reader);
	span_judge_free(&writer->judge);
	mem_pages_free(writer->data);
	mem_free(writer->lost);
	mem_free(writer);
}

static int reserve(struct recode_writer *writer, uint64_t blocks)
{
	if (writer->lost_count >= blocks)
		return 0;
	mem_pages_free(writer->data);
	mem_free(writer->lost);
	writer->lost_count = 0;
	writer->data = mem_pages((size_t)blocks * BLOCK_SIZE);
	writer->lost = mem_calloc((size_t)blocks, sizeof(bool));
	if (!writer->data || !writer->lost)
		return ERR_NOMEM;
	writer->lost_count = (size_t)blocks;
	return 0;
}

/* ---- reading */

static void close_span(struct recode_writer *writer)
{
	if (!writer->open)
		return;
	writer->report.bytes_read += writer->reader.bytes_read + writer->reader.rows.bytes_read +
				     writer->judge.bytes_read - writer->bytes_before;
	span_reader_close(&writer->reader);
	writer->open = NULL;
}

static int open_span(struct recode_writer *writer, const struct span *span, struct err *err)
{
	if (writer->open == span)
		return 0;
	close_span(writer);
	uint64_t before = writer->judge.bytes_read;
	int rc = span_judge_open(&writer->judge, writer->array, span, err);
	if (!rc)
		rc = span_reader_open(&writer->reader, writer->array, span, err);
	if (rc)
		return rc;
	writer->open = span;
	writer->bytes_before = writer->reader.bytes_read + writer->reader.rows.bytes_read + before;
	return 0;
}

/* Tell of the blocks from `first` on of a span that are lost. */
static void tell_losses(struct recode_writer *writer, const struct span *span, uint64_t first,
			uint32_t count, const bool *lost)
{
	const struct recode_request *request = writer->request;

	writer->report.impossible = true;
	for (uint32_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && lost[i + run] == lost[i];)
			run++;
		uint64_t at = (first + i) * BLOCK_SIZE;
		uint64_t end = size_min(at + (uint64_t)run * BLOCK_SIZE, span->length);

		if (lost[i])
			request->lost(request->lost_arg, span, span->offset + at, end - at);
	}
}

/* In place of what its group knows to be old, what it should be. Adds to result->lost. */
static int mend_old(struct recode_writer *writer, uint64_t first, uint32_t count, uint8_t *data,
		    bool *lost, struct array_read_result *result, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < count; i++) {
		uint8_t *block = data + (size_t)i * BLOCK_SIZE;
		bool stands = true;

		if (lost[i] || span_judge_allows(&writer->judge, first + i, block))
			continue;
		rc = span_judge_fetch(&writer->judge, first + i, block, &stands, err);
		lost[i] = !stands;
		result->lost += stands ? 0 : BLOCK_SIZE;
	}
	return rc;
}

/* Blocks first..first+count-1 of one of the old spans. */
static int read_span(struct recode_writer *writer, const struct span *span, uint64_t first,
		     uint64_t count, uint8_t *data, bool *lost, struct err *err)
{
	int rc = open_span(writer, span, err);

	/* Calls that begin at multiples of this read no window of rows twice. */
	uint32_t piece = rc ? 1 : span_read_piece(writer->array, span, READ_BLOCKS);

	for (uint64_t done = 0; !rc && done < count;) {
		struct array_read_result result = { 0 };
		uint32_t blocks = (uint32_t)size_min(piece - (first + done) % piece, count - done);

		rc = span_read(&writer->reader, first + done, blocks,
			       data + (size_t)done * BLOCK_SIZE, lost + done, &result, err);
		if (!rc)
			rc = mend_old(writer, first + done, blocks,
				      data + (size_t)done * BLOCK_SIZE, lost + done, &result, err);
		if (!rc && result.lost > 0)
			tell_losses(writer, span, first + done, blocks, lost + done);
		done += blocks;
	}
	return rc;
}

/* Blocks of the run, from the spans that have them; zeros behind its end. */
static int read_strip(struct recode_writer *writer, uint64_t first, uint64_t count, struct err *err)
{
	const struct recode_run *run = writer->request->run;
	const struct volume *volume = writer->request->volume;
	uint64_t done = 0;
	int rc = 0;

	for (uint32_t s = run->first; !rc && s < run->first + run->count && done < count; s++) {
		const struct span *span = &volume->spans[s];
		uint64_t begin = (span->offset - run->offset) / BLOCK_SIZE;
		uint64_t end = begin + size_divide_up(span->length, BLOCK_SIZE);

		assert((span->offset - run->offset) % BLOCK_SIZE == 0);
		if (end <= first + done)
			continue;
		uint64_t blocks = size_min(end - first - done, count - done);

		rc = read_span(writer, span, first + done - begin, blocks,
			       writer->data + (size_t)done * BLOCK_SIZE, writer->lost + done, err);
		done += blocks;
	}
	memset(writer->data + (size_t)done * BLOCK_SIZE, 0, (size_t)(count - done) * BLOCK_SIZE);
	return rc;
}

/* ---- writing */

/* Blocks of the span in each slice of all columns. */
static uint64_t slice_blocks(const struct group *group)
{
	return (uint64_t)group_data_blocks(group) / group->segment_blocks *
	       group_data_columns(group);
}

/* What lies behind the bytes of the group's span belongs to the next group, and counts as zeros here. */
static void clear_end(struct recode_writer *writer, uint64_t at, uint64_t blocks)
{
	uint64_t length = writer->request->made->span.length;
	uint64_t have = length > at * BLOCK_SIZE ? length - at * BLOCK_SIZE : 0;

	if (have < blocks * BLOCK_SIZE)
		memset(writer->data + have, 0, (size_t)(blocks * BLOCK_SIZE - have));
}

static int write_strips(struct recode_writer *writer, struct err *err)
{
	const struct recode_request *request = writer->request;
	const struct group *group = request->made->group;
	uint64_t first = (request->made->span.offset - request->run->offset) / BLOCK_SIZE;
	uint32_t strip = group_write_strip_slices(writer->writer);
	uint64_t slice = slice_blocks(group), at = 0;
	int rc = reserve(writer, slice * strip);

	if (rc)
		return err_set(err, rc, "no memory to migrate a group");
	for (uint32_t t = 0; !rc && t < group->segment_blocks; t += strip) {
		uint64_t blocks = size_min(strip, group->segment_blocks - t) * slice;
		uint64_t left = size_divide_up(request->made->span.length, BLOCK_SIZE);

		rc = read_strip(writer, first + at, at < left ? size_min(blocks, left - at) : 0,
				err);
		clear_end(writer, at, blocks);
		if (!rc && !writer->report.impossible)
			rc = group_write_strip(writer->writer, writer->data, NULL, err);
		at += blocks;
	}
	return rc;
}

int recode_write(struct recode_writer *writer, struct array *array,
		 const struct recode_request *request, struct recode_report *report_out,
		 struct err *err)
{
	writer->array = array;
	writer->request = request;
	writer->report = (struct recode_report){ 0 };
	int rc = group_write_begin(writer->writer, array, request->made->group,
				   &request->made->span, err);
	if (rc)
		return rc;
	rc = write_strips(writer, err);
	close_span(writer);
	if (rc || writer->report.impossible)
		group_write_abandon(writer->writer);
	else
		rc = group_write_end(writer->writer, &writer->report.bytes_written, err);
	*report_out = writer->report;
	return rc;
}

/* ---- in advance */

/* Blocks of the span that lie on its i-th extent. */
static uint64_t blocks_on(const struct span *span, uint64_t data_blocks, uint32_t i)
{
	uint64_t blocks = size_divide_up(span->length, BLOCK_SIZE);
	uint64_t unit = span->unit_blocks ? span->unit_blocks : data_blocks;
	uint64_t stripe = unit * span->extent_count, rest = blocks % stripe;

	return blocks / stripe * unit + (rest > i * unit ? size_min(rest - i * unit, unit) : 0);
}

/* All seals of the groups that a span lies in. */
static uint64_t bytes_of_seals(const struct map *map, const struct span *span)
{
	const struct group *before = NULL;
	uint64_t pages = 0;

	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		for (uint32_t c = 0;
		     group != before && !group_is_bare(group) && c < group->shape.columns; c++) {
			const struct seal_shape shape = seal_shape_of(group, c);

			pages += UINT64_C(1) + seal_entry_pages(&shape);
		}
		before = group;
	}
	return pages * BLOCK_SIZE;
}

/* Data blocks of a span, and the entry pages that tell of them. */
static uint64_t bytes_of_span(const struct map *map, const struct span *span)
{
	uint64_t blocks = size_divide_up(span->length, BLOCK_SIZE), pages = 0;

	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		if (group_is_bare(group))
			break;
		const struct seal_shape shape = seal_shape_of(group, column);
		uint64_t most = blocks_on(span, group_data_blocks(group), i);

		if (most > 0)
			pages += (uint64_t)seal_page_of(&shape, (uint32_t)most - 1) + 1;
	}
	return (blocks + pages) * BLOCK_SIZE;
}

struct recode_bytes recode_bytes(const struct map *map, const struct recode_batch *batch,
				 const struct volume *volume, size_t runs)
{
	struct recode_bytes bytes = { 0 };

	for (size_t r = 0; r < runs; r++) {
		const struct recode_run *run = &batch->runs.at[r];

		for (uint32_t s = run->first; s < run->first + run->count; s++)
			bytes.read += bytes_of_span(map, &volume->spans[s]) +
				      bytes_of_seals(map, &volume->spans[s]);
		for (size_t g = run->group_first; g < run->group_first + run->group_count; g++) {
			const struct group *group = batch->groups.at[g].group;

			for (uint32_t c = 0; c < group->shape.columns; c++) {
				const struct seal_shape shape = seal_shape_of(group, c);

				bytes.written += (group_body_blocks(group) + UINT64_C(1) +
						  seal_entry_pages(&shape)) *
						 BLOCK_SIZE;
				bytes.extents++;
			}
		}
	}
	return bytes;
}
