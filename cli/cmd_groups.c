/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl groups: the groups of an array, and those that are narrower than they could be. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/array/array.h"
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/job/relayout.h"

struct groups_args {
	bool narrow;
	uint64_t width;
};

static const struct option_spec groups_options[] = {
	{ "narrow", OPTION_FLAG, offsetof(struct groups_args, narrow), NULL,
	  "only parity groups that are narrower than new ones" },
	{ "width", OPTION_NUMBER, offsetof(struct groups_args, width), "N",
	  "columns that are wanted; unless given as new volumes get them" },
	{ 0 },
};

static const struct field group_fields[] = {
	{ "id", FIELD_COUNT, "GROUP" },       { "volume", FIELD_TEXT, "VOLUME" },
	{ "layout", FIELD_TEXT, "LAYOUT" },   { "columns", FIELD_COUNT, "COLUMNS" },
	{ "checks", FIELD_COUNT, "CHECKS" },  { "data", FIELD_BYTES, "DATA" },
	{ "members", FIELD_LIST, "MEMBERS" }, { 0 },
};

static void group_show(struct out *out, const struct group *group, const struct volume *volume)
{
	uint64_t blocks = (uint64_t)group_data_blocks(group) * group_data_columns(group);

	out_number(out, group->id);
	out_text(out, volume ? volume->name : NULL);
	out_text(out, layout_name(group->shape.layout));
	out_number(out, group->shape.columns);
	out_number(out, group->shape.checks);
	out_number(out, blocks * BLOCK_SIZE);
	out_texts_begin(out, "members");
	for (uint32_t c = 0; c < group->shape.columns; c++)
		out_texts_add_number(out, group->extents[c].slot);
	out_texts_end(out);
}

static int groups_show(const struct invocation *inv, const struct array *array, struct err *err)
{
	const struct groups_args *args = inv->args;
	const struct map *map = array_map(array);
	uint64_t *volumes = map_group_volumes(map);
	uint32_t widest = relayout_columns(array, (uint32_t)args->width);
	uint64_t narrow = 0;

	if (!volumes)
		return err_set(err, ERR_NOMEM, "no memory");
	out_list_begin(inv->out, "groups", group_fields);
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		bool is_narrow =
			group->shape.layout == LAYOUT_PARITY && group->shape.columns < widest;

		narrow += is_narrow;
		if (is_narrow || !args->narrow)
			group_show(inv->out, group, map_volume(map, volumes[g]));
	}
	out_list_end(inv->out);
	out_value(inv->out, "count", map->group_count);
	out_value(inv->out, "narrow", narrow);
	out_value(inv->out, "width", widest);
	mem_free(volumes);
	return 0;
}

/* What recombine would make of the narrow ones. */
static int saving_show(const struct invocation *inv, const struct array *array, struct err *err)
{
	const struct groups_args *args = inv->args;
	const struct relayout_request request = { .kind = JOB_RECOMBINE,
						  .member = MEMBER_NONE,
						  .columns = (uint32_t)args->width };
	struct relayout_report report;
	int rc = relayout_plan(array, &request, &report, err);

	if (!rc)
		out_value(inv->out, "after_recombine", report.groups_after);
	return rc;
}

static int cmd_groups_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct groups_args *args = inv->args;
	struct array *array = NULL;
	int rc = 0;

	(void)verdict_out;
	if (args->width > CODE_COLUMNS_MAX)
		return err_set(err, ERR_USAGE, "--width takes up to %u", CODE_COLUMNS_MAX);
	rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);
	if (rc)
		return rc;
	rc = groups_show(inv, array, err);
	if (!rc && args->narrow)
		rc = saving_show(inv, array, err);
	array_close(array);
	return rc;
}

static const char *const groups_details[] = {
	"Every group with its volume, code, bytes of data and members, in the order of columns. A "
	"narrow group has more checks for its data than it needs: --narrow lists those, and how "
	"many "
	"groups there would be after `recombine`.",
	NULL,
};
static const char *const groups_examples[] = { "pgctl groups tank/ --narrow", NULL };

const struct command cmd_groups = {
	.name = "groups",
	.summary = "the groups of an array, and narrow ones",
	.group = GROUP_QUESTIONS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = groups_options,
	.args_size = sizeof(struct groups_args),
	.details = groups_details,
	.examples = groups_examples,
	.run = cmd_groups_run,
};
