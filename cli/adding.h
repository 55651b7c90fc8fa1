/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New members for an array, as `add` and `expand` take them from their operands. */
#ifndef PG_CLI_ADDING_H
#define PG_CLI_ADDING_H

#include "cli/new_member.h"

/*
 * Open what the operands behind the first name; `size` as new_members_open(). A member of this array is
 * refused, or passed over when the same command is run `again`.
 */
int adding_open(struct new_members *members, const struct invocation *inv,
		const struct array *array, uint64_t size, bool again, struct err *err) MUST_CHECK;

/* Show what was found on them and add each, one commit a member: those before a failure stay. */
int adding_run(struct new_members *members, const struct invocation *inv, struct array *array,
	       bool spare, struct err *err) MUST_CHECK;

/* Both, and the plan, for a command whose operands are the array and the members. */
int adding_open_and_run(const struct invocation *inv, uint64_t size, bool spare,
			struct err *err) MUST_CHECK;

#endif
