/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl spare: members that hold nothing until a rebuild takes them. */
#include "cli/adding.h"
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/relayouting.h"
#include "core/array/array.h"

/* ---- list */

static const struct field spare_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "size", FIELD_BYTES, "SIZE" },
	{ "usable", FIELD_FLAG, "USABLE" },
	{ "large_enough", FIELD_FLAG, "LARGE ENOUGH" },
	{ 0 },
};

/* Frames of the largest member that holds data. */
static uint64_t largest_member(const struct map *map)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		if (member->state != MEMBER_SPARE && member->frame_count > largest)
			largest = member->frame_count;
	}
	return largest;
}

static int list_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	const struct map *map = array_map(array);
	out_list_begin(inv->out, "spares", spare_fields);
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		if (member->state != MEMBER_SPARE)
			continue;
		out_number(inv->out, member->slot);
		out_text(inv->out, cli_member_path(inv, member->slot));
		out_number(inv->out, member->size);
		out_flag(inv->out, array_member_usable(array, member->slot));
		out_flag(inv->out, member->frame_count >= largest_member(map));
	}
	out_list_end(inv->out);
	array_close(array);
	return 0;
}

/* ---- add */

struct add_args {
	uint64_t size;
};

static const struct option_spec add_options[] = {
	{ "size", OPTION_SIZE, offsetof(struct add_args, size), "SIZE",
	  "make image files of this size, sparse, where no file exists" },
	{ 0 },
};

static int add_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct add_args *args = inv->args;

	(void)verdict_out;
	return adding_open_and_run(inv, args->size, true, err);
}

/* ---- make */

static int make_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	return relayouting_open_and_empty(inv, true, err);
}

static const struct command verb_list = {
	.name = "list",
	.summary = "list the spares",
	.group = GROUP_MEMBERS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.run = list_run,
};
static const struct command verb_add = {
	.name = "add",
	.summary = "add members as spares",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER…",
	.operands_min = 2,
	.operands_max = OPERANDS_ANY,
	.options = add_options,
	.args_size = sizeof(struct add_args),
	.run = add_run,
};
static const char *const make_details[] = {
	"Everything on MEMBER goes to the others, each extent outside its group and mirrors to "
	"where "
	"their topology has them without it; then it is a spare. The same command goes on after a "
	"stop. `online` makes a spare a member that is used again.",
	NULL,
};
static const struct command verb_make = {
	.name = "make",
	.summary = "empty a member and keep it as a spare",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER",
	.operands_min = 2,
	.operands_max = 2,
	.details = make_details,
	.run = make_run,
};

static const struct command *const spare_verbs[] = { &verb_list, &verb_add, &verb_make, NULL };
static const char *const spare_details[] = {
	"A spare is there for every member and every group: `rebuild` takes the smallest one that "
	"is "
	"large enough when no target is named. The free space of all members is a spare as well: "
	"`rebuild --into-free`.",
	NULL,
};
static const char *const spare_examples[] = { "pgctl spare make tank/ 4", NULL };

const struct command cmd_spare = {
	.name = "spare",
	.summary = "list, add and make spares",
	.group = GROUP_MEMBERS,
	.details = spare_details,
	.examples = spare_examples,
	.verbs = spare_verbs,
};
