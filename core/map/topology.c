/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/topology.h"

#include <assert.h>
#include <string.h>

#define SETS 2u /* of cross */

const char *topology_name(enum topology topology)
{
	static const char *const names[TOPOLOGY_COUNT] = {
		[TOPOLOGY_FREE] = "free",   [TOPOLOGY_PAIRS] = "pairs", [TOPOLOGY_RING] = "ring",
		[TOPOLOGY_MULTI] = "multi", [TOPOLOGY_CROSS] = "cross",
	};

	assert((unsigned)topology < TOPOLOGY_COUNT);
	return names[topology];
}

void topology_ring_make(struct topology_ring *ring_out, const struct map *map,
			struct member_set members, const char *key)
{
	ring_out->count = 0;
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		if (!member_set_has(members, member->slot))
			continue;
		ring_out->slots[ring_out->count] = member->slot;
		ring_out->sets[ring_out->count++] =
			across_label(key, 0, member->labels, member->label_count);
	}
}

static bool same_set(const struct topology_ring *ring, uint32_t a, uint32_t b)
{
	return ring->sets[a] && ring->sets[b] && strcmp(ring->sets[a], ring->sets[b]) == 0;
}

/* The place of the member that stands in its set where `place` stands in its own; count when none. */
static uint32_t opposite(const struct topology_ring *ring, uint32_t place)
{
	uint32_t rank = 0;

	for (uint32_t i = 0; i < place; i++)
		rank += same_set(ring, i, place);
	for (uint32_t i = 0; i < ring->count; i++) {
		if (!ring->sets[i] || same_set(ring, i, place))
			continue;
		if (rank-- == 0)
			return i;
	}
	return ring->count;
}

/* The place of copy `copy` (1 is the first) of what lies at `place`; count when there is none. */
static uint32_t home(const struct topology_ring *ring, enum topology topology, uint32_t place,
		     uint32_t copy)
{
	switch (topology) {
	case TOPOLOGY_PAIRS:
		return copy == 1 && (place ^ 1u) < ring->count ? place ^ 1u : ring->count;
	case TOPOLOGY_RING:
	case TOPOLOGY_MULTI:
		return copy < ring->count ? (place + copy) % ring->count : ring->count;
	case TOPOLOGY_CROSS:
		return copy == 1 && ring->sets[place] ? opposite(ring, place) : ring->count;
	case TOPOLOGY_FREE:
	case TOPOLOGY_COUNT:
		break;
	}
	assert(false); /* no topology with homes */
	return ring->count;
}

uint32_t topology_homes(const struct topology_ring *ring, enum topology topology, uint32_t primary,
			uint32_t columns, uint32_t slots_out[static CODE_MIRROR_MAX])
{
	uint32_t place = 0;

	assert(columns <= CODE_MIRROR_MAX);
	while (place < ring->count && ring->slots[place] != primary)
		place++;
	if (place == ring->count)
		return 0;
	slots_out[0] = primary;
	for (uint32_t copy = 1; copy < columns; copy++) {
		uint32_t at = home(ring, topology, place, copy);

		if (at == ring->count)
			return 0;
		slots_out[copy] = ring->slots[at];
	}
	return columns;
}

static uint32_t count_sets(const struct topology_ring *ring)
{
	uint32_t sets = 0;

	for (uint32_t i = 0; i < ring->count; i++) {
		bool first = ring->sets[i] != NULL;

		for (uint32_t j = 0; j < i; j++)
			first = first && !same_set(ring, i, j);
		sets += first;
	}
	return sets;
}

int topology_check(const struct topology_ring *ring, enum topology topology, uint32_t columns,
		   struct err *err)
{
	if (topology == TOPOLOGY_FREE)
		return 0;
	if (columns > ring->count)
		return err_set(err, ERR_LIMIT, "%u copies need as many members, there are %u",
			       columns, ring->count);
	if ((topology == TOPOLOGY_PAIRS || topology == TOPOLOGY_CROSS) && columns != 2)
		return err_set(err, ERR_LIMIT, "topology %s is for 2 copies, not %u",
			       topology_name(topology), columns);
	if (topology == TOPOLOGY_CROSS && count_sets(ring) != SETS)
		return err_set(err, ERR_LIMIT,
			       "topology cross needs members of two sets (two values of the label "
			       "that --across names), there are %u",
			       count_sets(ring));
	return 0;
}

/* Does the loss of members a and b cost all copies of some primary? */
static bool is_fatal(const struct topology_ring *ring, enum topology topology, uint32_t columns,
		     uint32_t a, uint32_t b)
{
	uint32_t slots[CODE_MIRROR_MAX];

	for (uint32_t i = 0; i < ring->count; i++) {
		bool lost = topology_homes(ring, topology, ring->slots[i], columns, slots) > 0;

		for (uint32_t c = 0; lost && c < columns; c++)
			lost = slots[c] == a || slots[c] == b;
		if (lost)
			return true;
	}
	return false;
}

struct topology_losses topology_losses(const struct topology_ring *ring, enum topology topology,
				       uint32_t columns)
{
	struct topology_losses losses = { 0 };

	for (uint32_t a = 0; a < ring->count; a++) {
		for (uint32_t b = a + 1; b < ring->count; b++) {
			bool fatal =
				is_fatal(ring, topology, columns, ring->slots[a], ring->slots[b]);

			losses.pairs++;
			losses.fatal += fatal;
			losses.fatal_in_set += fatal && same_set(ring, a, b);
		}
	}
	return losses;
}

struct topology_risk topology_risk(double p, double q)
{
	double alone = q + (1 - q) * p;

	return (struct topology_risk){ .same_set = q + (1 - q) * p * p,
				       .other_set = alone * alone };
}
