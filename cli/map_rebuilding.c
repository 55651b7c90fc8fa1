/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/map_rebuilding.h"

#include "cli/confirm.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/job/rebuild_map.h"

static void map_show(const struct invocation *inv, const struct rebuild_map_report *report,
		     unsigned *verdict_out)
{
	out_value(inv->out, "extents_found", report->extents_found);
	out_value(inv->out, "groups", report->groups);
	out_value(inv->out, "volumes", report->volumes);
	out_value(inv->out, "extents_orphaned", report->extents_orphaned);
	out_value(inv->out, "incomplete_volumes", report->incomplete_volumes);
	if (plan_only(inv))
		plan_show_map(inv, "a new map on every member");
	*verdict_out |= report->incomplete_volumes ? VERDICT_LEFT : 0;
}

/* Works below an open array: when it is needed, the array does not open. */
int map_rebuilding_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct rebuild_map_report report = { 0 };
	struct rebuild_map_request request = { .env = inv->env, .write = !plan_only(inv) };
	struct member_devices members = { 0 };
	int rc = 0;

	if (request.write)
		rc = cli_confirm(inv, err, "replace the map of %s by what the seals say?",
				 inv->operands[0]);
	if (rc == 0)
		rc = cli_members_open(&members, inv, inv->operands[0], plan_access(inv), err);
	if (rc)
		return rc;
	request.devs = members.devs;
	request.dev_count = members.count;
	rc = rebuild_map_run(&request, &report, err);
	if (rc == 0)
		map_show(inv, &report, verdict_out);
	cli_members_close(&members);
	return rc;
}
