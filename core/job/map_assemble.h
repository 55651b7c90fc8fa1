/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Map assembly: from extents that were found to groups, spans and volumes.
 *
 * Which extents form a group is what its check extents say, the latest first (FORMAT.md section 6); a
 * group takes only extents that no later one has. Columns that were not found are put on members that
 * do not exist, as far as the code can rebuild them: a rebuild then makes them anew. A volume whose spans
 * leave a hole stays out of the map, with its groups.
 *
 * Linear in what was found, but for sorting. One header is read again for each extent, at most.
 */
#ifndef PG_JOB_MAP_ASSEMBLE_H
#define PG_JOB_MAP_ASSEMBLE_H

#include "core/job/seal_scan.h"
#include "core/map/map.h"

struct assembly {
	struct map *map;   /* has uuid, geometry and members; gets groups, volumes, lost members */
	struct scan *scan; /* settled */
	uint64_t generation;                /* of lost extents: the one that will be committed */
	struct uuid (*new_uuid)(void *arg); /* for members that stand for what was lost */
	void *new_uuid_arg;
	/* out */
	uint64_t extents_taken;
	uint64_t incomplete_volumes;
};

/* Returns 0 or ERR_NOMEM. The policy of the map is that of its largest volume. */
int map_assemble(struct assembly *assembly, struct err *err) MUST_CHECK;

#endif
