/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl job: list, pause, resume and cancel the work that the map has begun and not finished. */
#include "cli/command.h"
#include "cli/job_number.h"
#include "cli/map_cells.h"
#include "cli/members.h"
#include "cli/migrating.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/rebuilding.h"
#include "cli/relayouting.h"
#include "core/array/array.h"
#include "core/job/rebuild.h"

#include <inttypes.h>
#include <string.h>

static const struct field job_fields[] = {
	{ "id", FIELD_COUNT, "JOB" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "state", FIELD_TEXT, "STATE" },
	{ "from", FIELD_COUNT, "FROM" },
	{ "to", FIELD_COUNT, "TO" },
	{ "done", FIELD_BYTES, "DONE" },
	{ "total", FIELD_BYTES, "TOTAL" },
	{ "started", FIELD_COUNT, NULL },
	{ 0 },
};

static int job_list_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	out_list_begin(inv->out, "jobs", job_fields);
	for (uint32_t i = 0; i < array_map(array)->job_count; i++)
		cells_job(inv->out, &array_map(array)->jobs[i]);
	out_list_end(inv->out);
	array_close(array);
	return 0;
}

/* ---- pause, resume, cancel: on one job of an array that nobody else works on */

/* When another process holds the array, it is the one that runs the job. */
static void busy_hint(struct err *err)
{
	for (unsigned i = 0; i < err->fact_count; i++) {
		if (strcmp(err->facts[i].name, "pid") == 0)
			err_hint(err,
				 "that process runs the job: kill -INT %s pauses it at its "
				 "next commit",
				 err->facts[i].value);
	}
}

static int job_find(struct job *job_out, const struct array *array, const char *text,
		    struct err *err)
{
	const struct job *job;
	uint64_t id = 0;
	int rc = job_number_parse(&id, text, err);

	if (rc)
		return rc;
	job = map_job(array_map(array), id);
	if (!job)
		return err_set(err, ERR_NOT_FOUND, "there is no job %" PRIu64, id);
	if (job->state == JOB_DONE)
		return err_set(err, ERR_STATE, "job %" PRIu64 " is done", id);
	*job_out = *job;
	return 0;
}

static int with_job(const struct invocation *inv,
		    int (*act)(const struct invocation *inv, struct array *array, struct job *job,
			       unsigned *verdict_out, struct err *err),
		    unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	struct job job;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc == ERR_BUSY)
		busy_hint(err);
	if (rc)
		return rc;
	rc = job_find(&job, array, inv->operands[1], err);
	if (rc == 0)
		rc = act(inv, array, &job, verdict_out, err);
	array_close(array);
	return rc;
}

static int pause_act(const struct invocation *inv, struct array *array, struct job *job,
		     unsigned *verdict_out, struct err *err)
{
	int rc = 0;

	(void)verdict_out;
	job->state = JOB_PAUSED;
	if (plan_only(inv)) {
		plan_show_map(inv, "another state of a job");
	} else {
		rc = map_put_job(array_map(array), job);
		rc = rc ? err_set(err, rc, "no memory") : array_commit(array, err);
	}
	if (rc)
		return rc;
	out_value(inv->out, "job", job->id);
	out_value_text(inv->out, "state", job_state_name(job->state));
	return 0;
}

static int job_pause_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	return with_job(inv, pause_act, verdict_out, err);
}

static int resume_act(const struct invocation *inv, struct array *array, struct job *job,
		      unsigned *verdict_out, struct err *err)
{
	const struct relayout_request moves = { .kind = job->kind, .member = job->from };
	const struct volume *volume = map_volume(array_map(array), job->volume);

	switch (job->kind) {
	case JOB_REBUILD:
	case JOB_REPLACE:
		return rebuilding_resume(inv, array, job, verdict_out, err);
	case JOB_REBALANCE:
	case JOB_RECOMBINE:
	case JOB_EVACUATE:
	case JOB_EXPAND:
	case JOB_TOPOLOGY:
		return relayouting_run(inv, array, &moves, err);
	case JOB_MIGRATE:
		if (volume)
			return migrating_run(inv, array, volume->name, &job->policy, verdict_out,
					     err);
		break;
	case JOB_SCRUB:
	case JOB_REMOVE:
		break;
	}
	err_set(err, ERR_UNSUPPORTED, "job %" PRIu64 " is a %s, which its own command goes on with",
		job->id, job_kind_name(job->kind));
	return err_hint(err, "pgctl %s %s --resume", job_kind_name(job->kind), inv->operands[0]);
}

static int job_resume_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	return with_job(inv, resume_act, verdict_out, err);
}

static int cancel_act(const struct invocation *inv, struct array *array, struct job *job,
		      unsigned *verdict_out, struct err *err)
{
	int rc = 0;

	(void)verdict_out;
	if (plan_only(inv))
		plan_show_map(inv, "one job less; what it has moved stays moved");
	else
		rc = job_cancel(array, job->id, err);
	if (rc)
		return rc;
	out_value(inv->out, "job", job->id);
	out_value_text(inv->out, "state", "cancelled");
	return 0;
}

static int job_cancel_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	return with_job(inv, cancel_act, verdict_out, err);
}

static const struct command verb_list = {
	.name = "list",
	.summary = "list jobs and how far they are",
	.group = GROUP_CARE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.run = job_list_run,
};
static const struct command verb_pause = {
	.name = "pause",
	.summary = "mark a job that nobody runs as paused",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY JOB",
	.operands_min = 2,
	.operands_max = 2,
	.run = job_pause_run,
};
static const struct command verb_resume = {
	.name = "resume",
	.summary = "go on with a job, in this process",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES,
	.operands = "ARRAY JOB",
	.operands_min = 2,
	.operands_max = 2,
	.run = job_resume_run,
};
static const struct command verb_cancel = {
	.name = "cancel",
	.summary = "drop a job; what it has moved stays moved",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY JOB",
	.operands_min = 2,
	.operands_max = 2,
	.run = job_cancel_run,
};

static const struct command *const job_verbs[] = {
	&verb_list, &verb_pause, &verb_resume, &verb_cancel, NULL,
};
static const char *const job_details[] = {
	"A job is run by the command that began it. While that process lives, SIGINT pauses it; "
	"when it was killed, the job goes on with `job resume` or with the command's --resume.",
	NULL,
};
static const char *const job_examples[] = {
	"pgctl job list tank/",
	"pgctl job resume tank/ 3",
	NULL,
};

const struct command cmd_job = {
	.name = "job",
	.summary = "list, pause, resume and cancel jobs",
	.group = GROUP_CARE,
	.details = job_details,
	.examples = job_examples,
	.verbs = job_verbs,
};
