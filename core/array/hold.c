/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/hold.h"

#include "core/array/seal_cache.h"
#include "core/array/write_behind.h"
#include "core/array/write_finish.h"
#include "core/base/mem.h"
#include "core/store/intent_log.h"

#include <assert.h>
#include <inttypes.h>

struct hold {
	struct env_lock lock;
	struct env_event changed;
	uint32_t sharers;
	bool alone;  /* somebody is */
	bool wanted; /* somebody wants to be: who comes now waits, or he would wait for ever */
	const uint64_t *groups;
	size_t count; /* 0: nothing is held */
	struct hold_entry *inside;
};

int hold_create(struct array *array)
{
	struct hold *hold = mem_calloc(1, sizeof(*hold));

	if (!hold)
		return ERR_NOMEM;
	env_lock_init(array->env, &hold->lock);
	env_event_init(array->env, &hold->changed);
	array->hold = hold;
	return 0;
}

void hold_free(struct array *array)
{
	struct hold *hold = array->hold;

	if (!hold)
		return;
	assert(hold->sharers == 0 && !hold->alone && hold->count == 0 && !hold->inside);
	env_event_reset(array->env, &hold->changed);
	env_lock_reset(array->env, &hold->lock);
	mem_free(hold);
	array->hold = NULL;
}

/* ---- the map lock */

void hold_share(struct array *array)
{
	struct hold *hold = array->hold;

	if (!hold)
		return;
	env_lock(array->env, &hold->lock);
	while (hold->alone || hold->wanted)
		env_wait(array->env, &hold->changed, &hold->lock);
	hold->sharers++;
	env_unlock(array->env, &hold->lock);
}

/* Holds the lock. */
static void give_up_share(struct array *array)
{
	struct hold *hold = array->hold;

	assert(hold->sharers > 0);
	if (--hold->sharers == 0)
		env_wake_all(array->env, &hold->changed);
}

void hold_unshare(struct array *array)
{
	struct hold *hold = array->hold;

	if (!hold)
		return;
	env_lock(array->env, &hold->lock);
	give_up_share(array);
	env_unlock(array->env, &hold->lock);
}

void hold_alone(struct array *array)
{
	struct hold *hold = array->hold;

	env_lock(array->env, &hold->lock);
	assert(!hold->wanted && !hold->alone);
	hold->wanted = true;
	while (hold->sharers > 0)
		env_wait(array->env, &hold->changed, &hold->lock);
	hold->wanted = false;
	hold->alone = true;
	env_unlock(array->env, &hold->lock);
	env_lock(array->env, &array->change);
}

void hold_together(struct array *array)
{
	struct hold *hold = array->hold;

	env_unlock(array->env, &array->change);
	env_lock(array->env, &hold->lock);
	assert(hold->alone);
	hold->alone = false;
	env_wake_all(array->env, &hold->changed);
	env_unlock(array->env, &hold->lock);
}

/* ---- groups */

static bool meets(const struct hold *hold, const struct hold_entry *entry)
{
	for (uint32_t i = 0; i < entry->count; i++) {
		if (id_is_among(hold->groups, hold->count, entry->groups[i]))
			return true;
	}
	return false;
}

bool hold_enter(struct array *array, struct hold_entry *entry)
{
	struct hold *hold = array->hold;

	env_lock(array->env, &hold->lock);
	bool entered = !meets(hold, entry);

	if (entered) {
		entry->next = hold->inside;
		hold->inside = entry;
	} else {
		give_up_share(array); /* the job is going to be alone before it releases */
		while (meets(hold, entry))
			env_wait(array->env, &hold->changed, &hold->lock);
	}
	env_unlock(array->env, &hold->lock);
	return entered;
}

void hold_leave(struct array *array, struct hold_entry *entry)
{
	struct hold *hold = array->hold;
	struct hold_entry **at = &hold->inside;

	env_lock(array->env, &hold->lock);
	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	if (hold->count > 0)
		env_wake_all(array->env, &hold->changed);
	env_unlock(array->env, &hold->lock);
}

static bool is_anyone_inside(const struct hold *hold)
{
	for (const struct hold_entry *at = hold->inside; at; at = at->next) {
		if (meets(hold, at))
			return true;
	}
	return false;
}

/* From here on nobody enters; wait until all have left. */
static void close_groups(struct array *array, const uint64_t *groups, size_t count)
{
	struct hold *hold = array->hold;

	env_lock(array->env, &hold->lock);
	assert(hold->count == 0);
	hold->groups = groups;
	hold->count = count;
	while (is_anyone_inside(hold))
		env_wait(array->env, &hold->changed, &hold->lock);
	env_unlock(array->env, &hold->lock);
}

static bool is_half_written(struct array *array, uint64_t group)
{
	const struct half_place all = { group, 0, UINT32_MAX };
	struct half_place found;

	return write_half_find(array, &all, &found) != NULL;
}

/* Writes that were acknowledged and are not in their place yet, and those that failed on the way to it. */
static int wait_for_behind(struct array *array, const uint64_t *groups, size_t count,
			   struct err *err)
{
	struct err why = { 0 };
	int rc = write_behind_wait(array, &why);

	if (!rc)
		rc = write_finish_halves(array, &(struct half_place){ .count = 0 }, &why);
	for (size_t i = 0; rc && i < count; i++) {
		if (write_behind_holds(array, groups[i]) || is_half_written(array, groups[i])) {
			*err = why;
			return why.code;
		}
	}
	return 0;
}

/*
 * Their seals into place, and a record that does not name them: what an older one says of a group is not true of the
 * group that follows it.
 */
static int settle(struct array *array, const uint64_t *groups, size_t count, struct err *err)
{
	env_lock(array->env, &array->change);
	struct intent_log *log = array->log;
	env_unlock(array->env, &array->change);

	if (!log)
		return 0;
	int rc = wait_for_behind(array, groups, count, err);
	if (!rc && seal_cache_is_late(array->seal_cache, groups, count))
		rc = seal_cache_checkpoint(array->seal_cache, log, err);
	if (!rc && seal_cache_leave(array->seal_cache, groups, count))
		rc = err_set(err, ERR_NOSPACE,
			     "rows of groups that are to be changed wait for space, or a write to "
			     "them failed half-way");
	return rc ? rc : intent_log_flush(log, true, err);
}

int array_hold(struct array *array, const uint64_t *groups, size_t count, struct err *err)
{
	for (size_t i = 1; i < count; i++)
		assert(groups[i - 1] < groups[i]);
	if (count == 0)
		return 0;
	close_groups(array, groups, count);
	int rc = settle(array, groups, count, err);
	if (rc)
		array_release(array);
	return rc;
}

void array_release(struct array *array)
{
	struct hold *hold = array->hold;

	env_lock(array->env, &hold->lock);
	hold->groups = NULL;
	hold->count = 0;
	env_wake_all(array->env, &hold->changed);
	env_unlock(array->env, &hold->lock);
}
