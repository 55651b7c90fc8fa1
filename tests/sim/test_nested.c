/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A power loss, and another at every moment of the recovery from it, on the smallest arrays. */
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "nested",
		.mode = SWEEP_NESTED,
		.limit = 23,
		.draws = 23,
		.any = 4,
		.scripts = true,
		.shapes = { "mirror-2", "parity-2+1", "sequential-3", "mirror-3" },
	};

	return sim_main(&plan, argc, argv);
}
