/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operands behind the first one as members that are named, as with --member: for commands that take MEMBER... */
#ifndef PG_CLI_OPERAND_MEMBERS_H
#define PG_CLI_OPERAND_MEMBERS_H

#include "cli/command.h"

struct operand_members {
	struct invocation inv; /* as the caller's, with more members; for whoever looks for them */
	struct common_options common;
	struct text_list members;
};

/* Returns 0 or ERR_NOMEM. The caller's invocation is borrowed until operand_members_reset(), and the struct stays where it is. */
int operand_members_init(struct operand_members *all, const struct invocation *inv,
			 struct err *err) MUST_CHECK;
void operand_members_reset(struct operand_members *all);

#endif
