/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A line of the shell as words: blanks part them, '…' keeps everything, "…" everything but \" and \\, a
 * backslash the next character, # at the beginning of a word starts a comment. There are no variables,
 * wildcards or pipes.
 */
#ifndef PG_CLI_SHELL_WORDS_H
#define PG_CLI_SHELL_WORDS_H

#include "core/base/err.h"

#define SHELL_WORDS_MAX 512u /* of a line */

struct shell_words {
	char **at; /* NULL behind the last one; released by shell_words_reset() */
	size_t count;
	char *chars; /* what they point into */
};

/* Returns 0, ERR_NOMEM, or ERR_USAGE for an open quote, a lone backslash or too many words. */
int shell_words_split(struct shell_words *words_out, const char *line, struct err *err) MUST_CHECK;
void shell_words_reset(struct shell_words *words);

#endif
