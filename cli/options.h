/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parser of command lines, driven by option tables (command.h).
 *
 * Options may stand anywhere among the operands, `--` ends them, `-` is an operand. Names are written
 * out: an abbreviation that works today would break when a longer name comes. Nothing is printed; every
 * refusal is ERR_USAGE with the option in the text and, where one is near, the name that was meant.
 *
 * Promises, each tested under its name in tests/unit/test_options.c:
 *	anywhere	the order of options and operands does not change what is read
 *	kinds		each kind takes exactly the values that command.h says, others are refused
 *	refused		unknown, ambiguous and abbreviated names, missing and surplus values
 *	suggests	a mistyped name is answered with the near one
 *	untouched	argv is not changed, so that the shell and messages may use it again
 */
#ifndef PG_CLI_OPTIONS_H
#define PG_CLI_OPTIONS_H

#include "cli/command.h"

#define OPTION_SETS_MAX 2u   /* the command's own and the common ones */
#define OPTIONS_MAX 96u      /* of all sets together, aliases counted */
#define LIST_VALUES_MAX 256u /* of one OPTION_LIST: members of the format's largest array */

/* A table and the struct that its offsets point into. */
struct option_set {
	const struct option_spec *specs; /* may be NULL */
	void *args;
};

/* What is left: the operands, in order. */
struct operands {
	const char **at; /* released by options_reset(); the strings are argv's */
	size_t count;
};

/*
 * Parse argv[0..argc-1], which holds no command name. Fields that no option names stay as they are.
 * On failure nothing is left to release.
 */
int options_parse(struct operands *operands_out, const struct option_set *sets, size_t set_count,
		  int argc, char *const *argv, struct err *err) MUST_CHECK;

/* Release the operands and the text lists of the sets. */
void options_reset(struct operands *operands, const struct option_set *sets, size_t set_count);

/* The entry with this long name or alias, NULL when there is none; `specs` may be NULL. */
const struct option_spec *option_find(const struct option_spec *specs, const char *name);

/* Bytes of the field that an option of this kind fills. */
size_t option_value_size(enum option_kind kind);

#endif
