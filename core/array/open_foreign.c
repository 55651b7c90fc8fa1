/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening an array that somebody else made: a map and devices. Nothing is read for it. */
#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/dev/windows.h"
#include "core/map/windows.h"

#include <assert.h>

int array_need_native(const struct array *array, struct err *err)
{
	if (!map_is_bare(array->map))
		return 0;
	return err_set(err, ERR_FOREIGN,
		       "array \"%s\" was made by other software: it has no map and no seals of "
		       "ours to write",
		       array->map->name);
}

int array_need_committed(const struct array *array, struct err *err)
{
	const char *name = array->map->name;
	enum adopt_state state = array->map->adoption.state;

	if (array_need_native(array, err))
		return err->code;
	if (state == ADOPT_NONE || state == ADOPT_COMMITTED)
		return 0;
	if (state == ADOPT_UNDOING) {
		err_set(err, ERR_ADOPTED, "the adoption of array \"%s\" is being undone", name);
		return err_hint(err, "pgctl adopt --undo MEMBER... ends it");
	}
	return err_set(err, ERR_ADOPTED,
		       "array \"%s\" was adopted and can still be put back as it was, which would "
		       "lose this",
		       name);
}

static int refuse_bare(const char *what, const char *name, struct err *err)
{
	err_set(err, ERR_ADOPTED,
		"%s \"%s\" was adopted: its data still lie without checksums as other software put "
		"them",
		what, name);
	return err_hint(err, "pgctl migrate ARRAY VOLUME gives them checksums");
}

int array_need_sealed(const struct array *array, struct err *err)
{
	if (array_need_committed(array, err))
		return err->code;
	return map_has_bare(array->map) ? refuse_bare("array", array->map->name, err) : 0;
}

int array_need_sealed_volume(const struct array *array, const struct volume *volume,
			     struct err *err)
{
	if (array_need_committed(array, err))
		return err->code;
	for (uint32_t i = 0; i < volume->span_count; i++) {
		if (span_is_bare(array->map, &volume->spans[i]))
			return refuse_bare("volume", volume->name, err);
	}
	return 0;
}

/* Nothing of the member counts, or it has nothing. */
static bool is_all_stale(const struct map *map, uint32_t slot)
{
	bool any = false;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			if (group->extents[c].slot != slot)
				continue;
			if (!group->extents[c].stale)
				return false;
			any = true;
		}
	}
	return any;
}

static int place_member(struct array *array, struct dev *dev, uint32_t slot)
{
	struct array_member *member = &array->members[slot];
	uint32_t count;
	const struct window *windows = map_windows_of(array->map, slot, &count);
	int rc = dev_windows_open(&member->dev, dev, windows, count);

	if (!rc)
		member->presence = is_all_stale(array->map, slot) ? PRESENT_STALE : PRESENT;
	return rc;
}

/* The caller has its devices back as they were. */
static void take_back(struct array *array)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (array->members[slot].dev)
			dev_peel(array->members[slot].dev);
	}
	space_free(array->space);
	env_lock_reset(array->env, &array->change);
	mem_free(array);
}

int array_open_foreign(struct array **array_out, const struct array_foreign_request *request,
		       struct err *err)
{
	/* Of what an array that is written keeps, logs and seals to be, nothing is for this one. */
	struct array *array = array_allocate(request->env, ARRAY_READ, request->tasks);
	int rc = 0;

	assert(map_is_bare(request->map));
	if (!array)
		return err_set(err, ERR_NOMEM, "no memory to open the array");
	array->map = request->map;
	array->access = request->access;
	array->hooks = request->hooks;
	array->hooks_arg = request->hooks_arg;
	rc = space_create(&array->space, array->map, err);
	for (uint32_t slot = 0; !rc && slot < MEMBERS_MAX; slot++) {
		struct dev *dev = request->devs[slot];

		assert(!dev || map_member(array->map, slot));
		if (dev && place_member(array, dev, slot))
			rc = err_set(err, ERR_NOMEM, "no memory to open the array");
	}
	if (rc) {
		take_back(array);
		return rc;
	}
	*array_out = array;
	return 0;
}
