/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simulated environment. Tasks are fibers of one thread. At every point where a task could be
 * interrupted or must wait, the seed picks who runs next among all that can; time is virtual, a
 * step takes SIM_STEP_NS and nobody really sleeps. One seed, one run, exactly.
 */
#include "core/env/env.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/env/env_fiber.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define SIM_STEP_NS 1000u       /* so that a task that only polls still lets sleepers wake */
#define SIM_CPU_COUNT 4u        /* enough for tasks to meet each other */
#define SIM_CLOCK_S 1700000000u /* when a run begins: the same date every time */
#define SIM_EARLY_ODDS 8u       /* one wait in so many returns early, as env.h allows */

enum task_state { TASK_READY, TASK_BLOCKED, TASK_ASLEEP, TASK_DONE };

struct env_task {
	struct fiber fiber;
	struct sim *sim;
	enum task_state state;
	const void *blocked_on; /* lock, event or task */
	uint64_t wake_ns;
	void (*run)(void *arg);
	void *arg;
	struct env_task *next; /* in the list of all tasks, or of spare ones */
};

struct sim {
	struct env env;
	struct rng rng;
	uint64_t life;
	uint64_t now_ns;
	struct env_task *tasks;  /* not yet joined */
	struct env_task *spare;  /* joined: their stacks serve again */
	struct env_task outside; /* whoever calls env_sim_run() */
	struct env_task *current;
};

struct sim_lock {
	struct env_task *owner;
};

struct sim_event {
	uint64_t waiters;
};

_Static_assert(sizeof(struct sim_lock) <= sizeof(struct env_lock), "a lock fits");
_Static_assert(sizeof(struct sim_event) <= sizeof(struct env_event), "an event fits");

static struct sim *sim_of(struct env *env)
{
	return (struct sim *)env;
}

static struct sim_lock *lock_of(struct env_lock *lock)
{
	return (struct sim_lock *)(void *)lock->storage;
}

static struct sim_event *event_of(struct env_event *event)
{
	return (struct sim_event *)(void *)event->storage;
}

static void wake_sleepers(struct sim *sim)
{
	for (struct env_task *task = sim->tasks; task; task = task->next) {
		if (task->state == TASK_ASLEEP && task->wake_ns <= sim->now_ns)
			task->state = TASK_READY;
	}
}

static uint32_t ready_count(const struct sim *sim)
{
	uint32_t count = 0;

	for (const struct env_task *task = sim->tasks; task; task = task->next)
		count += task->state == TASK_READY;
	return count;
}

/* Nobody can run: move time to the first who wakes. False when nobody will. */
static bool skip_to_wake(struct sim *sim)
{
	uint64_t first_ns = UINT64_MAX;
	bool found = false;

	for (const struct env_task *task = sim->tasks; task; task = task->next) {
		if (task->state == TASK_ASLEEP && task->wake_ns <= first_ns) {
			first_ns = task->wake_ns;
			found = true;
		}
	}
	if (!found)
		return false;
	sim->now_ns = first_ns;
	wake_sleepers(sim);
	return true;
}

static bool all_done(const struct sim *sim)
{
	for (const struct env_task *task = sim->tasks; task; task = task->next) {
		if (task->state != TASK_DONE)
			return false;
	}
	return true;
}

/* Who runs next, by the seed; the caller of env_sim_run() once every task has ended. */
static struct env_task *task_choose(struct sim *sim)
{
	struct env_task *task;
	uint32_t count;
	uint64_t pick;

	sim->now_ns += SIM_STEP_NS;
	wake_sleepers(sim);
	if (all_done(sim))
		return &sim->outside;
	count = ready_count(sim);
	if (count == 0) {
		bool somebody_wakes = skip_to_wake(sim);

		assert(somebody_wakes && "deadlock: every task waits for another");
		count = ready_count(sim);
	}
	pick = rng_below(&sim->rng, count);
	for (task = sim->tasks; task->state != TASK_READY || pick-- > 0; task = task->next)
		assert(task->next && "one of the ready tasks was picked");
	return task;
}

/* Let the seed decide who goes on; returns when it is the caller's turn again. */
static void reschedule(struct sim *sim)
{
	struct env_task *self = sim->current;
	struct env_task *next;

	if (self == &sim->outside) /* no task exists yet, or none any more */
		return;
	next = task_choose(sim);
	if (next == self)
		return;
	sim->current = next;
	fiber_switch(&self->fiber, &next->fiber);
	assert(sim->current == self);
}

static void block_on(struct sim *sim, const void *what)
{
	assert(sim->current != &sim->outside);
	sim->current->blocked_on = what;
	sim->current->state = TASK_BLOCKED;
	reschedule(sim);
}

static void wake_blocked(struct sim *sim, const void *what)
{
	for (struct env_task *task = sim->tasks; task; task = task->next) {
		if (task->state == TASK_BLOCKED && task->blocked_on == what) {
			task->state = TASK_READY;
			task->blocked_on = NULL;
		}
	}
}

static uint64_t sim_now_ns(struct env *env)
{
	return sim_of(env)->now_ns;
}

static uint64_t sim_clock_s(struct env *env)
{
	return SIM_CLOCK_S + sim_of(env)->now_ns / UINT64_C(1000000000);
}

void env_sim_salt(uint8_t *bytes, size_t size, uint64_t life)
{
	for (size_t i = 0; i < size && i < sizeof(life); i++)
		bytes[i] ^= (uint8_t)(life >> 8 * i);
}

static void sim_random(struct env *env, void *bytes, size_t size)
{
	unsigned char *at = bytes;

	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)rng_next(&sim_of(env)->rng);
	env_sim_salt(at, size, sim_of(env)->life);
}

static uint32_t sim_cpu_count(struct env *env)
{
	(void)env;
	return SIM_CPU_COUNT;
}

static void task_main(void *arg)
{
	struct env_task *task = arg;
	struct sim *sim = task->sim;
	struct env_task *next;

	task->run(task->arg);
	task->state = TASK_DONE;
	wake_blocked(sim, task);
	next = task_choose(sim);
	sim->current = next;
	fiber_switch_last(&task->fiber, &next->fiber);
}

/* A task with a stack that will call run(arg); NULL without memory. */
static struct env_task *task_create(struct sim *sim, void (*run)(void *arg), void *arg)
{
	struct env_task *task = sim->spare;

	if (task) {
		sim->spare = task->next;
	} else {
		task = mem_calloc(1, sizeof(*task));
		if (!task)
			return NULL;
		if (fiber_init(&task->fiber)) {
			mem_free(task);
			return NULL;
		}
	}
	task->sim = sim;
	task->run = run;
	task->arg = arg;
	task->blocked_on = NULL;
	task->state = TASK_READY;
	task->next = sim->tasks;
	sim->tasks = task;
	fiber_prepare(&task->fiber, task_main, task);
	return task;
}

/* Take an ended task off the list; its stack waits for the next one. */
static void task_retire(struct sim *sim, struct env_task *task)
{
	struct env_task **link = &sim->tasks;

	assert(task->state == TASK_DONE);
	while (*link != task) {
		assert(*link && "a task is joined once");
		link = &(*link)->next;
	}
	*link = task->next;
	task->next = sim->spare;
	sim->spare = task;
}

static struct env_task *sim_spawn(struct env *env, void (*run)(void *arg), void *arg)
{
	struct sim *sim = sim_of(env);
	struct env_task *task;

	assert(sim->current != &sim->outside && "tasks start inside env_sim_run()");
	task = task_create(sim, run, arg);
	if (task)
		reschedule(sim);
	return task;
}

static void sim_join(struct env *env, struct env_task *task)
{
	struct sim *sim = sim_of(env);

	while (task->state != TASK_DONE)
		block_on(sim, task);
	task_retire(sim, task);
	reschedule(sim);
}

static void sim_yield(struct env *env)
{
	reschedule(sim_of(env));
}

static void sim_sleep_ns(struct env *env, uint64_t ns)
{
	struct sim *sim = sim_of(env);

	if (sim->current == &sim->outside) {
		sim->now_ns += ns;
		return;
	}
	sim->current->wake_ns = sim->now_ns + ns;
	sim->current->state = TASK_ASLEEP;
	reschedule(sim);
}

static void sim_lock_init(struct env *env, struct env_lock *lock)
{
	(void)env;
	memset(lock, 0, sizeof(*lock));
}

static void sim_lock_reset(struct env *env, struct env_lock *lock)
{
	(void)env;
	assert(!lock_of(lock)->owner);
}

static void sim_lock_take(struct env *env, struct env_lock *lock)
{
	struct sim *sim = sim_of(env);
	struct sim_lock *mine = lock_of(lock);

	assert(mine->owner != sim->current);
	reschedule(sim);
	while (mine->owner)
		block_on(sim, mine);
	mine->owner = sim->current;
}

static void lock_release(struct sim *sim, struct sim_lock *lock)
{
	assert(lock->owner == sim->current);
	lock->owner = NULL;
	wake_blocked(sim, lock);
}

static void sim_unlock(struct env *env, struct env_lock *lock)
{
	lock_release(sim_of(env), lock_of(lock));
	reschedule(sim_of(env));
}

static void sim_event_init(struct env *env, struct env_event *event)
{
	(void)env;
	memset(event, 0, sizeof(*event));
}

static void sim_event_reset(struct env *env, struct env_event *event)
{
	(void)env;
	assert(event_of(event)->waiters == 0);
}

static void sim_wait(struct env *env, struct env_event *event, struct env_lock *lock)
{
	struct sim *sim = sim_of(env);
	struct sim_event *mine = event_of(event);

	lock_release(sim, lock_of(lock));
	mine->waiters++;
	if (rng_below(&sim->rng, SIM_EARLY_ODDS) == 0)
		reschedule(sim);
	else
		block_on(sim, mine);
	mine->waiters--;
	while (lock_of(lock)->owner)
		block_on(sim, lock_of(lock));
	lock_of(lock)->owner = sim->current;
}

static void sim_wake_all(struct env *env, struct env_event *event)
{
	wake_blocked(sim_of(env), event_of(event));
}

static const struct env_ops sim_ops = {
	.name = "sim",
	.now_ns = sim_now_ns,
	.clock_s = sim_clock_s,
	.random = sim_random,
	.cpu_count = sim_cpu_count,
	.spawn = sim_spawn,
	.join = sim_join,
	.yield = sim_yield,
	.sleep_ns = sim_sleep_ns,
	.lock_init = sim_lock_init,
	.lock_reset = sim_lock_reset,
	.lock = sim_lock_take,
	.unlock = sim_unlock,
	.event_init = sim_event_init,
	.event_reset = sim_event_reset,
	.wait = sim_wait,
	.wake_all = sim_wake_all,
};

struct env *env_sim_create(uint64_t seed)
{
	struct sim *sim = mem_calloc(1, sizeof(*sim));

	if (!sim)
		return NULL;
	sim->env.ops = &sim_ops;
	sim->rng = rng_seeded(seed);
	sim->current = &sim->outside;
	/* One stack is made here, so that env_sim_run() cannot fail. */
	sim->spare = mem_calloc(1, sizeof(*sim->spare));
	if (!sim->spare || fiber_init(&sim->spare->fiber)) {
		mem_free(sim->spare);
		mem_free(sim);
		return NULL;
	}
	return &sim->env;
}

void env_sim_set_life(struct env *env, uint64_t life)
{
	assert(env->ops == &sim_ops);
	sim_of(env)->life = life;
}

void env_sim_run(struct env *env, void (*run)(void *arg), void *arg)
{
	struct sim *sim = sim_of(env);
	struct env_task *first;

	assert(env->ops == &sim_ops);
	assert(sim->current == &sim->outside && !sim->tasks);

	fiber_init_own(&sim->outside.fiber);
	first = task_create(sim, run, arg);
	assert(first);
	sim->current = first;
	fiber_switch(&sim->outside.fiber, &first->fiber);

	assert(sim->current == &sim->outside);
	task_retire(sim, first);
	assert(!sim->tasks && "every task is joined");
}

void env_sim_free(struct env *env)
{
	struct sim *sim;

	if (!env)
		return;
	sim = sim_of(env);
	assert(!sim->tasks);
	while (sim->spare) {
		struct env_task *task = sim->spare;

		sim->spare = task->next;
		fiber_reset(&task->fiber);
		mem_free(task);
	}
	mem_free(sim);
}
