/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl evacuate: move everything off a member. */
#include "cli/command.h"
#include "cli/relayouting.h"

struct evacuate_args {
	bool to_spare;
};

static const struct option_spec evacuate_options[] = {
	{ "to-spare", OPTION_FLAG, offsetof(struct evacuate_args, to_spare), NULL,
	  "then it is a spare: it holds nothing until a rebuild takes it" },
	{ 0 },
};

static int cmd_evacuate_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct evacuate_args *args = inv->args;

	(void)verdict_out;
	return relayouting_open_and_empty(inv, args->to_spare, err);
}

static const char *const evacuate_details[] = {
	"Each extent goes to another member outside its group; the member serves until the end and "
	"stays in the array, empty. Refused at once where there is no room for all of it.",
	NULL,
};
static const char *const evacuate_examples[] = {
	"pgctl evacuate tank/ 3 && pgctl remove tank/ 3",
	NULL,
};

const struct command cmd_evacuate = {
	.name = "evacuate",
	.summary = "move everything off a member",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER",
	.operands_min = 2,
	.operands_max = 2,
	.options = evacuate_options,
	.args_size = sizeof(struct evacuate_args),
	.details = evacuate_details,
	.examples = evacuate_examples,
	.run = cmd_evacuate_run,
};
