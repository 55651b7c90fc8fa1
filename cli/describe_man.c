/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/describe.h"

#include <stdio.h>

#define NAME_SIZE_MAX 48u

void describe_each(void (*visit)(void *arg, const struct command *command, const char *name),
		   void *arg)
{
	for (const struct command *const *at = command_table; *at; at++) {
		if (!(*at)->verbs) {
			visit(arg, *at, (*at)->name);
			continue;
		}
		for (const struct command *const *verb = (*at)->verbs; *verb; verb++) {
			char name[NAME_SIZE_MAX];

			snprintf(name, sizeof(name), "%s %s", (*at)->name, (*verb)->name);
			visit(arg, *verb, name);
		}
	}
}

/* mdoc takes a backslash as an escape, and a dot or apostrophe at the beginning as a request. */
static void mdoc_line(struct text *text, const char *line, const char *end)
{
	if (*line == '.' || *line == '\'')
		text_add(text, "\\&");
	for (; *line; line++)
		text_add(text, *line == '\\' ? "\\e" : *line == '-' ? "\\-" : "%c", *line);
	text_add(text, "%s\n", end);
}

static void mdoc_item(struct text *text, const struct option_spec *spec)
{
	text_add(text, ".It ");
	if (spec->letter)
		text_add(text, "Fl %c , ", spec->letter);
	text_add(text, "Fl \\-%s", spec->name);
	if (spec->value_optional)
		text_add(text, " Ns Op = Ns Ar %s", spec->metavar);
	else if (spec->kind != OPTION_FLAG)
		text_add(text, " Ar %s", spec->metavar);
	text_add(text, "\n");
	mdoc_line(text, spec->help, spec->choices ? ";" : "");
	if (!spec->choices)
		return;
	text_add(text, "one of");
	for (const char *const *word = spec->choices; *word; word++)
		text_add(text, "%s\n.Cm %s", word == spec->choices ? "" : " ,", *word);
	text_add(text, " .\n");
}

static void mdoc_list(struct text *text, const struct option_spec *specs)
{
	if (!specs || !specs->name)
		return;
	text_add(text, ".Bl -tag -width Ds\n");
	for (; specs->name; specs++)
		mdoc_item(text, specs);
	text_add(text, ".El\n");
}

static void mdoc_command(void *arg, const struct command *command, const char *name)
{
	struct text *text = arg;

	text_add(text, ".\\\" options of pgctl %s\n", name);
	mdoc_list(text, command->options);
}

void describe_man(struct text *text, const struct command *command)
{
	if (!command) {
		text_add(text, ".\\\" options of every command\n");
		mdoc_list(text, common_option_table);
		describe_each(mdoc_command, text);
		return;
	}
	if (!command->verbs) {
		mdoc_list(text, command->options);
		return;
	}
	for (const struct command *const *verb = command->verbs; *verb; verb++)
		mdoc_command(text, *verb, (*verb)->name);
}
