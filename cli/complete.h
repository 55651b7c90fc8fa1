/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Completion in the shell: commands, verbs, options, words of choices, members and volumes of the array in
 * focus or on the line, paths. From the command table; an array is opened read-only for its names.
 */
#ifndef PG_CLI_COMPLETE_H
#define PG_CLI_COMPLETE_H

#include "cli/command.h"

/* Hook into readline. `focus` points at the shell's pointer, which changes with `use`. */
void complete_install(struct env *env, const char *const *focus);

/* The commands that only the shell has, NULL at the end. */
extern const char *const shell_builtins[];

#endif
