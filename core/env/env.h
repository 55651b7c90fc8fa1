/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The world that the core runs in: time, randomness, tasks and locks, as one table.
 *
 * Core code is written in plain blocking style. In production a task is a thread (env_threads.h);
 * in tests it is a coroutine on one thread whose schedule comes from a seed (env_sim.h), so every
 * interleaving replays. Nothing here knows of devices.
 *
 * Locks and events are owned by the caller, initialised with env_lock_init()/env_event_init() and
 * reset when no task uses them. env_wait() gives the lock up while it waits, as a condition does;
 * it may return early: wait in a loop.
 */
#ifndef PG_ENV_ENV_H
#define PG_ENV_ENV_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

struct env;

struct env_lock {
	alignas(16) unsigned char storage[64];
};

struct env_event {
	alignas(16) unsigned char storage[64];
};

struct env_task; /* opaque, owned by the environment until joined */

struct env_ops {
	const char *name;
	uint64_t (*now_ns)(struct env *env);  /* monotonic */
	uint64_t (*clock_s)(struct env *env); /* seconds since 1970, for records and people */
	void (*random)(struct env *env, void *bytes, size_t size);
	uint32_t (*cpu_count)(struct env *env);
	struct env_task *(*spawn)(struct env *env, void (*run)(void *arg), void *arg);
	void (*join)(struct env *env, struct env_task *task);
	void (*yield)(struct env *env);
	void (*sleep_ns)(struct env *env, uint64_t ns);
	void (*lock_init)(struct env *env, struct env_lock *lock);
	void (*lock_reset)(struct env *env, struct env_lock *lock);
	void (*lock)(struct env *env, struct env_lock *lock);
	void (*unlock)(struct env *env, struct env_lock *lock);
	void (*event_init)(struct env *env, struct env_event *event);
	void (*event_reset)(struct env *env, struct env_event *event);
	void (*wait)(struct env *env, struct env_event *event, struct env_lock *lock);
	void (*wake_all)(struct env *env, struct env_event *event);
};

/* Environments embed this as their first field. */
struct env {
	const struct env_ops *ops;
};

uint64_t env_now_ns(struct env *env);
uint64_t env_clock_s(struct env *env);
void env_random(struct env *env, void *bytes, size_t size);
uint32_t env_cpu_count(struct env *env);

/* Start a task; NULL when none can be started. Every task is joined once. */
struct env_task *env_spawn(struct env *env, void (*run)(void *arg), void *arg);
void env_join(struct env *env, struct env_task *task);
void env_yield(struct env *env);
void env_sleep_ns(struct env *env, uint64_t ns);

void env_lock_init(struct env *env, struct env_lock *lock);
void env_lock_reset(struct env *env, struct env_lock *lock);
void env_lock(struct env *env, struct env_lock *lock);
void env_unlock(struct env *env, struct env_lock *lock);
void env_event_init(struct env *env, struct env_event *event);
void env_event_reset(struct env *env, struct env_event *event);
void env_wait(struct env *env, struct env_event *event, struct env_lock *lock);
void env_wake_all(struct env *env, struct env_event *event);

#define ENV_PARALLEL_MAX 64u

/*
 * Run `work(arg, index)` for index 0..task_count-1 side by side and return when all are done. Task 0
 * runs on the caller; where a task cannot be started its share runs on the caller as well.
 * task_count is at most ENV_PARALLEL_MAX.
 */
void env_parallel(struct env *env, uint32_t task_count, void (*work)(void *arg, uint32_t index),
		  void *arg);

/* The production environment: one for the process, never freed (env_threads.c). */
struct env *env_threads(void);

/*
 * Coroutines on one thread, the next task chosen by `seed`, virtual time (env_sim.c). Everything
 * that uses it runs inside env_sim_run(), which calls `run(arg)` as the first task and returns when
 * all tasks ended. Returns NULL without memory.
 */
struct env *env_sim_create(uint64_t seed);
/* What is drawn is another number in each life, of the same schedule; 0: as env_sim_create() made it. */
void env_sim_set_life(struct env *env, uint64_t life);
void env_sim_salt(uint8_t *bytes, size_t size, uint64_t life);
void env_sim_run(struct env *env, void (*run)(void *arg), void *arg);
void env_sim_free(struct env *env);

#endif
