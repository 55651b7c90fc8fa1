/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the metadata of an array lies on its members: what `meta` lists, dumps and restores.
 *
 * Metadata are superblocks, map and log. Seals lie with the extents they are about and are no part of it; some of
 * them tell members apart whose superblocks are gone.
 */
#ifndef PG_JOB_META_H
#define PG_JOB_META_H

#include "core/array/array.h"

#define META_RANGES_MAX 4u /* of a member: map, log, both superblock areas, in this order */
#define META_TELLS_MAX 16u

struct meta_range {
	enum io_role role;
	uint64_t offset; /* bytes, a multiple of BLOCK_SIZE */
	uint64_t size;
};

/* The ranges of a member that is there; returns how many. */
uint32_t meta_ranges(const struct array *array, uint32_t slot,
		     struct meta_range ranges_out[static META_RANGES_MAX]);
/* Offsets of blocks that no other member has: the first of the seals of some of its extents. */
uint32_t meta_tells(const struct array *array, uint32_t slot,
		    uint64_t offsets_out[static META_TELLS_MAX]);

#endif
