/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Migrate: a volume gets groups of another shape: layout, checks, width, unit, length of extents (docs/GROW.md).
 *
 * In the order of addresses, a batch at a time: the bytes of some spans are read and verified, what is damaged
 * solved, and written into new groups; flush; one commit puts the new groups and spans in and takes out the old groups
 * that serve no other span. So each byte is at every instant protected as before or as asked for, and may be read
 * and written meanwhile. What nobody can solve stays where it is, and is told.
 *
 * A job that was stopped or killed goes on behind its last commit: the map has the volume, the policy and how far
 * it is. First it takes again what it left on the way: its loss is told by who ends the job, or it can be read by now.
 */
#ifndef PG_JOB_MIGRATE_H
#define PG_JOB_MIGRATE_H

#include "core/array/array.h"
#include "core/job/job.h"

struct migrate_request {
	const char *volume;
	struct policy policy;  /* of the new groups; an unfinished job of the volume has its own */
	uint64_t batch_blocks; /* of one commit, about; 0: about a second of work */
	void (*lost)(void *arg, const struct job_loss *loss); /* one at a time; may be NULL */
	void *lost_arg;
	struct job_watch watch;
};

struct migrate_report {
	uint64_t job;
	uint64_t bytes_read, bytes_written; /* of data and checks; with seals */
	uint64_t extents_moved;             /* written */
	uint64_t groups_before, groups_after;
	uint64_t spans_left; /* that stay as they were, because bytes of them are lost */
};

/* The unfinished job of this volume; NULL when there is none. Valid until the next commit. */
const struct job *migrate_find_job(const struct array *array, const char *volume);

/*
 * What it would do, or ERR_NOSPACE with the bytes that are missing; ERR_NOT_FOUND, ERR_LIMIT, ERR_SIZE,
 * ERR_TOO_FEW. The run that follows does the same as long as nothing is damaged.
 */
int migrate_plan(const struct array *array, const struct migrate_request *request,
		 struct migrate_report *report_out, struct err *err) MUST_CHECK;

/* Nothing is written where the plan fails. ERR_STOPPED between two batches. */
int migrate_run(struct array *array, const struct migrate_request *request,
		struct migrate_report *report_out, struct err *err) MUST_CHECK;

#endif
