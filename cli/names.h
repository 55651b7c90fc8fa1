/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names in an array that a person may type, for completion. */
#ifndef PG_CLI_NAMES_H
#define PG_CLI_NAMES_H

#include "cli/command.h"

enum name_kind {
	NAMES_MEMBERS, /* numbers, and labels that only one member has */
	NAMES_VOLUMES,
};

/* Call `each` with every name; the string is borrowed for the call. `array` is as in members.h. */
int names_each(const struct invocation *inv, const char *array, enum name_kind kind,
	       void (*each)(void *arg, const char *name), void *arg, struct err *err) MUST_CHECK;

#endif
