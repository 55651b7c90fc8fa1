/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One fault of one disk, once or for ever, at every operation of every script. */
#include "tests/sim/faults.h"
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "faults",
		.mode = SWEEP_FAULT,
		.limit = 40,
		.any = 2,
		.scripts = true,
		.shapes = { "mirror-2", "mirror-3", "parity-3+1", "parity-4+2", "parity-5+3",
			    "sequential-5" },
	};

	int failed = sim_main(&plan, argc, argv);
	fault_report();
	return failed;
}
