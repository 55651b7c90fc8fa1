/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ask before something is destroyed: --yes answers; without a terminal nothing is asked but refused. */
#ifndef PG_CLI_CONFIRM_H
#define PG_CLI_CONFIRM_H

#include "cli/command.h"

/*
 * "pgctl: COMMAND: <question> [y/N]" on the terminal. Returns 0 for yes, ERR_CONFIRM else; its text is
 * the question, its try line the command with --yes.
 */
int cli_confirm(const struct invocation *inv, struct err *err, const char *question, ...) MUST_CHECK
	PRINTF_LIKE(3, 4);

#endif
