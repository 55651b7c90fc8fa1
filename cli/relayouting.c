/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/relayouting.h"

#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"

#include <inttypes.h>

void relayouting_moves_show(const struct invocation *inv, const struct relayout_report *report)
{
	struct out *out = inv->out;

	if (report->job)
		out_value(out, "job", report->job);
	else
		out_value_none(out, "job");
	out_value_bytes(out, "bytes_read", report->bytes_read);
	out_value_bytes(out, "bytes_written", report->bytes_written);
	out_value(out, "extents_moved", report->extents_moved);
	out_value(out, "groups_before", report->groups_before);
	out_value(out, "groups_after", report->groups_after);
}

static void report_show(const struct invocation *inv, const struct relayout_report *report)
{
	relayouting_moves_show(inv, report);
	out_value(inv->out, "groups_left", report->groups_left);
}

void relayouting_plan_show(const struct invocation *inv, const struct relayout_report *report)
{
	const struct plan_row row = { "data, parity and seal", report->bytes_written };

	report_show(inv, report);
	plan_show(inv, &row, 1);
}

static int plan(const struct invocation *inv, const struct array *array,
		const struct relayout_request *request, struct err *err)
{
	struct relayout_report report = { 0 };
	int rc = relayout_plan(array, request, &report, err);

	if (!rc)
		relayouting_plan_show(inv, &report);
	return rc;
}

/* When it was begun there was room for all of it. */
static int hint_at_job(const struct invocation *inv, const struct array *array,
		       const struct relayout_request *request, struct err *err)
{
	const struct job *job = relayout_find_job(array, request);

	if (job)
		err_hint(err,
			 "it goes on once a member is back or added; pgctl job cancel %s %" PRIu64
			 " drops it, and what it has moved stays moved",
			 inv->operands[0], job->id);
	return err->code;
}

int relayouting_run(const struct invocation *inv, struct array *array,
		    const struct relayout_request *request, struct err *err)
{
	struct relayout_request watched = *request;
	struct relayout_report report = { 0 };

	if (plan_only(inv))
		return plan(inv, array, request, err);
	watched.watch = inv->watch;
	int rc = relayout_run(array, &watched, &report, err);
	report_show(inv, &report);
	if (rc == ERR_STOPPED)
		err_hint(err, "the same command goes on");
	return rc == ERR_NOSPACE ? hint_at_job(inv, array, request, err) : rc;
}

int relayouting_evacuate(const struct invocation *inv, struct array *array, uint32_t slot,
			 struct err *err)
{
	const struct relayout_request request = { .kind = JOB_EVACUATE, .member = slot };
	struct relayout_report expected;
	int rc = relayout_plan(array, &request, &expected, err);

	if (rc == ERR_NOSPACE)
		return hint_at_job(inv, array, &request, err);
	return rc ? rc : relayouting_run(inv, array, &request, err);
}

static int make_spare(const struct invocation *inv, struct array *array, uint32_t slot,
		      struct err *err)
{
	int rc = 0;

	if (!array_member_usable(array, slot))
		rc = err_set(err, ERR_STATE, "member %u is not in service, so it can be no spare",
			     slot);
	if (!rc)
		rc = relayouting_evacuate(inv, array, slot, err);
	if (!rc && !plan_only(inv))
		rc = array_set_member_state(array, slot, MEMBER_SPARE, err);
	if (!rc)
		out_value_text(inv->out, "state", member_state_name(MEMBER_SPARE));
	return rc;
}

int relayouting_open_and_empty(const struct invocation *inv, bool to_spare, struct err *err)
{
	struct array *array = NULL;
	uint32_t slot = MEMBER_NONE;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	rc = cli_member_find(&slot, inv, array, inv->operands[1], err);
	if (!rc && to_spare)
		rc = make_spare(inv, array, slot, err);
	else if (!rc)
		rc = relayouting_evacuate(inv, array, slot, err);
	array_close(array);
	return rc;
}

int relayouting_open_and_run(const struct invocation *inv, const struct relayout_request *request,
			     struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	rc = relayouting_run(inv, array, request, err);
	array_close(array);
	return rc;
}
