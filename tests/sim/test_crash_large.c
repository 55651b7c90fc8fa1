/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A power loss at every moment of every script, on the reference arrays. */
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "crash_large",
		.mode = SWEEP_CRASH,
		.limit = 2,
		.draws = 2,
		.any = 2,
		.scripts = true,
		.shapes = { "parity-3+1", "parity-4+2", "parity-5+3", "sequential-5",
			    "parity-2+1-wide" },
	};

	return sim_main(&plan, argc, argv);
}
