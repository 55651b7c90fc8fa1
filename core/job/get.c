/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Get: a volume becomes a stream.
 *
 * The range is cut into pieces that lie in one span each. Every task reads and verifies a piece at a time;
 * a sink that wants order gets the pieces in turn, from whichever task has the next one.
 */
#include "core/array/span_read.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/runner.h"
#include "core/job/transfer.h"

#include <inttypes.h>
#include <string.h>

#define PIECE_BLOCKS_MAX 2048u /* 8 MiB: long enough for every member to be busy */

struct get_task {
	struct span_reader reader;
	const struct span *span; /* of the reader; NULL: none open */
	uint8_t *bytes;
	bool *lost; /* a flag per block of the piece */
};

struct get {
	struct array *array;
	const struct get_request *request;
	const struct volume *volume;
	struct runner runner;
	uint64_t first, end;   /* bytes of the volume */
	uint32_t piece_blocks; /* about so many blocks of a span at a time */
	uint32_t piece_blocks_max;
	uint64_t piece_count;
	uint64_t *span_first; /* number of each span's first piece */
	struct env_lock lock;
	struct env_event moved;
	uint64_t turn; /* next piece for the sink */
	struct get_report report;
	uint32_t task_count;
	struct get_task *tasks;
};

/* The blocks of a span that the range touches. */
static void span_blocks(const struct get *get, const struct span *span, uint64_t *first_out,
			uint64_t *end_out)
{
	uint64_t from = size_max(get->first, span->offset) - span->offset;
	uint64_t to = size_min(get->end, span->offset + span->length);

	*first_out = from / BLOCK_SIZE;
	*end_out = to > span->offset ? size_divide_up(to - span->offset, BLOCK_SIZE) : 0;
	if (*end_out < *first_out || get->first >= span->offset + span->length)
		*end_out = *first_out;
}

static uint32_t span_piece(const struct get *get, const struct span *span)
{
	return span_read_piece(get->array, span, get->piece_blocks);
}

/*
 * Number the pieces: span_first[i] is the first of span i. But for the first of a range they begin at
 * multiples of their size.
 */
static int count_pieces(struct get *get)
{
	get->span_first = mem_calloc((size_t)get->volume->span_count + 1, sizeof(uint64_t));
	if (!get->span_first)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < get->volume->span_count; i++) {
		uint32_t piece = span_piece(get, &get->volume->spans[i]);
		uint64_t first, end;

		get->span_first[i] = get->piece_count;
		span_blocks(get, &get->volume->spans[i], &first, &end);
		if (end > first)
			get->piece_count += size_divide_up(end, piece) - first / piece;
		get->piece_blocks_max = (uint32_t)size_max(get->piece_blocks_max, piece);
	}
	get->span_first[get->volume->span_count] = get->piece_count;
	return 0;
}

/* The span that piece `piece` lies in. */
static uint32_t find_span(const struct get *get, uint64_t piece)
{
	uint32_t low = 0, high = get->volume->span_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (get->span_first[middle] <= piece)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int open_reader(struct get *get, struct get_task *own, const struct span *span,
		       struct err *err)
{
	if (own->span == span)
		return 0;
	if (own->span)
		span_reader_close(&own->reader);
	own->span = NULL;
	int rc = span_reader_open(&own->reader, get->array, span, err);
	if (!rc)
		own->span = span;
	return rc;
}

/* Wait until it is this piece's turn; false when the job ends before. */
static bool wait_turn(struct get *get, uint64_t piece)
{
	env_lock(get->runner.env, &get->lock);
	while (get->turn != piece && !get->runner.stop)
		env_wait(get->runner.env, &get->moved, &get->lock);
	bool mine = get->turn == piece;
	env_unlock(get->runner.env, &get->lock);
	return mine;
}

static void pass_turn(struct get *get)
{
	env_lock(get->runner.env, &get->lock);
	get->turn++;
	env_wake_all(get->runner.env, &get->moved);
	env_unlock(get->runner.env, &get->lock);
}

/* Nobody shall wait for a turn that will never come. */
static int give_up(struct get *get, int rc)
{
	env_lock(get->runner.env, &get->lock);
	get->runner.stop = true;
	env_wake_all(get->runner.env, &get->moved);
	env_unlock(get->runner.env, &get->lock);
	return rc;
}

/* Tell of the ranges of a piece that were lost: runs of blocks, cut to the bytes from..to-1. */
static void report_losses(struct get *get, const bool *lost, uint32_t count, uint64_t start,
			  uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < count;) {
		uint32_t run = 1;

		while (i + run < count && lost[i + run] == lost[i])
			run++;
		if (lost[i]) {
			uint64_t first = size_max(from, start + (uint64_t)i * BLOCK_SIZE);
			uint64_t end = size_min(to, start + (uint64_t)(i + run) * BLOCK_SIZE);
			const struct job_loss loss = { get->volume->name, first, end - first };

			get->request->lost(get->request->lost_arg, &loss);
		}
		i += run;
	}
}

static int account(struct get *get, uint64_t offset, const struct array_read_result *result,
		   struct err *err)
{
	env_lock(get->runner.env, &get->lock);
	get->report.reconstructed += result->reconstructed;
	get->report.lost += result->lost;
	env_unlock(get->runner.env, &get->lock);
	if (result->lost > 0 && !get->request->past_losses)
		return err_set(err, ERR_DATA_LOST,
			       "volume \"%s\": %" PRIu64 " bytes in the piece at %" PRIu64
			       " cannot be read or rebuilt",
			       get->volume->name, result->lost, offset);
	return 0;
}

static int get_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct get *get = arg;
	struct get_task *own = &get->tasks[task];
	uint32_t number = find_span(get, piece);
	const struct span *span = &get->volume->spans[number];
	struct array_read_result result = { 0 };
	uint64_t first, end;
	int rc = open_reader(get, own, span, err);

	if (rc)
		return give_up(get, rc);
	span_blocks(get, span, &first, &end);
	uint32_t blocks = span_piece(get, span);
	uint64_t begin = (first / blocks + piece - get->span_first[number]) * blocks;
	end = size_min(end, begin + blocks);
	first = size_max(first, begin);
	uint32_t count = (uint32_t)(end - first);
	rc = span_read(&own->reader, first, count, own->bytes, own->lost, &result, err);
	uint64_t from = size_max(span->offset + first * BLOCK_SIZE, get->first);
	uint64_t to = size_min(
		size_min(span->offset + (first + count) * BLOCK_SIZE, span->offset + span->length),
		get->end);
	if (!rc)
		rc = account(get, from, &result, err);
	if (rc)
		return give_up(get, rc);
	if (!get->request->any_order && !wait_turn(get, piece))
		return 0;
	if (result.lost > 0 && get->request->lost) {
		env_lock(get->runner.env, &get->lock);
		report_losses(get, own->lost, count, span->offset + first * BLOCK_SIZE, from, to);
		env_unlock(get->runner.env, &get->lock);
	}
	rc = get->request->sink(get->request->sink_arg,
				own->bytes + (from - span->offset - first * BLOCK_SIZE), to - from,
				from, err);
	if (rc)
		return give_up(get, rc);
	if (!get->request->any_order)
		pass_turn(get);
	runner_note(&get->runner, to - from, (uint64_t)count * BLOCK_SIZE, 0);
	return 0;
}

static int prepare(struct get *get, struct err *err)
{
	int rc = count_pieces(get);

	get->tasks = mem_calloc(get->task_count, sizeof(*get->tasks));
	if (rc || !get->tasks)
		return err_set(err, ERR_NOMEM, "no memory to read a volume");
	for (uint32_t i = 0; i < get->task_count; i++) {
		get->tasks[i].bytes = mem_pages((size_t)get->piece_blocks_max * BLOCK_SIZE);
		get->tasks[i].lost = mem_calloc(get->piece_blocks_max, sizeof(bool));
		if (!get->tasks[i].bytes || !get->tasks[i].lost)
			return err_set(err, ERR_NOMEM, "no memory to read a volume");
	}
	return 0;
}

static void finish(struct get *get)
{
	for (uint32_t i = 0; get->tasks && i < get->task_count; i++) {
		span_reader_free(&get->tasks[i].reader);
		mem_pages_free(get->tasks[i].bytes);
		mem_free(get->tasks[i].lost);
	}
	mem_free(get->tasks);
	mem_free(get->span_first);
	env_event_reset(get->runner.env, &get->moved);
	env_lock_reset(get->runner.env, &get->lock);
	runner_reset(&get->runner);
}

/* Pieces that stay in the cache until the sink has them, or long ones for devices with a queue. */
static uint32_t choose_piece(const struct array *array)
{
	uint32_t blocks = 256;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const struct dev *dev = array_dev(array, slot);

		if (dev && dev_info(dev)->is_direct)
			blocks = PIECE_BLOCKS_MAX;
	}
	return blocks;
}

int get_run(struct array *array, const struct get_request *request, struct get_report *report_out,
	    struct err *err)
{
	struct get get = { .array = array, .request = request };

	get.volume = map_volume_named(array_map(array), request->volume);
	if (!get.volume)
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", request->volume);
	if (request->offset > get.volume->length ||
	    (request->length != UINT64_MAX &&
	     request->length > get.volume->length - request->offset))
		return err_set(err, ERR_SIZE, "volume \"%s\" has %" PRIu64 " bytes",
			       request->volume, get.volume->length);
	get.first = request->offset;
	get.end = size_min(get.volume->length - get.first, request->length) + get.first;
	get.report.length = get.end - get.first;
	get.piece_blocks = choose_piece(array);
	runner_init(&get.runner, array, &request->watch, "get", get.end - get.first);
	env_lock_init(get.runner.env, &get.lock);
	env_event_init(get.runner.env, &get.moved);
	get.task_count = get.runner.tasks = array_tasks_waiting(array);
	int rc = prepare(&get, err);
	if (!rc && get.end > get.first)
		rc = runner_run(&get.runner, 0, get.piece_count, get_piece, &get, err);
	/* Frames that another process freed and filled anew look like damage, and are none. */
	if ((rc == ERR_DATA_LOST || get.report.lost > 0) && array_has_moved(array))
		rc = err_set(err, ERR_CHANGED, "the array changed while volume \"%s\" was read",
			     request->volume);
	if (!rc)
		runner_report(&get.runner);
	*report_out = get.report;
	finish(&get);
	return rc;
}
