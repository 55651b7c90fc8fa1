/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild of a bare array: a member whose extents are stale, a new device in its slot, gets all its rows from the others, and is
 * then taken in by the hook of core/store/foreign.h. One session of core/array/bare_write.h.
 *
 * Until the hook nothing says that the member counts, so a rebuild that is stopped or killed begins again. Where a row
 * cannot be solved zeros are written and told, and the member is not taken in: zeros are not what was there.
 */
#ifndef PG_JOB_REBUILD_BARE_H
#define PG_JOB_REBUILD_BARE_H

#include "core/array/array.h"
#include "core/job/rebuild_types.h"

/* As rebuild_run() in place, which calls it. ERR_FOREIGN for every other rebuild; ERR_DATA_LOST as said above. */
int rebuild_bare_run(struct array *array, const struct rebuild_request *request,
		     struct rebuild_report *report_out, struct err *err) MUST_CHECK;
int rebuild_bare_plan(const struct array *array, const struct rebuild_request *request,
		      struct rebuild_report *report_out, struct err *err) MUST_CHECK;

#endif
