/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/rebuilding.h"

#include "cli/losses.h"
#include "cli/members.h"
#include "cli/new_member.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/rebuilding_md.h"
#include "core/base/mem.h"
#include "core/job/arrange.h"
#include "core/job/rebuild.h"
#include "core/job/rebuild_delta.h"

#include <inttypes.h>

/* One run. `fresh` holds the target while it is no member. */
struct rebuilding {
	const struct invocation *inv;
	const struct rebuild_call *call;
	struct array *array;
	struct rebuild_request request;
	struct new_members *fresh;
	bool resumed; /* a job that was begun before */
	struct losses losses;
};

/* ---- which member is lost */

/* Holds extents that cannot be read, or was meant to. */
static bool is_lost(const struct array *array, const struct member *member)
{
	return member->state != MEMBER_SPARE && (!array_member_usable(array, member->slot) ||
						 rebuild_delta_count(array, member->slot) > 0);
}

/* Lost members, all or those that hold something: how many, and the first two. */
static uint32_t list_lost(const struct array *array, bool holding, uint32_t first[2])
{
	const struct map *map = array_map(array);
	uint32_t count = 0;

	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;

		if (!is_lost(array, &map->members[i]) ||
		    (holding && array_member_used(array, slot) == 0))
			continue;
		if (count < 2)
			first[count] = slot;
		count++;
	}
	return count;
}

/* The only member that is lost; of several the only one that holds something. */
static int find_lost(uint32_t *slot_out, const struct array *array, struct err *err)
{
	uint32_t lost[2] = { MEMBER_NONE, MEMBER_NONE }, holding[2] = { MEMBER_NONE, MEMBER_NONE };
	uint32_t lost_count = list_lost(array, false, lost);
	uint32_t holding_count = list_lost(array, true, holding);

	if (lost_count == 0) {
		err_set(err, ERR_STATE, "no member is failed, offline or absent");
		return err_hint(err, "name the member to rebuild; pgctl replace moves a good one");
	}
	if (holding_count > 1 || (holding_count == 0 && lost_count > 1)) {
		const uint32_t *two = holding_count > 1 ? holding : lost;

		return err_set(err, ERR_USAGE,
			       "members %u and %u are lost: name the one to rebuild", two[0],
			       two[1]);
	}
	*slot_out = holding_count ? holding[0] : lost[0];
	return 0;
}

/* A member that can be read is read, also when it is to be rebuilt: no reason to trust it less. */
static int find_from(struct rebuilding *run, struct err *err)
{
	uint32_t *from = &run->request.from;
	int rc = run->call->from ? cli_member_find(from, run->inv, run->array, run->call->from, err)
				 : find_lost(from, run->array, err);

	if (rc == 0)
		run->request.replace = array_member_usable(run->array, *from);
	return rc;
}

/* ---- an unfinished job */

static bool is_rebuild(const struct job *job)
{
	return job->kind == JOB_REBUILD || job->kind == JOB_REPLACE;
}

/* The unfinished rebuild or replace, of this member unless MEMBER_NONE; NULL without one. */
static const struct job *find_job(const struct array *array, uint32_t from)
{
	const struct map *map = array_map(array);

	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (is_rebuild(job) && job->state != JOB_DONE &&
		    (from == MEMBER_NONE || job->from == from))
			return job;
	}
	return NULL;
}

static void job_take(struct rebuilding *run, const struct job *job)
{
	run->request.from = job->from;
	run->request.to = job->to;
	run->request.replace = job->kind == JOB_REPLACE;
	run->resumed = true;
}

/* ---- where to */

/* The smallest spare that is large enough for `from`, else the largest; MEMBER_NONE without one. */
static uint32_t find_spare(const struct array *array, uint32_t from)
{
	const struct map *map = array_map(array);
	uint64_t needed = map_member(map, from)->frame_count;
	const struct member *best = NULL;

	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		bool fits = member->frame_count >= needed;

		if (member->state != MEMBER_SPARE || !array_member_usable(array, member->slot))
			continue;
		if (!best ||
		    (fits &&
		     (best->frame_count < needed || member->frame_count < best->frame_count)) ||
		    (!fits && member->frame_count > best->frame_count &&
		     best->frame_count < needed))
			best = member;
	}
	return best ? best->slot : MEMBER_NONE;
}

static int target_check(const struct rebuilding *run, uint32_t slot, struct err *err)
{
	if (slot == run->request.from) {
		err_set(err, ERR_STATE, "member %u cannot be rebuilt onto itself", slot);
		return err_hint(err, "pgctl online %s %u uses it again as it is",
				run->inv->operands[0], slot);
	}
	if (array_member_usable(run->array, slot))
		return 0;
	enum presence presence = array_presence(run->array, slot);
	bool there = presence <= PRESENT_STALE;

	err_set(err, ERR_STATE, "member %u cannot be written to: it is %s", slot,
		there ? member_state_name(map_member(array_map(run->array), slot)->state)
		      : presence_name(presence));
	return there ? err_hint(err,
				"pgctl online %s %u if it is good again, then the same command",
				run->inv->operands[0], slot)
		     : err->code;
}

/* A path that is no member yet. It joins the array, unless this is a plan. */
static int target_add(struct rebuilding *run, struct err *err)
{
	const struct member *lost = map_member(array_map(run->array), run->request.from);
	uint64_t size = run->call->size ? run->call->size : lost->size;
	struct new_member *member;
	int rc = array_need_sealed(run->array, err);

	if (rc)
		return rc;
	run->fresh = mem_calloc(1, sizeof(*run->fresh));
	if (!run->fresh)
		return err_set(err, ERR_NOMEM, "no memory");
	rc = new_members_open(run->fresh, run->inv, run->call->to, size, err);
	if (rc || plan_only(run->inv))
		return rc;
	member = &run->fresh->at[0];
	rc = array_add_member(run->array, member->dev, true, &run->request.to, err);
	if (rc)
		return rc;
	new_member_number(member, run->inv, run->request.to);
	new_member_taken(member);
	return 0;
}

static int find_to(struct rebuilding *run, struct err *err)
{
	const struct rebuild_call *call = run->call;
	struct err why = { 0 };
	uint32_t slot = MEMBER_NONE;
	int rc;

	if (call->into_free)
		return 0;
	/* A member that came back takes in what it missed, where it is. */
	if (!call->to && run->request.replace && !call->replace &&
	    rebuild_delta_count(run->array, run->request.from) > 0) {
		run->request.to = run->request.from;
		run->request.replace = false;
		return 0;
	}
	if (!call->to) {
		run->request.to = find_spare(run->array, run->request.from);
		if (run->request.to != MEMBER_NONE)
			return 0;
		err_set(err, ERR_USAGE, "there is no spare to rebuild to");
		return err_hint(err, "add --to MEMBER for another member or a new file, or "
				     "--into-free for the free space of the others");
	}
	rc = cli_member_find(&slot, run->inv, run->array, call->to, &why);
	if (rc == ERR_NOT_FOUND)
		return target_add(run, err);
	if (rc) {
		*err = why;
		return rc;
	}
	run->request.to = slot;
	return target_check(run, slot, err);
}

/* ---- run and report */

static const char *target_text(const struct rebuilding *run)
{
	if (run->fresh && run->fresh->count)
		return run->fresh->at[0].path;
	return run->request.to == MEMBER_NONE ? "free space"
					      : cli_member_path(run->inv, run->request.to);
}

static void request_show(const struct rebuilding *run)
{
	struct out *out = run->inv->out;

	out_value(out, "from", run->request.from);
	if (run->request.to == MEMBER_NONE)
		out_value_none(out, "to");
	else
		out_value(out, "to", run->request.to);
	out_value_text(out, "target", target_text(run));
}

/* Into free space copies go to the homes of their topology, where those have room and no other copy has to move. */
static void astray_show(const struct rebuilding *run)
{
	const struct invocation *inv = run->inv;
	uint64_t astray = arrange_check(run->array, NULL, NULL);

	out_value(inv->out, "astray", astray);
	if (astray)
		out_warn(inv->out,
			 "extents elsewhere than topology and labels say: %" PRIu64
			 "; pgctl topology check %s names them, topology set moves them",
			 astray, inv->operands[0]);
}

static void report_show(const struct rebuilding *run, const struct rebuild_report *report)
{
	struct out *out = run->inv->out;

	out_value(out, "job", report->job);
	request_show(run);
	out_value_bytes(out, "bytes_read", report->bytes_read);
	out_value_bytes(out, "bytes_written", report->bytes_written);
	out_value(out, "extents_moved", report->extents_moved);
	out_value(out, "extents_lost", report->extents_lost);
	if (run->request.group_buffer)
		out_value_bytes(out, "buffer_peak", report->buffer_peak);
	losses_show(&run->losses, out);
	if (run->request.to == MEMBER_NONE)
		astray_show(run);
	out_value_text(out, "health", health_name(array_health(run->array)));
}

/* A job that moved nothing and was begun here is no job: the array is as it was. */
static void withdraw(struct rebuilding *run, const struct rebuild_report *report)
{
	struct err ignored = { 0 };

	if (!run->resumed && report->job && report->extents_moved == 0 &&
	    !array_poisoned(run->array))
		(void)!job_cancel(run->array, report->job, &ignored);
}

static int execute(struct rebuilding *run, unsigned *verdict_out, struct err *err)
{
	struct rebuild_report report = { 0 };
	int rc;

	run->request.lost = losses_add;
	run->request.lost_arg = &run->losses;
	run->request.watch = run->inv->watch;
	rc = rebuild_run(run->array, &run->request, &report, err);
	losses_sort(&run->losses);
	if (report.job)
		report_show(run, &report);
	*verdict_out |= report.extents_lost || run->losses.bytes ? VERDICT_LEFT : 0;
	*verdict_out |= rc == 0 && report.degraded ? VERDICT_DEGRADED : 0;
	if (rc == ERR_STOPPED)
		err_hint(err, "pgctl rebuild %s --resume goes on", run->inv->operands[0]);
	else if (rc)
		withdraw(run, &report);
	return rc;
}

/* Can it begin? If not, a target that has just joined leaves again, with nothing on it. */
static int rehearse(struct rebuilding *run, struct rebuild_report *report_out, struct err *err)
{
	struct err ignored = { 0 };
	int rc = rebuild_plan(run->array, &run->request, report_out, err);

	if (rc == ERR_DATA_LOST && !plan_only(run->inv)) {
		*err = (struct err){ 0 }; /* the run goes on past losses and lists them */
		rc = 0;
	}
	if (rc && run->fresh && array_remove_member(run->array, run->request.to, &ignored) == 0)
		return rc;
	if (run->fresh)
		new_members_keep(run->fresh);
	return rc;
}

static int plan(struct rebuilding *run, struct err *err)
{
	struct rebuild_report report = { 0 };
	struct plan_row row = { "data, parity and seal", 0 };
	int rc = 0;

	if (run->fresh) /* not yet in the map that the core would plan on */
		report.bytes_written = array_member_used(run->array, run->request.from);
	else
		rc = rehearse(run, &report, err);
	if (rc)
		return rc;
	row.bytes = report.bytes_written;
	request_show(run);
	plan_show(run->inv, &row, 1);
	return 0;
}

/* A target that is named beside --resume has to be the job's. */
static int job_check(const struct rebuilding *run, const struct job *job, struct err *err)
{
	const struct rebuild_call *call = run->call;
	struct err why = { 0 };
	uint32_t slot = MEMBER_NONE;

	if (call->to)
		(void)!cli_member_find(&slot, run->inv, run->array, call->to, &why);
	if ((!call->to && !call->into_free) ||
	    (call->to && slot != MEMBER_NONE && slot == job->to) ||
	    (call->into_free && job->to == MEMBER_NONE))
		return 0;
	if (job->to == MEMBER_NONE)
		err_set(err, ERR_STATE,
			"the unfinished %s of member %u goes into free space, not to another place",
			job_kind_name(job->kind), job->from);
	else
		err_set(err, ERR_STATE, "the unfinished %s of member %u goes to member %u (%s)",
			job_kind_name(job->kind), job->from, job->to,
			cli_member_path(run->inv, job->to));
	return err_hint(err,
			"--resume alone goes on with it; pgctl job cancel %s %" PRIu64 " drops it",
			run->inv->operands[0], job->id);
}

/* The unfinished job that these words mean; NULL when they mean a new one. */
static const struct job *choose_job(const struct rebuilding *run)
{
	const struct rebuild_call *call = run->call;

	/* Without --resume only words that name no target, as they would begin it. */
	if (!call->resume && (call->to || call->into_free))
		return NULL;
	return find_job(run->array, run->request.from);
}

/* --resume without an unfinished job, and why none begins. */
static int nothing_to_resume(const struct rebuilding *run, const char *why, struct err *err)
{
	*err = (struct err){ 0 };
	err_set(err, ERR_NOT_FOUND, "there is no unfinished rebuild or replace, and %s", why);
	return err_hint(err, "pgctl job list %s", run->inv->operands[0]);
}

/* The member that --to names has taken over from the lost one already. */
static bool is_done(const struct rebuilding *run)
{
	struct err why = { 0 };
	uint32_t slot;

	return run->call->to && run->request.replace &&
	       cli_member_find(&slot, run->inv, run->array, run->call->to, &why) == 0 &&
	       slot == run->request.from;
}

/* --resume, but nothing is unfinished: begin, if that is wanted and needed. */
static int begin_instead(struct rebuilding *run, struct err *err)
{
	const struct rebuild_call *call = run->call;

	if (call->replace && !call->to)
		return nothing_to_resume(run, "OLD and NEW are not named", err);
	int rc = find_from(run, err);
	if (rc == ERR_STATE)
		return nothing_to_resume(run, "no member is failed, offline or absent", err);
	if (rc == 0 && is_done(run))
		return nothing_to_resume(run, "the member of --to is in its place already", err);
	return rc ? rc : find_to(run, err);
}

/*
 * Begin anew, or go on with a job: when that was asked for, and when the same words would begin it.
 * --resume goes on if there is a job, else it begins: so a script may always say it.
 */
static int choose(struct rebuilding *run, struct err *err)
{
	const struct rebuild_call *call = run->call;
	int rc = 0;

	if (call->from || !call->resume)
		rc = find_from(run, err);
	const struct job *job = rc == 0 || rc == ERR_STATE ? choose_job(run) : NULL;
	if (job) {
		*err = (struct err){ 0 };
		rc = call->resume ? job_check(run, job, err) : 0;
		if (rc == 0)
			job_take(run, job);
		return rc;
	}
	if (call->resume && rc == 0)
		return begin_instead(run, err);
	return rc ? rc : find_to(run, err);
}

static int rebuild(struct rebuilding *run, unsigned *verdict_out, struct err *err)
{
	struct rebuild_report expected = { 0 };
	int rc = choose(run, err);

	if (rc)
		return rc;
	if (run->fresh)
		new_members_show(run->fresh, run->inv);
	if (plan_only(run->inv))
		return plan(run, err);
	rc = rehearse(run, &expected, err);
	return rc ? rc : execute(run, verdict_out, err);
}

static void rebuilding_reset(struct rebuilding *run)
{
	if (run->fresh)
		new_members_close(run->fresh);
	mem_free(run->fresh);
	losses_reset(&run->losses);
}

int rebuilding_run(const struct invocation *inv, const struct rebuild_call *call,
		   unsigned *verdict_out, struct err *err)
{
	struct rebuilding run = {
		.inv = inv,
		.call = call,
		.request = {
			.from = MEMBER_NONE,
			.to = MEMBER_NONE,
			.group_buffer = call->group_buffer,
		},
	};
	int rc;

	if (call->to && call->into_free)
		return err_set(err, ERR_USAGE, "--to and --into-free are two different targets");
	rc = cli_array_open(&run.array, inv, inv->operands[0], plan_access(inv), err);
	if (rc)
		return rc;
	if (cli_md_view(inv)) {
		array_close(run.array);
		return rebuilding_md_run(inv, call, verdict_out, err);
	}
	rc = rebuild(&run, verdict_out, err);
	rebuilding_reset(&run);
	array_close(run.array);
	return rc;
}

int rebuilding_resume(const struct invocation *inv, struct array *array, const struct job *job,
		      unsigned *verdict_out, struct err *err)
{
	const struct rebuild_call call = { .resume = true };
	struct rebuilding run = { .inv = inv, .call = &call, .array = array };
	int rc;

	job_take(&run, job);
	rc = execute(&run, verdict_out, err);
	rebuilding_reset(&run);
	return rc;
}
