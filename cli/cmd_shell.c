/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl shell: the interactive shell, or a script. */
#include "cli/command.h"
#include "cli/shell.h"

struct shell_args {
	const char *script;
};

static const struct option_spec shell_options[] = {
	{ "script", OPTION_TEXT, offsetof(struct shell_args, script), "FILE",
	  "run the lines of FILE instead of standard input" },
	{ 0 },
};

static int cmd_shell_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct shell_args *args = inv->args;
	const struct shell_config config = {
		.env = inv->env,
		.script = args->script,
		.focus = inv->operand_count ? inv->operands[0] : NULL,
	};

	return shell_run(&config, verdict_out, err);
}

static const char *const details[] = {
	"Lines are commands without 'pgctl', and without ARRAY once 'use ARRAY' has put one in "
	"focus. '#' begins a comment, 'source FILE' runs the lines of a file, 'quit' ends.",
	"Standard input that is no terminal is a script: it stops at the first line whose exit "
	"status is neither 0 nor 1, unless that line begins with '-'. 'pgctl -f FILE' runs a file.",
	NULL,
};
static const char *const examples[] = {
	"pgctl shell a0.img",
	"pgctl shell < nightly.pgctl",
	"pgctl -f nightly.pgctl",
	NULL,
};

const struct command cmd_shell = {
	.name = "shell",
	.summary = "the same commands line by line, with editing, history and completion",
	.group = GROUP_SERVICE,
	.operands = "[ARRAY]",
	.operands_max = 1,
	.options = shell_options,
	.args_size = sizeof(struct shell_args),
	.details = details,
	.examples = examples,
	.run = cmd_shell_run,
};
