/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Taking an array of Linux MD over where it lies: `pgctl adopt` without --undo and --commit. What is kept and marked is
 * formats/md_adopt.h's business, what is written for us the core's (core/array/adopt.h); this finds members, opens them
 * and calls both in the order of docs/ADOPT.md.
 */
#ifndef PG_CLI_ADOPTING_H
#define PG_CLI_ADOPTING_H

#include "cli/command.h"

struct adopt_args {
	bool undo;
	bool commit;
	const char *name;
};

/*
 * The array that `inv` names, and further members among inv->common->members. What an adoption left behind that was not
 * finished is put back first. With --plan nothing is written.
 */
int adopting_run(const struct invocation *inv, const struct adopt_args *args,
		 struct err *err) MUST_CHECK;

#endif
