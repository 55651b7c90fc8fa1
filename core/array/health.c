/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How well the array is: sums and verdicts, from map and presence alone. */
#include "core/array/array_internal.h"
#include "core/base/size.h"
#include "core/map/allocate.h"
#include "core/map/capacity.h"
#include "core/map/reprotect.h"

#include <assert.h>

const char *health_name(enum health health)
{
	switch (health) {
	case HEALTH_HEALTHY:
		return "healthy";
	case HEALTH_DEGRADED:
		return "degraded";
	case HEALTH_BROKEN:
		return "broken";
	}
	return "unknown";
}

/* Health of a group when member `without` (or MEMBER_NONE) is gone too. */
static enum health group_health(const struct array *array, const struct group *group,
				uint32_t without)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < group->shape.columns; i++)
		lost += group->extents[i].slot == without ||
			!array_extent_usable(array, &group->extents[i]);
	if (lost == 0)
		return HEALTH_HEALTHY;
	return lost <= group_tolerance(group) ? HEALTH_DEGRADED : HEALTH_BROKEN;
}

static enum health worse(enum health a, enum health b)
{
	return a > b ? a : b;
}

enum health array_health(const struct array *array)
{
	enum health health = HEALTH_HEALTHY;

	for (uint32_t i = 0; i < array->map->group_count; i++)
		health = worse(health, group_health(array, array->map->groups[i], MEMBER_NONE));
	for (uint32_t i = 0; i < array->map->member_count; i++) {
		const struct member *member = &array->map->members[i];

		if (member->state == MEMBER_ONLINE && !array_member_usable(array, member->slot))
			health = worse(health, HEALTH_DEGRADED);
	}
	return health;
}

enum health array_volume_health(const struct array *array, const struct volume *volume)
{
	enum health health = HEALTH_HEALTHY;

	for (uint32_t i = 0; i < volume->span_count; i++) {
		for (uint32_t j = 0; j < volume->spans[i].extent_count; j++) {
			uint32_t column;
			const struct group *group =
				map_extent(array->map, volume->spans[i].extents[j], &column);

			assert(group);
			health = worse(health, group_health(array, group, MEMBER_NONE));
		}
	}
	return health;
}

static bool is_column_of(const struct array *array, const struct group *group, uint32_t slot)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (group->extents[c].slot == slot &&
		    array_extent_usable(array, &group->extents[c]))
			return true;
	}
	return false;
}

const struct group *array_group_needing(const struct array *array, uint32_t slot)
{
	const struct group *needing = NULL;
	bool helps = false;

	for (uint32_t i = 0; i < array->map->group_count; i++) {
		const struct group *group = array->map->groups[i];

		if (!is_column_of(array, group, slot) ||
		    group_health(array, group, MEMBER_NONE) == HEALTH_BROKEN)
			continue; /* it does not care */
		if (group_health(array, group, slot) != HEALTH_BROKEN)
			helps = true;
		else if (group_tolerance(group) > 0)
			return group;
		else
			needing = group;
	}
	return helps ? NULL : needing;
}

int array_member_is_needed(const struct array *array, uint32_t slot, struct err *err)
{
	for (uint32_t i = 0; i < array->map->volume_count; i++) {
		const struct volume *volume = array->map->volumes[i];

		if (array_volume_health(array, volume) == HEALTH_BROKEN)
			continue; /* lost already */
		for (uint32_t s = 0; s < volume->span_count; s++) {
			for (uint32_t j = 0; j < volume->spans[s].extent_count; j++) {
				uint32_t column;
				const struct group *group = map_extent(
					array->map, volume->spans[s].extents[j], &column);

				if (group_health(array, group, slot) == HEALTH_BROKEN)
					return err_set(err, ERR_UNSAFE,
						       "without member %u data of volume \"%s\" "
						       "could not be read",
						       slot, volume->name);
			}
		}
	}
	return 0;
}

/* Of a bare array: frames are addresses only, so what its extents hold is all that there is. */
static uint64_t bare_used(const struct map *map, uint32_t slot)
{
	uint64_t bytes = 0;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			if (group->extents[c].slot == slot)
				bytes += (uint64_t)group->extents[c].body_blocks * BLOCK_SIZE;
		}
	}
	return bytes;
}

uint64_t array_member_used(const struct array *array, uint32_t slot)
{
	if (map_is_bare(array->map))
		return bare_used(array->map, slot);
	uint64_t frames =
		space_total_frames(array->space, slot) - space_free_frames(array->space, slot);

	return frames * array->map->geometry.frame_blocks * BLOCK_SIZE;
}

void array_capacity(const struct array *array, struct array_capacity *capacity_out)
{
	uint64_t frame_size = (uint64_t)array->map->geometry.frame_blocks * BLOCK_SIZE;

	const struct places places = array_places(array);

	*capacity_out = (struct array_capacity){ 0 };
	if (!map_is_bare(array->map))
		capacity_out->usable = capacity_usable(&places);
	for (uint32_t i = 0; i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;

		if (!array_member_usable(array, slot))
			continue;
		if (map_is_bare(array->map)) {
			capacity_out->raw += bare_used(array->map, slot);
			continue;
		}
		capacity_out->raw += space_total_frames(array->space, slot) * frame_size;
		capacity_out->free += space_free_frames(array->space, slot) * frame_size;
	}
	capacity_out->used = capacity_out->raw - capacity_out->free;
}

bool array_shortage(const struct array *array, struct array_shortage *shortage_out)
{
	if (map_has_bare(
		    array->map)) /* what its groups would need anew is another software's affair */
		return false;
	const struct places places = array_places(array);
	const struct reprotect_shortage shortage = reprotect_check(&places);

	*shortage_out = (struct array_shortage){
		.member = shortage.member,
		.bytes = shortage.frames * array->map->geometry.frame_blocks * BLOCK_SIZE,
		.too_few = shortage.too_few,
	};
	return shortage.member != MEMBER_NONE;
}

uint32_t array_left_out(const struct array *array)
{
	const struct places places = array_places(array);

	return map_is_bare(array->map) ? 0 : allocate_left_out(&places);
}
