/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/shell_words.h"

#include "core/base/mem.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copy what a quote at *from encloses; *from moves behind it. False when it does not end. */
static bool quoted_take(char **to, const char **from)
{
	char quote = *(*from)++;

	for (; **from && **from != quote; (*from)++) {
		bool escapes =
			quote == '"' && **from == '\\' && ((*from)[1] == '"' || (*from)[1] == '\\');

		if (escapes)
			(*from)++;
		*(*to)++ = **from;
	}
	if (!**from)
		return false;
	(*from)++;
	return true;
}

/* Copy one word; *from is at its first character and moves behind its last. */
static bool word_take(char **to, const char **from)
{
	while (**from && !is_blank(**from)) {
		if (**from == '\'' || **from == '"') {
			if (!quoted_take(to, from))
				return false;
			continue;
		}
		if (**from == '\\') {
			(*from)++;
			if (!**from || **from == '\n')
				return false;
		}
		*(*to)++ = *(*from)++;
	}
	*(*to)++ = '\0';
	return true;
}

int shell_words_split(struct shell_words *words_out, const char *line, struct err *err)
{
	struct shell_words words = { 0 };
	char *to;

	words.at = mem_calloc(SHELL_WORDS_MAX + 1, sizeof(*words.at));
	words.chars = to = mem_calloc(2 * strlen(line) + 2, 1); /* a NUL behind each word */
	if (!words.at || !words.chars) {
		shell_words_reset(&words);
		return err_set(err, ERR_NOMEM, "no memory for the line");
	}
	for (const char *from = line;;) {
		while (is_blank(*from))
			from++;
		if (!*from || *from == '#')
			break;
		if (words.count == SHELL_WORDS_MAX) {
			shell_words_reset(&words);
			return err_set(err, ERR_USAGE, "more than %u words in a line",
				       SHELL_WORDS_MAX);
		}
		words.at[words.count++] = to;
		if (!word_take(&to, &from)) {
			shell_words_reset(&words);
			return err_set(err, ERR_USAGE, "a quote or backslash at the end is open");
		}
	}
	*words_out = words;
	return 0;
}

void shell_words_reset(struct shell_words *words)
{
	mem_free(words->at);
	mem_free(words->chars);
	*words = (struct shell_words){ 0 };
}
