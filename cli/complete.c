/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/complete.h"

#include "cli/members.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/problem.h"
#include "cli/shell_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <readline/readline.h>

#define NAMES_MAX 4096u /* more are not offered */
#define OPTION_TEXT_MAX 64u

const char *const shell_builtins[] = { "use", "source", "quit", "exit", NULL };

/* readline's callbacks carry no argument: what is being completed lives here, for one call at a time. */
static struct {
	struct env *env;
	const char *const *focus;
	const char *typed;
	char *names[NAMES_MAX]; /* allocated for readline, which frees them */
	size_t count, next;
} now;

/* Offer `name` if what was typed begins it. */
static void offer(const char *name)
{
	if (strncmp(name, now.typed, strlen(now.typed)) != 0 || now.count == NAMES_MAX)
		return;
	now.names[now.count] = strdup(name);
	if (now.names[now.count])
		now.count++;
}

static void offer_name(void *arg, const char *name)
{
	(void)arg;
	offer(name);
}

static char *next_name(const char *text, int state)
{
	(void)text;
	if (state == 0)
		now.next = 0;
	return now.next < now.count ? now.names[now.next++] : NULL;
}

static void offer_options(const struct option_spec *specs)
{
	for (; specs && specs->name; specs++) {
		char text[OPTION_TEXT_MAX];

		snprintf(text, sizeof(text), "--%s", specs->name);
		offer(text);
	}
}

static void offer_commands(const struct command *const *list)
{
	for (; *list; list++)
		offer((*list)->name);
}

static void offer_codes(void)
{
	for (int code = -1; code > -(int)ERR_INDEX_COUNT; code--)
		offer(err_name(code));
	for (unsigned i = 0; i < PROBLEM_COUNT; i++)
		offer(problem_name((enum problem_code)i));
}

/* Names from the array; where it cannot be opened nothing is offered and nothing is said. */
static void offer_names(const char *array, enum name_kind kind)
{
	struct common_options common = { .quiet = true, .member_timeout = 1 };
	struct out_config config = { .quiet = true, .command = "shell" };
	struct invocation inv = { .name = "shell", .common = &common, .env = now.env };
	struct err ignored = { 0 };

	config.file = config.error_file = stderr;
	if (!array || out_open(&inv.out, &config, &ignored))
		return;
	inv.paths = array_paths_create();
	if (inv.paths && names_each(&inv, array, kind, offer_name, NULL, &ignored))
		now.count = 0;
	array_paths_free(inv.paths);
	out_free(inv.out);
}

/* The line before the word that is completed, understood as far as it goes. */
struct context {
	const struct command *command; /* NULL: the first word is missing */
	bool verb_missing;
	const struct option_spec *option; /* whose value is completed */
	size_t operand;                   /* number of the operand that is completed */
	const char *array;                /* the first operand or the focus */
};

static const struct option_spec *value_option(const struct command *command, const char *word)
{
	const struct option_spec *spec;

	if (strncmp(word, "--", 2) != 0 || strchr(word, '='))
		return NULL;
	spec = option_find(command->options, word + 2);
	if (!spec)
		spec = option_find(common_option_table, word + 2);
	return spec && spec->kind != OPTION_FLAG && !spec->value_optional ? spec : NULL;
}

/* Command and verb; returns the number of the word behind them. */
static size_t command_read(struct context *context, const struct shell_words *words)
{
	size_t i = words->count && strcmp(words->at[0], "pgctl") == 0;

	if (i == words->count)
		return i;
	context->command = command_find(command_table, words->at[i++]);
	if (!context->command || !context->command->verbs)
		return i;
	context->verb_missing = i == words->count;
	if (!context->verb_missing)
		context->command = command_find(context->command->verbs, words->at[i++]);
	return i;
}

static void operand_read(struct context *context, const char *word)
{
	if (word[0] == '-' && word[1])
		return;
	if (context->operand == 0)
		context->array = word;
	context->operand++;
}

static void context_read(struct context *context, const struct shell_words *words)
{
	size_t i = command_read(context, words);

	if (!context->command || context->verb_missing)
		return;
	if (*now.focus && command_takes_array(context->command)) {
		context->array = *now.focus;
		context->operand = 1;
	}
	for (; i < words->count; i++) {
		const struct option_spec *option = value_option(context->command, words->at[i]);

		if (!option)
			operand_read(context, words->at[i]);
		else if (i + 1 == words->count)
			context->option = option;
		else
			i++;
	}
}

/* Offer what the words in capitals stand for; false: readline shall offer paths. */
static bool offer_kind(enum completes kind, const struct context *context)
{
	switch (kind) {
	case COMPLETES_PATH:
		return false;
	case COMPLETES_MEMBER:
		offer_names(context->array, NAMES_MEMBERS);
		return now.count > 0;
	case COMPLETES_VOLUME:
		offer_names(context->array, NAMES_VOLUMES);
		return true;
	case COMPLETES_COMMAND:
		offer_commands(command_table);
		return true;
	case COMPLETES_CODE:
		offer_codes();
		return true;
	case COMPLETES_NOTHING:
		break;
	}
	return true;
}

static bool offer_all(const struct shell_words *words)
{
	struct context context = { 0 };

	context_read(&context, words);
	if (words->count == 0) {
		offer_commands(command_table);
		for (const char *const *word = shell_builtins; *word; word++)
			offer(*word);
		return true;
	}
	if (!context.command)
		return strcmp(words->at[0], "use") != 0 && strcmp(words->at[0], "source") != 0;
	if (context.verb_missing) {
		offer_commands(context.command->verbs);
		return true;
	}
	if (context.option && context.option->choices) {
		for (const char *const *word = context.option->choices; *word; word++)
			offer(*word);
		return true;
	}
	if (context.option)
		return offer_kind(
			completes_word(context.option->metavar, strlen(context.option->metavar)),
			&context);
	if (now.typed[0] == '-') {
		offer_options(context.command->options);
		offer_options(common_option_table);
		return true;
	}
	return offer_kind(command_completes(context.command, context.operand), &context);
}

static char **complete(const char *text, int start, int end)
{
	struct shell_words words = { 0 };
	struct err ignored = { 0 };
	char *before = strdup(rl_line_buffer);
	char **matches = NULL;

	(void)end;
	if (!before)
		return NULL;
	before[start] = '\0';
	now.typed = text;
	now.count = 0;
	/* inside of an open quote there can only be a path */
	if (shell_words_split(&words, before + (before[0] == '-'), &ignored) == 0) {
		rl_attempted_completion_over = offer_all(&words);
		if (now.count)
			matches = rl_completion_matches(text, next_name);
		shell_words_reset(&words);
	}
	free(before);
	return matches;
}

void complete_install(struct env *env, const char *const *focus)
{
	now.env = env;
	now.focus = focus;
	rl_readline_name = "pgctl";
	rl_attempted_completion_function = complete;
	rl_basic_word_break_characters = " \t\n";
	rl_completer_quote_characters = "'\"";
	rl_filename_quote_characters = " \t#'\"\\";
}
