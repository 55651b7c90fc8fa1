/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl describe: the tables of commands and options for other programs: completion scripts, option lists
 * of the manual pages, names in an array. `pgctl --list-commands` and `--list-completions` lead here.
 */
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/names.h"
#include "cli/output.h"

enum shell_kind { SHELL_NONE, SHELL_BASH, SHELL_ZSH, SHELL_FISH };
enum names_choice { NAMES_CHOICE_NONE, NAMES_CHOICE_MEMBERS, NAMES_CHOICE_VOLUMES };

struct describe_args {
	bool commands;
	int completions; /* enum shell_kind */
	bool man;
	int names; /* enum names_choice */
};

static const char *const shell_words[] = { "none", "bash", "zsh", "fish", NULL };
static const char *const names_words[] = { "none", "members", "volumes", NULL };

static const struct option_spec describe_options[] = {
	{ "commands", OPTION_FLAG, offsetof(struct describe_args, commands), NULL,
	  "the names of all commands, one a line" },
	{ "completions", OPTION_CHOICE, offsetof(struct describe_args, completions), "SHELL",
	  "the completion script of a shell", .choices = shell_words },
	{ "man", OPTION_FLAG, offsetof(struct describe_args, man), NULL,
	  "options as mdoc lists: of COMMAND, or of all" },
	{ "names", OPTION_CHOICE, offsetof(struct describe_args, names), "KIND",
	  "the members or volumes of an array, one a line", .choices = names_words },
	{ 0 },
};

static void name_print(void *arg, const char *name)
{
	out_line(arg, "%s", name);
}

static int print_names(const struct invocation *inv, struct err *err)
{
	const struct describe_args *args = inv->args;
	enum name_kind kind = args->names == NAMES_CHOICE_MEMBERS ? NAMES_MEMBERS : NAMES_VOLUMES;

	if (inv->operand_count == 0)
		return err_set(err, ERR_USAGE, "--names needs an ARRAY");
	return names_each(inv, inv->operands[0], kind, name_print, inv->out, err);
}

static int print_man(struct text *text, const struct invocation *inv, struct err *err)
{
	const struct command *command = NULL;

	if (inv->operand_count) {
		command = command_find(command_table, inv->operands[0]);
		if (!command)
			return command_refuse("command", command_table, inv->operands[0], err);
	}
	describe_man(text, command);
	return 0;
}

static int cmd_describe_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct describe_args *args = inv->args;
	struct text text = { 0 };
	int rc = 0;

	(void)verdict_out;
	if (args->names)
		return print_names(inv, err);
	if (args->man)
		rc = print_man(&text, inv, err);
	else if (args->completions == SHELL_BASH)
		describe_bash(&text);
	else if (args->completions == SHELL_ZSH)
		describe_zsh(&text);
	else if (args->completions == SHELL_FISH)
		describe_fish(&text);
	else if (args->commands)
		for (const struct command *const *at = command_table; *at; at++)
			text_add(&text, "%s\n", (*at)->name);
	else
		rc = err_set(err, ERR_USAGE, "nothing to describe was named");
	if (rc == 0 && text.failed)
		rc = err_set(err, ERR_NOMEM, "no memory");
	if (rc == 0 && text.chars)
		out_plain(inv->out, text.chars);
	text_reset(&text);
	return rc;
}

static const char *const examples[] = {
	"pgctl describe --completions bash > completions/pgctl.bash",
	"pgctl describe --man scrub",
	"pgctl describe --names volumes a0.img",
	NULL,
};

const struct command cmd_describe = {
	.name = "describe",
	.summary = "commands and options for other programs: completions, lists of the manual",
	.group = GROUP_SERVICE,
	.operands = "[COMMAND]",
	.operands_max = 1,
	.options = describe_options,
	.args_size = sizeof(struct describe_args),
	.examples = examples,
	.run = cmd_describe_run,
};
