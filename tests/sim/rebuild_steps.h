/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps that give a member, or another one in its place, what it has not. */
#ifndef PG_TESTS_SIM_REBUILD_STEPS_H
#define PG_TESTS_SIM_REBUILD_STEPS_H

#include "tests/sim/steps.h"

step_runner step_rebuild_to, step_rebuild_free, step_rebuild_spare, step_replace, step_restore;

#endif
