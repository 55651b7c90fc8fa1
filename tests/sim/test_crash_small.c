/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A power loss at every moment of every script, on the smallest array of each code. */
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "crash_small",
		.mode = SWEEP_CRASH,
		.limit = 65,
		.draws = 65,
		.any = 45,
		.scripts = true,
		.shapes = { "mirror-2", "mirror-3", "parity-2+1", "sequential-3", "mirror-2-wide" },
	};

	return sim_main(&plan, argc, argv);
}
