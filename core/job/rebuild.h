/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild and replace: give every extent of a member a new home, and flip the map piece by piece.
 *
 * All are one act (rewrite.h): write extents nobody reads yet, flush, commit, free the old. The old
 * place serves until the commit, so redundancy never falls. A job that is stopped or killed goes on
 * from its last commit; what was not committed is written again.
 *
 *	rebuild to a member	its extents go to the same frames of `to` where those are free; at the end
 *				`to` takes over the slot of the member that was lost
 *	rebuild into free space	each extent goes to a member outside its group, a mirror's by topology to its home
 *				where there is room; at the end the lost member is empty and stays in the map as
 *				failed until `remove`
 *	replace			as rebuild to a member, but the old one is read first and serves to the end
 *	rebuild in place	`to` is `from`, a member that came back: its stale extents take in what they
 *				missed (rebuild_delta.h). The only one of a bare array (rebuild_bare.h)
 *
 * Extents that are moved keep content and generations, so members that are absent meanwhile miss nothing
 * by it, and are not marked: that would only make less of them when they return.
 */
#ifndef PG_JOB_REBUILD_H
#define PG_JOB_REBUILD_H

#include "core/array/array.h"
#include "core/job/rebuild_types.h"

/* The same request on an unfinished job of that kind resumes it. */
int rebuild_run(struct array *array, const struct rebuild_request *request,
		struct rebuild_report *report_out, struct err *err) MUST_CHECK;

/*
 * What it would do: extents and bytes, or ERR_NOSPACE when not every extent finds a place. Pure; the run
 * that follows chooses the same places.
 */
int rebuild_plan(const struct array *array, const struct rebuild_request *request,
		 struct rebuild_report *report_out, struct err *err) MUST_CHECK;

/* Drop an unfinished job from the map: one commit; what it has moved stays moved. */
int job_cancel(struct array *array, uint64_t job, struct err *err) MUST_CHECK;

#endif
