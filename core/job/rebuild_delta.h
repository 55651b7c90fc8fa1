/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Delta rebuild: a member that came back takes in what it missed (docs/WRITES.md section 6, FAULTS E2).
 *
 * Only its stale extents are looked at, each is computed from the others of its group, and only blocks
 * that differ are written, to where they are: nobody reads a stale extent, so it needs neither log nor
 * room. One commit a batch says that its extents are stale no longer. No job is noted: what is still stale
 * is what is left to do, so a run that was stopped goes on by itself.
 */
#ifndef PG_JOB_REBUILD_DELTA_H
#define PG_JOB_REBUILD_DELTA_H

#include "core/array/array.h"
#include "core/job/job.h"

struct rebuild_delta_report {
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t extents_done;
	uint64_t extents_lost; /* a block of them cannot be computed: they stay stale */
};

/* Extents of the member that are stale. */
uint64_t rebuild_delta_count(const struct array *array, uint32_t slot);

/* Part of rebuild_run(), which has settled what is late. The member is in service. */
int rebuild_delta_run(struct array *array, uint32_t slot, const struct job_watch *watch,
		      struct rebuild_delta_report *report_out, struct err *err) MUST_CHECK;

#endif
