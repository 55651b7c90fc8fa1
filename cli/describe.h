/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command tables as completion scripts and as mdoc lists: text for files that are committed. */
#ifndef PG_CLI_DESCRIBE_H
#define PG_CLI_DESCRIBE_H

#include "cli/command.h"
#include "core/base/text.h"

/* Every command that runs, verbs by their full names: "scrub", "volume create". */
void describe_each(void (*visit)(void *arg, const struct command *command, const char *name),
		   void *arg);

/* Option tables of what `pgctl NAME` takes as mdoc; NULL: of all, each behind a comment with its name. */
void describe_man(struct text *text, const struct command *command);

/* The whole completion script of a shell. */
void describe_bash(struct text *text);
void describe_zsh(struct text *text);
void describe_fish(struct text *text);

#endif
