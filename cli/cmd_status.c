/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl status: is the array well, what is it made of, and what to do about whatever is wrong.
 *
 * Reads metadata only, and opens what is left of an array however little that is.
 */
#include "cli/adopt_show.h"
#include "cli/command.h"
#include "cli/md_problem.h"
#include "cli/md_show.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/problem.h"

#include <inttypes.h>

struct status_args {
	bool test;
	bool nagios;
};

static const struct option_spec status_options[] = {
	{ "test", OPTION_FLAG, offsetof(struct status_args, test), NULL,
	  "exit status 0 healthy, 1 degraded, 2 broken, 4 could not find out; one word of output" },
	{ "nagios", OPTION_FLAG, offsetof(struct status_args, nagios), NULL,
	  "one line and exit status for monitoring: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN" },
	{ 0 },
};

static const struct field member_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },      { "uuid", FIELD_TEXT, NULL },
	{ "state", FIELD_TEXT, "STATE" },     { "size", FIELD_BYTES, "SIZE" },
	{ "used", FIELD_BYTES, "USED" },      { "path", FIELD_TEXT, "PATH" },
	{ "labels", FIELD_OBJECT, "LABELS" }, { 0 },
};
static const struct field volume_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },
	{ "length", FIELD_BYTES, "LENGTH" },
	{ "layout", FIELD_TEXT, "LAYOUT" },
	{ "parity", FIELD_COUNT, "PARITY" },
	{ "copies", FIELD_COUNT, "COPIES" },
	{ "health", FIELD_TEXT, "HEALTH" },
	{ 0 },
};
static const struct field job_fields[] = {
	{ "id", FIELD_COUNT, "JOB" },      { "kind", FIELD_TEXT, "KIND" },
	{ "state", FIELD_TEXT, "STATE" },  { "done", FIELD_BYTES, "DONE" },
	{ "total", FIELD_BYTES, "TOTAL" }, { 0 },
};
/* In text each problem is two lines below the tables. */
static const struct field problem_fields[] = {
	{ "code", FIELD_TEXT, NULL },
	{ "text", FIELD_TEXT, NULL },
	{ "try", FIELD_TEXT, NULL },
	{ 0 },
};
static const struct field array_fields[] = {
	{ "name", FIELD_TEXT, "ARRAY" },
	{ "uuid", FIELD_TEXT, "UUID" },
	{ "health", FIELD_TEXT, "HEALTH" },
	{ "path", FIELD_TEXT, "PATH" },
	{ 0 },
};

static void show_array(const struct invocation *inv, const struct array *array)
{
	struct out *out = inv->out;
	const struct map *map = array_map(array);
	uint64_t epoch = map->epoch_count ? map->epochs[map->epoch_count - 1].number : 0;
	struct array_capacity capacity;

	out_object_begin(out, "array");
	out_value_text(out, "name", map->name);
	out_value_uuid(out, "uuid", &map->uuid);
	out_value_text(out, "health", health_name(array_health(array)));
	out_value(out, "epoch", epoch);
	out_value(out, "generation", map->generation);
	if (map->adoption.state != ADOPT_NONE)
		out_value_text(out, "adoption", adopt_state_name(map->adoption.state));
	out_object_end(out);
	if (cli_md_view(inv))
		md_show_format(out, cli_md_view(inv));

	array_capacity(array, &capacity);
	out_object_begin(out, "capacity");
	out_value_bytes(out, "raw", capacity.raw);
	out_value_bytes(out, "used", capacity.used);
	out_value_bytes(out, "free", capacity.free);
	out_value_bytes(out, "usable", capacity.usable);
	out_object_end(out);
}

/* One word: what the operator declared, else what was found, else what it does. */
static const char *member_word(const struct array *array, const struct member *member)
{
	enum presence presence = array_presence(array, member->slot);

	if (member->state == MEMBER_FAILED || member->state == MEMBER_OFFLINE)
		return member_state_name(member->state);
	if (presence != PRESENT)
		return presence_name(presence);
	return member_state_name(member->state);
}

static void show_members(const struct invocation *inv, const struct array *array)
{
	const struct map *map = array_map(array);
	struct out *out = inv->out;

	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		out_number(out, member->slot);
		out_uuid(out, &member->uuid);
		out_text(out, member_word(array, member));
		out_number(out, member->size);
		out_number(out, array_member_used(array, member->slot));
		out_text(out, cli_member_path(inv, member->slot));
		out_object_begin(out, "labels");
		for (uint32_t l = 0; l < member->label_count; l++)
			out_value_text(out, member->labels[l].key, member->labels[l].value);
		out_object_end(out);
	}
	out_list_end(out);
}

/* How many members a group of the policy survives by equations, and how many copies it keeps. */
static uint64_t policy_parity(const struct policy *policy)
{
	if (policy->layout == LAYOUT_PARITY)
		return policy->checks;
	return policy->layout == LAYOUT_SEQUENTIAL;
}

static uint64_t policy_copies(const struct policy *policy)
{
	return policy->layout == LAYOUT_MIRROR ? policy->checks + UINT64_C(1) : 1;
}

static void show_volumes(struct out *out, const struct array *array)
{
	const struct map *map = array_map(array);

	out_list_begin(out, "volumes", volume_fields);
	for (uint32_t i = 0; i < map->volume_count; i++) {
		const struct volume *volume = map->volumes[i];

		out_text(out, volume->name);
		out_number(out, volume->length);
		out_text(out, layout_name(volume->policy.layout));
		out_number(out, policy_parity(&volume->policy));
		out_number(out, policy_copies(&volume->policy));
		out_text(out, health_name(array_volume_health(array, volume)));
	}
	out_list_end(out);
}

static void show_jobs(struct out *out, const struct array *array)
{
	const struct map *map = array_map(array);

	out_list_begin(out, "jobs", job_fields);
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		out_number(out, job->id);
		out_text(out, job_kind_name(job->kind));
		out_text(out, job_state_name(job->state));
		out_number(out, job->done);
		out_number(out, job->total);
	}
	out_list_end(out);
}

static int show_problems(const struct invocation *inv, const struct array *array, const char *name,
			 struct err *err)
{
	struct problems problems = { 0 };
	struct out *out = inv->out;
	int rc = problems_find(&problems, inv, array, name, err);

	if (rc == 0 && cli_md_view(inv))
		rc = md_problems_add(&problems, cli_md_view(inv), array, name, err);
	if (rc) {
		problems_reset(&problems);
		return rc;
	}
	out_list_begin(out, "problems", problem_fields);
	for (size_t i = 0; i < problems.count; i++) {
		out_text(out, problem_name(problems.at[i].code));
		out_text(out, problems.at[i].text);
		out_text(out, problems.at[i].try);
	}
	out_list_end(out);
	if (problems.count)
		out_line(out, "%s", "");
	for (size_t i = 0; i < problems.count; i++) {
		out_line(out, "problem: %s", problems.at[i].text);
		out_line(out, "    try: %s", problems.at[i].try);
	}
	problems_reset(&problems);
	return 0;
}

static int show(const struct invocation *inv, const struct array *array, const char *name,
		struct err *err)
{
	show_array(inv, array);
	if (cli_md_view(inv))
		md_show_status_members(inv, array, cli_md_view(inv));
	else
		show_members(inv, array);
	show_volumes(inv->out, array);
	show_jobs(inv->out, array);
	return show_problems(inv, array, name, err);
}

/* "PGCTL OK - array 'a' is healthy: 5 members, 1.0 GiB free | free=1073741824B used=0B" */
static void show_nagios(const struct invocation *inv, const struct array *array)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL" };
	const struct map *map = array_map(array);
	enum health health = array_health(array);
	struct array_capacity capacity;

	array_capacity(array, &capacity);
	out_line(inv->out,
		 "PGCTL %s - array '%s' is %s, %u members | used=%" PRIu64 "B free=%" PRIu64 "B",
		 words[health], map->name, health_name(health), map->member_count, capacity.used,
		 capacity.free);
}

/* One array: `worst` rises to its health. */
static int status_one(const struct invocation *inv, const char *name, enum health *worst,
		      struct err *err)
{
	const struct status_args *args = inv->args;
	struct array *array = NULL;
	enum health health;
	int rc = cli_array_open(&array, inv, name, ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	health = array_health(array);
	*worst = health > *worst ? health : *worst;
	if (args->nagios && !out_is_json(inv->out))
		show_nagios(inv, array);
	else if (args->test && !out_is_json(inv->out))
		out_line(inv->out, "%s", health_name(health));
	else
		rc = show(inv, array, name, err);
	array_close(array);
	return rc;
}

/* Several arrays in the directory: a line each. */
static int status_each(const struct invocation *inv, const struct found_arrays *arrays,
		       enum health *worst, struct err *err)
{
	int rc = 0;

	out_list_begin(inv->out, "arrays", array_fields);
	for (size_t i = 0; rc == 0 && i < arrays->count; i++) {
		const struct found_array *found = &arrays->at[i];
		struct array *array = NULL;
		enum health health;

		rc = cli_array_open(&array, inv, found->path, ACCESS_SALVAGE, err);
		if (rc)
			break;
		health = array_health(array);
		*worst = health > *worst ? health : *worst;
		array_close(array);
		out_text(inv->out, found->name);
		out_uuid(inv->out, &found->uuid);
		out_text(inv->out, health_name(health));
		out_text(inv->out, found->path);
	}
	if (rc == 0)
		out_list_end(inv->out);
	return rc;
}

static int status_here(const struct invocation *inv, enum health *worst, struct err *err)
{
	struct found_arrays arrays = { 0 };
	int rc = cli_arrays_find(&arrays, inv, ".", err);

	if (rc == 0 && arrays.count > 1)
		rc = status_each(inv, &arrays, worst, err);
	else if (rc == 0)
		rc = status_one(inv, ".", worst, err);
	cli_arrays_reset(&arrays);
	return rc;
}

static int cmd_status_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	enum health worst = HEALTH_HEALTHY;
	int rc;

	if (inv->operand_count)
		rc = status_one(inv, inv->operands[0], &worst, err);
	else
		rc = status_here(inv, &worst, err);
	*verdict_out = (unsigned)worst;
	return rc;
}

/* The verdict is the health; only --test and --nagios make it an exit status. */
static unsigned cmd_status_exit(const struct invocation *inv, unsigned verdict,
				const struct err *err)
{
	const struct status_args *args = inv->args;

	_Static_assert(HEALTH_HEALTHY == 0 && HEALTH_DEGRADED == 1 && HEALTH_BROKEN == 2,
		       "health is the exit status");
	if (args->nagios)
		return err->code ? 3 : verdict;
	if (args->test)
		return err->code ? 4 : verdict;
	return err->code ? (unsigned)err_class(err->code) : 0;
}

static const char *const details[] = {
	"ARRAY is any one member or a directory of members; without it the arrays of the current "
	"directory are shown. Whatever is wrong is listed as a problem with its cause and the "
	"command that helps; 'pgctl explain CODE' says more about each.",
	"The exit status is 0 when the question could be answered, also for a broken array; --test "
	"and --nagios make the health the exit status.",
	NULL,
};
static const char *const examples[] = {
	"pgctl status a0.img",
	"pgctl status --json a0.img",
	"pgctl status --test . || echo look here",
	NULL,
};

const struct command cmd_status = {
	.name = "status",
	.summary = "health, members, volumes, jobs, and the next command for whatever is wrong",
	.group = GROUP_LIFE,
	.operands = "[ARRAY]",
	.operands_max = 1,
	.options = status_options,
	.args_size = sizeof(struct status_args),
	.details = details,
	.examples = examples,
	.run = cmd_status_run,
	.exit_status = cmd_status_exit,
};
