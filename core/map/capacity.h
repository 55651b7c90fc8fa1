/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Capacity: how many bytes of data fit, by the bounds of SPEC 4.2 (place.h). Pure.
 *
 * Fill a room member by member, then ask.
 */
#ifndef PG_MAP_CAPACITY_H
#define PG_MAP_CAPACITY_H

#include "core/map/places.h"
#include "core/map/topology.h"

/* Free frames of members, those of one domain in one sum: what the bounds of placement count. */
struct capacity_room {
	uint32_t members;
	uint32_t count; /* of the sums */
	uint64_t frames[MEMBERS_MAX];
	const char *domains[MEMBERS_MAX]; /* NULL: a domain of its own */
	struct topology_ring ring;        /* of the members, by their order */
	uint64_t ring_frames[MEMBERS_MAX];
};

void capacity_add(struct capacity_room *room, uint64_t frames, const char *domain);

/* One that is away: it stands in the ring of a topology, and has no room. */
void capacity_add_absent(struct capacity_room *room, const char *domain);

/*
 * Most groups of so many columns, of one frame each, whose copies lie in the homes of `topology`: for two copies the
 * greatest number there can be, for more what filling the emptiest homes first gives.
 */
uint64_t capacity_homes(const struct topology_ring *ring, enum topology topology, uint32_t columns,
			const uint64_t *frames);

/* Columns of new groups with so many members. */
uint32_t capacity_columns(const struct policy *policy, uint32_t member_count);

/* Bytes of data that fit there with groups of this policy. */
uint64_t capacity_bytes(const struct policy *policy, const struct geometry *geometry,
			const struct capacity_room *room);

/* Bytes that still fit with the default policy. */
uint64_t capacity_usable(const struct places *places);

#endif
