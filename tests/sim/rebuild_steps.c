/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/rebuild_steps.h"

#include "core/array/array_internal.h"
#include "core/job/rebuild.h"
#include "core/job/rebuild_delta.h"

static int rebuild(struct stepping *s, uint32_t to, bool replace)
{
	struct run *run = s->run;
	const struct map *map = array_map(run->array);
	uint32_t from = s->pick ? map->members[s->pick % map->member_count].slot : 0;
	bool stays = to == MEMBER_NONE && array_member_usable(run->array, from);
	bool held = array_member_used(run->array, from) > 0; /* else nothing becomes whole by it */
	/* Like the command: a member that is in use is read and serves to the end. */
	const struct rebuild_request request = {
		.from = from,
		.to = to,
		.replace = replace || array_member_usable(run->array, from),
	};
	struct rebuild_report report = { 0 };
	int rc = from == to ? err_set(&s->err, ERR_STATE, "a blank disk has nothing to rebuild")
			    : rebuild_run(run->array, &request, &report, &s->err);

	if (rc)
		return rc;
	*s->idle |= 1u << run->disk_of[from];
	run->emptied |= stays ? 1u << run->disk_of[from] : 0;
	if (to != MEMBER_NONE)
		run->disk_of[from] = run->disk_of[to];
	if (held && run->absent && *s->spent && !run->lasting)
		--*s->spent;
	return 0;
}

int step_rebuild_to(struct stepping *s)
{
	uint32_t slot = MEMBER_NONE;
	int rc = steps_add(s, true, &slot);

	return rc ? rc : rebuild(s, slot, false);
}

int step_rebuild_free(struct stepping *s)
{
	return rebuild(s, MEMBER_NONE, false);
}

int step_replace(struct stepping *s)
{
	uint32_t slot = MEMBER_NONE;

	if (s->run->absent)
		return err_set(&s->err, ERR_STATE, "what is absent is rebuilt, not replaced");
	int rc = steps_add(s, true, &slot);
	return rc ? rc : rebuild(s, slot, true);
}

/* The member that an earlier step made a spare takes the first one's place. */
int step_rebuild_spare(struct stepping *s)
{
	const struct map *map = array_map(s->run->array);

	for (uint32_t i = 0; i < map->member_count; i++) {
		if (map->members[i].state == MEMBER_SPARE)
			return rebuild(s, map->members[i].slot, false);
	}
	return err_set(&s->err, ERR_STATE, "there is no spare");
}

/* Is every member in service, with nothing stale? Then nothing is spent. */
static void note_whole(struct stepping *s)
{
	struct run *run = s->run;
	const struct map *map = array_map(run->array);
	uint32_t members = 0;

	for (uint32_t i = 0; i < map->member_count; i++) {
		if (!array_member_usable(run->array, map->members[i].slot) ||
		    rebuild_delta_count(run->array, map->members[i].slot))
			return;
		members |= 1u << run->disk_of[map->members[i].slot];
	}
	*s->idle = ((1u << run->rig->disks) - 1) & ~members;
	*s->spent = run->damaged;
}

/* Whoever is here and missed something takes it in; whoever was out comes in
 * first. */
int step_restore(struct stepping *s)
{
	struct array *array = s->run->array;
	int rc = 0;

	for (uint32_t slot = 0; !rc && slot <= RACK_DISKS_MAX; slot++) {
		const struct member *member = map_member(array_map(array), slot);
		const struct rebuild_request request = { .from = slot, .to = slot };
		struct rebuild_report report = { 0 };

		if (!member || !array_dev(array, slot))
			continue;
		if (member->state == MEMBER_OFFLINE || member->state == MEMBER_FAILED)
			rc = array_set_member_state(array, slot, MEMBER_ONLINE, &s->err);
		if (!rc && array_member_usable(array, slot) && rebuild_delta_count(array, slot))
			rc = rebuild_run(array, &request, &report, &s->err);
	}
	if (!rc && !s->run->lasting)
		note_whole(s);
	return rc;
}
