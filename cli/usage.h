/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Help texts, made from the command and option tables alone; plain text, at most 100 columns. */
#ifndef PG_CLI_USAGE_H
#define PG_CLI_USAGE_H

#include "cli/command.h"
#include "core/base/text.h"

/* All commands in their groups, in the order of the table. */
void usage_overview(struct text *text);
/* One command, or a family of verbs; `name` is its full name. */
void usage_command(struct text *text, const struct command *command, const char *name);
/* The line "usage: pgctl NAME …" of a command. */
void usage_line(struct text *text, const struct command *command, const char *name);

#endif
