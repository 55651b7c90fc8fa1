/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Places: where extents can be put. A map with the space that follows from it, and who can be written now; of
 * an open array, or of a copy on which something is tried.
 */
#ifndef PG_MAP_PLACES_H
#define PG_MAP_PLACES_H

#include "core/map/map.h"
#include "core/map/space.h"

struct places {
	struct map *map;
	struct space *space;
	struct member_set usable; /* members that can be read and written */
	uint64_t generation;      /* of the commit that will name what is taken */
};

/* The bytes of the extent may be used: its member is usable and it missed no write. */
static inline bool places_can_use(const struct places *places, const struct extent *extent)
{
	return member_set_has(places->usable, extent->slot) && !extent->stale;
}

#endif
