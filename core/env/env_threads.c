/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The production environment: a task is a thread, time and randomness are the kernel's. */
#include "core/env/env.h"

#include "core/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct env_lock), "a mutex fits");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(struct env_event), "a condition fits");

struct env_task {
	pthread_t thread;
	void (*run)(void *arg);
	void *arg;
};

static pthread_mutex_t *mutex_of(struct env_lock *lock)
{
	return (pthread_mutex_t *)(void *)lock->storage;
}

static pthread_cond_t *cond_of(struct env_event *event)
{
	return (pthread_cond_t *)(void *)event->storage;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;
	int rc = clock_gettime(clock, &time);

	assert(rc == 0);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static uint64_t threads_now_ns(struct env *env)
{
	(void)env;
	return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t threads_clock_s(struct env *env)
{
	(void)env;
	return clock_ns(CLOCK_REALTIME) / NS_PER_S;
}

static void threads_random(struct env *env, void *bytes, size_t size)
{
	unsigned char *at = bytes;

	(void)env;
	while (size) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0) {
			assert(errno == EINTR);
			continue;
		}
		at += got;
		size -= (size_t)got;
	}
}

static uint32_t threads_cpu_count(struct env *env)
{
	cpu_set_t cpus;

	(void)env;
	/* The CPUs this process may use, not those that the machine has. */
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 0)
		return (uint32_t)CPU_COUNT(&cpus);

	long online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
	return online > 0 ? (uint32_t)online : 1;
}

static void *thread_main(void *arg)
{
	struct env_task *task = arg;

	task->run(task->arg);
	return NULL;
}

static struct env_task *threads_spawn(struct env *env, void (*run)(void *arg), void *arg)
{
	struct env_task *task = mem_calloc(1, sizeof(*task));
	sigset_t all, old;
	int rc;

	(void)env;
	if (!task)
		return NULL;
	task->run = run;
	task->arg = arg;

	/* Signals are for the thread that started the process: tasks inherit a full mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&task->thread, NULL, thread_main, task);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		mem_free(task);
		return NULL;
	}
	return task;
}

static void threads_join(struct env *env, struct env_task *task)
{
	int rc = pthread_join(task->thread, NULL);

	(void)env;
	assert(rc == 0);
	mem_free(task);
}

static void threads_yield(struct env *env)
{
	(void)env;
	sched_yield();
}

static void threads_sleep_ns(struct env *env, uint64_t ns)
{
	struct timespec left = {
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};

	(void)env;
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void threads_lock_init(struct env *env, struct env_lock *lock)
{
	pthread_mutexattr_t attributes;
	int rc;

	(void)env;
	pthread_mutexattr_init(&attributes);
	/* A task that locks twice or unlocks what it does not hold is found at once. */
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	rc = pthread_mutex_init(mutex_of(lock), &attributes);
	assert(rc == 0);
	pthread_mutexattr_destroy(&attributes);
}

static void threads_lock_reset(struct env *env, struct env_lock *lock)
{
	int rc = pthread_mutex_destroy(mutex_of(lock));

	(void)env;
	assert(rc == 0);
}

static void threads_lock(struct env *env, struct env_lock *lock)
{
	int rc = pthread_mutex_lock(mutex_of(lock));

	(void)env;
	assert(rc == 0);
}

static void threads_unlock(struct env *env, struct env_lock *lock)
{
	int rc = pthread_mutex_unlock(mutex_of(lock));

	(void)env;
	assert(rc == 0);
}

static void threads_event_init(struct env *env, struct env_event *event)
{
	int rc = pthread_cond_init(cond_of(event), NULL);

	(void)env;
	assert(rc == 0);
}

static void threads_event_reset(struct env *env, struct env_event *event)
{
	int rc = pthread_cond_destroy(cond_of(event));

	(void)env;
	assert(rc == 0);
}

static void threads_wait(struct env *env, struct env_event *event, struct env_lock *lock)
{
	int rc = pthread_cond_wait(cond_of(event), mutex_of(lock));

	(void)env;
	assert(rc == 0);
}

static void threads_wake_all(struct env *env, struct env_event *event)
{
	int rc = pthread_cond_broadcast(cond_of(event));

	(void)env;
	assert(rc == 0);
}

static const struct env_ops threads_ops = {
	.name = "threads",
	.now_ns = threads_now_ns,
	.clock_s = threads_clock_s,
	.random = threads_random,
	.cpu_count = threads_cpu_count,
	.spawn = threads_spawn,
	.join = threads_join,
	.yield = threads_yield,
	.sleep_ns = threads_sleep_ns,
	.lock_init = threads_lock_init,
	.lock_reset = threads_lock_reset,
	.lock = threads_lock,
	.unlock = threads_unlock,
	.event_init = threads_event_init,
	.event_reset = threads_event_reset,
	.wait = threads_wait,
	.wake_all = threads_wake_all,
};

struct env *env_threads(void)
{
	static struct env env = { .ops = &threads_ops };

	return &env;
}
