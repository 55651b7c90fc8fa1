/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild of a Linux MD array: one device gets all rows of its slot, and is a member when all are there. Such an array
 * has no jobs: a rebuild that was stopped begins again.
 */
#ifndef PG_CLI_REBUILDING_MD_H
#define PG_CLI_REBUILDING_MD_H

#include "cli/command.h"
#include "cli/rebuild_call.h"

/*
 * The target is what `call->to` names, else the device that held the slot and missed changes, when the slot is named,
 * else a spare. The array of operand 0 was opened last, and is closed. Refuses what only native arrays have: ERR_FOREIGN.
 */
int rebuilding_md_run(const struct invocation *inv, const struct rebuild_call *call,
		      unsigned *verdict_out, struct err *err) MUST_CHECK;

#endif
