/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs that change where data lie (core/job/relayout.h, core/job/migrate.h): run by a step of a script, and gone on
 * with after a crash.
 *
 * Each batch is as small as can be, so that a job has many commits. Progress is asked each time (I9): it never
 * falls, never passes the total, is the total at the end, and what is resumed begins where the map says. A
 * volume that was migrated is what was asked for.
 */
#ifndef PG_TESTS_SIM_JOBS_H
#define PG_TESTS_SIM_JOBS_H

#include "tests/sim/steps.h"

/* Does a step do such a job? */
bool jobs_in_step(enum step_kind kind);
/* Does a script do one? Then crashes are followed by going on with it. */
bool jobs_in_run(const struct run *run);

/* One of relayout's jobs. `wrong` is set when something is not as it must be, whatever is returned. */
int jobs_relayout(const struct run *run, struct array *array, enum job_kind kind, uint32_t member,
		  struct wrong *wrong, struct err *err) MUST_CHECK;
/* To `policy`; an unfinished job of the volume has its own, and `whole` is as for jobs_resume(). */
int jobs_migrate(struct array *array, const char *volume, const struct policy *policy, bool whole,
		 struct wrong *wrong, struct err *err) MUST_CHECK;

/* The first job that the map says is not finished; NULL when there is none. */
const struct job *jobs_unfinished(const struct map *map);

/*
 * Go on with it. Returns what the engine said; `wrong` is set when the progress is not as it must be, or the job is
 * still there although it succeeded. `whole`: no disk was missing since it began; else a span of which bytes were
 * lost then may have stayed as it was.
 */
int jobs_resume(const struct run *run, struct array *array, bool whole, struct err *err,
		struct wrong *wrong) MUST_CHECK;

#endif
