/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: both environments keep what env.h says, and the simulated one replays: one seed, one schedule.
 * Method: each test of the common promises runs on threads and on twenty seeds of the simulator; the
 * simulator must also find a lost update that is there, and name a deadlock.
 */
#include "core/env/env.h"

#include "core/base/mem.h"
#include "tests/unit/dev_help.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEDS 20u

static struct env *env; /* the one under test */

/* Run `work` on threads, then in the simulator under SEEDS seeds. */
static void on_both(void (*work)(void *arg), void *arg)
{
	env = env_threads();
	work(arg);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		env = env_sim_create(seed);
		assert_non_null(env);
		env_sim_run(env, work, arg);
		env_sim_free(env);
	}
}

/* ---- both environments */

struct counter {
	struct env_lock lock;
	struct env_event changed;
	unsigned value;
	unsigned inside;
	unsigned turn;
};

static void counter_init(struct counter *counter)
{
	*counter = (struct counter){ 0 };
	env_lock_init(env, &counter->lock);
	env_event_init(env, &counter->changed);
}

static void counter_reset(struct counter *counter)
{
	env_event_reset(env, &counter->changed);
	env_lock_reset(env, &counter->lock);
}

static void count_locked(void *arg, uint32_t index)
{
	struct counter *counter = arg;

	(void)index;
	for (unsigned i = 0; i < 50; i++) {
		env_lock(env, &counter->lock);
		assert_int_equal(counter->inside++, 0);
		unsigned value = counter->value;
		env_yield(env);
		counter->value = value + 1;
		counter->inside--;
		env_unlock(env, &counter->lock);
	}
}

static void lock_work(void *arg)
{
	struct counter counter;

	(void)arg;
	counter_init(&counter);
	env_parallel(env, 6, count_locked, &counter);
	assert_int_equal(counter.value, 300);
	counter_reset(&counter);
}

static void lock_lets_one_task_in(void **state)
{
	(void)state;
	on_both(lock_work, NULL);
}

static void take_turns(void *arg, uint32_t index)
{
	struct counter *counter = arg;

	for (unsigned i = 0; i < 30; i++) {
		env_lock(env, &counter->lock);
		while (counter->turn % 6 != index * 2)
			env_wait(env, &counter->changed, &counter->lock);
		counter->turn++;
		env_yield(env); /* others wake now and must not get the lock yet */
		assert_int_equal(counter->turn++ % 6, index * 2 + 1);
		env_wake_all(env, &counter->changed);
		env_unlock(env, &counter->lock);
	}
}

static void turns_work(void *arg)
{
	struct counter counter;

	(void)arg;
	counter_init(&counter);
	env_parallel(env, 3, take_turns, &counter);
	assert_int_equal(counter.turn, 180);
	counter_reset(&counter);
}

static void wait_gives_the_lock_up_and_wake_reaches_all(void **state)
{
	(void)state;
	on_both(turns_work, NULL);
}

static void mark_index(void *arg, uint32_t index)
{
	unsigned *marks = arg;

	marks[index]++; /* each index is one task's own */
}

static void parallel_work(void *arg)
{
	static const uint32_t counts[] = { 0, 1, 2, 7, ENV_PARALLEL_MAX };

	(void)arg;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		uint32_t count = counts[c];
		unsigned marks[ENV_PARALLEL_MAX + 1] = { 0 };

		env_parallel(env, count, mark_index, marks);
		for (uint32_t i = 0; i <= ENV_PARALLEL_MAX; i++)
			assert_int_equal(marks[i], i < count);
	}
}

static bool deny_third(void *arg)
{
	return ++*(unsigned *)arg % 3 == 0;
}

static bool deny_all(void *arg)
{
	(void)arg;
	return true;
}

static void parallel_without_tasks_work(void *arg)
{
	unsigned marks[8] = { 0 };

	mem_set_hook(arg ? deny_third : deny_all, arg);
	env_parallel(env, 8, mark_index, marks);
	mem_set_hook(NULL, NULL);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(marks[i], 1);
}

static void parallel_runs_each_index_once(void **state)
{
	unsigned allocations = 0;

	(void)state;
	on_both(parallel_work, NULL);
	on_both(parallel_without_tasks_work, NULL);
	env = env_threads();
	parallel_without_tasks_work(&allocations);
}

static void set_flag(void *arg)
{
	env_sleep_ns(env, 1000000);
	*(bool *)arg = true;
}

static void join_work(void *arg)
{
	bool flags[5] = { 0 };
	struct env_task *tasks[5];

	(void)arg;
	for (unsigned i = 0; i < 5; i++) {
		tasks[i] = env_spawn(env, set_flag, &flags[i]);
		assert_non_null(tasks[i]);
	}
	for (unsigned i = 5; i-- > 0;) {
		env_join(env, tasks[i]);
		assert_true(flags[i]);
	}
}

static void join_waits_for_the_end(void **state)
{
	(void)state;
	on_both(join_work, NULL);
}

static void time_work(void *arg)
{
	uint64_t before = env_now_ns(env);
	unsigned char a[40] = { 0 }, b[40] = { 0 };

	(void)arg;
	env_sleep_ns(env, 3000000);
	assert_in_range(env_now_ns(env) - before, 3000000, UINT64_C(60000000000));
	assert_true(env_clock_s(env) > 1600000000);
	assert_true(env_cpu_count(env) >= 1);
	env_random(env, a, sizeof(a));
	env_random(env, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	env_random(env, a, 0);
}

static void time_goes_on_and_random_bytes_differ(void **state)
{
	(void)state;
	on_both(time_work, NULL);
}

/* ---- threads */

static void see_signals(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static void threads_leave_signals_to_the_first(void **state)
{
	sigset_t before, inside, after;
	struct env_task *task;

	(void)state;
	env = env_threads();
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	task = env_spawn(env, see_signals, &inside);
	assert_non_null(task);
	env_join(env, task);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&inside, SIGINT), 1);
	assert_int_equal(sigismember(&inside, SIGTERM), 1);
	assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

/* ---- the simulator */

#define STEPS_MAX 4000u

struct history {
	struct env_lock lock;
	struct env_event changed;
	unsigned char tasks[STEPS_MAX]; /* who ran, step by step */
	uint64_t numbers;
	size_t count;
};

static void note_steps(void *arg, uint32_t index)
{
	struct history *history = arg;

	for (unsigned i = 0; i < 60; i++) {
		uint64_t number;

		env_lock(env, &history->lock);
		assert_true(history->count < STEPS_MAX);
		history->tasks[history->count++] = (unsigned char)index;
		env_random(env, &number, sizeof(number));
		history->numbers ^= number + env_now_ns(env);
		if (i % 7 == 3)
			env_wake_all(env, &history->changed);
		env_unlock(env, &history->lock);
		env_sleep_ns(env, index * 500);
	}
}

static void history_work(void *arg)
{
	struct history *history = arg;

	env_lock_init(env, &history->lock);
	env_event_init(env, &history->changed);
	env_parallel(env, 5, note_steps, history);
	env_event_reset(env, &history->changed);
	env_lock_reset(env, &history->lock);
}

static void history_make(struct history *history, uint64_t seed)
{
	memset(history, 0, sizeof(*history));
	env = env_sim_create(seed);
	assert_non_null(env);
	env_sim_run(env, history_work, history);
	env_sim_free(env);
}

static void sim_replays_a_seed_and_varies_between_seeds(void **state)
{
	static struct history first, again, other;
	unsigned different = 0;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		history_make(&first, seed);
		history_make(&again, seed);
		history_make(&other, seed + 1);
		assert_int_equal(first.count, 300);
		assert_memory_equal(first.tasks, again.tasks, sizeof(first.tasks));
		assert_true(first.numbers == again.numbers);
		different += memcmp(first.tasks, other.tasks, sizeof(first.tasks)) != 0;
	}
	assert_int_equal(different, SEEDS);
}

static void count_carelessly(void *arg, uint32_t index)
{
	unsigned *value = arg;
	unsigned seen = *value;

	(void)index;
	env_yield(env); /* what another task does now is lost */
	*value = seen + 1;
}

static void careless_work(void *arg)
{
	env_parallel(env, 2, count_carelessly, arg);
}

static void sim_finds_a_lost_update(void **state)
{
	unsigned lost = 0, kept = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		unsigned value = 0;

		env = env_sim_create(seed);
		assert_non_null(env);
		env_sim_run(env, careless_work, &value);
		env_sim_free(env);
		lost += value == 1;
		kept += value == 2;
	}
	assert_true(lost > 5 && kept > 5);
	assert_int_equal(lost + kept, 100);
}

static void sleep_an_hour(void *arg, uint32_t index)
{
	uint64_t *ends = arg;

	env_sleep_ns(env, (3 - index) * UINT64_C(3600000000000));
	ends[index] = env_now_ns(env);
}

static void hours_work(void *arg)
{
	(void)arg;
	uint64_t ends[3], before = env_now_ns(env), clock_before = env_clock_s(env);

	env_parallel(env, 3, sleep_an_hour, ends);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(ends[i] - before, (3 - i) * UINT64_C(3600000000000),
				(3 - i) * UINT64_C(3600000000000) + 1000000);
	assert_in_range(env_clock_s(env) - clock_before, 10800, 10801);
}

static void sim_time_is_virtual(void **state)
{
	(void)state;
	env = env_sim_create(1);
	assert_non_null(env);
	env_sim_run(env, hours_work, NULL);
	env_sim_free(env);
}

static void poll_flag(void *arg, uint32_t index)
{
	bool *flag = arg;

	if (index == 0) {
		env_sleep_ns(env, 5000000);
		*flag = true;
	}
	while (!*flag)
		env_yield(env);
}

static void poll_work(void *arg)
{
	env_parallel(env, 2, poll_flag, arg);
}

static void sim_lets_sleepers_wake_while_others_poll(void **state)
{
	bool flag = false;

	(void)state;
	env = env_sim_create(2);
	assert_non_null(env);
	env_sim_run(env, poll_work, &flag);
	env_sim_free(env);
}

/* ---- a caller's mistake is an assert: in a child, which must die of it */

static void die_by_deadlock(void *arg, uint32_t index)
{
	struct env_lock *locks = arg;

	for (;;) {
		env_lock(env, &locks[index]);
		env_yield(env);
		env_lock(env, &locks[1 - index]);
		env_unlock(env, &locks[index]);
		env_unlock(env, &locks[1 - index]);
	}
}

static void deadlock_work(void *arg)
{
	struct env_lock locks[2];

	(void)arg;
	env_lock_init(env, &locks[0]);
	env_lock_init(env, &locks[1]);
	env_parallel(env, 2, die_by_deadlock, locks);
}

static void wait_for_ever_work(void *arg)
{
	struct counter counter;

	(void)arg;
	counter_init(&counter);
	env_lock(env, &counter.lock);
	for (;;)
		env_wait(env, &counter.changed, &counter.lock);
}

static void lock_twice_work(void *arg)
{
	struct env_lock lock;

	(void)arg;
	env_lock_init(env, &lock);
	env_lock(env, &lock);
	env_lock(env, &lock);
}

static void unlock_free_work(void *arg)
{
	struct env_lock lock;

	(void)arg;
	env_lock_init(env, &lock);
	env_unlock(env, &lock);
}

static void not_joined_work(void *arg)
{
	static bool flag;

	(void)arg;
	assert_non_null(env_spawn(env, set_flag, &flag));
}

/* Run `work` in a child; what it says on stderr before it aborts goes to `said`. */
static void expect_abort(void (*work)(void *arg), bool threads, char said[static 1000])
{
	const struct rlimit no_core = { 0 };
	int pipe_ends[2], status;
	size_t size = 0;
	ssize_t got;

	assert_int_equal(pipe(pipe_ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(pipe_ends[1], STDERR_FILENO);
		env = threads ? env_threads() : env_sim_create(3);
		if (threads)
			work(NULL);
		else
			env_sim_run(env, work, NULL);
		_exit(0);
	}
	close(pipe_ends[1]);
	while ((got = read(pipe_ends[0], said + size, 999 - size)) > 0)
		size += (size_t)got;
	said[size] = '\0';
	close(pipe_ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_not_equal(status, 0); /* SIGABRT, or a sanitizer was faster */
}

static void sim_names_a_deadlock(void **state)
{
	char said[1000];

	(void)state;
	expect_abort(deadlock_work, false, said);
	assert_non_null(strstr(said, "deadlock"));
	expect_abort(wait_for_ever_work, false, said);
	assert_non_null(strstr(said, "deadlock"));
}

static void mistakes_of_callers_are_asserts(void **state)
{
	char said[1000];

	(void)state;
	expect_abort(lock_twice_work, false, said);
	assert_non_null(strstr(said, "owner"));
	expect_abort(lock_twice_work, true, said);
	expect_abort(unlock_free_work, false, said);
	expect_abort(unlock_free_work, true, said);
	expect_abort(not_joined_work, false, said);
	assert_non_null(strstr(said, "every task is joined"));
}

static void sim_create_says_no_memory(void **state)
{
	(void)state;
	for (unsigned nth = 0; nth < 2; nth++) {
		unsigned left = nth;

		mem_set_hook(deny_nth, &left);
		assert_null(env_sim_create(1));
		mem_set_hook(NULL, NULL);
	}
	env_sim_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_lets_one_task_in),
		cmocka_unit_test(wait_gives_the_lock_up_and_wake_reaches_all),
		cmocka_unit_test(parallel_runs_each_index_once),
		cmocka_unit_test(join_waits_for_the_end),
		cmocka_unit_test(time_goes_on_and_random_bytes_differ),
		cmocka_unit_test(threads_leave_signals_to_the_first),
		cmocka_unit_test(sim_replays_a_seed_and_varies_between_seeds),
		cmocka_unit_test(sim_finds_a_lost_update),
		cmocka_unit_test(sim_time_is_virtual),
		cmocka_unit_test(sim_lets_sleepers_wake_while_others_poll),
		cmocka_unit_test(sim_names_a_deadlock),
		cmocka_unit_test(mistakes_of_callers_are_asserts),
		cmocka_unit_test(sim_create_says_no_memory),
	};

	return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
