/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl history: what the array itself remembers of its past. That is the epochs, each begun by a change of
 * who takes part; since when members miss changes; the jobs; and the last time the log was written.
 */
#include "cli/command.h"
#include "cli/log_open.h"
#include "cli/map_cells.h"

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
	{ "from", FIELD_COUNT, "FROM MEMBER" },
	{ "to", FIELD_COUNT, "TO MEMBER" },
	{ "done", FIELD_BYTES, "DONE" },
	{ "total", FIELD_BYTES, "TOTAL" },
	{ "started", FIELD_COUNT, "STARTED" },
	{ 0 },
};

static void epochs_show(struct out *out, const struct map *map)
{
	out_list_begin(out, "epochs", epoch_fields);
	for (uint32_t i = 0; i < map->epoch_count; i++) {
		const struct epoch *epoch = &map->epochs[i];
		const struct member_set now = epoch->present;
		const struct member_set before = i > 0 ? map->epochs[i - 1].present : now;

		out_number(out, epoch->number);
		out_number(out, epoch->first_generation);
		cells_slots(out, "present", now);
		cells_slots(out, "left", (struct member_set){ before.bits & ~now.bits });
		cells_slots(out, "joined", (struct member_set){ now.bits & ~before.bits });
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

static void jobs_show(struct out *out, const struct map *map)
{
	out_list_begin(out, "jobs", job_fields);
	for (uint32_t i = 0; i < map->job_count; i++)
		cells_job(out, &map->jobs[i]);
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
	struct log_report report = { 0 };
	struct array *array = NULL;
	int rc = cli_log_open(&array, &report, inv, ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	const struct map *map = array_map(array);

	out_value(inv->out, "created", map->created_s);
	out_value(inv->out, "generation", map->generation);
	epochs_show(inv->out, map);
	members_show(inv->out, map);
	jobs_show(inv->out, map);
	log_show(inv->out, &report);
	log_report_reset(&report);
	array_close(array);
	return 0;
}

static const char *const history_details[] = {
	"The array keeps no diary: what is shown is what its map and its log remember. An epoch "
	"begins when the array is written without a member, or when one comes back or joins; the "
	"newest 32 are kept. Times are seconds since 1970; generations count the commits.",
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
