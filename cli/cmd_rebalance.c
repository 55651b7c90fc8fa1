/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl rebalance: use all members to the same fraction. */
#include "cli/command.h"
#include "cli/relayouting.h"

static int cmd_rebalance_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct relayout_request request = { .kind = JOB_REBALANCE, .member = MEMBER_NONE };

	(void)verdict_out;
	return relayouting_open_and_run(inv, &request, err);
}

static const char *const rebalance_details[] = {
	"Extents move from the fullest members to the emptiest, the fewest that do it. Each serves "
	"from its old place until its copy is durable. A command that was stopped goes on when it "
	"is "
	"given again.",
	NULL,
};
static const char *const rebalance_examples[] = { "pgctl rebalance tank/", NULL };

const struct command cmd_rebalance = {
	.name = "rebalance",
	.summary = "use all members to the same fraction",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = rebalance_details,
	.examples = rebalance_examples,
	.run = cmd_rebalance_run,
};
