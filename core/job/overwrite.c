/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/overwrite.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/runner.h"
#include "core/map/address.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* One overwrite. */
struct overwrite {
	struct array *array;
	const struct overwrite_request *request;
	const struct volume *volume;
	struct runner runner; /* progress and pace; one task */
	uint8_t *bytes;       /* a piece */
	struct overwrite_report report;
	uint64_t end; /* in the volume: no byte goes there or behind */
};

int overwrite_check(const struct volume *volume, uint64_t offset, uint64_t length, struct err *err)
{
	if (offset > volume->length)
		return err_set(err, ERR_SIZE,
			       "offset %" PRIu64 " is behind the end of volume %s, %" PRIu64,
			       offset, volume->name, volume->length);
	if (length != UINT64_MAX && length > volume->length - offset)
		return err_set(err, ERR_SIZE,
			       "volume %s has %" PRIu64 " bytes from offset %" PRIu64
			       " on, not %" PRIu64,
			       volume->name, volume->length - offset, offset, length);
	return 0;
}

/* The span that holds byte `offset` of the volume; there is one below its length. */
static const struct span *span_at(const struct volume *volume, uint64_t offset)
{
	uint32_t low = 0, high = volume->span_count;

	assert(offset < volume->length);
	while (low + 1 < high) {
		uint32_t middle = low + (high - low) / 2;

		if (volume->spans[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &volume->spans[low];
}

/* How long the piece at `offset` is: up to where a row ends, where rows are short enough for that. */
static uint64_t piece_size(const struct overwrite *overwrite, uint64_t offset)
{
	const struct span *span = span_at(overwrite->volume, offset);
	uint64_t stripe = (uint64_t)span->unit_blocks * BLOCK_SIZE * span->extent_count;
	uint64_t span_end = span->offset + span->length;
	uint64_t size = OVERWRITE_PIECE_MAX;

	if (stripe && stripe <= OVERWRITE_PIECE_MAX)
		size -= (offset - span->offset + OVERWRITE_PIECE_MAX) % stripe;
	return size_min(size, size_min(span_end, overwrite->end) - offset);
}

/* The source is at its end with the range: one byte more is one too many. */
static int refuse_more(struct overwrite *overwrite, struct err *err)
{
	const struct overwrite_request *request = overwrite->request;
	uint8_t byte;
	size_t got = 0;
	int rc = 0;

	if (request->length != UINT64_MAX)
		return 0;
	rc = request->source(request->source_arg, &byte, 1, &got, err);
	if (rc || got == 0)
		return rc;
	return err_set(err, ERR_SIZE,
		       "more bytes came than volume %s has from offset %" PRIu64 " on: %" PRIu64
		       " were written",
		       overwrite->volume->name, request->offset, overwrite->report.length);
}

static int refuse_less(const struct overwrite *overwrite, size_t got, struct err *err)
{
	const struct overwrite_request *request = overwrite->request;

	if (request->length == UINT64_MAX)
		return 0;
	return err_set(err, ERR_SIZE,
		       "only %" PRIu64 " of %" PRIu64 " bytes came: %" PRIu64 " were written",
		       overwrite->report.length + got, request->length, overwrite->report.length);
}

static int piece_write(struct overwrite *overwrite, uint64_t offset, size_t size, struct err *err)
{
	struct array_write_result result = { 0 }, *sum = &overwrite->report.written;
	int rc = array_write(overwrite->array, overwrite->volume, offset, overwrite->bytes, size,
			     &result, err);

	sum->bytes_read += result.bytes_read;
	sum->bytes_written += result.bytes_written;
	sum->full_rows += result.full_rows;
	sum->reconstructs += result.reconstructs;
	sum->modifies += result.modifies;
	sum->healed += result.healed;
	if (rc)
		return rc;
	overwrite->report.length += size;
	runner_note(&overwrite->runner, size, result.bytes_read, result.bytes_written);
	return 0;
}

/* One piece; *end_out says that the source, or the range, is at its end. */
static int piece_run(struct overwrite *overwrite, bool *end_out, struct err *err)
{
	const struct overwrite_request *request = overwrite->request;
	uint64_t offset = request->offset + overwrite->report.length;
	uint64_t size = offset < overwrite->end ? piece_size(overwrite, offset) : 0;
	size_t got = 0;
	int rc = size ? request->source(request->source_arg, overwrite->bytes, size, &got, err) : 0;

	if (rc == 0 && got < size)
		rc = refuse_less(overwrite, got, err);
	if (rc == 0 && got == size && offset + got == overwrite->end)
		rc = refuse_more(overwrite, err);
	if (rc == 0 && got > 0)
		rc = piece_write(overwrite, offset, got, err);
	*end_out = got < size || offset + got == overwrite->end;
	return rc;
}

static int piece_work(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	bool end = false;
	int rc = piece_run(arg, &end, err);

	(void)task;
	(void)piece;
	return rc == 0 && end ? RUNNER_END : rc;
}

/* One piece after the other: the source is a stream, and what is durable has no holes. */
static int pieces_run(struct overwrite *overwrite, struct err *err)
{
	int rc;

	overwrite->runner.tasks = 1;
	rc = runner_run(&overwrite->runner, 0, UINT64_MAX, piece_work, overwrite, err);
	if (rc != ERR_STOPPED)
		return rc;
	return err_set(err, ERR_STOPPED,
		       "stopped by a signal: %" PRIu64 " bytes were written, up to offset %" PRIu64,
		       overwrite->report.length,
		       overwrite->request->offset + overwrite->report.length);
}

/* Also after an error: what was acknowledged has its seals in place, and the log is empty. */
static int settle(struct overwrite *overwrite, int rc, struct err *err)
{
	struct err late = { 0 };

	if (array_poisoned(overwrite->array) == 0 && array_write_settle(overwrite->array, &late) &&
	    rc == 0)
		*err = late;
	return err->code;
}

int overwrite_run(struct array *array, const struct overwrite_request *request,
		  struct overwrite_report *report_out, struct err *err)
{
	struct overwrite overwrite = { .array = array, .request = request };
	int rc = array_need_native(array, err);

	if (rc)
		return rc;
	overwrite.volume = map_volume_named(array_map(array), request->volume);
	if (!overwrite.volume)
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", request->volume);
	rc = array_need_sealed_volume(array, overwrite.volume, err);
	if (!rc)
		rc = overwrite_check(overwrite.volume, request->offset, request->length, err);
	if (rc)
		return rc;
	overwrite.bytes = mem_pages(OVERWRITE_PIECE_MAX);
	if (!overwrite.bytes)
		return err_set(err, ERR_NOMEM, "no memory to write a volume");
	overwrite.end = request->offset +
			size_min(request->length, overwrite.volume->length - request->offset);
	runner_init(&overwrite.runner, array, &request->watch, "write",
		    request->length == UINT64_MAX ? 0 : request->length);
	rc = settle(&overwrite, pieces_run(&overwrite, err), err);
	runner_report(&overwrite.runner);
	runner_reset(&overwrite.runner);
	mem_pages_free(overwrite.bytes);
	*report_out = overwrite.report;
	return rc;
}

/* ---- what would be written */

/* The blocks of one group that the range touches, a bit each. */
struct tally {
	const struct group *group; /* NULL: none yet */
	struct code *code;
	uint64_t *bits; /* of column * body blocks + block */
	bool *rows;     /* by number */
	struct overwrite_part part;
	void (*told)(void *arg, const struct overwrite_part *part);
	void *arg;
};

static void bits_set(struct tally *tally, uint32_t column, uint32_t first, uint32_t count)
{
	uint64_t begin = (uint64_t)column * group_body_blocks(tally->group) + first;

	for (uint64_t bit = begin; bit < begin + count; bit++)
		tally->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static uint64_t words_of(const struct group *group)
{
	return size_divide_up((uint64_t)group->shape.columns * group_body_blocks(group), 64);
}

static void tally_reset(struct tally *tally)
{
	code_free(tally->code);
	mem_free(tally->bits);
	mem_free(tally->rows);
	tally->code = NULL;
	tally->bits = NULL;
	tally->rows = NULL;
	tally->group = NULL;
}

static int tally_begin(struct tally *tally, const struct group *group, struct err *err)
{
	int rc = code_create(&tally->code, &group->shape, err);

	if (rc)
		return rc;
	tally->group = group;
	tally->part = (struct overwrite_part){ .group = group->id };
	tally->bits = mem_calloc(words_of(group), sizeof(*tally->bits));
	tally->rows = mem_calloc(group_row_count(group), sizeof(*tally->rows));
	if (!tally->bits || !tally->rows)
		return err_set(err, ERR_NOMEM, "no memory to plan a write");
	return 0;
}

/* Tell of the group and forget it. */
static void tally_end(struct tally *tally)
{
	struct overwrite_part *part = &tally->part;
	uint64_t blocks = 0;

	if (!tally->group)
		return;
	for (uint64_t i = 0; i < words_of(tally->group); i++)
		blocks += (uint64_t)__builtin_popcountll(tally->bits[i]);
	for (uint64_t row = 0; row < group_row_count(tally->group); row++) {
		if (!tally->rows[row])
			continue;
		if (part->rows++ == 0)
			part->first_row = row;
		part->row_end = row + 1;
	}
	part->check_bytes = blocks * BLOCK_SIZE - part->data_bytes;
	tally->told(tally->arg, part);
	tally_reset(tally);
}

/* Blocks of one segment of a data column, and all that is computed from them. */
static void tally_cell(struct tally *tally, uint32_t column, uint32_t first, uint32_t count)
{
	uint32_t segment_blocks = tally->group->segment_blocks;
	uint16_t segments = code_segment_count(tally->code), checks[CODE_COLUMNS_MAX];
	uint32_t segment = first / segment_blocks;
	uint16_t check_count = code_closure(tally->code, (uint16_t)(column * segments + segment),
					    checks, CODE_COLUMNS_MAX);

	bits_set(tally, column, first, count);
	for (uint16_t i = 0; i < check_count; i++)
		bits_set(tally, checks[i] / segments,
			 checks[i] % segments * segment_blocks + first % segment_blocks, count);
	if (segments > 1)
		tally->rows[segment] = true;
	else
		memset(tally->rows + first, true, count);
}

static uint64_t blocks_tallied(const struct tally *tally, uint32_t column, uint32_t first,
			       uint32_t count)
{
	uint64_t begin = (uint64_t)column * group_body_blocks(tally->group) + first, found = 0;

	for (uint64_t bit = begin; bit < begin + count; bit++)
		found += tally->bits[bit / 64] >> bit % 64 & 1;
	return found;
}

/* `size` bytes at `offset` of the volume, which lie behind each other on one extent. */
static int tally_run(struct tally *tally, const struct volume *volume,
		     const struct address *address, uint64_t offset, uint64_t size, struct err *err)
{
	uint64_t in_block = (offset - span_at(volume, offset)->offset) % BLOCK_SIZE;
	uint32_t first = address->block;
	uint32_t end = first + (uint32_t)size_divide_up(in_block + size, BLOCK_SIZE);
	int rc = 0;

	if (tally->group != address->group) {
		tally_end(tally);
		rc = tally_begin(tally, address->group, err);
		tally->part.offset = offset;
	}
	if (rc)
		return rc;
	assert(tally->group && tally->bits);
	tally->part.length += size;
	tally->part.data_bytes +=
		(end - first - blocks_tallied(tally, address->column, first, end - first)) *
		BLOCK_SIZE;
	while (first < end) {
		uint32_t left = tally->group->segment_blocks - first % tally->group->segment_blocks;
		uint32_t count = (uint32_t)size_min(left, end - first);

		tally_cell(tally, address->column, first, count);
		first += count;
	}
	return 0;
}

int overwrite_plan(const struct array *array, const struct volume *volume, uint64_t offset,
		   uint64_t length, void (*part)(void *arg, const struct overwrite_part *part),
		   void *arg, struct err *err)
{
	struct tally tally = { .told = part, .arg = arg };
	uint64_t end = offset + length;
	int rc = array_need_sealed_volume(array, volume, err);

	if (!rc)
		rc = overwrite_check(volume, offset, length, err);
	while (rc == 0 && offset < end) {
		struct address address;
		uint64_t run;

		if (!address_of_volume(&address, &run, array_map(array), volume, offset)) {
			rc = err_set(err, ERR_FORMAT, "volume %s: offset %" PRIu64 " has no extent",
				     volume->name, offset);
			break;
		}
		run = size_min(run, end - offset);
		rc = tally_run(&tally, volume, &address, offset, run, err);
		offset += run;
	}
	if (rc == 0)
		tally_end(&tally);
	tally_reset(&tally);
	return rc;
}
