/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/adopt.h"

#include "core/array/array_internal.h"
#include "core/array/open_windows.h"
#include "core/array/probe.h"
#include "core/base/size.h"
#include "core/map/bands.h"
#include "core/map/check.h"
#include "core/map/windows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MAP_HALF_MIN (64 * KIB)
#define LOG_SIZE_MIN (256 * KIB)
#define BANDS_MAX 64u
#define BODY_MAX (16 * KIB * KIB) /* of an extent: the less map, the longer */
#define EXTENT_BYTES 64u          /* of a map, as create counts */
#define GENERATION_ADOPTED 1u

/* ---- the plan */

static int check_map(const struct array_adopt_request *request, struct err *err)
{
	const struct map *map = request->map;

	for (uint32_t i = 0; i < map->member_count; i++) {
		if (!request->devs[map->members[i].slot])
			return err_set(err, ERR_STATE, "member %u is missing",
				       map->members[i].slot);
	}
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		if (group->shape.layout == LAYOUT_MIRROR && group->shape.columns > CODE_MIRROR_MAX)
			return err_set(err, ERR_LIMIT,
				       "mirrors of %u copies, at most %u are possible",
				       group->shape.columns, CODE_MIRROR_MAX);
		for (uint32_t c = 0; c < group->shape.columns; c++) {
			if (group->extents[c].stale)
				return err_set(
					err, ERR_STATE,
					"member %u has not all data: it must be rebuilt first",
					group->extents[c].slot);
		}
	}
	return 0;
}

/* Before the data of the member that has least: bytes for map and log. */
static int find_room(uint64_t *room_out, const struct array_adopt_request *request, struct err *err)
{
	uint64_t begin = ADOPT_RECORD_OFFSET + request->record_size;
	uint64_t least = 2 * MAP_HALF_MIN + LOG_SIZE_MIN;

	assert(request->record_size % BLOCK_SIZE == 0);
	*room_out = UINT64_MAX;
	for (uint32_t i = 0; i < request->map->member_count; i++) {
		uint32_t slot = request->map->members[i].slot;
		uint64_t data = request->data_begin[slot] / BLOCK_SIZE * BLOCK_SIZE;

		if (data < begin + least)
			return err_set(err, ERR_NOSPACE,
				       "member %u (%s): %" PRIu64
				       " bytes are missing before its data, which begin at byte "
				       "%" PRIu64,
				       slot, dev_name(request->devs[slot]), begin + least - data,
				       request->data_begin[slot]);
		*room_out = size_min(*room_out, data - begin);
	}
	return 0;
}

struct sizes {
	uint64_t smallest, largest, all;
};

static struct sizes sizes_of(const struct array_adopt_request *request)
{
	struct sizes sizes = { .smallest = UINT64_MAX };

	for (uint32_t i = 0; i < request->map->member_count; i++) {
		const struct dev *dev = request->devs[request->map->members[i].slot];
		uint64_t size = dev_info(dev)->size_exact;

		sizes.smallest = size_min(sizes.smallest, size);
		sizes.largest = size_max(sizes.largest, size);
		sizes.all += size;
	}
	return sizes;
}

/* Log and halves as large as they would be in a new array, as far as there is room. */
static void plan_geometry(struct geometry *geometry, const struct array_adopt_request *request,
			  const struct sizes *sizes, uint64_t room)
{
	array_plan_geometry(geometry, sizes->smallest, sizes->largest, request->map->member_count,
			    0, request->frame_body_blocks);
	geometry->adopted = true;
	geometry->log_size = size_max(
		size_min(geometry->log_size, room / 4 / (64 * KIB) * (64 * KIB)), LOG_SIZE_MIN);
	geometry->map_half_size = size_min(
		geometry->map_half_size, (room - geometry->log_size) / 2 / BLOCK_SIZE * BLOCK_SIZE);
	assert(geometry->map_half_size >= MAP_HALF_MIN);
}

/* Of the layout that it has; longer extents where the map would be too small for short ones. */
static void plan_policy(struct array_adopt_plan *plan, const struct map *map,
			const struct sizes *sizes)
{
	const struct geometry *geometry = &plan->geometry;
	uint64_t body = (uint64_t)geometry->frame_body_blocks * BLOCK_SIZE, needed;
	uint32_t unit = map->policy.unit_blocks;

	plan->policy =
		(struct policy){ .layout = map->policy.layout, .checks = map->policy.checks };
	plan->policy.unit_blocks =
		unit <= geometry->frame_body_blocks && geometry->frame_body_blocks % unit == 0
			? unit
			: 16;
	if (geometry->frame_body_blocks % plan->policy.unit_blocks != 0)
		plan->policy.unit_blocks = 1;
	array_plan_size_class(&plan->policy, geometry, sizes->smallest, BODY_MAX / 4,
			      map->member_count);
	needed = sizes->all / (body << plan->policy.size_class) * EXTENT_BYTES;
	if (needed > geometry->map_half_size) {
		array_plan_size_class(&plan->policy, geometry, UINT64_MAX / 2, BODY_MAX,
				      map->member_count);
		needed = sizes->all / (body << plan->policy.size_class) * EXTENT_BYTES;
	}
	plan->map_missing = needed > geometry->map_half_size ? needed - geometry->map_half_size : 0;
}

/* A quarter of a half of the map is for bare groups; each band has all of them once. */
static uint32_t plan_bands(const struct geometry *geometry, const struct map *map)
{
	uint64_t bytes = 0;

	for (uint32_t g = 0; g < map->group_count; g++)
		bytes += 48 + UINT64_C(76) * map->groups[g]->shape.columns;
	for (uint32_t s = 0; s < map->volumes[0]->span_count; s++)
		bytes += 24 + UINT64_C(8) * map->volumes[0]->spans[s].extent_count;
	assert(bytes > 0); /* it has groups */
	return (uint32_t)size_max(size_min(geometry->map_half_size / 4 / bytes, BANDS_MAX), 1);
}

int array_adopt_plan(struct array_adopt_plan *plan_out, const struct array_adopt_request *request,
		     struct err *err)
{
	struct array_adopt_plan plan = { 0 };
	const struct map *map = request->map;
	uint64_t room;

	assert(map_is_bare(map) && map->volume_count == 1);
	int rc = map_name_check(request->name, err);
	if (!rc)
		rc = check_map(request, err);
	if (!rc)
		rc = find_room(&room, request, err);
	if (rc)
		return rc;
	const struct sizes sizes = sizes_of(request);

	plan_geometry(&plan.geometry, request, &sizes, room);
	plan_policy(&plan, map, &sizes);
	plan.bands = plan_bands(&plan.geometry, map);
	for (uint32_t i = 0; !rc && i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;
		const struct dev *dev = request->devs[slot];

		rc = super_regions_from(&plan.regions[slot], dev_info(dev)->size_exact,
					ADOPT_RECORD_OFFSET + request->record_size, &plan.geometry,
					err);
		if (rc)
			err_prefix(err, "%s", dev_name(dev));
	}
	if (!rc)
		*plan_out = plan;
	return rc;
}

void array_adopt_ranges(struct adopt_range ranges_out[static ADOPT_RANGES],
			const struct array_adopt_plan *plan, uint32_t slot)
{
	const struct member_regions *regions = &plan->regions[slot];

	ranges_out[0] = (struct adopt_range){ SUPER_NEAR, ADOPT_RECORD_OFFSET - SUPER_NEAR };
	ranges_out[1] = (struct adopt_range){ regions->map_offset, regions->log_offset +
									   plan->geometry.log_size -
									   regions->map_offset };
}

/* ---- the map */

/* Numbers in frames of the new size, one extent behind the other on each member. */
static int number_extents(struct map *map, struct err *err)
{
	uint64_t next[MEMBERS_MAX];

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		next[slot] = BARE_FRAME_FIRST;
	for (uint32_t g = 0; g < map->group_count; g++) {
		struct group *group = map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			struct extent *extent = &group->extents[c];
			uint64_t frames = bare_frames(map, extent->body_blocks);

			if (frames > UINT32_MAX - next[extent->slot])
				return err_set(err, ERR_LIMIT,
					       "member %u is too large to be adopted",
					       extent->slot);
			extent->frame = (uint32_t)next[extent->slot];
			next[extent->slot] += frames;
		}
		group->generation = GENERATION_ADOPTED;
	}
	return 0;
}

static void name_map(struct map *map, const struct array_adopt_request *request,
		     const struct array_adopt_plan *plan)
{
	map->bare = false;
	map->geometry = plan->geometry;
	map->generation = 0;
	map->created_s = env_clock_s(request->env);
	map->policy = map->volumes[0]->policy = plan->policy;
	map->adoption = (struct adoption){ ADOPT_REVERSIBLE, request->origin };
	snprintf(map->name, sizeof(map->name), "%s", request->name);
	map->epoch_count = 1;
	map->epochs[0] = (struct epoch){ .number = 1, .first_generation = GENERATION_ADOPTED };
	env_random(request->env, &map->epochs[0].id, sizeof(map->epochs[0].id));
	for (uint32_t i = 0; i < map->member_count; i++) {
		struct member *member = &map->members[i];
		const struct member_regions *regions = &plan->regions[member->slot];

		map->epochs[0].present = member_set_with(map->epochs[0].present, member->slot);
		member->size = regions->member_size;
		member->frame_count = regions->frame_count;
		member->data_offset = regions->data_offset;
	}
}

/* The map of a bare array, in bands, as one of ours. */
static int make_map(struct map **map_out, const struct array_adopt_request *request,
		    const struct array_adopt_plan *plan, struct err *err)
{
	struct map *map = NULL;
	int rc = bands_cut(&map, request->map, plan->bands, err);

	if (rc)
		return rc;
	name_map(map, request, plan);
	rc = number_extents(map, err);
	if (!rc)
		rc = map_check(map, err);
	if (!rc && map_windows_make(map))
		rc = err_set(err, ERR_NOMEM, "no memory for the map");
	if (rc)
		map_free(map);
	else
		*map_out = map;
	return rc;
}

/* ---- the act */

static int place_members(struct array *array, const struct array_adopt_request *request,
			 const struct array_adopt_plan *plan, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;

		array->members[slot] = (struct array_member){ .dev = request->devs[slot],
							      .presence = PRESENT,
							      .regions = plan->regions[slot] };
		rc = probe_wipe(request->devs[slot], true, err);
	}
	return rc;
}

static int commit_both(struct array *array, const struct array_adopt_request *request,
		       struct err *err)
{
	int rc = array_commit_on_all(array, err); /* "being made" */

	if (!rc)
		rc = request->mark(request->arg, err);
	if (!rc)
		rc = array_commit_on_all(array, err);
	return rc;
}

static int adopt(struct array *array, const struct array_adopt_request *request, struct err *err)
{
	struct array_adopt_plan plan;
	int rc = array_adopt_plan(&plan, request, err);

	if (!rc)
		rc = make_map(&array->map, request, &plan, err);
	if (!rc)
		rc = space_create(&array->space, array->map, err);
	if (!rc)
		rc = place_members(array, request, &plan, err);
	if (!rc)
		rc = commit_both(array, request, err);
	return rc ? rc : array_windows_open(array, err);
}

int array_adopt(struct array **array_out, const struct array_adopt_request *request,
		struct err *err)
{
	struct array *array = array_allocate(request->env, ARRAY_WRITE, 0);
	int rc = array ? adopt(array, request, err)
		       : err_set(err, ERR_NOMEM, "no memory for the array");

	map_free(request->map);
	if (rc) {
		if (array)
			array_windows_peel(array);
		for (uint32_t i = 0; array && i < MEMBERS_MAX; i++)
			array->members[i].dev = NULL; /* still the caller's */
		array_close(array);
		return rc;
	}
	*array_out = array;
	return 0;
}

int array_adopt_set_state(struct array *array, enum adopt_state state, struct err *err)
{
	struct adoption adoption = array->map->adoption;

	assert(state == ADOPT_COMMITTED || state == ADOPT_UNDOING);
	if (array_need_native(array, err))
		return err->code;
	if (adoption.state == ADOPT_NONE)
		return err_set(err, ERR_STATE, "array \"%s\" was not adopted", array->map->name);
	if (adoption.state == state)
		return 0;
	if (adoption.state == ADOPT_COMMITTED)
		return err_set(err, ERR_STATE,
			       "the adoption of array \"%s\" is committed: it cannot be undone",
			       array->map->name);
	if (adoption.state == ADOPT_UNDOING)
		return err_set(err, ERR_STATE, "the adoption of array \"%s\" is being undone",
			       array->map->name);
	int rc = array_write_settle(array, err);
	if (rc)
		return rc;
	adoption.state = state;
	return map_set_adoption(array->map, &adoption)
		       ? array_edit_failed(array, "note the change", err)
		       : array_commit(array, err);
}

void array_adopt_note_undoing(struct array *array)
{
	assert(array->map->adoption.state == ADOPT_REVERSIBLE);
	array->map->adoption.state = ADOPT_UNDOING;
}
