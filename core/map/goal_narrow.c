/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Narrow: groups that lie on every member have no member outside to move to (SPEC 4.6). Each gives up one data
 * extent, and those form a group of their own: of n members every n-1-p groups of n columns become n-p groups
 * of n-1 columns. One reshape, so every block keeps its checks up to the commit.
 */
#include "core/base/mem.h"
#include "core/map/allocate.h"
#include "core/map/goal.h"
#include "core/map/parity_group.h"
#include "core/map/zones.h"

#include <assert.h>
#include <string.h>

struct narrow {
	const struct places *places;
	uint32_t member; /* that is emptied */
	struct reshape *reshape;
	struct group *gathered; /* the group of what the others give up */
	uint32_t count;         /* data columns of it so far */
};

static bool is_stuck(const struct narrow *work, const struct group *group)
{
	bool holds = false;

	for (uint32_t c = 0; c < group->shape.columns; c++)
		holds = holds || group->extents[c].slot == work->member;
	return holds && group->shape.layout == LAYOUT_PARITY && group_data_columns(group) >= 2;
}

/* Which data column leaves: the one on the member, else the first whose place suits the gathered group. */
static uint32_t leaving_column(const struct narrow *work, const struct group *group,
			       const uint32_t *slots)
{
	for (uint32_t c = 0; c < group_data_columns(group); c++) {
		if (group->extents[c].slot == work->member)
			return c;
	}
	for (uint32_t c = 0; c < group_data_columns(group); c++) {
		if (allocate_suits(work->places, slots, work->count, group->extents[c].slot))
			return c;
	}
	return 0;
}

/* The group without one data column, with new checks; NULL without room or memory. */
static struct group *without(const struct narrow *work, const struct group *group, uint32_t column)
{
	uint32_t data = group_data_columns(group) - 1;
	struct group *fresh = map_group_create(group->shape.columns - 1u);

	if (!fresh)
		return NULL;
	memcpy(fresh, group, sizeof(*group));
	fresh->generation = work->places->generation;
	fresh->shape.columns = (uint16_t)(group->shape.columns - 1);
	memset(fresh->shape.index, 0, sizeof(fresh->shape.index));
	for (uint32_t c = 0, to = 0; c <= data; c++) {
		if (c == column)
			continue;
		fresh->extents[to] = group->extents[c];
		fresh->shape.index[to++] = group->shape.index[c];
	}
	if (parity_add_checks(work->places, fresh, data))
		return fresh;
	mem_free(fresh);
	return NULL;
}

/* The extent that leaves takes its column of the gathered group, at its place or a new one. */
static bool gather(struct narrow *work, const struct extent *extent, uint8_t index,
		   const uint32_t *slots)
{
	struct group *gathered = work->gathered;
	struct extent *place = &gathered->extents[work->count];

	*place = *extent;
	if (!allocate_suits(work->places, slots, work->count, extent->slot)) {
		place->slot = allocate_roomiest(work->places, slots, work->count,
						extent->size_class, ZONE_ANY);
		place->header_generation = work->places->generation;
		if (place->slot == MEMBER_NONE || !zone_take(work->places, ZONE_ANY, place->slot,
							     place->size_class, &place->frame))
			return false;
	}
	gathered->shape.index[work->count] = parity_free_index(gathered, work->count, index);
	work->count++;
	return true;
}

static bool take_part(struct narrow *work, const struct group *group)
{
	uint32_t slots[CODE_COLUMNS_MAX];

	for (uint32_t i = 0; i < work->count; i++)
		slots[i] = work->gathered->extents[i].slot;
	uint32_t column = leaving_column(work, group, slots);
	struct group *fresh = without(work, group, column);
	if (!fresh)
		return false;
	work->reshape->fresh[work->reshape->fresh_count++] = fresh;
	work->reshape->old[work->reshape->old_count++] = group->id;
	return gather(work, &group->extents[column], group->shape.index[column], slots);
}

/* Groups like the first that are stuck too, as many as the gathered one can take. */
static bool gather_groups(struct narrow *work, const struct batch *batch, const struct group *first,
			  uint32_t wanted)
{
	const struct map *map = work->places->map;
	uint64_t volume = batch->volumes[map_group_number(map, first->id)];
	bool fits = take_part(work, first);

	for (uint32_t g = 0; fits && g < map->group_count && work->count < wanted; g++) {
		const struct group *group = map->groups[g];

		if (group != first && !batch_is_busy(batch, g) && is_stuck(work, group) &&
		    batch->volumes[g] == volume && parity_alike(first, group) &&
		    group->shape.columns == first->shape.columns)
			fits = take_part(work, group);
	}
	return fits;
}

/* Give up: the gathered group is no fresh one of the reshape, so its frames go back here. */
static void give_up(struct narrow *work)
{
	struct reshape gathered = { .fresh_count = 1, .fresh = { work->gathered } };

	work->gathered->shape.columns = (uint16_t)work->count;
	reshape_drop(work->places, &gathered);
	reshape_drop(work->places, work->reshape);
}

static int make_narrow(struct narrow *work, const struct batch *batch, const struct group *first,
		       bool *made_out)
{
	uint32_t wanted = first->shape.columns - 1u - first->shape.checks;

	work->gathered = map_group_create(first->shape.columns - 1u);
	if (!work->gathered)
		return ERR_NOMEM;
	memcpy(work->gathered, first, sizeof(*first));
	memset(work->gathered->shape.index, 0, sizeof(work->gathered->shape.index));
	work->gathered->id = work->places->map->group_id_next++;
	work->gathered->generation = work->places->generation;
	*made_out = wanted > 0 && gather_groups(work, batch, first, wanted);
	if (*made_out) {
		work->gathered->shape.columns = (uint16_t)(work->count + first->shape.checks);
		*made_out = parity_add_checks(work->places, work->gathered, work->count);
	}
	if (*made_out)
		work->reshape->fresh[work->reshape->fresh_count++] = work->gathered;
	else
		give_up(work);
	return 0;
}

int goal_narrow_one(struct batch *batch, const struct group *stuck, uint32_t member, bool *made_out,
		    struct err *err)
{
	struct reshape reshape = { 0 };
	struct narrow work = { .places = batch->places, .member = member, .reshape = &reshape };

	*made_out = false;
	if (!is_stuck(&work, stuck))
		return 0;
	if (make_narrow(&work, batch, stuck, made_out))
		return err_set(err, ERR_NOMEM, "no memory to plan moves");
	return *made_out ? batch_add(batch, &reshape, err) : 0;
}
