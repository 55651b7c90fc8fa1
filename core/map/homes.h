/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Homes: where the columns of a mirror group should lie by its topology, and what it takes to bring them
 * there (docs/GROW.md section 4). Pure.
 *
 * The first column of a mirror is the one with the lowest id: it was the primary when the group was made.
 * A failover makes another the primary and leaves ids and homes as they are, so a failback needs no notes.
 */
#ifndef PG_MAP_HOMES_H
#define PG_MAP_HOMES_H

#include "core/map/places.h"
#include "core/map/topology.h"
#include "core/map/zones.h"

/* The column of a mirror group that has the homes of its topology counted from it. */
uint32_t homes_first(const struct group *group);

enum zone zone_of_column(const struct group *group, uint32_t column);

/* Does a policy say where the copies of this group lie? */
bool homes_apply(const struct policy *policy, const struct group *group);

/*
 * The ring for new groups: all but spares, also members that are away, so that it does not turn when one
 * fails; failed ones that hold nothing have left it.
 */
void homes_ring(struct topology_ring *ring_out, const struct places *places);
/* The ring for groups that are to move: failed members have left it, and so has `leaving`, if any. */
void homes_ring_to_be(struct topology_ring *ring_out, const struct places *places,
		      uint32_t leaving);

/* Do two of these members share the first label of --across? */
bool homes_share_domain(const struct map *map, const uint32_t *slots, uint32_t count);

/* Do the columns of the group lie in the homes of its first one? */
bool homes_obeyed(const struct map *map, const struct topology_ring *ring, enum topology topology,
		  const struct group *group);

/*
 * Members for the columns of a group, so that it obeys with the fewest columns moved: the first one stays,
 * where it may; of several ways the one that uses the emptiest members. False when there is no room.
 */
bool homes_choose(const struct places *places, const struct topology_ring *ring,
		  enum topology topology, const struct group *group,
		  uint32_t slots_out[static CODE_MIRROR_MAX]);

/*
 * The member that a column has to go to for the group to obey `ring`, without another column being moved; MEMBER_NONE when
 * there is none with room.
 */
uint32_t homes_of_column(const struct places *places, const struct topology_ring *ring,
			 enum topology topology, const struct group *group, uint32_t column);

/*
 * The members for the columns of a group whose first one is to lie on `primary`; columns that lie in one of
 * those homes stay. False when there are no such homes, two of them share a domain, or one has no room.
 */
bool homes_from(const struct places *places, const struct topology_ring *ring,
		enum topology topology, const struct group *group, uint32_t primary,
		uint32_t slots_out[static CODE_MIRROR_MAX]);

#endif
