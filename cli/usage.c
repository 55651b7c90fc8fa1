/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/usage.h"

#include "cli/options.h"

#include <string.h>

#define COLUMNS 90u        /* of running text */
#define SUMMARY_COLUMN 12u /* where summaries begin */
#define HELP_COLUMN 26u    /* where the help of an option begins */

/* Words of `paragraph`, wrapped, `indent` blanks before each line but the first. */
static void wrap(struct text *text, const char *paragraph, unsigned indent)
{
	size_t column = indent;

	for (const char *at = paragraph; *at;) {
		size_t size = strcspn(at, " ");

		if (column > indent && column + 1 + size > COLUMNS) {
			text_add(text, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			text_add(text, " ");
			column++;
		}
		text_add(text, "%.*s", (int)size, at);
		column += size;
		at += size + strspn(at + size, " ");
	}
	text_add(text, "\n");
}

static void option_head(struct text *text, const struct option_spec *spec)
{
	if (spec->letter)
		text_add(text, "-%c, --%s", spec->letter, spec->name);
	else
		text_add(text, "    --%s", spec->name);
	if (spec->kind == OPTION_FLAG)
		return;
	text_add(text, spec->value_optional ? "[=%s]" : " %s", spec->metavar);
}

static void option_lines(struct text *text, const struct option_spec *spec)
{
	struct text head = { 0 };

	option_head(&head, spec);
	text_add(text, "  %s", head.chars ? head.chars : "");
	if (head.size + 4 > HELP_COLUMN)
		text_add(text, "\n%*s", (int)HELP_COLUMN, "");
	else
		text_add(text, "%*s", (int)(HELP_COLUMN - 2 - head.size), "");
	wrap(text, spec->help, HELP_COLUMN);
	text_reset(&head);
}

/* A table, without what `hidden` has under the same name. */
static void option_table(struct text *text, const char *title, const struct option_spec *specs,
			 const struct option_spec *hidden)
{
	if (!specs || !specs->name)
		return;
	text_add(text, "\n%s\n", title);
	for (; specs->name; specs++) {
		if (!option_find(hidden, specs->name))
			option_lines(text, specs);
	}
}

static void summary_lines(struct text *text, const char *name, const char *summary)
{
	text_add(text, "  %-*s", (int)SUMMARY_COLUMN, name);
	wrap(text, summary, SUMMARY_COLUMN + 2);
}

void usage_overview(struct text *text)
{
	text_add(text, "usage: pgctl COMMAND [OPTION]… [OPERAND]…\n"
		       "       pgctl            the shell, on a terminal\n"
		       "       pgctl -f SCRIPT  run the lines of a script\n");
	for (int group = 0; group < GROUP_COUNT; group++) {
		text_add(text, "\n%s\n", command_group_title((enum command_group)group));
		for (const struct command *const *at = command_table; *at; at++) {
			if ((int)(*at)->group == group)
				summary_lines(text, (*at)->name, (*at)->summary);
		}
	}
	text_add(text, "\n'pgctl help COMMAND' shows its operands and options, "
		       "'pgctl explain CODE' an error.\n");
}

void usage_line(struct text *text, const struct command *command, const char *name)
{
	text_add(text, "usage: pgctl %s [OPTION]…%s%s\n", name,
		 command->operands && command->operands[0] ? " " : "",
		 command->operands ? command->operands : "");
}

static void details_add(struct text *text, const struct command *command)
{
	for (const char *const *at = command->details; at && *at; at++) {
		text_add(text, "\n");
		wrap(text, *at, 0);
	}
}

static void examples_add(struct text *text, const struct command *command)
{
	if (command->examples)
		text_add(text, "\nExamples\n");
	for (const char *const *at = command->examples; at && *at; at++)
		text_add(text, "  %s\n", *at);
}

static void usage_verbs(struct text *text, const struct command *family, const char *name)
{
	text_add(text, "usage: pgctl %s VERB [OPTION]… [OPERAND]…\n\n", name);
	wrap(text, family->summary, 0);
	details_add(text, family);
	text_add(text, "\nVerbs\n");
	for (const struct command *const *verb = family->verbs; *verb; verb++)
		summary_lines(text, (*verb)->name, (*verb)->summary);
	examples_add(text, family);
	text_add(text, "\n'pgctl help %s VERB' shows the operands and options of one.\n", name);
}

void usage_command(struct text *text, const struct command *command, const char *name)
{
	if (command->verbs) {
		usage_verbs(text, command, name);
		return;
	}
	usage_line(text, command, name);
	text_add(text, "\n");
	wrap(text, command->summary, 0);
	details_add(text, command);
	option_table(text, "Options", command->options, NULL);
	option_table(text, "Options of every command", common_option_table, command->options);
	examples_add(text, command);
	if (command->alias)
		text_add(text, "\n'pgctl %s' is the same command.\n", command->alias);
}
