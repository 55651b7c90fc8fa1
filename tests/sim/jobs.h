/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs that change where data lie (core/job/relayout.h): as steps of a script, and gone on with after a crash.
 *
 * Each batch is as small as can be, so that a job has many commits. Progress is asked each time (I9): it never
 * falls, never passes the total, is the total at the end, and what is resumed begins where the map says.
 */
#ifndef PG_TESTS_SIM_JOBS_H
#define PG_TESTS_SIM_JOBS_H

#include "tests/sim/steps.h"

/* Does a script do such a job? Then crashes are followed by going on with it. */
bool jobs_in_run(const struct run *run);

int step_expand(struct stepping *s) MUST_CHECK;
int step_expand_writing(struct stepping *s) MUST_CHECK;
int step_rebalance(struct stepping *s) MUST_CHECK;
int step_recombine(struct stepping *s) MUST_CHECK;
int step_evacuate(struct stepping *s) MUST_CHECK;
/* As wide as new ones are: one column wider they are fewer. */
int step_put_groups(struct stepping *s) MUST_CHECK;
/* A disk that a job left without anything may hold something again. */
void jobs_note_used(struct stepping *s);

/* The first job of this kind that the map says is not finished; NULL when there is none. */
const struct job *jobs_unfinished(const struct map *map);

/*
 * Go on with it. Returns what the engine said; `wrong` is set when the progress is not as it must be, or
 * the job is still there although it succeeded.
 */
int jobs_resume(const struct run *run, struct array *array, struct err *err,
		struct wrong *wrong) MUST_CHECK;

#endif
