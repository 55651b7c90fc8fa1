/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/env/env.h"

#include <assert.h>

uint64_t env_now_ns(struct env *env)
{
	return env->ops->now_ns(env);
}

uint64_t env_clock_s(struct env *env)
{
	return env->ops->clock_s(env);
}

void env_random(struct env *env, void *bytes, size_t size)
{
	assert(bytes || size == 0);
	if (size)
		env->ops->random(env, bytes, size);
}

uint32_t env_cpu_count(struct env *env)
{
	uint32_t count = env->ops->cpu_count(env);

	assert(count > 0);
	return count;
}

struct env_task *env_spawn(struct env *env, void (*run)(void *arg), void *arg)
{
	assert(run);
	return env->ops->spawn(env, run, arg);
}

void env_join(struct env *env, struct env_task *task)
{
	assert(task);
	env->ops->join(env, task);
}

void env_yield(struct env *env)
{
	env->ops->yield(env);
}

void env_sleep_ns(struct env *env, uint64_t ns)
{
	env->ops->sleep_ns(env, ns);
}

void env_lock_init(struct env *env, struct env_lock *lock)
{
	assert(lock);
	env->ops->lock_init(env, lock);
}

void env_lock_reset(struct env *env, struct env_lock *lock)
{
	assert(lock);
	env->ops->lock_reset(env, lock);
}

void env_lock(struct env *env, struct env_lock *lock)
{
	assert(lock);
	env->ops->lock(env, lock);
}

void env_unlock(struct env *env, struct env_lock *lock)
{
	assert(lock);
	env->ops->unlock(env, lock);
}

void env_event_init(struct env *env, struct env_event *event)
{
	assert(event);
	env->ops->event_init(env, event);
}

void env_event_reset(struct env *env, struct env_event *event)
{
	assert(event);
	env->ops->event_reset(env, event);
}

void env_wait(struct env *env, struct env_event *event, struct env_lock *lock)
{
	assert(event && lock);
	env->ops->wait(env, event, lock);
}

void env_wake_all(struct env *env, struct env_event *event)
{
	assert(event);
	env->ops->wake_all(env, event);
}

struct share {
	void (*work)(void *arg, uint32_t index);
	void *arg;
	uint32_t index;
};

static void share_run(void *arg)
{
	const struct share *share = arg;

	share->work(share->arg, share->index);
}

void env_parallel(struct env *env, uint32_t task_count, void (*work)(void *arg, uint32_t index),
		  void *arg)
{
	struct share shares[ENV_PARALLEL_MAX];
	struct env_task *tasks[ENV_PARALLEL_MAX];

	assert(work);
	assert(task_count <= ENV_PARALLEL_MAX);

	for (uint32_t i = 1; i < task_count; i++) {
		shares[i] = (struct share){ .work = work, .arg = arg, .index = i };
		tasks[i] = env_spawn(env, share_run, &shares[i]);
	}
	if (task_count)
		work(arg, 0);
	for (uint32_t i = 1; i < task_count; i++) {
		if (!tasks[i])
			work(arg, i);
	}
	for (uint32_t i = 1; i < task_count; i++) {
		if (tasks[i])
			env_join(env, tasks[i]);
	}
}
