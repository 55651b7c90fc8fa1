/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sim_env.h"

#include "core/base/rng.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

static struct rng random_numbers;
static uint64_t time_ns;
static uint64_t plain_life;

static uint64_t plain_now(struct env *env)
{
	(void)env;
	return time_ns += 1000;
}

static uint64_t plain_clock(struct env *env)
{
	(void)env;
	return 1700000000;
}

static void plain_random(struct env *env, void *bytes, size_t size)
{
	unsigned char *at = bytes;

	(void)env;
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)rng_next(&random_numbers);
	env_sim_salt(at, size, plain_life);
}

static uint32_t plain_cpus(struct env *env)
{
	(void)env;
	return 1;
}

static struct env_task *plain_spawn(struct env *env, void (*run)(void *arg), void *arg)
{
	(void)env;
	(void)run;
	(void)arg;
	return NULL;
}

static void plain_join(struct env *env, struct env_task *task)
{
	(void)env;
	(void)task;
	abort(); /* none was started */
}

static void plain_yield(struct env *env)
{
	(void)env;
}

static void plain_sleep(struct env *env, uint64_t ns)
{
	(void)env;
	time_ns += ns;
}

static void lock_init(struct env *env, struct env_lock *lock)
{
	(void)env;
	lock->storage[0] = false;
}

static void lock_take(struct env *env, struct env_lock *lock)
{
	(void)env;
	assert(!lock->storage[0] && "a lock is taken twice");
	lock->storage[0] = true;
}

static void lock_give(struct env *env, struct env_lock *lock)
{
	(void)env;
	assert(lock->storage[0]);
	lock->storage[0] = false;
}

static void lock_reset(struct env *env, struct env_lock *lock)
{
	(void)env;
	assert(!lock->storage[0]);
}

static void event_nothing(struct env *env, struct env_event *event)
{
	(void)env;
	(void)event;
}

static void event_wait(struct env *env, struct env_event *event, struct env_lock *lock)
{
	(void)env;
	(void)event;
	(void)lock;
	abort(); /* nobody is there who could wake it */
}

static const struct env_ops plain_ops = {
	.name = "one task",
	.now_ns = plain_now,
	.clock_s = plain_clock,
	.random = plain_random,
	.cpu_count = plain_cpus,
	.spawn = plain_spawn,
	.join = plain_join,
	.yield = plain_yield,
	.sleep_ns = plain_sleep,
	.lock_init = lock_init,
	.lock_reset = lock_reset,
	.lock = lock_take,
	.unlock = lock_give,
	.event_init = event_nothing,
	.event_reset = event_nothing,
	.wait = event_wait,
	.wake_all = event_nothing,
};

static struct env plain = { &plain_ops };

struct env *sim_env(uint64_t seed)
{
	return sim_env_of_life(seed, 0);
}

struct env *sim_env_of_life(uint64_t seed, uint64_t life)
{
	random_numbers = rng_seeded(seed);
	plain_life = life;
	return &plain;
}
