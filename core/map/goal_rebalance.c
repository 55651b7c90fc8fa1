/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebalance: every member in service is used to the same fraction, with the fewest moves (SPEC 4.4).
 *
 * A member's target is its share of what is used, U * c / C. The one that is furthest below gets an
 * extent from the one furthest above that has a group which may come. At most one extent of a group
 * lies on a member, so a very large member may stay below its target: then no group is left to give.
 */
#include "core/base/mem.h"
#include "core/map/allocate.h"
#include "core/map/goal.h"
#include "core/map/homes.h"

#include <assert.h>

/* Frames times frames times frames: 32 bits of a member, 38 of all. */
__extension__ typedef __int128 wide;

/* The extents of one member: which groups of the map, and which column of theirs. */
struct holding {
	uint32_t group;
	uint32_t column;
};

struct level {
	uint32_t slot;
	uint64_t total, used; /* frames, as they will be */
	bool closed;          /* nobody has anything for it */
	uint32_t count;
	struct holding *holdings;
	/* By the place of who asks: what lies before cannot come to him, in this batch. */
	uint32_t asked[MEMBERS_MAX];
};

struct rebalance {
	struct batch *batch;
	uint32_t count;
	struct level levels[MEMBERS_MAX];
	uint64_t used, total; /* frames of all */
	struct holding *storage;
};

/* Frames above (or, negative, below) the target, times all frames. */
static wide excess(const struct rebalance *work, const struct level *level)
{
	return (wide)level->used * work->total - (wide)work->used * level->total;
}

/* By how much of itself is a member above another one? Positive: `a` is fuller. */
static wide fuller(const struct rebalance *work, const struct level *a, const struct level *b)
{
	return excess(work, a) * b->total - excess(work, b) * a->total;
}

static void list_members(struct rebalance *work)
{
	const struct places *places = work->batch->places;

	for (uint32_t i = 0; i < places->map->member_count; i++) {
		uint32_t slot = places->map->members[i].slot;
		struct level level = { .slot = slot,
				       .total = space_total_frames(places->space, slot) };

		if (!allocate_suits(places, NULL, 0, slot) || level.total == 0)
			continue;
		level.used = level.total - space_free_frames(places->space, slot);
		work->used += level.used;
		work->total += level.total;
		work->levels[work->count++] = level;
	}
}

static int list_holdings(struct rebalance *work)
{
	const struct map *map = work->batch->places->map;
	uint32_t counts[MEMBERS_MAX] = { 0 };
	struct level *levels[MEMBERS_MAX] = { NULL };
	uint64_t extents = 0;

	for (uint32_t g = 0; g < map->group_count; g++) {
		extents += map->groups[g]->shape.columns;
		for (uint32_t c = 0; c < map->groups[g]->shape.columns; c++)
			counts[map->groups[g]->extents[c].slot]++;
	}
	work->storage = mem_calloc(extents + 1, sizeof(*work->storage));
	if (!work->storage)
		return ERR_NOMEM;
	struct holding *next = work->storage;
	for (uint32_t i = 0; i < work->count; i++) {
		levels[work->levels[i].slot] = &work->levels[i];
		work->levels[i].holdings = next;
		next += counts[work->levels[i].slot];
	}
	for (uint32_t g = 0; g < map->group_count; g++) {
		for (uint32_t c = 0; c < map->groups[g]->shape.columns; c++) {
			struct level *level = levels[map->groups[g]->extents[c].slot];

			if (level)
				level->holdings[level->count++] = (struct holding){ g, c };
		}
	}
	return 0;
}

/* The member furthest below its target that can still take something; NULL when all are level. */
static struct level *emptiest(struct rebalance *work)
{
	struct level *best = NULL;

	for (uint32_t i = 0; i < work->count; i++) {
		struct level *level = &work->levels[i];

		if (level->closed || excess(work, level) + (wide)work->total > 0)
			continue;
		if (!best || fuller(work, best, level) > 0)
			best = level;
	}
	return best;
}

/* May this group give the extent to `to`, whose target has room for it? */
static bool may_move(const struct rebalance *work, const struct level *to,
		     const struct holding *holding)
{
	const struct places *places = work->batch->places;
	const struct group *group = places->map->groups[holding->group];
	const struct extent *extent = &group->extents[holding->column];
	uint32_t slots[CODE_COLUMNS_MAX], count = 0;
	uint64_t frames = UINT64_C(1) << extent->size_class;

	if (batch_is_busy(work->batch, holding->group) || !places_can_use(places, extent) ||
	    homes_apply(batch_policy(work->batch, holding->group), group) ||
	    excess(work, to) + (wide)(frames * work->total) > 0)
		return false;
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (c != holding->column)
			slots[count++] = group->extents[c].slot;
	}
	return allocate_suits(places, slots, count, to->slot);
}

/*
 * One move from this member to that; *made_out is false when it has nothing to give. What could not come could not come
 * later in the batch either: groups change with the commit, and room only gets less.
 */
static int give(struct rebalance *work, struct level *from, struct level *to, bool *made_out,
		struct err *err)
{
	const struct map *map = work->batch->places->map;

	*made_out = false;
	for (uint32_t *i = &from->asked[to - work->levels]; *i < from->count; ++*i) {
		const struct holding *holding = &from->holdings[*i];
		const struct group *group = map->groups[holding->group];
		struct reshape reshape;

		if (!may_move(work, to, holding))
			continue;
		if (reshape_relocate(&reshape, work->batch->places, group, holding->column,
				     to->slot, made_out))
			return err_set(err, ERR_NOMEM, "no memory to plan moves");
		if (!*made_out)
			continue; /* free, but no run of frames as long as that */
		from->used -= UINT64_C(1) << group->extents[holding->column].size_class;
		to->used += UINT64_C(1) << group->extents[holding->column].size_class;
		return batch_add(work->batch, &reshape, err);
	}
	return 0;
}

/* Ask the members above their target, the fullest first. */
static int fill_one(struct rebalance *work, struct level *to, bool *made_out, struct err *err)
{
	bool asked[MEMBERS_MAX] = { 0 };
	int rc = 0;

	*made_out = false;
	while (!rc && !*made_out) {
		struct level *from = NULL;

		for (uint32_t i = 0; i < work->count; i++) {
			struct level *level = &work->levels[i];

			if (!asked[i] && excess(work, level) > 0 &&
			    (!from || fuller(work, level, from) > 0))
				from = level;
		}
		if (!from)
			return 0;
		asked[from - work->levels] = true;
		rc = give(work, from, to, made_out, err);
	}
	return rc;
}

int goal_rebalance(struct batch *batch, const struct goal *goal, struct err *err)
{
	struct rebalance work = { .batch = batch };
	struct level *to;
	int rc = 0;

	(void)goal;
	list_members(&work);
	if (list_holdings(&work))
		rc = err_set(err, ERR_NOMEM, "no memory to plan moves");
	while (!rc && !batch_is_full(batch) && (to = emptiest(&work))) {
		bool made = false;

		rc = fill_one(&work, to, &made, err);
		to->closed = !made;
	}
	mem_free(work.storage);
	if (rc || batch->list.count > 0)
		return rc;
	return goal_level_homes(batch, err); /* what may move as whole groups only */
}
