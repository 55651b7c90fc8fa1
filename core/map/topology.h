/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Topologies of mirrors (SPEC 6): on which members the copies of a primary lie. Pure.
 *
 * Members stand in a ring, ascending by number; spares do not stand in it. For the i-th of n:
 *
 *	pairs	i ^ 1					a fixed partner; the last of an odd number has none
 *	ring	i + 1					each holds its predecessor's copy
 *	multi	i + 1, i + 2, ... as copies are wanted
 *	cross	the one at the same place of the other set; the sets are the two values of a label
 *
 * tests/unit/test_topology.c holds the losses of each against proofs/mirror.py.
 */
#ifndef PG_MAP_TOPOLOGY_H
#define PG_MAP_TOPOLOGY_H

#include "core/map/map.h"

struct topology_ring {
	uint32_t count;
	uint32_t slots[MEMBERS_MAX];
	const char *sets[MEMBERS_MAX]; /* value of the label, NULL without one */
};

const char *topology_name(enum topology topology);

/* The ring of these members; the first key of `key` names the label of the sets, "" for none. */
void topology_ring_make(struct topology_ring *ring_out, const struct map *map,
			struct member_set members, const char *key);

/*
 * The members of a group whose primary lies on `primary`: that one, then its copies' homes. Returns how many:
 * `columns`, or 0 when the topology gives it no such homes.
 */
uint32_t topology_homes(const struct topology_ring *ring, enum topology topology, uint32_t primary,
			uint32_t columns, uint32_t slots_out[static CODE_MIRROR_MAX]);

/* Is the topology possible for so many columns? Returns 0 or ERR_LIMIT with the reason. */
int topology_check(const struct topology_ring *ring, enum topology topology, uint32_t columns,
		   struct err *err) MUST_CHECK;

/* Of all pairs of members, those whose loss costs every copy of some primary; and of these, both of one set. */
struct topology_losses {
	uint32_t pairs, fatal, fatal_in_set;
};
struct topology_losses topology_losses(const struct topology_ring *ring, enum topology topology,
				       uint32_t columns);

/*
 * The chance that two given members fail in a period, by the common-cause model of proofs/mirror.py: each
 * fails alone with p, a whole set with q. Of one set, and of two.
 */
struct topology_risk {
	double same_set, other_set;
};
struct topology_risk topology_risk(double p, double q);

#endif
