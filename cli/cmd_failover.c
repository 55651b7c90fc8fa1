/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl failover, failback: which copy of a mirror is its primary. Each is one commit. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/job/failover.h"

static void report_show(const struct invocation *inv, const struct failover_report *report)
{
	out_value(inv->out, "swapped", report->swapped);
	out_value(inv->out, "left", report->left);
	out_value(inv->out, "generation", report->generation);
	if (plan_only(inv))
		plan_show_map(inv, "other primaries");
}

static int cmd_failover_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct failover_report report = { 0 };
	uint32_t slot = MEMBER_NONE;
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	if (inv->operand_count > 1)
		rc = cli_member_find(&slot, inv, array, inv->operands[1], err);
	if (!rc)
		rc = failover_run(array, slot, plan_only(inv), &report, err);
	if (!rc)
		report_show(inv, &report);
	if (!rc && report.left > 0)
		*verdict_out |= VERDICT_LEFT;
	array_close(array);
	return rc;
}

static int cmd_failback_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct failover_report report = { 0 };
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	rc = failback_run(array, plan_only(inv), &report, err);
	if (!rc)
		report_show(inv, &report);
	if (!rc && report.left > 0)
		*verdict_out |= VERDICT_LEFT;
	array_close(array);
	return rc;
}

static const char *const failover_details[] = {
	"Mirrors whose primary lies on MEMBER, or cannot be used, get another copy as primary: one "
	"commit of the map, no data moves. Exit status 4 when some have no other copy.",
	NULL,
};
static const char *const failover_examples[] = { "pgctl failover tank/ 2", NULL };

const struct command cmd_failover = {
	.name = "failover",
	.summary = "make another copy of mirrors the primary",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY [MEMBER]",
	.operands_min = 1,
	.operands_max = 2,
	.details = failover_details,
	.examples = failover_examples,
	.run = cmd_failover_run,
};

static const char *const failback_details[] = {
	"Takes failover back for every mirror whose first copy can be used again and has missed "
	"nothing. Exit status 4 when some have to wait for a rebuild.",
	NULL,
};

const struct command cmd_failback = {
	.name = "failback",
	.summary = "make the first copy of mirrors the primary again",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = failback_details,
	.run = cmd_failback_run,
};
