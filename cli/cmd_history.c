/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl history: what the array itself remembers of its past. That is the epochs, each begun by a change of
 * who takes part; since when members miss changes; the jobs; and the last time the log was written.
 */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/array/array.h"
#include "core/job/log_report.h"

static const struct field slot_fields[] = {
	{ "slot", FIELD_COUNT, "" },
	{ 0 },
};
static const struct field epoch_fields[] = {
	{ "epoch", FIELD_COUNT, "EPOCH" },
	{ "first_generation", FIELD_COUNT, "FROM GENERATION" },
	{ "present", FIELD_LIST, "MEMBERS" },
	{ "left", FIELD_LIST, "LEFT" },
	{ "joined", FIELD_LIST, "JOINED" },
	{ 0 },
};
static const struct field member_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "state", FIELD_TEXT, "STATE" },
	{ "absent_since", FIELD_COUNT, "MISSES CHANGES SINCE GENERATION" },
	{ 0 },
};
static const struct field job_fields[] = {
	{ "id", FIELD_COUNT, "JOB" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "state", FIELD_TEXT, "STATE" },
	{ "started", FIELD_COUNT, "STARTED" },
	{ "done", FIELD_BYTES, "DONE" },
	{ "total", FIELD_BYTES, "TOTAL" },
	{ "from", FIELD_COUNT, "FROM MEMBER" },
	{ "to", FIELD_COUNT, "TO MEMBER" },
	{ 0 },
};

static void slots_show(struct out *out, const char *key, uint64_t bits)
{
	const struct member_set set = { bits };

	out_list_begin(out, key, slot_fields);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (member_set_has(set, slot))
			out_number(out, slot);
	}
	out_list_end(out);
}

static void epochs_show(struct out *out, const struct map *map)
{
	out_list_begin(out, "epochs", epoch_fields);
	for (uint32_t i = 0; i < map->epoch_count; i++) {
		const struct epoch *epoch = &map->epochs[i];
		uint64_t now = epoch->present.bits;
		uint64_t before = i > 0 ? map->epochs[i - 1].present.bits : now;

		out_number(out, epoch->number);
		out_number(out, epoch->first_generation);
		slots_show(out, "present", now);
		slots_show(out, "left", before & ~now);
		slots_show(out, "joined", now & ~before);
	}
	out_list_end(out);
}

static void members_show(struct out *out, const struct map *map)
{
	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		out_number(out, member->slot);
		out_text(out, member_state_name(member->state));
		if (member->behind)
			out_number(out, member->absent_since);
		else
			out_none(out);
	}
	out_list_end(out);
}

static void slot_or_none(struct out *out, uint32_t slot)
{
	if (slot == MEMBER_NONE)
		out_none(out);
	else
		out_number(out, slot);
}

static void jobs_show(struct out *out, const struct map *map)
{
	out_list_begin(out, "jobs", job_fields);
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		out_number(out, job->id);
		out_text(out, job_kind_name(job->kind));
		out_text(out, job_state_name(job->state));
		out_number(out, job->started_s);
		out_number(out, job->done);
		out_number(out, job->total);
		slot_or_none(out, job->from);
		slot_or_none(out, job->to);
	}
	out_list_end(out);
}

static void log_show(struct out *out, const struct log_report *report)
{
	out_object_begin(out, "log");
	out_value(out, "generation", report->generation);
	out_value(out, "epoch", report->epoch);
	out_value(out, "written", report->written_s);
	out_value(out, "entries", report->entry_count);
	out_object_end(out);
}

static int cmd_history_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct open_how how = { .access = ACCESS_SALVAGE, .leave_log = true };
	struct log_report report = { 0 };
	struct array *array = NULL;
	int rc = cli_array_open_as(&array, inv, inv->operands[0], &how, err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = log_report_read(&report, array, err);
	if (rc == 0) {
		const struct map *map = array_map(array);

		out_value(inv->out, "created", map->created_s);
		out_value(inv->out, "generation", map->generation);
		epochs_show(inv->out, map);
		members_show(inv->out, map);
		jobs_show(inv->out, map);
		log_show(inv->out, &report);
	}
	log_report_reset(&report);
	array_close(array);
	return rc;
}

static const char *const history_details[] = {
	"The array keeps no diary: what is shown is what its map and its log remember. An epoch "
	"begins "
	"when the array is written without a member, or when one comes back or joins; the newest "
	"32 are "
	"kept. Times are seconds since 1970; generations count the commits.",
	NULL,
};
static const char *const history_examples[] = {
	"pgctl history tank/",
	NULL,
};

const struct command cmd_history = {
	.name = "history",
	.summary = "epochs, absences, jobs: what the array remembers of its past",
	.group = GROUP_CARE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = history_details,
	.examples = history_examples,
	.run = cmd_history_run,
};
