/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl recombine: make groups as wide as the members allow. */
#include "cli/command.h"
#include "cli/relayouting.h"

struct recombine_args {
	uint64_t width;
};

static const struct option_spec recombine_options[] = {
	{ "width", OPTION_NUMBER, offsetof(struct recombine_args, width), "N",
	  "columns of a group; unless given as new volumes get them" },
	{ 0 },
};

static int cmd_recombine_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct recombine_args *args = inv->args;
	const struct relayout_request request = { .kind = JOB_RECOMBINE,
						  .member = MEMBER_NONE,
						  .columns = (uint32_t)args->width };

	(void)verdict_out;
	if (args->width > CODE_COLUMNS_MAX)
		return err_set(err, ERR_USAGE, "--width takes up to %u", CODE_COLUMNS_MAX);
	return relayouting_open_and_run(inv, &request, err);
}

static const char *const recombine_details[] = {
	"Narrow parity groups are merged, which reads and writes checks only, or one is dissolved "
	"and "
	"its data join others. Fewer checks then protect the same data, and the space is free. Old "
	"checks stay until the new ones are durable.",
	NULL,
};
static const char *const recombine_examples[] = { "pgctl recombine tank/",
						  "pgctl recombine tank/ --width 9", NULL };

const struct command cmd_recombine = {
	.name = "recombine",
	.summary = "make groups as wide as the members allow",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = recombine_options,
	.args_size = sizeof(struct recombine_args),
	.details = recombine_details,
	.examples = recombine_examples,
	.run = cmd_recombine_run,
};
