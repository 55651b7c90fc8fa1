/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The open array: questions about it, and its commit. */
#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/place.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct map *array_map(const struct array *array)
{
	return array->map;
}

struct env *array_env(const struct array *array)
{
	return array->env;
}

const struct array_recovery *array_recovery(const struct array *array)
{
	return &array->recovery;
}

uint32_t array_tasks(const struct array *array)
{
	return array->tasks;
}

uint32_t array_tasks_waiting(const struct array *array)
{
	for (uint32_t slot = 0; !array->tasks_given && slot < MEMBERS_MAX; slot++) {
		const struct dev *dev = array->members[slot].dev;

		if (dev && dev_info(dev)->is_direct)
			return (uint32_t)size_min(array->tasks * UINT64_C(2), TASKS_MAX);
	}
	return array->tasks;
}

struct places array_places(const struct array *array)
{
	struct places places = { .map = array->map,
				 .space = array->space,
				 .generation = array->commit.generation_seen + 1 };

	for (uint32_t i = 0; i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;

		if (array_member_usable(array, slot))
			places.usable = member_set_with(places.usable, slot);
	}
	return places;
}

const char *presence_name(enum presence presence)
{
	switch (presence) {
	case PRESENT:
		return "present";
	case PRESENT_STALE:
		return "stale";
	case ABSENT:
		return "missing";
	case ABSENT_TRUNCATED:
		return "truncated";
	case ABSENT_BROKEN:
		return "broken";
	case ABSENT_OTHER_BRANCH:
		return "too-old";
	}
	return "unknown";
}

enum presence array_presence(const struct array *array, uint32_t slot)
{
	assert(slot < MEMBERS_MAX);
	return array->members[slot].presence;
}

struct dev *array_dev(const struct array *array, uint32_t slot)
{
	assert(slot < MEMBERS_MAX);
	return array->members[slot].dev;
}

bool array_member_usable(const struct array *array, uint32_t slot)
{
	const struct member *member = map_member(array->map, slot);

	return member && array->members[slot].dev &&
	       array->members[slot].presence <= PRESENT_STALE &&
	       (member->state == MEMBER_ONLINE || member->state == MEMBER_SPARE);
}

bool array_extent_usable(const struct array *array, const struct extent *extent)
{
	return !extent->stale && array_member_usable(array, extent->slot);
}

uint32_t array_usable_columns(struct array *array, const struct group *group)
{
	uint32_t usable = 0;

	env_lock(array->env, &array->change);
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (array_extent_usable(array, &group->extents[c]))
			usable |= UINT32_C(1) << c;
	}
	env_unlock(array->env, &array->change);
	return usable;
}

struct member_set array_in_service(const struct array *array)
{
	struct member_set set = { 0 };

	for (uint32_t i = 0; i < array->map->member_count; i++) {
		if (array_member_usable(array, array->map->members[i].slot))
			set = member_set_with(set, array->map->members[i].slot);
	}
	return set;
}

int array_poisoned(const struct array *array)
{
	return array->poison.code;
}

int array_stop_writing(struct array *array, const struct err *why, struct err *err)
{
	array->poison = *why;
	*err = *why;
	return err->code;
}

int array_edit_failed(struct array *array, const char *what, struct err *err)
{
	struct err why = { 0 };

	err_set(&why, ERR_NOMEM, "no memory to %s", what);
	return array_stop_writing(array, &why, err);
}

int array_free_later(struct array *array, const struct extent *extent)
{
	if (array->freed_count == array->freed_capacity) {
		uint32_t larger = array->freed_capacity ? array->freed_capacity * 2 : 64;
		struct array_freed *freed = mem_realloc(array->freed, larger, sizeof(*freed));

		if (!freed)
			return ERR_NOMEM;
		array->freed = freed;
		array->freed_capacity = larger;
	}
	array->freed[array->freed_count++] =
		(struct array_freed){ extent->slot, extent->frame, extent->size_class };
	return 0;
}

/*
 * The commit that freed them is acknowledged: the frames may be used again. Their header pages are
 * cleared so that a map made from seals does not bring them back; that is a kindness, not a promise.
 */
static void free_frames(struct array *array)
{
	bool bare = false;
	uint8_t *zeros = array->freed_count ? mem_pages(BLOCK_SIZE) : NULL;

	for (uint32_t i = 0; i < array->freed_count; i++) {
		const struct array_freed *freed = &array->freed[i];
		const struct extent extent = { .slot = freed->slot,
					       .frame = freed->frame,
					       .size_class = freed->size_class };

		if (!map_member(array->map, freed->slot))
			continue;
		if (freed->frame >= BARE_FRAME_FIRST) { /* no seal, and no frames of its own */
			bare = true;
			continue;
		}
		if (zeros && array_member_usable(array, freed->slot)) {
			int rc = io_write(array->members[freed->slot].dev, IO_ROLE_SEAL,
					  extent_seal_offset(array->map, &extent), zeros,
					  BLOCK_SIZE);
			(void)rc; /* a header that stays is only a riddle for rebuild-map */
		}
		space_give(array->space, freed->slot, freed->size_class, freed->frame);
	}
	array->freed_count = 0;
	mem_pages_free(zeros);
	if (bare) {
		struct err ignored = { 0 };
		int rc = space_set_bare(array->space, array->map, &ignored);

		(void)rc; /* without memory they are free when it is opened anew */
	}
}

/* Note who is in service: members that left are behind from now on, those that came back are not. */
static int note_members(struct array *array, struct member_set present)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < array->map->member_count; i++) {
		struct member *member = &array->map->members[i];
		bool behind = !member_set_has(present, member->slot);

		if (member->behind == behind)
			continue;
		member->behind = behind;
		member->absent_since = behind ? array->map->generation : 0;
		rc = map_touch_member(array->map, member->slot);
	}
	return rc;
}

/* A new epoch begins with the commit that another set of members takes part in (FAULTS 3.1, M5). */
static void note_epoch(struct array *array, struct member_set present, uint64_t generation_before)
{
	struct map *map = array->map;
	struct epoch *now = &map->epochs[map->epoch_count - 1];
	uint64_t next = array->commit.generation_seen + 1;

	if (now->first_generation > generation_before) { /* begun by a try that failed */
		now->present = present;
		now->first_generation = next;
		return;
	}
	if (now->present.bits == present.bits)
		return;
	struct epoch epoch = { now->number + 1, 0, next, present };
	env_random(array->env, &epoch.id, sizeof(epoch.id));
	if (map->epoch_count == EPOCHS_MAX) {
		memmove(&map->epochs[0], &map->epochs[1],
			(EPOCHS_MAX - 1) * sizeof(map->epochs[0]));
		map->epoch_count--;
	}
	map->epochs[map->epoch_count++] = epoch;
}

static uint32_t members_add(const struct array *array, struct member_set present, bool joins,
			    struct commit_member *members, uint32_t count)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const struct array_member *place = &array->members[slot];

		if (!member_set_has(present, slot) || place->joins != joins)
			continue;
		members[count++] = (struct commit_member){
			.dev = place->dev,
			.uuid = map_member(array->map, slot)->uuid,
			.slot = slot,
			.regions = place->regions,
			.current = place->current,
			.joins = joins,
		};
	}
	return count;
}

/* As commit_write() takes them: those that join come first. */
static uint32_t members_in_service(const struct array *array, struct member_set present,
				   struct commit_member *members)
{
	return members_add(array, present, false, members,
			   members_add(array, present, true, members, 0));
}

/*
 * Members that missed commits get the last one before the next is written: a crash may have left
 * them behind by one, and then they must not lose the map that they still point to. One that cannot
 * be brought up fails in the commit itself, where that is dealt with.
 */
static void catch_up(struct array *array)
{
	struct commit_member members[MEMBERS_MAX];
	uint32_t count = members_in_service(array, array_in_service(array), members);

	for (uint32_t i = 0; i < count; i++) {
		struct array_member *place = &array->members[members[i].slot];
		struct err why = { 0 };

		if (place->refuted &&
		    commit_withdraw(array->map, array->commit.crc, &members[i], &why))
			continue;
		place->refuted = false;
		for (uint32_t from = 0; from < count && !place->current; from++) {
			if (place->presence != PRESENT_STALE || !members[from].current ||
			    commit_catch_up(&array->commit, array->map, &members[from], &members[i],
					    &why))
				continue;
			place->current = true;
		}
	}
}

/* Members that should be in service and are not. */
static uint32_t absent_members(const struct array *array)
{
	uint32_t absent = 0;

	for (uint32_t i = 0; i < array->map->member_count; i++)
		absent += array->map->members[i].state == MEMBER_ONLINE &&
			  !array_member_usable(array, array->map->members[i].slot);
	return absent;
}

/* Take members that failed out of service. False when the commit cannot be tried again. */
static bool drop_failed(struct array *array, const struct commit_member *members, uint32_t count)
{
	uint32_t left = count;

	for (uint32_t i = 0; i < count; i++) {
		if (members[i].result == 0)
			continue;
		if (members[i].result == ERR_NOSPACE) /* no fault of the member: wait for room */
			return false;
		if (array_group_needing(array, members[i].slot)) /* what it holds is all there is */
			return false;
		array->members[members[i].slot].presence = ABSENT_BROKEN;
		array->members[members[i].slot].current = false;
		left--;
	}
	/* As few as would do to open it. */
	return left < count && left > 0 &&
	       absent_members(array) <= array_absent_allowed(array->map);
}

/* One try with the members that are in service now. */
static int try_commit(struct array *array, uint64_t generation_before,
		      struct commit_member *members, uint32_t *count_out, struct err *err)
{
	struct member_set present = array_in_service(array);
	uint32_t count = members_in_service(array, present, members);
	int rc = count ? note_members(array, present) : ERR_TOO_FEW;

	*count_out = count;
	if (rc)
		return err_set(err, rc, "the map could not be committed");
	note_epoch(array, present, generation_before);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		struct array_member *place = &array->members[slot];

		if (member_set_has(present, slot))
			continue;
		place->current = false; /* it misses these records */
		if (place->presence == PRESENT)
			place->presence = PRESENT_STALE;
	}
	rc = commit_write(&array->commit, array->map, members, count, env_clock_s(array->env), err);
	for (uint32_t i = 0; i < count; i++) {
		struct array_member *place = &array->members[members[i].slot];

		place->current = members[i].current;
		if (rc)
			continue;
		place->presence = PRESENT;
		place->joins = false;
	}
	return rc;
}

static void tell_lost(const struct array *array, const int lost[MEMBERS_MAX])
{
	for (uint32_t slot = 0; array->member_lost && slot < MEMBERS_MAX; slot++) {
		if (lost[slot])
			array->member_lost(array->member_lost_arg, slot, lost[slot]);
	}
}

int array_commit(struct array *array, struct err *err)
{
	struct commit_member members[MEMBERS_MAX];
	int lost[MEMBERS_MAX] = { 0 };
	uint64_t before = array->map->generation;
	uint32_t count;

	assert(array->access == ARRAY_WRITE);
	if (array_need_native(array, err))
		return err->code;
	if (array->poison.code) {
		*err = array->poison;
		return err->code;
	}
	catch_up(array);
	for (;;) {
		struct err why = { 0 };
		int rc = try_commit(array, before, members, &count, &why);

		if (rc == 0) {
			free_frames(array);
			tell_lost(array, lost);
			return 0;
		}
		if (!drop_failed(array, members, count)) {
			array->poison = why;
			*err = why;
			return rc;
		}
		for (uint32_t i = 0; i < count; i++) {
			if (members[i].result)
				lost[members[i].slot] = members[i].result;
		}
	}
}
