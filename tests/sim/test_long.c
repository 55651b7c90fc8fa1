/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Long runs: many steps, power losses and members that come and go, on every array. */
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "long",
		.mode = SWEEP_LONG,
		.limit = 100,
		.shapes = { "mirror-2", "mirror-3", "parity-2+1", "parity-3+1", "parity-4+2",
			    "parity-5+3", "sequential-3", "sequential-5", "parity-2+1-wide",
			    "mirror-2-wide" },
	};

	return sim_main(&plan, argc, argv);
}
