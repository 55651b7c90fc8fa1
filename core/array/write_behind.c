/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_behind.h"

#include "core/array/write_finish.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

#define RETRY_NS UINT64_C(100000000) /* look ten times a second whether there is space again */

/*
 * A batch flushes every member that it wrote to, however small it is; but what waits for it is in every record
 * meanwhile. So a few writes wait a little for more, unless somebody waits for them.
 */
#define BATCH_MIN 8u
#define GATHER_NS UINT64_C(500000)
#define GATHER_STEPS 2u

struct behind {
	struct behind *next;
	struct row_lock lock;
	struct row_writer writer;
	uint64_t bytes;
};

struct write_behind {
	struct env_lock lock;
	struct env_event changed;
	struct env_task *task;
	struct behind *batch;        /* being written */
	struct behind *first, **end; /* the others */
	uint32_t count;              /* of both */
	uint64_t bytes;
	uint64_t added, gone; /* writes so far, in their order */
	bool wanted;          /* somebody waits for what is behind */
	bool stopping;
	struct err err;    /* why the last try failed; code 0: it did not */
	uint64_t failures; /* tries so far that failed */
	struct row_writer *writers[BEHIND_MAX];
	struct io ios[BEHIND_MAX * CODE_COLUMNS_MAX];
};

struct behind *behind_create(void)
{
	return mem_calloc(1, sizeof(struct behind));
}

void behind_free(struct behind *behind)
{
	mem_free(behind);
}

struct row_lock *behind_lock(struct behind *behind)
{
	return &behind->lock;
}

int write_behind_create(struct array *array)
{
	struct write_behind *queue = mem_calloc(1, sizeof(*queue));

	if (!queue)
		return ERR_NOMEM;
	queue->end = &queue->first;
	env_lock_init(array->env, &queue->lock);
	env_event_init(array->env, &queue->changed);
	array->behind = queue;
	return 0;
}

/* Give up lock, group and memory of one write. */
static void release(struct array *array, struct behind *behind)
{
	struct write_behind *queue = array->behind;

	row_lock_give(array->row_locks, &behind->lock);
	seal_cache_release(array->seal_cache, behind->writer.sealed);
	env_lock(array->env, &queue->lock);
	queue->count--;
	queue->gone++;
	queue->bytes -= behind->bytes;
	env_wake_all(array->env, &queue->changed);
	env_unlock(array->env, &queue->lock);
	row_writer_reset(&behind->writer);
	mem_free(behind);
}

/* While there is no space nobody else shall wait for these rows. Holds the lock. */
static void stall_rows(struct array *array, int code)
{
	struct write_behind *queue = array->behind;
	struct behind *lists[] = { queue->batch, queue->first };

	for (uint32_t i = 0; i < 2; i++) {
		for (struct behind *at = lists[i]; at; at = at->next)
			row_lock_stall(array->row_locks, &at->lock, code);
	}
}

/* One try to bring the batch to its place. Returns whether there must be another one. */
static bool try_batch(struct array *array, size_t count, bool *written_out)
{
	struct write_behind *queue = array->behind;
	struct err err = { 0 };
	int rc = write_finish_cells(array, queue->writers, count, queue->ios, &err);

	env_lock(array->env, &queue->lock);
	bool again = rc == ERR_NOSPACE && !queue->stopping;
	int before = queue->err.code, now = again ? rc : 0;

	queue->err = err;
	queue->failures += rc != 0;
	if (now || before)
		stall_rows(array, now);
	env_wake_all(array->env, &queue->changed);
	env_unlock(array->env, &queue->lock);
	if (now || before)
		write_state_stall(array, now ? &err : NULL);
	*written_out = rc == 0;
	return again;
}

/* Bring the batch to its place; while there is no space, again and again. */
static void write_batch(struct array *array)
{
	struct write_behind *queue = array->behind;
	struct behind *batch = queue->batch;
	size_t count = 0;
	bool written;

	for (struct behind *at = batch; at; at = at->next)
		queue->writers[count++] = &at->writer;
	while (try_batch(array, count, &written))
		env_sleep_ns(array->env, RETRY_NS);
	write_finish_note(array, queue->writers, count, written);
	env_lock(array->env, &queue->lock);
	queue->batch = NULL;
	env_unlock(array->env, &queue->lock);
	while (batch) {
		struct behind *next = batch->next;

		release(array, batch);
		batch = next;
	}
}

static bool is_enough(const struct write_behind *queue, uint64_t record_max)
{
	return queue->count >= BATCH_MIN || queue->bytes >= record_max / 8 || queue->wanted ||
	       queue->stopping;
}

/* Wait a little for more. Holds the lock on entry and exit. */
static void gather(struct array *array)
{
	struct write_behind *queue = array->behind;
	struct intent_log_state state;

	intent_log_state(array->log, &state);
	for (uint32_t step = 0; step < GATHER_STEPS && !is_enough(queue, state.bytes_max); step++) {
		env_unlock(array->env, &queue->lock);
		env_sleep_ns(array->env, GATHER_NS);
		env_lock(array->env, &queue->lock);
	}
	queue->wanted = false;
}

static void work(void *arg)
{
	struct array *array = arg;
	struct write_behind *queue = array->behind;

	env_lock(array->env, &queue->lock);
	while (!queue->stopping) {
		if (!queue->first) {
			env_wait(array->env, &queue->changed, &queue->lock);
			continue;
		}
		gather(array);
		if (queue->stopping)
			break;
		queue->batch = queue->first;
		queue->first = NULL;
		queue->end = &queue->first;
		env_unlock(array->env, &queue->lock);
		write_batch(array);
		env_lock(array->env, &queue->lock);
	}
	env_unlock(array->env, &queue->lock);
}

void write_behind_free(struct array *array)
{
	struct write_behind *queue = array->behind;

	if (!queue)
		return;
	env_lock(array->env, &queue->lock);
	queue->stopping = true;
	env_wake_all(array->env, &queue->changed);
	env_unlock(array->env, &queue->lock);
	if (queue->task)
		env_join(array->env, queue->task);
	while (queue->first) {
		struct behind *behind = queue->first;
		struct row_writer *writer = &behind->writer;

		queue->first = behind->next;
		write_finish_note(array, &writer, 1, false);
		release(array, behind);
	}
	assert(queue->count == 0);
	env_event_reset(array->env, &queue->changed);
	env_lock_reset(array->env, &queue->lock);
	mem_free(queue);
	array->behind = NULL;
}

/* The first write starts the task; holds the lock. */
static bool has_task(struct array *array)
{
	struct write_behind *queue = array->behind;

	if (!queue->task)
		queue->task = env_spawn(array->env, work, array);
	return queue->task != NULL;
}

static bool is_full(const struct write_behind *queue, uint64_t bytes)
{
	return queue->count > 0 &&
	       (queue->count == BEHIND_MAX || queue->bytes + bytes > BEHIND_BYTES_MAX);
}

bool write_behind_add(struct array *array, struct behind *behind, struct row_writer *writer)
{
	struct write_behind *queue = array->behind;
	struct sealed_group *sealed;
	struct err err = { 0 };

	assert(writer->content);
	behind->bytes = (uint64_t)writer->plan.writes * writer->run.count * BLOCK_SIZE;
	if (seal_cache_hold(array->seal_cache, writer->sealed->group->id, &sealed, &err))
		return false;
	env_lock(array->env, &queue->lock);
	while (!queue->err.code && is_full(queue, behind->bytes)) {
		queue->wanted = true;
		env_wait(array->env, &queue->changed, &queue->lock);
	}
	bool taken = !queue->err.code && has_task(array);

	if (taken) {
		row_writer_move(&behind->writer, writer);
		behind->next = NULL;
		*queue->end = behind;
		queue->end = &behind->next;
		queue->count++;
		queue->added++;
		queue->bytes += behind->bytes;
		env_wake_all(array->env, &queue->changed);
	}
	env_unlock(array->env, &queue->lock);
	if (!taken)
		seal_cache_release(array->seal_cache, sealed);
	return taken;
}

/*
 * Wait until writes up to `last` are in their place, or a try has failed meanwhile. Holds the lock. Returns 0, or
 * why they are not.
 */
static int wait_for(struct array *array, uint64_t last, struct err *err)
{
	struct write_behind *queue = array->behind;
	uint64_t failures = queue->failures;

	while (queue->gone < last && (queue->failures == failures || !queue->err.code)) {
		queue->wanted = true;
		env_wait(array->env, &queue->changed, &queue->lock);
	}
	if (queue->gone >= last)
		return 0;
	*err = queue->err;
	return queue->err.code;
}

int write_behind_wait(struct array *array, struct err *err)
{
	struct write_behind *queue = array->behind;

	env_lock(array->env, &queue->lock);
	int rc = wait_for(array, queue->added, err);

	env_unlock(array->env, &queue->lock);
	return rc;
}

bool write_behind_holds(struct array *array, uint64_t group)
{
	struct write_behind *queue = array->behind;
	bool holds = false;

	env_lock(array->env, &queue->lock);
	const struct behind *lists[] = { queue->batch, queue->first };

	for (uint32_t i = 0; i < 2; i++) {
		for (const struct behind *at = lists[i]; at; at = at->next)
			holds = holds || at->lock.group == group;
	}
	env_unlock(array->env, &queue->lock);
	return holds;
}

void write_behind_hurry(struct array *array)
{
	struct write_behind *queue = array->behind;

	env_lock(array->env, &queue->lock);
	queue->wanted = queue->count > 0;
	env_unlock(array->env, &queue->lock);
}

int write_behind_drain(struct array *array, struct err *err)
{
	struct write_behind *queue = array->behind;

	env_lock(array->env, &queue->lock);
	int rc = wait_for(array, queue->added, err);

	if (!rc && queue->err.code) { /* the last ones could not be written, and never will be */
		*err = queue->err;
		rc = queue->err.code;
	}
	env_unlock(array->env, &queue->lock);
	return rc;
}
