/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl evacuate: move everything off a member. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/plan.h"
#include "cli/relayouting.h"

static int cmd_evacuate_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct relayout_request request = { .kind = JOB_EVACUATE };
	struct relayout_report expected;
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = cli_member_find(&request.member, inv, array, inv->operands[1], err);
	if (!rc) /* is there room for all of it? If not, nothing is begun */
		rc = relayout_plan(array, &request, &expected, err);
	if (!rc)
		rc = relayouting_run(inv, array, &request, err);
	array_close(array);
	return rc;
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
	.details = evacuate_details,
	.examples = evacuate_examples,
	.run = cmd_evacuate_run,
};
