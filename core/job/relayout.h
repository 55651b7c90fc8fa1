/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Relayout: groups are moved and made wider until a goal is reached (docs/GROW.md). One loop for rebalance,
 * recombine, evacuate, expand and topology:
 *
 *	ask the goal for a batch (core/map/goal.h)	it looks at the map alone
 *	write it where nobody reads (reshape_write.h)
 *	flush, commit					groups, freed frames and progress together
 *
 * A kill loses at most one batch of work; what was asked for again goes on from the map as it is. No
 * instant has less redundancy than before: what is replaced is there until the commit.
 */
#ifndef PG_JOB_RELAYOUT_H
#define PG_JOB_RELAYOUT_H

#include "core/array/array.h"
#include "core/job/job.h"

struct relayout_request {
	enum job_kind
		kind;     /* JOB_REBALANCE, JOB_RECOMBINE, JOB_EVACUATE, JOB_EXPAND, JOB_TOPOLOGY */
	uint32_t member;  /* evacuate: the one to be emptied; else MEMBER_NONE */
	uint32_t columns; /* recombine, expand: widest group; 0: as the default policy says */
	uint64_t batch_blocks; /* of one commit, about; 0: about a second of work */
	struct job_watch watch;
};

struct relayout_report {
	uint64_t job;
	uint64_t bytes_read, bytes_written; /* of data and checks; with seals */
	uint64_t extents_moved;             /* written: moved, or new checks */
	uint64_t groups_before, groups_after;
	uint64_t groups_left; /* that could not be changed, because data of them is lost */
};

/* The unfinished job of this kind and member; NULL when there is none. Valid until the next commit. */
const struct job *relayout_find_job(const struct array *array,
				    const struct relayout_request *request);

/* Until the goal is reached. The same request on an unfinished job of that kind resumes it. */
int relayout_run(struct array *array, const struct relayout_request *request,
		 struct relayout_report *report_out, struct err *err) MUST_CHECK;

/*
 * What it would do: the same goals on a copy of the map, which then is as the array would be. Bytes with seals.
 */
struct model;
int relayout_plan_on(struct model *model, const struct relayout_request *request,
		     struct relayout_report *report_out, struct err *err) MUST_CHECK;
int relayout_plan(const struct array *array, const struct relayout_request *request,
		  struct relayout_report *report_out, struct err *err) MUST_CHECK;

/* Columns that recombine makes groups of, when so many are asked for; 0: as new volumes get them. */
uint32_t relayout_columns(const struct array *array, uint32_t asked);

#endif
