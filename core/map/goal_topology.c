/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Topology: every mirror lies in the homes of its topology, and no two columns of any group share the first
 * label of --across (docs/GROW.md section 4). What lay on a failed member goes to a home at once.
 *
 * The measure: columns that are not at home. A column that moves goes to a home, so it falls with each move.
 */
#include "core/map/allocate.h"
#include "core/map/goal.h"
#include "core/map/homes.h"

#include <inttypes.h>

struct arrange {
	struct batch *batch;
	struct topology_ring ring;
	const struct group *stuck; /* the first that finds no room */
};

static int move_all(struct batch *batch, const struct group *group, const uint32_t *slots,
		    bool *made_out, struct err *err)
{
	struct reshape reshape;

	if (reshape_relocate_all(&reshape, batch->places, group, slots, made_out))
		return err_set(err, ERR_NOMEM, "no memory to plan moves");
	return *made_out ? batch_add(batch, &reshape, err) : 0;
}

/* The members of the group; of two columns that share a domain the later gets another. False: none has room. */
static bool part_domains(const struct places *places, const struct group *group, uint32_t *slots)
{
	uint32_t columns = group->shape.columns;

	for (uint32_t c = 0; c < columns; c++)
		slots[c] = group->extents[c].slot;
	for (uint32_t c = 1; c < columns; c++) {
		uint32_t others[CODE_COLUMNS_MAX], count = 0;

		if (!homes_share_domain(places->map, slots, c + 1))
			continue;
		for (uint32_t i = 0; i < columns; i++) {
			if (i != c)
				others[count++] = slots[i];
		}
		slots[c] = allocate_roomiest(places, others, count,
					     UINT64_C(1) << group->extents[c].size_class);
		if (slots[c] == MEMBER_NONE)
			return false;
	}
	return true;
}

static int arrange_group(struct arrange *work, uint32_t number, struct err *err)
{
	struct batch *batch = work->batch;
	const struct group *group = batch->places->map->groups[number];
	const struct policy *policy = batch_policy(batch, number);
	uint32_t slots[CODE_COLUMNS_MAX];
	bool found, made = false;
	int rc = 0;

	if (homes_apply(policy, group)) {
		if (homes_obeyed(batch->places->map, &work->ring, policy->topology, group))
			return 0;
		found = homes_choose(batch->places, &work->ring, policy->topology, group, slots);
	} else {
		for (uint32_t c = 0; c < group->shape.columns; c++)
			slots[c] = group->extents[c].slot;
		if (!homes_share_domain(batch->places->map, slots, group->shape.columns))
			return 0;
		found = part_domains(batch->places, group, slots);
	}
	if (found)
		rc = move_all(batch, group, slots, &made, err);
	if (!rc && !made && !work->stuck)
		work->stuck = group;
	return rc;
}

int goal_topology(struct batch *batch, const struct goal *goal, struct err *err)
{
	const struct map *map = batch->places->map;
	struct arrange work = { .batch = batch };
	int rc = 0;

	(void)goal;
	homes_ring_to_be(&work.ring, batch->places, MEMBER_NONE);
	for (uint32_t g = 0; !rc && g < map->group_count && !batch_is_full(batch); g++) {
		if (!batch_is_busy(batch, g))
			rc = arrange_group(&work, g, err);
	}
	if (rc || batch->list.count > 0 || !work.stuck)
		return rc;
	return err_set(err, ERR_NOSPACE,
		       "no member that may hold a copy of group %" PRIu64 " has room",
		       work.stuck->id);
}

/* ---- rebalance */

#define SLOPE_BITS 20u /* of fraction */

/* Use of members as it will be once the batch is done. */
struct leveling {
	struct batch *batch;
	struct topology_ring ring;
	int64_t used[MEMBERS_MAX];
};

/*
 * By how much the sum of use * use / size falls when `group` goes to `slots`, scaled: the square of use falls
 * by (2u - f) f there and grows by (2u + f) f here.
 */
static int64_t gain_of(const struct leveling *work, const struct group *group,
		       const uint32_t *slots)
{
	const struct space *space = work->batch->places->space;
	int64_t gain = 0;

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		uint32_t from = group->extents[c].slot, to = slots[c];
		int64_t frames = (int64_t)1 << group->extents[c].size_class;

		if (from == to)
			continue;
		gain += frames * (((2 * work->used[from] - frames) << SLOPE_BITS) /
					  (int64_t)space_total_frames(space, from) -
				  ((2 * work->used[to] + frames) << SLOPE_BITS) /
					  (int64_t)space_total_frames(space, to));
	}
	return gain;
}

/* The best other homes for a group; false when none would make use more even. */
static bool choose_emptier(const struct leveling *work, enum topology topology,
			   const struct group *group, uint32_t *slots_out)
{
	/* More than what rounding could make of nothing. */
	int64_t most = (int64_t)(2 * group->shape.columns) << group->extents[0].size_class;
	bool found = false;

	for (uint32_t i = 0; i < work->ring.count; i++) {
		uint32_t slots[CODE_MIRROR_MAX];
		int64_t gain;

		if (!homes_from(work->batch->places, &work->ring, topology, group,
				work->ring.slots[i], slots))
			continue;
		gain = gain_of(work, group, slots);
		if (gain <= most)
			continue;
		most = gain;
		found = true;
		for (uint32_t c = 0; c < group->shape.columns; c++)
			slots_out[c] = slots[c];
	}
	return found;
}

static bool may_level(const struct leveling *work, uint32_t number)
{
	const struct places *places = work->batch->places;
	const struct group *group = places->map->groups[number];
	const struct policy *policy = batch_policy(work->batch, number);

	if (batch_is_busy(work->batch, number) || !homes_apply(policy, group) ||
	    !homes_obeyed(places->map, &work->ring, policy->topology, group))
		return false;
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (!places_can_use(places, &group->extents[c]))
			return false;
	}
	return true;
}

static int level_group(struct leveling *work, uint32_t number, struct err *err)
{
	const struct group *group = work->batch->places->map->groups[number];
	uint32_t slots[CODE_MIRROR_MAX];
	bool made = false;

	if (!may_level(work, number) ||
	    !choose_emptier(work, batch_policy(work->batch, number)->topology, group, slots))
		return 0;
	int rc = move_all(work->batch, group, slots, &made, err);
	for (uint32_t c = 0; !rc && made && c < group->shape.columns; c++) {
		work->used[group->extents[c].slot] -= (int64_t)1 << group->extents[c].size_class;
		work->used[slots[c]] += (int64_t)1 << group->extents[c].size_class;
	}
	return rc;
}

int goal_level_homes(struct batch *batch, struct err *err)
{
	const struct places *places = batch->places;
	struct leveling work = { .batch = batch };
	int rc = 0;

	homes_ring_to_be(&work.ring, places, MEMBER_NONE);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		work.used[slot] = (int64_t)(space_total_frames(places->space, slot) -
					    space_free_frames(places->space, slot));
	for (uint32_t g = 0; !rc && g < places->map->group_count && !batch_is_full(batch); g++)
		rc = level_group(&work, g, err);
	return rc;
}
