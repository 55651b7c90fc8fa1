/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One command line from words to exit status: find the command, parse, run, print the error, end the
 * document. Both main() and the shell come through here.
 *
 * Promises (tests/bats/cli.bats): the exit status is the sum that CLI.md describes, never above 127; an
 * error is two lines on stderr or, with --json, one document on stdout; a standard output that could not
 * be written is an error (8).
 */
#ifndef PG_CLI_DISPATCH_H
#define PG_CLI_DISPATCH_H

#include "cli/command.h"

struct dispatch_context {
	struct env *env;
	const char *focus; /* goes in front of the operands where ARRAY is the first; or NULL */
};

/* argv[0] is the command's name, or a common option before it. Returns the exit status. */
unsigned dispatch(const struct dispatch_context *context, int argc, char *const *argv);

#endif
