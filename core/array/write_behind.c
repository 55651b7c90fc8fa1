/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_behind.h"

#include "core/array/write_finish.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

#define RETRY_NS UINT64_C(100000000) /* look ten times a second whether there is space again */

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
	struct behind *first, **end;
	uint32_t count; /* with those that are being written */
	uint64_t bytes;
	uint64_t added, gone; /* writes so far, in their order */
	bool stopping;
	struct err err; /* why the last try failed; code 0: it did not */
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

/* Bring these to their place; while there is no space, again and again. */
static void write_batch(struct array *array, struct behind *batch)
{
	struct write_behind *queue = array->behind;
	size_t count = 0;
	bool again = true;
	int rc = 0;

	for (struct behind *at = batch; at; at = at->next)
		queue->writers[count++] = &at->writer;
	while (again) {
		struct err err = { 0 };

		rc = write_finish_cells(array, queue->writers, count, queue->ios, &err);
		env_lock(array->env, &queue->lock);
		queue->err = err;
		again = rc == ERR_NOSPACE && !queue->stopping;
		env_wake_all(array->env, &queue->changed);
		env_unlock(array->env, &queue->lock);
		if (again)
			env_sleep_ns(array->env, RETRY_NS);
	}
	write_finish_note(array, queue->writers, count, rc == 0);
	while (batch) {
		struct behind *next = batch->next;

		release(array, batch);
		batch = next;
	}
}

static void work(void *arg)
{
	struct array *array = arg;
	struct write_behind *queue = array->behind;

	env_lock(array->env, &queue->lock);
	while (!queue->stopping) {
		struct behind *batch = queue->first;

		if (!batch) {
			env_wait(array->env, &queue->changed, &queue->lock);
			continue;
		}
		queue->first = NULL;
		queue->end = &queue->first;
		env_unlock(array->env, &queue->lock);
		write_batch(array, batch);
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

/* The run, its buffers and what names it change hands; the window of rows stays. */
static void move_writer(struct behind *behind, struct row_writer *writer)
{
	behind->writer = *writer;
	behind->writer.rows = (struct rows){ 0 };
	behind->writer.old_pages = NULL;
	behind->writer.source = NULL;
	behind->writer.result = NULL;
	writer->cells = NULL;
	writer->cells_capacity = 0;
	writer->fresh_pages = NULL;
	writer->fresh_capacity = 0;
	writer->content = NULL;
	behind->next = NULL;
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
	while (!queue->err.code && is_full(queue, behind->bytes))
		env_wait(array->env, &queue->changed, &queue->lock);
	bool taken = !queue->err.code && has_task(array);

	if (taken) {
		move_writer(behind, writer);
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

void write_behind_wait(struct array *array)
{
	struct write_behind *queue = array->behind;

	env_lock(array->env, &queue->lock);
	uint64_t last = queue->added;
	while (queue->gone < last)
		env_wait(array->env, &queue->changed, &queue->lock);
	env_unlock(array->env, &queue->lock);
}

int write_behind_drain(struct array *array, struct err *err)
{
	struct write_behind *queue = array->behind;
	int rc;

	env_lock(array->env, &queue->lock);
	while (queue->count > 0 && !queue->err.code)
		env_wait(array->env, &queue->changed, &queue->lock);
	if (queue->err.code)
		*err = queue->err;
	rc = queue->err.code;
	env_unlock(array->env, &queue->lock);
	return rc;
}
