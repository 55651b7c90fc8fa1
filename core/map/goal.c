/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/goal.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/allocate.h"
#include "core/map/homes.h"
#include "core/map/zones.h"

#include <assert.h>
#include <string.h>

static int (*const goals[GOAL_COUNT])(struct batch *batch, const struct goal *goal,
				      struct err *err) = {
	[GOAL_REBALANCE] = goal_rebalance,
	[GOAL_RECOMBINE] = goal_recombine,
	[GOAL_EVACUATE] = goal_evacuate,
	[GOAL_TOPOLOGY] = goal_topology,
};

static void mark_busy(struct batch *batch, uint32_t group)
{
	batch->busy[group / 64] |= UINT64_C(1) << group % 64;
}

int goal_next(struct batch *batch, const struct goal *goal, struct err *err)
{
	const struct map *map = batch->places->map;

	assert(goal->kind < GOAL_COUNT && batch->list.count == 0);
	batch->busy = mem_calloc(size_divide_up(map->group_count, 64) + 1, sizeof(*batch->busy));
	batch->volumes = map_group_volumes(map);
	if (!batch->busy || !batch->volumes)
		return err_set(err, ERR_NOMEM, "no memory to plan moves");
	for (size_t i = 0; i < goal->skip_count; i++) {
		if (map_group(map, goal->skip[i]))
			mark_busy(batch, map_group_number(map, goal->skip[i]));
	}
	return goals[goal->kind](batch, goal, err);
}

void batch_reset(struct batch *batch)
{
	for (size_t i = 0; i < batch->list.count; i++)
		reshape_drop(batch->places, &batch->list.at[i]);
	reshape_vec_reset(&batch->list);
	mem_free(batch->busy);
	mem_free(batch->volumes);
	batch->busy = NULL;
	batch->volumes = NULL;
	batch->blocks = 0;
}

bool batch_is_full(const struct batch *batch)
{
	return batch->blocks >= batch->blocks_max;
}

bool batch_is_busy(const struct batch *batch, uint32_t group)
{
	return batch->busy[group / 64] >> group % 64 & 1;
}

bool batch_same_volume(const struct batch *batch, uint32_t a, uint32_t b)
{
	return batch->volumes[a] == batch->volumes[b];
}

int batch_add(struct batch *batch, struct reshape *reshape, struct err *err)
{
	const struct map *map = batch->places->map;

	if (reshape_vec_push(&batch->list, *reshape)) {
		reshape_drop(batch->places, reshape);
		return err_set(err, ERR_NOMEM, "no memory to plan moves");
	}
	for (uint32_t i = 0; i < reshape->old_count; i++) {
		uint32_t group = map_group_number(map, reshape->old[i]);

		assert(!batch_is_busy(batch, group));
		mark_busy(batch, group);
	}
	batch->blocks += reshape_cost(map, reshape).blocks_written;
	return 0;
}

const struct policy *batch_policy(const struct batch *batch, uint32_t group)
{
	const struct map *map = batch->places->map;
	const struct volume *volume =
		batch->volumes[group] ? map_volume(map, batch->volumes[group]) : NULL;

	return volume ? &volume->policy : &map->policy;
}

/* The place of a column on `to`, taken: the same frame, else as new groups take it. */
static bool take_place(const struct places *places, const struct group *group, uint32_t column,
		       uint32_t to, struct extent *extent)
{
	enum zone zone = zone_of_column(group, column);

	extent->slot = to;
	extent->stale = false;
	extent->header_generation = places->generation;
	return zone_take_at(places, zone, to, extent->size_class, extent->frame) ||
	       zone_take(places, zone, to, extent->size_class, &extent->frame);
}

int reshape_relocate_all(struct reshape *reshape_out, const struct places *places,
			 const struct group *group, const uint32_t *slots, bool *made_out)
{
	struct group *fresh = map_group_create(group->shape.columns);

	*made_out = false;
	if (!fresh)
		return ERR_NOMEM;
	memcpy(fresh, group, sizeof(*group) + group->shape.columns * sizeof(group->extents[0]));
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (slots[c] == group->extents[c].slot ||
		    take_place(places, group, c, slots[c], &fresh->extents[c]))
			continue;
		for (; c > 0; c--) { /* give back what was taken for the columns before */
			const struct extent *extent = &fresh->extents[c - 1];

			if (slots[c - 1] != group->extents[c - 1].slot)
				space_give(places->space, extent->slot, extent->size_class,
					   extent->frame);
		}
		mem_free(fresh);
		return 0;
	}
	*reshape_out = (struct reshape){ .old_count = 1, .fresh_count = 1 };
	reshape_out->old[0] = group->id;
	reshape_out->fresh[0] = fresh;
	*made_out = true;
	return 0;
}

int reshape_relocate(struct reshape *reshape_out, const struct places *places,
		     const struct group *group, uint32_t column, uint32_t to, bool *made_out)
{
	uint32_t slots[CODE_COLUMNS_MAX];

	for (uint32_t c = 0; c < group->shape.columns; c++)
		slots[c] = c == column ? to : group->extents[c].slot;
	return reshape_relocate_all(reshape_out, places, group, slots, made_out);
}
