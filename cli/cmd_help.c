/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl help: all commands, or one with its operands and options. */
#include "cli/command.h"
#include "cli/output.h"
#include "cli/usage.h"

#include <stdio.h>

#define NAME_SIZE_MAX 48u

static const struct field command_fields[] = {
	{ "name", FIELD_TEXT, "NAME" },
	{ "group", FIELD_TEXT, "GROUP" },
	{ "operands", FIELD_TEXT, "OPERANDS" },
	{ "summary", FIELD_TEXT, "SUMMARY" },
	{ 0 },
};

static void commands_list(struct out *out)
{
	out_list_begin(out, "commands", command_fields);
	for (const struct command *const *at = command_table; *at; at++) {
		out_text(out, (*at)->name);
		out_text(out, command_group_title((*at)->group));
		out_text(out, (*at)->operands ? (*at)->operands : "");
		out_text(out, (*at)->summary);
	}
	out_list_end(out);
}

/* The command that the operands name, its full name in `name`. */
static int command_named(const struct command **command_out, char name[static NAME_SIZE_MAX],
			 const struct invocation *inv, struct err *err)
{
	const struct command *command = command_find(command_table, inv->operands[0]);
	const struct command *verb;

	if (!command)
		return command_refuse("command", command_table, inv->operands[0], err);
	snprintf(name, NAME_SIZE_MAX, "%s", command->name);
	*command_out = command;
	if (inv->operand_count == 1)
		return 0;
	if (!command->verbs)
		return err_set(err, ERR_USAGE, "%s has no verbs", command->name);
	verb = command_find(command->verbs, inv->operands[1]);
	if (!verb)
		return command_refuse("verb", command->verbs, inv->operands[1], err);
	snprintf(name, NAME_SIZE_MAX, "%s %s", command->name, verb->name);
	*command_out = verb;
	return 0;
}

static int cmd_help_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct command *command = NULL;
	char name[NAME_SIZE_MAX];
	struct text text = { 0 };
	int rc = 0;

	(void)verdict_out;
	if (inv->operand_count)
		rc = command_named(&command, name, inv, err);
	if (rc)
		return rc;
	if (command)
		usage_command(&text, command, name);
	else
		usage_overview(&text);
	if (text.failed) {
		rc = err_set(err, ERR_NOMEM, "no memory for the help");
	} else if (!out_is_json(inv->out)) {
		out_plain(inv->out, text.chars);
	} else if (command) {
		out_value_text(inv->out, "help", text.chars);
	} else {
		commands_list(inv->out);
	}
	text_reset(&text);
	return rc;
}

static const char *const examples[] = {
	"pgctl help",
	"pgctl help scrub",
	"pgctl help volume create",
	NULL,
};

const struct command cmd_help = {
	.name = "help",
	.summary = "list the commands, or show one with its operands and options",
	.group = GROUP_SERVICE,
	.operands = "[COMMAND [VERB]]",
	.operands_max = 2,
	.examples = examples,
	.run = cmd_help_run,
};
