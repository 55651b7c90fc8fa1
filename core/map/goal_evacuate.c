/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evacuate: a member is left without extents (SPEC 4.6). Each goes to the roomiest member outside its group. */
#include "core/map/allocate.h"
#include "core/map/goal.h"
#include "core/map/homes.h"

#include <inttypes.h>

/* What the walk over all groups has seen. */
struct walk {
	struct batch *batch;
	const struct goal *goal;
	struct topology_ring ring; /* without the member */
	const struct group *stuck; /* the first group that finds no other member */
	uint32_t stuck_column;
};

static uint32_t members_of(const struct group *group, uint32_t *slots)
{
	for (uint32_t c = 0; c < group->shape.columns; c++)
		slots[c] = group->extents[c].slot;
	return group->shape.columns;
}

/* Put the column of this group on a member outside of it; *made_out is false when none has room. */
static int move_out(struct walk *walk, const struct group *group, uint32_t column, bool *made_out,
		    struct err *err)
{
	const struct places *places = walk->batch->places;
	uint32_t slots[CODE_COLUMNS_MAX], count = members_of(group, slots);
	uint32_t to = allocate_roomiest(places, slots, count,
					UINT64_C(1) << group->extents[column].size_class);
	struct reshape reshape;

	*made_out = false;
	if (to == MEMBER_NONE)
		return 0;
	if (reshape_relocate(&reshape, places, group, column, to, made_out))
		return err_set(err, ERR_NOMEM, "no memory to plan moves");
	return *made_out ? batch_add(walk->batch, &reshape, err) : 0;
}

/* A mirror of a topology: to where it lies when the member has left the ring. */
static int move_home(struct walk *walk, uint32_t number, bool *made_out, struct err *err)
{
	const struct places *places = walk->batch->places;
	const struct group *group = places->map->groups[number];
	const struct policy *policy = batch_policy(walk->batch, number);
	uint32_t slots[CODE_MIRROR_MAX];
	struct reshape reshape;

	*made_out = false;
	if (!homes_apply(policy, group) ||
	    !homes_choose(places, &walk->ring, policy->topology, group, slots))
		return 0;
	if (reshape_relocate_all(&reshape, places, group, slots, made_out))
		return err_set(err, ERR_NOMEM, "no memory to plan moves");
	return *made_out ? batch_add(walk->batch, &reshape, err) : 0;
}

static int walk_group(struct walk *walk, uint32_t number, struct err *err)
{
	const struct group *group = walk->batch->places->map->groups[number];

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		bool made;

		if (group->extents[c].slot != walk->goal->member)
			continue;
		int rc = move_home(walk, number, &made, err);
		if (!rc && !made)
			rc = move_out(walk, group, c, &made, err);
		if (!rc && !made && !walk->stuck) {
			walk->stuck = group;
			walk->stuck_column = c;
		}
		return rc; /* no member twice in a group */
	}
	return 0;
}

int goal_evacuate(struct batch *batch, const struct goal *goal, struct err *err)
{
	const struct map *map = batch->places->map;
	struct walk walk = { .batch = batch, .goal = goal };
	struct allocate_chain chain;
	bool made = false;
	int rc = 0;

	homes_ring_to_be(&walk.ring, batch->places, goal->member);
	for (uint32_t g = 0; !rc && g < map->group_count && !batch_is_full(batch); g++) {
		if (!batch_is_busy(batch, g))
			rc = walk_group(&walk, g, err);
	}
	if (rc || batch->list.count > 0 || !walk.stuck)
		return rc;
	/* Only members of the group itself have room: another group makes room first. */
	if (allocate_find_chain(batch->places, walk.stuck, walk.stuck_column, &chain))
		rc = move_out(&walk, map_group(map, chain.group), chain.column, &made, err);
	if (!rc && !made) /* nobody else at all: groups become narrower */
		rc = goal_narrow_one(batch, walk.stuck, goal->member, &made, err);
	if (rc || made)
		return rc;
	return err_set(err, ERR_NOSPACE,
		       "no member outside group %" PRIu64 " has room for its extent on member %u",
		       walk.stuck->id, goal->member);
}
