/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The shell: command lines without `pgctl`, and without ARRAY once one is in focus.
 *
 *	use ARRAY	puts an array in focus; `use` alone takes it out
 *	source FILE	runs the lines of a file
 *	quit		ends the shell (exit, end of input)
 *	# …		a comment
 *
 * On a terminal lines are edited and completed (complete.h) and kept in $XDG_STATE_HOME/pgctl/history, and
 * a line that fails does not end the shell. Anything else is a script: it stops at the first line
 * that fails, unless that line begins with `-`. A line fails when its exit status is neither 0 nor 1.
 */
#ifndef PG_CLI_SHELL_H
#define PG_CLI_SHELL_H

#include "cli/command.h"

struct shell_config {
	struct env *env;
	const char *script; /* a file to run; NULL: standard input */
	const char *focus;  /* the array to begin with, or NULL */
};

/*
 * Run until the end. *status_out: of the line that stopped a script, else 0. Returns an error only where
 * the shell itself failed (a script that cannot be read).
 */
int shell_run(const struct shell_config *config, unsigned *status_out, struct err *err) MUST_CHECK;

#endif
