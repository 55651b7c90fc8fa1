/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A power loss after one disk's flushes did nothing: what it forgot is found, nothing else is read.
 */
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "lying",
		.mode = SWEEP_LYING,
		.limit = 3,
		.draws = 2,
		.any = 2,
		.scripts = true,
		.shapes = { "mirror-2", "mirror-3", "parity-2+1", "parity-4+2", "sequential-3" },
	};

	return sim_main(&plan, argc, argv);
}
