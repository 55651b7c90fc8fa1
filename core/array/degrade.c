/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/degrade.h"

#include "core/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

uint32_t array_columns_gone(const struct array *array, const struct group *group)
{
	uint32_t gone = 0;

	for (uint32_t c = 0; c < group->shape.columns; c++)
		gone += !array_extent_usable(array, &group->extents[c]);
	return gone;
}

static const struct epoch *epoch_now(const struct map *map)
{
	assert(map->epoch_count > 0);
	return &map->epochs[map->epoch_count - 1];
}

uint32_t array_log_members(const struct array *array, struct log_member members[MEMBERS_MAX])
{
	struct member_set present = epoch_now(array->map)->present;
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (!array_member_usable(array, slot) || !member_set_has(present, slot))
			continue;
		members[count++] = (struct log_member){
			.dev = array->members[slot].dev,
			.slot = slot,
			.offset = array->members[slot].regions.log_offset,
		};
	}
	return count;
}

int array_wipe_log(struct dev *dev, uint64_t log_offset, uint64_t slot_size)
{
	uint8_t *block = mem_pages(BLOCK_SIZE);
	bool wiped = false;
	int rc = block ? 0 : ERR_NOMEM;

	for (uint32_t slot = 0; !rc && slot < LOG_SLOTS; slot++) {
		uint64_t offset = log_offset + slot * slot_size;

		rc = io_read(dev, IO_ROLE_LOG, offset, block, BLOCK_SIZE);
		if (rc || bytes_are_zero(block, BLOCK_SIZE))
			continue;
		memset(block, 0, BLOCK_SIZE);
		rc = io_write(dev, IO_ROLE_LOG, offset, block, BLOCK_SIZE);
		wiped = true;
	}
	if (!rc && wiped)
		rc = io_flush(dev);
	mem_pages_free(block);
	return rc;
}

void array_tell_log(struct array *array)
{
	struct log_member members[MEMBERS_MAX];

	if (array->log)
		intent_log_set_members(array->log, members, array_log_members(array, members),
				       epoch_now(array->map)->number);
}

static int commit_and_tell(struct array *array, struct err *err)
{
	int rc = array_commit(array, err);

	if (!rc)
		array_tell_log(array);
	return rc;
}

/* Members that are not there and still hold extents, whatever they are called. */
static uint32_t members_gone(const struct array *array)
{
	uint32_t gone = 0;

	for (uint32_t i = 0; i < array->map->member_count; i++) {
		const struct member *member = &array->map->members[i];

		gone += !array_member_usable(array, member->slot) &&
			(member->state == MEMBER_ONLINE ||
			 array_member_used(array, member->slot) > 0);
	}
	return gone;
}

static int take_out(struct array *array, uint32_t slot, int code, struct err *err)
{
	struct member *member = map_member(array->map, slot);
	const struct group *needing = array_group_needing(array, slot);
	struct array_member *place = &array->members[slot];
	struct err why = { 0 };

	if (needing) {
		err_set(&why, ERR_IO,
			"member %u (%s) failed (%s) and group %" PRIu64
			" has no other copy of what it holds; it stays, and nothing is written "
			"any more",
			slot, dev_name(place->dev), err_name(code), needing->id);
		return array_stop_writing(array, &why, err);
	}
	if (members_gone(array) + 1 > array_absent_allowed(array->map)) {
		err_set(&why, ERR_IO,
			"member %u (%s) failed (%s) and %u more are gone; nothing is written any "
			"more",
			slot, dev_name(place->dev), err_name(code), members_gone(array));
		return array_stop_writing(array, &why, err);
	}
	__atomic_store_n(&member->state, MEMBER_FAILED, __ATOMIC_RELAXED);
	if (map_touch_member(array->map, slot)) {
		err_set(&why, ERR_NOMEM, "no memory to note that member %u failed", slot);
		return array_stop_writing(array, &why, err);
	}
	int rc = commit_and_tell(array, err);
	if (!rc) { /* should it come back in this session, it has missed commits */
		place->current = false;
		place->presence = PRESENT_STALE;
		if (array->member_lost)
			array->member_lost(array->member_lost_arg, slot, code);
	}
	return rc;
}

int array_member_failed(struct array *array, uint32_t slot, int code, struct err *err)
{
	int rc = 0;

	assert(code != 0 && code != ERR_NOSPACE);
	assert(array->access == ARRAY_WRITE);
	assert(slot < MEMBERS_MAX && array->members[slot].dev);
	if (dev_has_hung(array->members[slot].dev))
		code = ERR_TIMEOUT;

	env_lock(array->env, &array->change);
	if (array->poison.code) {
		*err = array->poison;
		rc = err->code;
	} else if (array_member_usable(array, slot)) {
		rc = take_out(array, slot, code, err);
	} else {
		array_tell_log(array); /* a commit dropped it, and the log still counts on it */
	}
	env_unlock(array->env, &array->change);
	return rc;
}

int array_flush_member(struct array *array, uint32_t slot, struct err *err)
{
	struct dev *dev = array_dev(array, slot);

	if (io_flush(dev) == 0)
		return 0;
	int rc = array_member_failed(array, slot, ERR_IO, err);
	return rc ? rc : err_set(err, ERR_IO, "flush of %s failed", dev_name(dev));
}

/* Mark what the absent columns of a group miss; *changed_out says whether anything was not marked yet. */
static int mark_group(struct array *array, struct group *group, bool *changed, struct err *err)
{
	bool marked = false;

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		struct extent *extent = &group->extents[c];

		if (extent->stale || array_member_usable(array, extent->slot))
			continue;
		__atomic_store_n(&extent->stale, true, __ATOMIC_RELAXED);
		marked = true;
	}
	*changed |= marked;
	if (marked && map_touch_group(array->map, group->id)) {
		struct err why = { 0 };

		err_set(&why, ERR_NOMEM, "no memory to note what members miss");
		return array_stop_writing(array, &why, err);
	}
	return 0;
}

static bool lost_too_much(const struct array *array, const struct group *group)
{
	return array_columns_gone(array, group) > group_tolerance(group);
}

/* Holds the lock. */
static int mark_all(struct array *array, const uint64_t *groups, size_t count, struct err *err)
{
	/* The first write without some members begins an epoch without them (FAULTS M5). */
	bool changed = epoch_now(array->map)->present.bits != array_in_service(array).bits;

	for (size_t i = 0; i < count; i++) {
		struct group *group = map_group(array->map, groups[i]);
		int rc = 0;

		if (group && !lost_too_much(array, group))
			rc = mark_group(array, group, &changed, err);
		if (rc)
			return rc;
	}
	return changed ? commit_and_tell(array, err) : 0;
}

int array_mark_missed_all(struct array *array, const uint64_t *groups, size_t count,
			  struct err *err)
{
	int rc = 0;

	if (array->access == ARRAY_READ)
		return 0;
	env_lock(array->env, &array->change);
	if (array->poison.code) {
		*err = array->poison;
		rc = err->code;
	} else {
		rc = mark_all(array, groups, count, err);
	}
	env_unlock(array->env, &array->change);
	return rc;
}

int array_mark_missed(struct array *array, uint64_t group, struct err *err)
{
	int rc = 0;

	assert(array->access == ARRAY_WRITE);
	env_lock(array->env, &array->change);
	const struct group *missing = map_group(array->map, group);
	assert(missing);
	if (array->poison.code) {
		*err = array->poison;
		rc = err->code;
	} else if (lost_too_much(array, missing)) {
		rc = err_set(err, ERR_IO,
			     "group %" PRIu64 " has lost %u of its %u columns and survives %u",
			     group, array_columns_gone(array, missing), missing->shape.columns,
			     group_tolerance(missing));
	} else {
		rc = mark_all(array, &group, 1, err);
	}
	env_unlock(array->env, &array->change);
	return rc;
}

/* A member that is away and would not know afterwards what it missed; MEMBER_NONE when there is none. */
static uint32_t unmarked_member(const struct array *array, const struct group *group)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		const struct extent *extent = &group->extents[c];

		if (!extent->stale && !array_extent_usable(array, extent))
			return extent->slot;
	}
	return MEMBER_NONE;
}

int array_check_named(const struct array *array, const uint64_t *groups, size_t count,
		      struct err *err)
{
	for (size_t i = 0; array->access == ARRAY_WRITE && i < count; i++) {
		const struct group *group = map_group(array->map, groups[i]);
		uint32_t slot = group ? unmarked_member(array, group) : MEMBER_NONE;

		if (slot == MEMBER_NONE || !lost_too_much(array, group))
			continue;
		err_set(err, ERR_TOO_FEW,
			"the log names rows of group %" PRIu64
			", which has lost %u of its columns and survives %u",
			group->id, array_columns_gone(array, group), group_tolerance(group));
		return err_hint(err,
				"bring member %u back first; for reading the array opens without",
				slot);
	}
	return 0;
}
