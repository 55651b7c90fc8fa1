/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rebuild is asked for and what it reports; rebuild.h is the manual. */
#ifndef PG_JOB_REBUILD_TYPES_H
#define PG_JOB_REBUILD_TYPES_H

#include "core/job/job.h"

struct rebuild_request {
	uint32_t from;     /* member to empty */
	uint32_t to;       /* member, or MEMBER_NONE: into free space; `from`: in place */
	bool replace;      /* `from` may be read and keeps serving */
	bool group_buffer; /* hold all surviving extents of a group at once (SPEC R07) */
	void (*lost)(void *arg, const struct job_loss *loss);
	void *lost_arg;
	struct job_watch watch;
};

struct rebuild_report {
	uint64_t job;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t extents_moved;
	uint64_t extents_lost;
	uint64_t buffer_peak; /* bytes of one group's surviving extents held at once */
	bool degraded;        /* the array is still degraded at the end */
};

#endif
