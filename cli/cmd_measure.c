/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl measure: how fast the parts of members are, for zones. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/base/units.h"
#include "core/job/measure.h"

#include <stdio.h>

struct measure_args {
	bool zones, show;
};

static const struct option_spec measure_options[] = {
	{ "zones", OPTION_FLAG, offsetof(struct measure_args, zones), NULL,
	  "the parts of each member, for the placement of copies" },
	{ "show", OPTION_FLAG, offsetof(struct measure_args, show), NULL,
	  "what was found last; nothing is read" },
	{ 0 },
};

static const struct field member_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "rates", FIELD_LIST, "BYTES A SECOND, FROM THE FIRST EIGHTH ON" },
	{ "fast", FIELD_TEXT, "FAST END" },
	{ 0 },
};

/* Which end first copies take; NULL: it was not measured. */
static const char *fast_end(const struct measured_member *member)
{
	if (member->rates[0] == 0)
		return NULL;
	if (!measure_differs(member))
		return "none";
	return member->rates[0] >= member->rates[ZONE_RATES - 1] ? "low" : "high";
}

static void rate_show(struct out *out, uint64_t bytes)
{
	char text[UNITS_TEXT_SIZE];

	if (out_is_json(out))
		out_texts_add_number(out, bytes);
	else
		out_texts_add(out, units_text(text, bytes));
}

static void report_show(const struct invocation *inv, const struct measure_report *report)
{
	struct out *out = inv->out;
	uint32_t measured = 0, differ = 0;

	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < report->count; i++) {
		const struct measured_member *member = &report->members[i];

		out_number(out, member->slot);
		out_text(out, cli_member_path(inv, member->slot));
		out_texts_begin(out, "rates");
		for (uint32_t part = 0; member->rates[0] && part < ZONE_RATES; part++)
			rate_show(out, (uint64_t)member->rates[part] * 1024);
		out_texts_end(out);
		out_text(out, fast_end(member));
		measured += member->rates[0] > 0;
		differ += measure_differs(member);
	}
	out_list_end(out);
	out_value_flag(out, "difference", differ > 0);
	out_value_bytes(out, "bytes_read", report->bytes_read);
	if (measured > 0 && differ == 0)
		out_line(out, "no difference: low addresses count as the fast ones");
}

static int measure(const struct invocation *inv, struct array *array, struct err *err)
{
	const struct measure_args *args = inv->args;
	struct measure_report report;

	if (args->show)
		measure_show(array, &report);
	int rc = args->show ? 0 : measure_run(array, &inv->watch, plan_only(inv), &report, err);
	if (rc)
		return rc;
	report_show(inv, &report);
	if (plan_only(inv) && !args->show)
		plan_show_map(inv, "what was measured");
	return 0;
}

static int cmd_measure_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct measure_args *args = inv->args;
	struct array *array = NULL;

	(void)verdict_out;
	if (!args->zones) {
		err_set(err, ERR_USAGE, "nothing to measure is named");
		return err_hint(err, "pgctl measure %s --zones", inv->operands[0]);
	}
	int rc = cli_array_open(&array, inv, inv->operands[0],
				args->show ? ACCESS_SALVAGE : plan_access(inv), err);
	if (rc)
		return rc;
	rc = measure(inv, array, err);
	array_close(array);
	return rc;
}

static const char *const measure_details[] = {
	"--zones reads each eighth of each member that is in service, up to 16 MiB of it at a time "
	"and five times, one member after the other, and keeps the best rates in the map. From "
	"then on new extents take the fastest part that has room first, further copies of mirrors "
	"the slowest; with `create --zones static` the bounds stay as they are. What is there "
	"already is not moved.",
	"Where the fastest part is not a quarter faster than the slowest, or the slowest faster "
	"than 1 GiB a second, which no spinning disk is, it says that there is no difference, and "
	"nothing changes: so on solid-state disks and files.",
	NULL,
};
static const char *const measure_examples[] = { "pgctl measure tank/ --zones",
						"pgctl measure tank/ --zones --show", NULL };

const struct command cmd_measure = {
	.name = "measure",
	.summary = "measure the parts of members, for zones",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = measure_options,
	.args_size = sizeof(struct measure_args),
	.details = measure_details,
	.examples = measure_examples,
	.run = cmd_measure_run,
};
