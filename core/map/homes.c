/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/homes.h"

#include <assert.h>
#include <string.h>

#define WHOLE 1000000u /* use of a member in parts of it */

uint32_t homes_first(const struct group *group)
{
	uint32_t first = 0;

	for (uint32_t c = 1; c < group->shape.columns; c++) {
		if (group->extents[c].id < group->extents[first].id)
			first = c;
	}
	return first;
}

enum zone zone_of_column(const struct group *group, uint32_t column)
{
	return zone_of(group->shape.layout, column == homes_first(group));
}

bool homes_apply(const struct policy *policy, const struct group *group)
{
	return group->shape.layout == LAYOUT_MIRROR && policy->layout == LAYOUT_MIRROR &&
	       policy->topology != TOPOLOGY_FREE;
}

void homes_ring(struct topology_ring *ring_out, const struct places *places)
{
	const struct map *map = places->map;
	struct member_set members = { 0 };

	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		bool empty = space_free_frames(places->space, member->slot) ==
			     space_total_frames(places->space, member->slot);

		if (member->state != MEMBER_SPARE && !(member->state == MEMBER_FAILED && empty))
			members = member_set_with(members, member->slot);
	}
	topology_ring_make(ring_out, map, members, map->across);
}

void homes_ring_to_be(struct topology_ring *ring_out, const struct places *places, uint32_t leaving)
{
	const struct map *map = places->map;
	struct member_set members = { 0 };

	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		if (member->state != MEMBER_SPARE && member->state != MEMBER_FAILED &&
		    member->slot != leaving)
			members = member_set_with(members, member->slot);
	}
	topology_ring_make(ring_out, map, members, map->across);
}

bool homes_share_domain(const struct map *map, const uint32_t *slots, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		const char *mine = map_domain(map, map_member(map, slots[i]));

		for (uint32_t j = 0; mine && j < i; j++) {
			const char *theirs = map_domain(map, map_member(map, slots[j]));

			if (theirs && strcmp(mine, theirs) == 0)
				return true;
		}
	}
	return false;
}

static bool is_among(const uint32_t *slots, uint32_t count, uint32_t slot)
{
	for (uint32_t i = 0; i < count; i++) {
		if (slots[i] == slot)
			return true;
	}
	return false;
}

bool homes_obeyed(const struct map *map, const struct topology_ring *ring, enum topology topology,
		  const struct group *group)
{
	uint32_t slots[CODE_MIRROR_MAX], columns = group->shape.columns;

	if (topology_homes(ring, topology, group->extents[homes_first(group)].slot, columns,
			   slots) == 0 ||
	    homes_share_domain(map, slots, columns))
		return false;
	for (uint32_t c = 0; c < columns; c++) {
		if (!is_among(slots, columns, group->extents[c].slot))
			return false;
	}
	return true;
}

/* Could an extent come to this member now? */
static bool has_room(const struct places *places, uint32_t slot, enum zone zone, uint64_t frames)
{
	return map_member(places->map, slot)->state == MEMBER_ONLINE &&
	       member_set_has(places->usable, slot) && zone_room(places, zone, slot) >= frames;
}

/* Columns that lie in one of the homes keep it, the first one's apart; the others get those that are left. */
static void give_homes(const struct group *group, const uint32_t *homes, uint32_t *slots_out)
{
	uint32_t first = homes_first(group), columns = group->shape.columns, next = 1;
	bool taken[CODE_MIRROR_MAX] = { 0 }, settled[CODE_MIRROR_MAX] = { 0 };

	slots_out[first] = homes[0];
	settled[first] = true;
	for (uint32_t h = 1; h < columns; h++) {
		for (uint32_t c = 0; c < columns && !taken[h]; c++) {
			if (settled[c] || homes[h] != group->extents[c].slot)
				continue;
			slots_out[c] = homes[h];
			taken[h] = settled[c] = true;
		}
	}
	for (uint32_t c = 0; c < columns; c++) {
		if (settled[c])
			continue;
		while (taken[next])
			next++;
		slots_out[c] = homes[next++];
	}
}

bool homes_from(const struct places *places, const struct topology_ring *ring,
		enum topology topology, const struct group *group, uint32_t primary,
		uint32_t slots_out[static CODE_MIRROR_MAX])
{
	uint32_t homes[CODE_MIRROR_MAX], columns = group->shape.columns;

	if (topology_homes(ring, topology, primary, columns, homes) == 0 ||
	    homes_share_domain(places->map, homes, columns))
		return false;
	give_homes(group, homes, slots_out);
	for (uint32_t c = 0; c < columns; c++) {
		const struct extent *extent = &group->extents[c];

		if (slots_out[c] != extent->slot &&
		    !has_room(places, slots_out[c], zone_of_column(group, c),
			      UINT64_C(1) << extent->size_class))
			return false;
	}
	return true;
}

/* How many columns move, and how full those members are that they go to: less is better. */
static uint64_t cost_of(const struct places *places, const struct group *group,
			const uint32_t *slots)
{
	uint64_t moves = 0, use = 0;

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		uint64_t total = space_total_frames(places->space, slots[c]);

		if (slots[c] == group->extents[c].slot)
			continue;
		moves++;
		use += (total - space_free_frames(places->space, slots[c])) * WHOLE / total;
	}
	return moves * WHOLE * CODE_MIRROR_MAX + use;
}

bool homes_choose(const struct places *places, const struct topology_ring *ring,
		  enum topology topology, const struct group *group,
		  uint32_t slots_out[static CODE_MIRROR_MAX])
{
	uint32_t now = group->extents[homes_first(group)].slot;
	uint64_t least = UINT64_MAX;

	if (homes_from(places, ring, topology, group, now, slots_out))
		return true;
	for (uint32_t i = 0; i < ring->count; i++) {
		uint32_t slots[CODE_MIRROR_MAX];

		if (!homes_from(places, ring, topology, group, ring->slots[i], slots))
			continue;
		uint64_t cost = cost_of(places, group, slots);
		if (cost >= least)
			continue;
		least = cost;
		memcpy(slots_out, slots, sizeof(slots));
	}
	return least != UINT64_MAX;
}

uint32_t homes_of_column(const struct places *places, const struct topology_ring *ring,
			 enum topology topology, const struct group *group, uint32_t column)
{
	uint32_t slots[CODE_MIRROR_MAX];

	if (!homes_choose(places, ring, topology, group, slots))
		return MEMBER_NONE;
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if ((slots[c] == group->extents[c].slot) == (c == column))
			return MEMBER_NONE;
	}
	return slots[column];
}
