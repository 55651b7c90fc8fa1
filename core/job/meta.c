/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/meta.h"

#include "core/array/array_internal.h"
#include "core/store/super.h"

#include <assert.h>

uint32_t meta_ranges(const struct array *array, uint32_t slot,
		     struct meta_range ranges_out[static META_RANGES_MAX])
{
	const struct geometry *geometry = &array->map->geometry;
	const struct member_regions *regions;

	assert(slot < MEMBERS_MAX);
	if (!array_dev(array, slot))
		return 0;
	regions = &array->members[slot].regions;
	ranges_out[0] = (struct meta_range){ IO_ROLE_MAP, regions->map_offset,
					     2 * geometry->map_half_size };
	ranges_out[1] = (struct meta_range){ IO_ROLE_LOG, regions->log_offset, geometry->log_size };
	ranges_out[2] = (struct meta_range){ IO_ROLE_SUPER, SUPER_NEAR, SUPER_AREA_SIZE };
	ranges_out[3] =
		(struct meta_range){ IO_ROLE_SUPER, geometry->adopted ? SUPER_SECOND : SUPER_FAR,
				     SUPER_AREA_SIZE };
	return META_RANGES_MAX;
}

uint32_t meta_tells(const struct array *array, uint32_t slot,
		    uint64_t offsets_out[static META_TELLS_MAX])
{
	const struct map *map = array->map;
	uint32_t count = 0;

	for (uint32_t i = 0; i < map->group_count; i++) {
		const struct group *group = map->groups[i];

		for (uint32_t column = 0; !group_is_bare(group) && column < group->shape.columns;
		     column++) {
			const struct extent *extent = &group->extents[column];

			if (extent->slot != slot || extent->stale || count == META_TELLS_MAX)
				continue;
			offsets_out[count++] = extent_seal_offset(map, extent);
		}
	}
	return count;
}
