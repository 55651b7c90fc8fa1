/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/capacity.h"

#include "core/base/bytes.h"
#include "core/map/place.h"

#include <assert.h>
#include <string.h>

void capacity_add(struct capacity_room *room, uint64_t frames, const char *domain)
{
	uint32_t i = 0;

	while (i < room->count &&
	       (!domain || !room->domains[i] || strcmp(room->domains[i], domain) != 0))
		i++;
	if (i == room->count) {
		room->domains[i] = domain;
		room->frames[i] = 0;
		room->count++;
	}
	room->frames[i] += frames;
	room->members++;
}

/* Groups of sequential layout whose width was given: members stand in sets (SPEC R10). */
static uint64_t groups_in_sets(const struct capacity_room *room, uint32_t columns)
{
	uint64_t groups = 0;

	for (uint32_t from = 0; from + columns <= room->count; from += columns)
		groups += place_groups_bound(room->frames + from, columns, columns);
	return groups;
}

uint64_t capacity_bytes(const struct policy *policy, const struct geometry *geometry,
			const struct capacity_room *room)
{
	uint64_t body = (uint64_t)geometry->frame_body_blocks * BLOCK_SIZE;
	uint32_t columns = capacity_columns(policy, room->members);
	uint64_t groups;

	if (columns > room->members ||
	    (policy->layout == LAYOUT_PARITY && columns <= policy->checks))
		return 0;
	switch (policy->layout) {
	case LAYOUT_PARITY:
		return place_data_bound(room->frames, room->count, columns, policy->checks) * body;
	case LAYOUT_SEQUENTIAL:
		assert(columns > 0 && policy->checks > 0);
		groups = policy->columns ? groups_in_sets(room, columns)
					 : place_groups_bound(room->frames, room->count, columns);
		return groups * (geometry->frame_body_blocks / (columns * policy->checks)) *
		       BLOCK_SIZE * policy->checks * (columns - 1) * columns;
	case LAYOUT_MIRROR:
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		break;
	}
	return place_groups_bound(room->frames, room->count, columns) * body;
}

uint32_t capacity_columns(const struct policy *policy, uint32_t member_count)
{
	if (policy->columns)
		return policy->columns;
	return place_default_width(policy->layout, policy->checks, member_count);
}

uint64_t capacity_usable(const struct places *places)
{
	const struct map *map = places->map;
	struct capacity_room room = { 0 };

	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		if (member->state == MEMBER_ONLINE && member_set_has(places->usable, member->slot))
			capacity_add(&room, space_free_frames(places->space, member->slot),
				     map_domain(map, member));
	}
	return capacity_bytes(&map->policy, &map->geometry, &room);
}
