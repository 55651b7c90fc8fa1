/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shares: how much of each mirror is read from which copy, so that members are read alike. In a healthy array that
 * is the primary; after a loss the load is shifted on from copy to copy, in a ring until every survivor of n
 * reads n/(n-1) (proofs/mirror.py).
 *
 *	share_create()	once for a map and who can be used
 *	share_of()	parts of a group, for each column; from any task
 *	share_free()
 *
 * Mirrors on the same members in the same order are of one class and have the same shares. A class that came
 * later, or whose member failed meanwhile, has none: then the caller reads any copy. Pure.
 */
#ifndef PG_MAP_SHARE_H
#define PG_MAP_SHARE_H

#include "core/map/map.h"

#define SHARE_WHOLE 65536u

struct share; /* opaque */

/* *share_out is NULL when primaries do as they are. Returns 0 or ERR_NOMEM. */
int share_create(struct share **share_out, const struct map *map,
		 struct member_set usable) MUST_CHECK;
void share_free(struct share *share);

/*
 * Of the blocks of a mirror group, the parts that each column is read for, in the order of columns; they add up to
 * SHARE_WHOLE. False when nothing is known of the group; `share` may be NULL.
 */
bool share_of(const struct share *share, const struct group *group,
	      uint32_t parts_out[static CODE_MIRROR_MAX]);

#endif
