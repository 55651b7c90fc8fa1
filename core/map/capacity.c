/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/capacity.h"

#include "core/base/bytes.h"
#include "core/map/homes.h"
#include "core/map/place.h"

#include <assert.h>
#include <string.h>

static void add_to_ring(struct capacity_room *room, const char *domain)
{
	room->ring.slots[room->ring.count] = room->ring.count;
	room->ring.sets[room->ring.count++] = domain;
}

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
	room->ring_frames[room->ring.count] = frames;
	add_to_ring(room, domain);
}

void capacity_add_absent(struct capacity_room *room, const char *domain)
{
	room->ring_frames[room->ring.count] = 0;
	add_to_ring(room, domain);
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
		if (policy->topology != TOPOLOGY_FREE)
			return capacity_homes(&room->ring, policy->topology, columns,
					      room->ring_frames) *
			       body;
		break;
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
	struct topology_ring ring;

	homes_ring(&ring, places);
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		bool in_ring = false;

		for (uint32_t place = 0; place < ring.count; place++)
			in_ring = in_ring || ring.slots[place] == member->slot;
		if (member->state == MEMBER_ONLINE && member_set_has(places->usable, member->slot))
			capacity_add(&room, space_free_frames(places->space, member->slot),
				     map_domain(map, member));
		else if (in_ring)
			capacity_add_absent(&room, map_domain(map, member));
	}
	return capacity_bytes(&map->policy, &map->geometry, &room);
}
