/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of row locks: named after what row_lock.h promises. */
#include "core/array/row_lock.h"

#include "core/base/rng.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SEEDS 200u
#define TASKS 8u
#define ROUNDS 20u
#define GROUPS 2u
#define SLICES 12u

struct yard {
	struct env *env;
	struct row_locks *locks;
	uint64_t seed;
	struct env_lock lock;
	uint32_t users[GROUPS][SLICES];
	uint32_t finished;
	uint32_t met; /* ranges that were taken while another was held: tasks do run side by side */
	uint32_t held;
};

struct worker {
	struct yard *yard;
	uint32_t number;
};

static void use_rows(struct yard *yard, const struct row_lock *lock, bool begin)
{
	env_lock(yard->env, &yard->lock);
	for (uint32_t i = lock->first; i < lock->first + lock->count; i++) {
		assert_int_equal(yard->users[lock->group][i], begin ? 0 : 1);
		yard->users[lock->group][i] = begin;
	}
	yard->met += begin && yard->held > 0;
	yard->held += begin ? 1u : UINT32_MAX;
	env_unlock(yard->env, &yard->lock);
}

static void work(void *arg)
{
	const struct worker *worker = arg;
	struct yard *yard = worker->yard;
	struct rng rng = rng_seeded(yard->seed * TASKS + worker->number);

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct row_lock lock;
		uint32_t first = (uint32_t)rng_below(&rng, SLICES);
		uint32_t count = 1 + (uint32_t)rng_below(&rng, SLICES - first);

		assert_int_equal(
			row_lock_take(yard->locks, &lock, rng_below(&rng, GROUPS), first, count),
			0);
		use_rows(yard, &lock, true);
		for (uint64_t n = rng_below(&rng, 4); n > 0; n--)
			env_yield(yard->env);
		use_rows(yard, &lock, false);
		row_lock_give(yard->locks, &lock);
	}
	env_lock(yard->env, &yard->lock);
	yard->finished++;
	env_unlock(yard->env, &yard->lock);
}

static void run_workers(void *arg)
{
	struct yard *yard = arg;
	struct worker workers[TASKS];
	struct env_task *tasks[TASKS];

	env_lock_init(yard->env, &yard->lock);
	yard->locks = row_locks_create(yard->env);
	assert_non_null(yard->locks);
	for (uint32_t i = 0; i < TASKS; i++) {
		workers[i] = (struct worker){ yard, i };
		tasks[i] = env_spawn(yard->env, work, &workers[i]);
		assert_non_null(tasks[i]);
	}
	for (uint32_t i = 0; i < TASKS; i++)
		env_join(yard->env, tasks[i]);
	row_locks_free(yard->locks);
	env_lock_reset(yard->env, &yard->lock);
}

/*
 * Aim: no row is held twice, nobody waits for ever, ranges that do not overlap are held together. Method: tasks
 * take random ranges under every schedule of many seeds; then the same on threads.
 */
static void test_exclusive(void **state)
{
	uint32_t met = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct yard yard = { .seed = seed, .env = env_sim_create(seed) };

		assert_non_null(yard.env);
		env_sim_run(yard.env, run_workers, &yard);
		env_sim_free(yard.env);
		if (yard.finished != TASKS)
			fail_msg("seed %" PRIu64 ": %u tasks of %u ended", seed, yard.finished,
				 TASKS);
		met += yard.met;
	}
	assert_true(met > 0);
	struct yard yard = { .seed = SEEDS + 1, .env = env_threads() };

	run_workers(&yard);
	assert_int_equal(yard.finished, TASKS);
}

struct queue {
	struct env *env;
	struct row_locks *locks;
	uint32_t order[3], count;
};

struct waiter {
	struct queue *queue;
	uint32_t number, first, count;
};

static void wait_for_rows(void *arg)
{
	const struct waiter *waiter = arg;
	struct row_lock lock;

	assert_int_equal(
		row_lock_take(waiter->queue->locks, &lock, 0, waiter->first, waiter->count), 0);
	waiter->queue->order[waiter->queue->count++] = waiter->number;
	row_lock_give(waiter->queue->locks, &lock);
}

static void run_queue(void *arg)
{
	struct queue *queue = arg;
	struct waiter waiters[3] = { { queue, 0, 0, 8 }, { queue, 1, 4, 1 }, { queue, 2, 7, 1 } };
	struct env_task *tasks[3];
	struct row_lock held;

	queue->locks = row_locks_create(queue->env);
	assert_non_null(queue->locks);
	assert_int_equal(row_lock_take(queue->locks, &held, 0, 0, 1), 0);
	for (uint32_t i = 0; i < 3; i++) {
		tasks[i] = env_spawn(queue->env, wait_for_rows, &waiters[i]);
		assert_non_null(tasks[i]);
		env_sleep_ns(queue->env, 1000000); /* virtual: whoever can run has run */
	}
	assert_int_equal(queue->count, 0);
	row_lock_give(queue->locks, &held);
	for (uint32_t i = 0; i < 3; i++)
		env_join(queue->env, tasks[i]);
	row_locks_free(queue->locks);
}

/*
 * Aim: first come, first served, also when a later and smaller range would be free at once. Method: row 0 is held;
 * someone waits for rows 0 to 7, then others for rows 4 and 7: these must wait for him.
 */
static void test_first_come(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct queue queue = { .env = env_sim_create(seed) };

		assert_non_null(queue.env);
		env_sim_run(queue.env, run_queue, &queue);
		env_sim_free(queue.env);
		assert_int_equal(queue.count, 3);
		if (queue.order[0] != 0)
			fail_msg("seed %" PRIu64 ": waiter %u went first", seed, queue.order[0]);
	}
}

static void meet_stalled(void *arg)
{
	const struct waiter *waiter = arg;
	struct row_lock lock;

	assert_int_equal(
		row_lock_take(waiter->queue->locks, &lock, 0, waiter->first, waiter->count),
		ERR_NOSPACE);
	waiter->queue->count++;
}

static void run_stalled(void *arg)
{
	struct queue *queue = arg;
	struct waiter waiter = { queue, 0, 1, 8 };
	struct row_lock held, other;

	queue->locks = row_locks_create(queue->env);
	assert_non_null(queue->locks);
	assert_int_equal(row_lock_take(queue->locks, &held, 0, 0, 4), 0);
	struct env_task *task = env_spawn(queue->env, meet_stalled, &waiter);
	assert_non_null(task);
	env_yield(queue->env);
	row_lock_stall(queue->locks, &held, ERR_NOSPACE);
	env_join(queue->env, task); /* whether he waited already or came later */
	assert_int_equal(row_lock_take(queue->locks, &other, 0, 4, 4), 0); /* nothing was left */
	assert_true(row_lock_is_taken(queue->locks, 0, 3, 1));
	assert_false(row_lock_is_taken(queue->locks, 0, 8, 1));
	assert_false(row_lock_is_taken(queue->locks, 1, 3, 1));
	row_lock_stall(queue->locks, &held, 0);
	waiter.count = 1;
	task = env_spawn(queue->env, wait_for_rows, &waiter);
	assert_non_null(task);
	env_sleep_ns(queue->env, 1000000);
	assert_int_equal(queue->count, 1);
	row_lock_give(queue->locks, &held);
	env_join(queue->env, task);
	row_lock_give(queue->locks, &other);
	row_locks_free(queue->locks);
}

/*
 * Aim: nobody waits for a holder who cannot end, and everybody for one who goes on. Method: stall the holder, before
 * or after the other came; free rows beside are still to be had; then he goes on.
 */
static void test_stalled(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct queue queue = { .env = env_sim_create(seed) };

		assert_non_null(queue.env);
		env_sim_run(queue.env, run_stalled, &queue);
		env_sim_free(queue.env);
		assert_int_equal(queue.count, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive),
		cmocka_unit_test(test_first_come),
		cmocka_unit_test(test_stalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
