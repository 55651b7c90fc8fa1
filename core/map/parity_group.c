/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/parity_group.h"

#include "core/map/allocate.h"
#include "core/map/zones.h"

#define INDEX_END 255u

bool parity_alike(const struct group *a, const struct group *b)
{
	return a->shape.checks == b->shape.checks && group_body_blocks(a) == group_body_blocks(b) &&
	       a->extents[0].size_class == b->extents[0].size_class;
}

uint8_t parity_free_index(const struct group *group, uint32_t data, uint8_t own)
{
	bool taken[INDEX_END] = { 0 };
	uint32_t index = 0;

	for (uint32_t i = 0; i < data; i++)
		taken[group->shape.index[i]] = true;
	if (!taken[own])
		return own;
	while (taken[index])
		index++;
	return (uint8_t)index;
}

bool parity_add_checks(const struct places *places, struct group *fresh, uint32_t data)
{
	uint32_t slots[CODE_COLUMNS_MAX], count = 0;
	const struct extent *like = &fresh->extents[0];

	for (; count < data; count++)
		slots[count] = fresh->extents[count].slot;
	for (uint32_t j = 0; j < fresh->shape.checks; j++) {
		struct extent *check = &fresh->extents[data + j];
		uint32_t slot = allocate_roomiest(places, slots, count, like->size_class, ZONE_ANY);

		*check = (struct extent){ .header_generation = places->generation,
					  .slot = slot,
					  .body_blocks = like->body_blocks,
					  .size_class = like->size_class };
		if (slot == MEMBER_NONE ||
		    !zone_take(places, ZONE_ANY, slot, like->size_class, &check->frame)) {
			for (uint32_t i = 0; i < j; i++)
				space_give(places->space, fresh->extents[data + i].slot,
					   like->size_class, fresh->extents[data + i].frame);
			return false;
		}
		slots[count++] = slot;
	}
	for (uint32_t j = 0; j < fresh->shape.checks; j++)
		fresh->extents[data + j].id = places->map->extent_id_next++;
	return true;
}
