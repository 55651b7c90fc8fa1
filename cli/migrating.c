/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/migrating.h"

#include "cli/losses.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/relayouting.h"
#include "core/job/migrate.h"

static void report_show(const struct invocation *inv, const struct migrate_report *report,
			const struct losses *losses)
{
	const struct relayout_report moves = { .job = report->job,
					       .bytes_read = report->bytes_read,
					       .bytes_written = report->bytes_written,
					       .extents_moved = report->extents_moved,
					       .groups_before = report->groups_before,
					       .groups_after = report->groups_after };

	relayouting_moves_show(inv, &moves);
	losses_show(losses, inv->out);
}

static int plan(const struct invocation *inv, const struct array *array,
		const struct migrate_request *request, struct err *err)
{
	struct plan_row row = { "data, parity and seal", 0 };
	const struct losses none = { 0 };
	struct migrate_report report = { 0 };
	int rc = migrate_plan(array, request, &report, err);

	if (rc)
		return rc;
	report_show(inv, &report, &none);
	row.bytes = report.bytes_written;
	plan_show(inv, &row, 1);
	return 0;
}

int migrating_run(const struct invocation *inv, struct array *array, const char *volume,
		  const struct policy *policy, unsigned *verdict_out, struct err *err)
{
	struct losses losses = { 0 };
	const struct migrate_request request = { .volume = volume,
						 .policy = *policy,
						 .lost = losses_add,
						 .lost_arg = &losses,
						 .watch = inv->watch };
	struct migrate_report report = { 0 };

	if (plan_only(inv))
		return plan(inv, array, &request, err);
	int rc = migrate_run(array, &request, &report, err);
	losses_sort(&losses);
	if (report.job)
		report_show(inv, &report, &losses);
	*verdict_out |= losses.bytes ? VERDICT_LEFT : 0;
	if (rc == ERR_STOPPED)
		err_hint(err, "pgctl migrate %s %s --resume goes on", inv->operands[0], volume);
	losses_reset(&losses);
	return rc;
}
