/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory runs out at every allocation of every script, once or for ever. */
#include "tests/sim/sim_main.h"

int main(int argc, char **argv)
{
	static const struct sim_plan plan = {
		.name = "memory",
		.mode = SWEEP_MEMORY,
		.limit = 60,
		.any = 2,
		.scripts = true,
		.shapes = { "mirror-2", "parity-4+2", "sequential-5", "parity-2+1-wide" },
	};

	return sim_main(&plan, argc, argv);
}
