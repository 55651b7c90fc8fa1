/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/model.h"

#include "core/base/mem.h"
#include "core/map/allocate.h"
#include "core/map/windows.h"

#include <assert.h>
#include <string.h>

static int copy_span(struct volume *volume, const struct span *from)
{
	struct span span = *from;

	span.extents = mem_calloc(span.extent_count, sizeof(*span.extents));
	if (!span.extents)
		return ERR_NOMEM;
	memcpy(span.extents, from->extents, span.extent_count * sizeof(*span.extents));
	return map_volume_add_span(volume, &span);
}

static struct volume *copy_volume(const struct volume *from)
{
	struct volume *volume = map_volume_create();
	int rc = volume ? 0 : ERR_NOMEM;

	if (!rc) {
		volume->id = from->id;
		volume->length = from->length;
		volume->policy = from->policy;
		memcpy(volume->name, from->name, sizeof(volume->name));
	}
	for (uint32_t i = 0; !rc && i < from->span_count; i++)
		rc = copy_span(volume, &from->spans[i]);
	if (!rc)
		return volume;
	map_volume_free(volume);
	return NULL;
}

static int copy_objects(struct map *map, const struct map *from)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < from->member_count; i++)
		rc = map_put_member(map, &from->members[i]);
	for (uint32_t i = 0; !rc && i < from->group_count; i++) {
		struct group *group = map_group_copy(from->groups[i]);

		rc = group ? map_put_group(map, group) : ERR_NOMEM;
	}
	for (uint32_t i = 0; !rc && i < from->volume_count; i++) {
		struct volume *volume = copy_volume(from->volumes[i]);

		rc = volume ? map_put_volume(map, volume) : ERR_NOMEM;
	}
	for (uint32_t i = 0; !rc && i < from->job_count; i++)
		rc = map_put_job(map, &from->jobs[i]);
	return rc;
}

static int copy_map(struct map **map_out, const struct map *from)
{
	struct map *map = map_create();
	int rc = map ? map_load_begin(map) : ERR_NOMEM;

	if (!rc) {
		map->uuid = from->uuid;
		memcpy(map->name, from->name, sizeof(map->name));
		map->geometry = from->geometry;
		map->generation = from->generation;
		map->adoption = from->adoption;
		map->bare = from->bare;
		map->created_s = from->created_s;
		map->policy = from->policy;
		memcpy(map->across, from->across, sizeof(map->across));
		map->extent_id_next = from->extent_id_next;
		map->group_id_next = from->group_id_next;
		map->volume_id_next = from->volume_id_next;
		map->job_id_next = from->job_id_next;
		map->epoch_count = from->epoch_count;
		memcpy(map->epochs, from->epochs, sizeof(map->epochs));
		rc = copy_objects(map, from);
	}
	if (!rc)
		rc = map_load_end(map);
	if (!rc)
		rc = map_windows_make(map);
	if (rc) {
		map_free(map);
		return rc;
	}
	map_edits_clear(map);
	*map_out = map;
	return 0;
}

int model_create(struct model **model_out, const struct places *from, struct err *err)
{
	struct model *model = mem_calloc(1, sizeof(*model));
	int rc = ERR_NOMEM;

	if (model) {
		model->places.usable = from->usable;
		model->places.generation = from->generation;
		rc = copy_map(&model->places.map, from->map);
	}
	rc = rc ? err_set(err, rc, "no memory to try changes")
		: space_create(&model->places.space, model->places.map, err);
	if (rc) {
		model_free(model);
		return rc;
	}
	*model_out = model;
	return 0;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	map_free(model->places.map);
	space_free(model->places.space);
	mem_free(model);
}

static bool move_extent(struct model *model, uint64_t id, uint32_t column, uint32_t to)
{
	struct group *group = map_group(model->places.map, id);
	struct extent place;
	struct err why = { 0 };

	assert(group && column < group->shape.columns);
	if (allocate_move(&model->places, group, column, to, &place, &why))
		return false;
	group->extents[column] = place;
	return true;
}

bool model_move(struct model *model, uint64_t group, uint32_t column, uint32_t to)
{
	struct allocate_chain chain;
	const struct map *map = model->places.map;

	if (move_extent(model, group, column, to))
		return true;
	if (to != MEMBER_NONE ||
	    !allocate_find_chain(&model->places, map_group(map, group), column, &chain))
		return false;
	const struct extent freed = map_group(map, chain.group)->extents[chain.column];
	if (!move_extent(model, chain.group, chain.column, MEMBER_NONE))
		return false;
	space_give(model->places.space, freed.slot, freed.size_class, freed.frame);
	return move_extent(model, group, column, to);
}
