/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The programs of `make sim`: one mode of sweeps each, a test for each array.
 *
 *	SIM_SCALE=N	N times as many states of each moment
 *	SIM_EXHAUSTIVE=1	all states of every moment, none at random: hours unless a script is chosen
 *	SIM_SECONDS=N	again and again with other seeds for so long (`make sim-long`)
 *	SIM_SEED=N	the first seed
 *	SIM_SHAPE=NAME, SIM_SCRIPT=NAME	only this array, only this script
 *	SIM_JOURNAL=N, SIM_DEGRADED=N	only this journal mode, only with so many members absent
 *	SIM_EVERY=1	of faults every one, not so many as `limit` says, and on after a violation
 *	SIM_STOP=1	end at the first violation, as it was found
 *	SIM_FAILURES=DIR, SIM_STATS=DIR	see docs/SIMULATOR.md
 *
 * With file names as arguments a program replays these streams instead and says what they find.
 */
#ifndef PG_TESTS_SIM_MAIN_H
#define PG_TESTS_SIM_MAIN_H

#include "tests/sim/sweep.h"

struct sim_plan {
	const char *name;
	enum sweep_mode mode;
	uint64_t limit, draws; /* struct sweep */
	uint32_t any; /* workloads of any three steps, besides the scripts; so many seeds */
	bool scripts; /* all of them */
	const char *shapes[12]; /* names; NULL ends them */
};

/* What main() returns. */
int sim_main(const struct sim_plan *plan, int argc, char **argv);

#endif
