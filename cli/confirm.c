/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUESTION_SIZE 500u
#define ANSWER_SIZE 16u

static bool answer_is_yes(void)
{
	char answer[ANSWER_SIZE];
	ssize_t size = read(STDIN_FILENO, answer, sizeof(answer) - 1);

	if (size <= 0)
		return false;
	answer[size] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	return strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0;
}

int cli_confirm(const struct invocation *inv, struct err *err, const char *question, ...)
{
	char raw[QUESTION_SIZE], shown[QUESTION_SIZE];
	va_list args;

	if (inv->common->yes)
		return 0;
	va_start(args, question);
	if (vsnprintf(raw, sizeof(raw), question, args) < 0)
		raw[0] = '\0';
	va_end(args);
	err_escape(shown, sizeof(shown), raw, strlen(raw));

	if (!inv->common->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
		fprintf(stderr, "pgctl: %s: %s [y/N] ", inv->name, shown);
		(void)fflush(stderr);
		if (answer_is_yes())
			return 0;
	}
	err_set(err, ERR_CONFIRM, "%s not confirmed", raw);
	/* With all its options, which nobody here knows: without them it may be another act. */
	err_hint(err, "the same command with --yes; or ask first with --plan");
	return ERR_CONFIRM;
}
