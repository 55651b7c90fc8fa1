/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/trial.h"

#include "core/array/allocate.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

struct trial {
	struct array array; /* as the real one, but for map and space */
	struct map map;     /* as the real one, but for the groups */
};

static struct group *copy_group(const struct group *group)
{
	struct group *copy = map_group_create(group->shape.columns);

	if (copy)
		memcpy(copy, group,
		       sizeof(*group) + group->shape.columns * sizeof(group->extents[0]));
	return copy;
}

static int copy_groups(struct trial *trial, const struct map *map)
{
	trial->map.groups = mem_calloc(map->group_count, sizeof(struct group *));
	if (!trial->map.groups)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < map->group_count; i++) {
		trial->map.groups[i] = copy_group(map->groups[i]);
		if (!trial->map.groups[i])
			return ERR_NOMEM;
	}
	return 0;
}

int trial_create(struct trial **trial_out, const struct array *array, struct err *err)
{
	struct trial *trial = mem_calloc(1, sizeof(*trial));
	int rc = ERR_NOMEM;

	if (trial) {
		trial->array = *array;
		trial->map = *array->map;
		trial->array.map = &trial->map;
		trial->array.space = NULL;
		rc = copy_groups(trial, array->map);
	}
	rc = rc ? err_set(err, rc, "no memory to try the moves")
		: space_create(&trial->array.space, array->map, err);
	if (rc) {
		trial_free(trial);
		return rc;
	}
	*trial_out = trial;
	return 0;
}

void trial_free(struct trial *trial)
{
	if (!trial)
		return;
	for (uint32_t i = 0; trial->map.groups && i < trial->map.group_count; i++)
		mem_free(trial->map.groups[i]);
	mem_free(trial->map.groups);
	space_free(trial->array.space);
	mem_free(trial);
}

static bool move_extent(struct trial *trial, uint64_t id, uint32_t column, uint32_t to)
{
	struct group *group = map_group(&trial->map, id);
	struct extent place;
	struct err why = { 0 };

	assert(group && column < group->shape.columns);
	if (allocate_move(&trial->array, group, column, to, &place, &why))
		return false;
	group->extents[column] = place;
	return true;
}

bool trial_move(struct trial *trial, uint64_t group, uint32_t column, uint32_t to)
{
	struct allocate_chain chain;

	if (move_extent(trial, group, column, to))
		return true;
	if (to != MEMBER_NONE ||
	    !allocate_find_chain(&trial->array, map_group(&trial->map, group), column, &chain))
		return false;
	struct extent freed = map_group(&trial->map, chain.group)->extents[chain.column];
	if (!move_extent(trial, chain.group, chain.column, MEMBER_NONE))
		return false;
	space_give(trial->array.space, freed.slot, freed.size_class, freed.frame);
	return move_extent(trial, group, column, to);
}
