/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Failover: mirrors get another primary; failback: the one that they were made with. Each is one commit of the
 * map and writes nothing else: extents keep their ids and places, and the header pages of the group's
 * former order stay right (FORMAT.md section 6).
 */
#ifndef PG_JOB_FAILOVER_H
#define PG_JOB_FAILOVER_H

#include "core/array/array.h"

struct failover_report {
	uint64_t swapped;    /* mirrors that have another primary now */
	uint64_t left;       /* that have no other copy to be it, or not yet an equal one */
	uint64_t generation; /* of the map afterwards */
};

/*
 * Mirrors whose primary lies on `slot`, or with MEMBER_NONE cannot be used, get another copy as primary; of several
 * the one on the member with fewest primaries. With `plan` nothing is changed. Returns 0 or what the commit returns.
 */
int failover_run(struct array *array, uint32_t slot, bool plan, struct failover_report *report_out,
		 struct err *err) MUST_CHECK;

/* Mirrors whose first copy can be used again, and missed nothing, get it back as primary. */
int failback_run(struct array *array, bool plan, struct failover_report *report_out,
		 struct err *err) MUST_CHECK;

#endif
