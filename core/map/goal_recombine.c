/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recombine: parity groups become as wide as their policy asks, so that fewer checks protect the same data
 * (SPEC 4.5).
 *
 *	merge	two narrow groups whose data lie on different members become one: no data block is read
 *	steal	a victim is dissolved: each of its data extents joins another group, where it lies if that
 *		member is free there, else on the roomiest one that is
 *
 * Groups go together when code, checks and length of the bodies are the same and every column stands: what is
 * absent would be hidden by new checks. All of a steal is one reshape, so the victim keeps its checks up to
 * the commit. New checks take free frames; where a member has none, an extent of another group is moved away
 * first.
 */
#include "core/base/mem.h"
#include "core/map/allocate.h"
#include "core/map/goal.h"
#include "core/map/parity_group.h"
#include "core/map/zones.h"

#include <assert.h>
#include <string.h>

#define PARTNERS_MAX 256u /* that a group is tried with, so that planning stays linear */
#define INDEX_END 255u

struct recombine {
	struct batch *batch;
	uint32_t columns; /* wanted */
	uint32_t *
		narrow; /* groups of the map that could be wider, by their places; ascending width */
	uint32_t count;
};

static const struct group *group_at(const struct recombine *work, uint32_t i)
{
	return work->batch->places->map->groups[work->narrow[i]];
}

static bool is_free(const struct recombine *work, uint32_t i)
{
	return !batch_is_busy(work->batch, work->narrow[i]);
}

static bool is_candidate(const struct places *places, const struct group *group, uint32_t columns)
{
	if (group->shape.layout != LAYOUT_PARITY || group->shape.columns >= columns)
		return false;
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (!places_can_use(places, &group->extents[c]))
			return false;
	}
	return true;
}

/* ---- merge */

/* The smallest shift that makes all indexes of `b` free in `a`, or INDEX_END. */
static uint32_t free_shift(const struct group *a, const struct group *b)
{
	for (uint32_t shift = 0; shift < INDEX_END; shift++) {
		bool fits = true;

		for (uint32_t i = 0; fits && i < group_data_columns(b); i++) {
			uint32_t index = b->shape.index[i] + shift;

			fits = index < INDEX_END &&
			       parity_free_index(a, group_data_columns(a), (uint8_t)index) == index;
		}
		if (fits)
			return shift;
	}
	return INDEX_END;
}

/* A group like `from` with `more` further data columns, the checks still missing. */
static struct group *widen(const struct places *places, const struct group *from, uint32_t more)
{
	struct group *fresh = map_group_create(from->shape.columns + more);

	if (!fresh)
		return NULL;
	memcpy(fresh, from, sizeof(*from) + group_data_columns(from) * sizeof(from->extents[0]));
	fresh->generation = places->generation;
	fresh->shape.columns = (uint16_t)(from->shape.columns + more);
	memset(&fresh->extents[group_data_columns(from)], 0,
	       (more + from->shape.checks) * sizeof(fresh->extents[0]));
	return fresh;
}

static bool data_apart(const struct places *places, const struct group *a, const struct group *b)
{
	uint32_t slots[CODE_COLUMNS_MAX], count = 0;

	for (; count < group_data_columns(a); count++)
		slots[count] = a->extents[count].slot;
	for (uint32_t i = 0; i < group_data_columns(b); i++) {
		if (!allocate_suits(places, slots, count, b->extents[i].slot))
			return false;
	}
	return true;
}

static int make_merge(struct reshape *reshape, const struct places *places, const struct group *a,
		      const struct group *b, bool *made_out)
{
	uint32_t data = group_data_columns(a), more = group_data_columns(b);
	uint32_t shift = free_shift(a, b);
	struct group *fresh = shift < INDEX_END ? widen(places, a, more) : NULL;

	*made_out = false;
	if (!fresh)
		return shift < INDEX_END ? ERR_NOMEM : 0;
	for (uint32_t i = 0; i < more; i++) {
		fresh->extents[data + i] = b->extents[i];
		fresh->shape.index[data + i] = (uint8_t)(b->shape.index[i] + shift);
	}
	*made_out = parity_add_checks(places, fresh, data + more);
	if (!*made_out) {
		mem_free(fresh);
		return 0;
	}
	*reshape = (struct reshape){ .old_count = 2, .fresh_count = 1 };
	reshape->old[0] = a->id;
	reshape->old[1] = b->id;
	reshape->fresh[0] = fresh;
	return 0;
}

/* Find a partner for the i-th narrow group. */
static int merge_one(struct recombine *work, uint32_t i, struct err *err)
{
	const struct places *places = work->batch->places;
	const struct group *a = group_at(work, i);
	uint32_t tried = 0;

	for (uint32_t n = i + 1; n < work->count && tried < PARTNERS_MAX; n++) {
		const struct group *b = group_at(work, n);
		struct reshape reshape;
		bool made;

		if (!is_free(work, n) || !parity_alike(a, b) ||
		    !batch_same_volume(work->batch, work->narrow[i], work->narrow[n]))
			continue;
		if (a->shape.columns + group_data_columns(b) > work->columns)
			break; /* the others are as wide or wider */
		tried++;
		if (!data_apart(places, a, b))
			continue;
		if (make_merge(&reshape, places, a, b, &made))
			return err_set(err, ERR_NOMEM, "no memory to plan moves");
		if (made)
			return batch_add(work->batch, &reshape, err);
	}
	return 0;
}

/* ---- steal */

/* Where data extent `from` can stand in `taker`: where it is, or elsewhere; MEMBER_NONE nowhere. */
static uint32_t steal_place(const struct places *places, const struct group *taker,
			    const struct extent *from)
{
	uint32_t slots[CODE_COLUMNS_MAX], count = 0;

	for (; count < group_data_columns(taker); count++)
		slots[count] = taker->extents[count].slot;
	/* The check's own member is kept for the new check, as long as it can be. */
	for (uint32_t c = group_data_columns(taker); c < taker->shape.columns; c++)
		slots[count++] = taker->extents[c].slot;
	if (allocate_suits(places, slots, count, from->slot))
		return from->slot;
	return allocate_roomiest(places, slots, count, from->size_class, ZONE_ANY);
}

/* `taker` with one more data extent; NULL with *full_out when a member has no room. */
static struct group *take_one(const struct places *places, const struct group *taker,
			      const struct group *victim, uint32_t column, bool *full_out)
{
	const struct extent *from = &victim->extents[column];
	uint32_t data = group_data_columns(taker), slot = steal_place(places, taker, from);
	struct group *fresh = slot == MEMBER_NONE ? NULL : widen(places, taker, 1);

	*full_out = slot == MEMBER_NONE;
	if (!fresh)
		return NULL;
	struct extent *extent = &fresh->extents[data];
	*extent = *from;
	extent->slot = slot;
	if (slot != from->slot) {
		extent->header_generation = places->generation;
		if (!zone_take(places, ZONE_ANY, slot, from->size_class, &extent->frame))
			*full_out = true;
	}
	fresh->shape.index[data] = parity_free_index(taker, data, victim->shape.index[column]);
	if (*full_out || !parity_add_checks(places, fresh, data + 1)) {
		if (!*full_out && slot != from->slot)
			space_give(places->space, slot, extent->size_class, extent->frame);
		*full_out = true;
		mem_free(fresh);
		return NULL;
	}
	return fresh;
}

/* Give each data extent of the victim to one of the groups that follow. */
static int make_steal(struct recombine *work, uint32_t victim_at, struct reshape *reshape,
		      bool *made_out)
{
	const struct places *places = work->batch->places;
	const struct group *victim = group_at(work, victim_at);
	uint32_t column = 0, tried = 0;

	*made_out = false;
	*reshape = (struct reshape){ .old_count = 1 };
	reshape->old[0] = victim->id;
	for (uint32_t n = victim_at + 1;
	     n < work->count && column < group_data_columns(victim) && tried < PARTNERS_MAX; n++) {
		const struct group *taker = group_at(work, n);
		bool full;

		if (!is_free(work, n) || !parity_alike(victim, taker) ||
		    !batch_same_volume(work->batch, work->narrow[victim_at], work->narrow[n]))
			continue;
		tried++;
		struct group *fresh = take_one(places, taker, victim, column, &full);
		if (!fresh && !full) {
			reshape_drop(places, reshape);
			return ERR_NOMEM;
		}
		if (!fresh)
			continue;
		reshape->old[reshape->old_count++] = taker->id;
		reshape->fresh[reshape->fresh_count++] = fresh;
		column++;
	}
	*made_out = column == group_data_columns(victim);
	if (!*made_out)
		reshape_drop(places, reshape);
	return 0;
}

/* ---- the goal */

static int compare_widths(const struct map *map, uint32_t a, uint32_t b)
{
	const struct group *left = map->groups[a], *right = map->groups[b];

	if (left->shape.columns != right->shape.columns)
		return left->shape.columns < right->shape.columns ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

/* Narrow groups by width; a counting sort, since the map is ascending in ids already. */
static int list_narrow(struct recombine *work)
{
	const struct places *places = work->batch->places;
	const struct map *map = places->map;

	work->narrow = mem_calloc((uint64_t)map->group_count + 1, sizeof(*work->narrow));
	if (!work->narrow)
		return ERR_NOMEM;
	for (uint32_t width = 2; width < work->columns; width++) {
		for (uint32_t g = 0; g < map->group_count; g++) {
			if (map->groups[g]->shape.columns == width &&
			    is_candidate(places, map->groups[g], work->columns))
				work->narrow[work->count++] = g;
		}
	}
	for (uint32_t i = 1; i < work->count; i++)
		assert(compare_widths(map, work->narrow[i - 1], work->narrow[i]) < 0);
	return 0;
}

static int add_merges(struct recombine *work, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < work->count && !batch_is_full(work->batch); i++) {
		if (is_free(work, i))
			rc = merge_one(work, i, err);
	}
	return rc;
}

static int add_steals(struct recombine *work, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < work->count && !batch_is_full(work->batch); i++) {
		struct reshape reshape;
		bool made;

		if (!is_free(work, i))
			continue;
		if (make_steal(work, i, &reshape, &made))
			rc = err_set(err, ERR_NOMEM, "no memory to plan moves");
		else if (made)
			rc = batch_add(work->batch, &reshape, err);
	}
	return rc;
}

int goal_recombine(struct batch *batch, const struct goal *goal, struct err *err)
{
	struct recombine work = { .batch = batch, .columns = goal->columns };
	int rc = list_narrow(&work) ? err_set(err, ERR_NOMEM, "no memory to plan moves") : 0;

	if (!rc)
		rc = add_merges(&work, err);
	if (!rc && batch->list.count == 0)
		rc = add_steals(&work, err);
	mem_free(work.narrow);
	return rc;
}
