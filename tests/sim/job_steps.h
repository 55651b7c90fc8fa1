/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps that change where data lie: jobs (jobs.h), and which copy of a mirror is its primary. */
#ifndef PG_TESTS_SIM_JOB_STEPS_H
#define PG_TESTS_SIM_JOB_STEPS_H

#include "tests/sim/steps.h"

int step_expand(struct stepping *s) MUST_CHECK;
int step_expand_writing(struct stepping *s) MUST_CHECK;
int step_rebalance(struct stepping *s) MUST_CHECK;
int step_recombine(struct stepping *s) MUST_CHECK;
int step_evacuate(struct stepping *s) MUST_CHECK;
/* As wide as new ones are: one column wider they are fewer. */
int step_put_groups(struct stepping *s) MUST_CHECK;
int step_migrate(struct stepping *s) MUST_CHECK;
int step_migrate_checks(struct stepping *s) MUST_CHECK;
int step_migrate_width(struct stepping *s) MUST_CHECK;
int step_migrate_writing(struct stepping *s) MUST_CHECK;
int step_topology(struct stepping *s) MUST_CHECK;
int step_failover(struct stepping *s) MUST_CHECK;
int step_failback(struct stepping *s) MUST_CHECK;
int step_to_spare(struct stepping *s) MUST_CHECK;
int step_remove_evacuate(struct stepping *s) MUST_CHECK;
/* A disk that a job left without anything may hold something again. */
void job_steps_note_used(struct stepping *s);

#endif
