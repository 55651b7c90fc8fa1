/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What follows from the shape of a group and the geometry: blocks, columns, places on a member. */
#include "core/map/map.h"

#include "core/base/bytes.h"
#include "core/base/size.h"

#include <assert.h>

#define SEAL_PAGE_ROOM 4064u /* bytes of entries in a seal page, FORMAT.md section 6 */

uint32_t group_body_blocks(const struct group *group)
{
	return group->extents[0].body_blocks;
}

uint32_t group_data_blocks(const struct group *group)
{
	if (group->shape.layout != LAYOUT_SEQUENTIAL)
		return group_body_blocks(group);
	return group->segment_blocks * group->shape.checks * (group->shape.columns - 1u);
}

uint32_t group_tolerance(const struct group *group)
{
	return layout_tolerance(group->shape.layout, group->shape.checks);
}

uint32_t group_data_columns(const struct group *group)
{
	switch (group->shape.layout) {
	case LAYOUT_PARITY:
		return (uint32_t)group->shape.columns - group->shape.checks;
	case LAYOUT_SEQUENTIAL:
		return group->shape.columns;
	case LAYOUT_PLAIN:
	case LAYOUT_MIRROR:
	case LAYOUT_COUNT:
		break;
	}
	return 1;
}

uint32_t geometry_frame_blocks(uint32_t frame_body_blocks, uint32_t witness_max)
{
	uint32_t per_page = SEAL_PAGE_ROOM / (8 + 2 * witness_max);

	return frame_body_blocks + 2 + (uint32_t)size_divide_up(frame_body_blocks, per_page);
}

uint64_t extent_offset(const struct map *map, const struct extent *extent, uint32_t block)
{
	const struct member *member = map_member(map, extent->slot);
	uint64_t first = (uint64_t)extent->frame * map->geometry.frame_blocks;

	assert(member);
	return member->data_offset + (first + block) * BLOCK_SIZE;
}

uint64_t extent_seal_offset(const struct map *map, const struct extent *extent)
{
	return extent_offset(map, extent, map->geometry.frame_body_blocks << extent->size_class);
}

uint32_t extent_seal_blocks(const struct map *map, uint32_t size_class)
{
	return (map->geometry.frame_blocks - map->geometry.frame_body_blocks) << size_class;
}
