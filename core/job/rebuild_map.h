/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild the map from the seals alone: when no member's map verifies any more, every extent still says
 * what it is (FORMAT.md section 6). Scans all frames of all devices, writes a new map to all of them.
 *
 * Where no device has a superblock left, the places of the headers say how frames lie; the array then has another name, and
 * what its log still had to bring forward is lost. Extents that are not found are put on failed members
 * that do not exist, as far as their groups can rebuild them. Lost for good are what no seal holds: empty
 * volumes, labels, names given since a volume was written, spares and states of members; and a volume that
 * lost all of its last extents looks as if it ended before them.
 */
#ifndef PG_JOB_REBUILD_MAP_H
#define PG_JOB_REBUILD_MAP_H

#include "core/array/array.h"

struct rebuild_map_request {
	struct env *env;
	struct dev **devs;
	uint32_t dev_count;
	bool write; /* else only say what would come out */
};

struct rebuild_map_report {
	uint64_t extents_found;
	uint64_t groups;
	uint64_t volumes;
	uint64_t extents_orphaned;   /* headers that no complete group wants */
	uint64_t incomplete_volumes; /* with holes: not put into the map */
};

/* The devices stay the caller's. */
int rebuild_map_run(const struct rebuild_map_request *request,
		    struct rebuild_map_report *report_out, struct err *err) MUST_CHECK;

#endif
