/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps that change where data lie: jobs (jobs.h), and which copy of a mirror is its primary. */
#ifndef PG_TESTS_SIM_JOB_STEPS_H
#define PG_TESTS_SIM_JOB_STEPS_H

#include "tests/sim/steps.h"

step_runner step_expand, step_expand_writing, step_rebalance, step_recombine, step_evacuate,
	step_put_groups, /* as wide as new ones are: one column wider they are fewer */
	step_migrate, step_migrate_checks, step_migrate_width, step_migrate_writing, step_topology,
	step_failover, step_failback, step_to_spare, step_remove_evacuate;

/* A disk that a job left without anything may hold something again. */
void job_steps_note_used(struct stepping *s);

#endif
