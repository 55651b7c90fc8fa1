/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The environment of checks: one task, locks that cost nothing, time that moves when it is asked for,
 * random numbers from a seed. A task that would have to wait for another ends the program.
 *
 * Operations whose schedule matters run in env_sim_create() instead.
 *
 * A life is a time in which disks are used that were used before. Ids that are drawn in two of them are never the
 * same, whatever the seeds are: else two epochs that were begun apart would be one.
 */
#ifndef PG_TESTS_SIM_ENV_H
#define PG_TESTS_SIM_ENV_H

#include "core/env/env.h"

/* One for the program; the random numbers start anew with each call. */
struct env *sim_env(uint64_t seed); /* of life 0 */
struct env *sim_env_of_life(uint64_t seed, uint64_t life);

#endif
