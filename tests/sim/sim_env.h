/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The environment of checks: one task, locks that cost nothing, time that moves when it is asked for,
 * random numbers from a seed. A task that would have to wait for another ends the program.
 *
 * Operations whose schedule matters run in env_sim_create() instead.
 */
#ifndef PG_TESTS_SIM_ENV_H
#define PG_TESTS_SIM_ENV_H

#include "core/env/env.h"

/* One for the program; the random numbers start anew with each call. */
struct env *sim_env(uint64_t seed);

#endif
