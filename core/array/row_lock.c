/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/row_lock.h"

#include "core/base/mem.h"

#include <assert.h>

/* All ranges that are held or waited for, in the order of their coming. */
struct row_locks {
	struct env *env;
	struct env_lock lock;
	struct env_event changed;
	struct row_lock *first, **end;
	uint64_t tickets; /* given so far */
};

struct row_locks *row_locks_create(struct env *env)
{
	struct row_locks *locks = mem_calloc(1, sizeof(*locks));

	if (!locks)
		return NULL;
	locks->env = env;
	locks->end = &locks->first;
	env_lock_init(env, &locks->lock);
	env_event_init(env, &locks->changed);
	return locks;
}

void row_locks_free(struct row_locks *locks)
{
	if (!locks)
		return;
	assert(!locks->first);
	env_event_reset(locks->env, &locks->changed);
	env_lock_reset(locks->env, &locks->lock);
	mem_free(locks);
}

static bool overlap(const struct row_lock *a, const struct row_lock *b)
{
	return a->group == b->group && a->first < b->first + b->count &&
	       b->first < a->first + a->count;
}

/*
 * Whoever came earlier has precedence, whether he holds his range or still waits for it. `lock` may be the last in
 * the list or none of it. NULL: nobody is in the way; a stalled range rather than others.
 */
static const struct row_lock *blocker_of(const struct row_locks *locks, const struct row_lock *lock)
{
	const struct row_lock *found = NULL;

	for (const struct row_lock *other = locks->first; other && other != lock;
	     other = other->next) {
		if (overlap(other, lock) && (!found || other->stalled))
			found = other;
	}
	return found;
}

static void leave(struct row_locks *locks, const struct row_lock *lock)
{
	struct row_lock **at = &locks->first;

	while (*at != lock) {
		assert(*at);
		assert((*at)->ticket < lock->ticket);
		at = &(*at)->next;
	}
	*at = lock->next;
	if (locks->end == &lock->next)
		locks->end = at;
	env_wake_all(locks->env, &locks->changed);
}

int row_lock_take(struct row_locks *locks, struct row_lock *lock, uint64_t group, uint32_t first,
		  uint32_t count)
{
	const struct row_lock *blocker;
	int rc = 0;

	assert(count > 0);
	assert(first <= UINT32_MAX - count);

	env_lock(locks->env, &locks->lock);
	*lock = (struct row_lock){
		.group = group, .first = first, .count = count, .ticket = ++locks->tickets
	};
	*locks->end = lock;
	locks->end = &lock->next;
	while (!rc && (blocker = blocker_of(locks, lock))) {
		rc = blocker->stalled;
		if (!rc)
			env_wait(locks->env, &locks->changed, &locks->lock);
	}
	if (rc)
		leave(locks, lock);
	env_unlock(locks->env, &locks->lock);
	return rc;
}

void row_lock_give(struct row_locks *locks, struct row_lock *lock)
{
	env_lock(locks->env, &locks->lock);
	leave(locks, lock);
	env_unlock(locks->env, &locks->lock);
}

void row_lock_stall(struct row_locks *locks, struct row_lock *lock, int code)
{
	env_lock(locks->env, &locks->lock);
	lock->stalled = code;
	if (code)
		env_wake_all(locks->env, &locks->changed);
	env_unlock(locks->env, &locks->lock);
}

bool row_lock_is_taken(struct row_locks *locks, uint64_t group, uint32_t first, uint32_t count)
{
	const struct row_lock wanted = { .group = group, .first = first, .count = count };

	env_lock(locks->env, &locks->lock);
	bool taken = blocker_of(locks, &wanted) != NULL;

	env_unlock(locks->env, &locks->lock);
	return taken;
}
