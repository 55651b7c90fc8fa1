/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps that give a member, or another one in its place, what it has not. */
#ifndef PG_TESTS_SIM_REBUILD_STEPS_H
#define PG_TESTS_SIM_REBUILD_STEPS_H

#include "tests/sim/steps.h"

int step_rebuild_to(struct stepping *s) MUST_CHECK;
int step_rebuild_free(struct stepping *s) MUST_CHECK;
int step_rebuild_spare(struct stepping *s) MUST_CHECK;
int step_replace(struct stepping *s) MUST_CHECK;
int step_restore(struct stepping *s) MUST_CHECK;

#endif
