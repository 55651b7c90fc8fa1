/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A long run: up to thirty steps on one array, with power losses between them and in the recoveries, with members
 * that are lost and come back, and with single faults, all within what the code survives.
 *
 * Each run uses a random half of the steps and of the troubles, so that what happens often does not hide what
 * happens seldom. After a power loss the truth becomes what is read: nothing else may come up later.
 */
#ifndef PG_TESTS_SIM_LONG_H
#define PG_TESTS_SIM_LONG_H

#include "tests/sim/rig.h"

/* False with `wrong` set when something is not as it must be. *states_out: how often all was checked. */
bool long_case(const struct rig *rig, struct choice *choice, uint64_t *states_out,
	       struct wrong *wrong);

#endif
