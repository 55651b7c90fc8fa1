/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A new map from the seals of all extents: check --rebuild-map and meta rebuild. */
#ifndef PG_CLI_MAP_REBUILDING_H
#define PG_CLI_MAP_REBUILDING_H

#include "cli/command.h"

/* Of the array that the first operand leads to; asks before it writes, and only plans with --plan. */
int map_rebuilding_run(const struct invocation *inv, unsigned *verdict_out,
		       struct err *err) MUST_CHECK;

#endif
