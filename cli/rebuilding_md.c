/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/rebuilding_md.h"

#include "cli/losses.h"
#include "cli/md_view.h"
#include "cli/members.h"
#include "cli/new_member.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/base/mem.h"
#include "core/job/rebuild.h"
#include "formats/md_create.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* One run. */
struct rebuilding_md {
	const struct invocation *inv;
	const struct rebuild_call *call;
	uint32_t slot;
	char *path; /* of the target; owned; NULL: the member itself, as far as it is not there */
	bool is_spare;            /* of the array */
	struct new_members fresh; /* the target, when it is none of the array's devices */
	struct open_how how;
	struct losses losses;
};

static int refuse_native(const struct rebuild_call *call, struct err *err)
{
	const char *option = call->into_free      ? "--into-free"
			     : call->group_buffer ? "--group-buffer"
			     : call->resume       ? "--resume"
			     : call->replace      ? "replace"
						  : NULL;

	if (!option)
		return 0;
	err_set(err, ERR_FOREIGN, "the array was made by other software, which has no %s", option);
	return err_hint(err, "pgctl rebuild ARRAY SLOT --to FILE makes a member anew");
}

/* Nobody holds the slot, or somebody who was filled in part. */
static bool is_lost(const struct md_view *view, uint32_t slot)
{
	const struct md_seat *seat = &view->seats.at[slot];

	return !seat->entry || seat->counts_sectors != MD_MEMBER_NONE ||
	       member_set_has(view->seats.stale, slot);
}

static int lost_find(struct rebuilding_md *run, const struct md_view *view, struct err *err)
{
	uint32_t count = 0;

	for (uint32_t slot = view->seats.count; slot-- > 0;) {
		if (!is_lost(view, slot))
			continue;
		run->slot = slot;
		count++;
	}
	if (count == 0)
		return err_set(err, ERR_STATE, "every slot has a member that counts");
	if (count > 1)
		return err_set(err, ERR_USAGE, "%u slots have no member: name the one to rebuild",
			       count);
	return 0;
}

static int slot_find(struct rebuilding_md *run, const struct array *array,
		     const struct md_view *view, struct err *err)
{
	int rc;

	if (!run->call->from)
		return lost_find(run, view, err);
	rc = cli_member_find(&run->slot, run->inv, array, run->call->from, err);
	if (rc == 0 && !is_lost(view, run->slot)) {
		err_set(err, ERR_STATE, "slot %u has a member that counts", run->slot);
		return err_hint(err, "only slots without one are rebuilt: pgctl status %s",
				run->inv->operands[0]);
	}
	return rc;
}

/* Is this path one of the array's devices? Told by the file. */
static const struct md_set_member *entry_of(const struct md_view *view, const char *path)
{
	struct stat named, other;

	if (stat(path, &named))
		return NULL;
	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];

		if (stat(view->devices[entry->device].path, &other) == 0 &&
		    other.st_ino == named.st_ino && other.st_dev == named.st_dev)
			return entry;
	}
	return NULL;
}

/* Who held the slot, when it was named; else a spare. NULL without one. */
static const struct md_set_member *own_target(const struct rebuilding_md *run,
					      const struct md_view *view)
{
	const struct md_set_member *spare = NULL;

	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];

		if (run->call->from && entry->verdict == MD_VERDICT_STALE &&
		    entry->member->slot == run->slot)
			return entry;
		if (!spare && entry->verdict == MD_VERDICT_SPARE)
			spare = entry;
	}
	return spare;
}

static int own_take(struct rebuilding_md *run, const struct md_view *view,
		    const struct md_set_member *entry, struct err *err)
{
	const char *path = view->devices[entry->device].path;
	bool old = entry->verdict == MD_VERDICT_STALE || entry->verdict == MD_VERDICT_FAULTY;
	bool usable = entry->verdict == MD_VERDICT_SPARE ||
		      (old && (entry->member->slot == run->slot || run->inv->common->force));

	if (!usable) {
		err_set(err, ERR_IN_USE, "%s is a member of the array: %s", path,
			md_verdict_name(entry->verdict));
		return old ? err_hint(err, "to overwrite it, repeat with --force") : err->code;
	}
	run->is_spare = entry->verdict == MD_VERDICT_SPARE;
	run->path = mem_strdup(path);
	return run->path ? 0 : err_set(err, ERR_NOMEM, "no memory");
}

static int target_choose(struct rebuilding_md *run, const struct md_view *view, struct err *err)
{
	const struct md_set_member *own =
		run->call->to ? entry_of(view, run->call->to) : own_target(run, view);
	bool in_part =
		view->seats.at[run->slot].entry && !member_set_has(view->seats.stale, run->slot);
	uint64_t size = run->call->size;

	if (!run->call->to && in_part)
		return 0;
	if (own)
		return own_take(run, view, own, err);
	if (!run->call->to) {
		err_set(err, ERR_USAGE, "there is no spare to rebuild to");
		return err_hint(err, "add --to FILE for a new file or device");
	}
	if (size == 0)
		size = view->set->newest->device_sectors * MD_SECTOR / BLOCK_SIZE * BLOCK_SIZE;
	run->path = mem_strdup(run->call->to);
	if (!run->path)
		return err_set(err, ERR_NOMEM, "no memory");
	return new_members_open(&run->fresh, run->inv, run->path, size, err);
}

/* What is wanted, by an array that is open to look at. */
static int choose(struct rebuilding_md *run, struct err *err)
{
	const struct open_how look = { .access = ACCESS_SALVAGE };
	struct array *array = NULL;
	int rc = cli_array_open_as(&array, run->inv, run->inv->operands[0], &look, err);

	if (rc)
		return rc;
	rc = slot_find(run, array, cli_md_view(run->inv), err);
	if (rc == 0)
		rc = target_choose(run, cli_md_view(run->inv), err);
	array_close(array);
	return rc;
}

/* The device of the target: from here on the opened array's. */
static int target_open(struct rebuilding_md *run, struct err *err)
{
	run->how.target_slot = run->slot;
	if (!run->path)
		return 0;
	if (run->fresh.count == 0)
		return cli_device_open(&run->how.target, run->inv, run->path, plan_access(run->inv),
				       0, err);
	run->how.target = run->fresh.at[0].dev;
	new_member_number(&run->fresh.at[0], run->inv, run->slot);
	new_member_taken(&run->fresh.at[0]);
	return 0;
}

static void request_show(const struct rebuilding_md *run)
{
	struct out *out = run->inv->out;

	out_value(out, "from", run->slot);
	out_value(out, "to", run->slot);
	out_value_text(out, "target", run->path ? run->path : cli_member_path(run->inv, run->slot));
}

static void report_show(const struct rebuilding_md *run, const struct array *array,
			const struct rebuild_report *report)
{
	struct out *out = run->inv->out;

	request_show(run);
	out_value_bytes(out, "bytes_read", report->bytes_read);
	out_value_bytes(out, "bytes_written", report->bytes_written);
	out_value(out, "extents_moved", report->extents_moved);
	losses_show(&run->losses, out);
	out_value_text(out, "health", health_name(array_health(array)));
}

/* A device of another's, or one that missed changes, is nobody's until it is a member. */
static int target_prepare(struct rebuilding_md *run, struct err *err)
{
	const struct md_view *view = cli_md_view(run->inv);
	struct dev *target = run->how.target;
	int rc;

	if (!target)
		return 0;
	rc = md_write_fits(view->write, run->slot, dev_info(target)->size_exact / MD_SECTOR, err);
	if (rc)
		return err_prefix(err, "%s", run->path);
	return run->is_spare ? 0 : md_create_wipe(target, err);
}

static int execute(struct rebuilding_md *run, struct array *array, unsigned *verdict_out,
		   struct err *err)
{
	struct rebuild_report report = { 0 };
	struct rebuild_request request = {
		.from = run->slot,
		.to = run->slot,
		.watch = run->inv->watch,
		.lost = losses_add,
		.lost_arg = &run->losses,
	};
	struct plan_row row = { "data and parity", 0 };
	int rc = rebuild_plan(array, &request, &report, err);

	if (rc)
		return rc;
	if (plan_only(run->inv)) {
		row.bytes = report.bytes_written;
		request_show(run);
		plan_show(run->inv, &row, 1);
		return 0;
	}
	rc = target_prepare(run, err);
	if (rc)
		return rc;
	new_members_keep(&run->fresh);
	report = (struct rebuild_report){ 0 };
	rc = rebuild_run(array, &request, &report, err);
	losses_sort(&run->losses);
	report_show(run, array, &report);
	*verdict_out |= run->losses.bytes ? VERDICT_LEFT : 0;
	*verdict_out |= rc == 0 && array_health(array) != HEALTH_HEALTHY ? VERDICT_DEGRADED : 0;
	if (rc == ERR_STOPPED)
		err_hint(err, "the same command begins again");
	return rc;
}

int rebuilding_md_run(const struct invocation *inv, const struct rebuild_call *call,
		      unsigned *verdict_out, struct err *err)
{
	struct rebuilding_md run = { .inv = inv,
				     .call = call,
				     .how = { .access = plan_access(inv) } };
	struct array *array = NULL;
	int rc = refuse_native(call, err);

	if (rc == 0)
		rc = choose(&run, err);
	if (rc == 0)
		rc = target_open(&run, err);
	if (rc == 0)
		rc = cli_array_open_as(&array, inv, inv->operands[0], &run.how, err);
	if (rc == 0) {
		if (run.fresh.count)
			new_members_show(&run.fresh, inv);
		rc = execute(&run, array, verdict_out, err);
	}
	array_close(array);
	new_members_close(&run.fresh);
	losses_reset(&run.losses);
	mem_free(run.path);
	return rc;
}
