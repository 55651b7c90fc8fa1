/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl meta: the metadata of an array, without its data: where it lies, kept in an archive, compared, put back.
 */
#include "cli/command.h"
#include "cli/map_rebuilding.h"
#include "cli/member_guard.h"
#include "cli/members.h"
#include "cli/meta_archive.h"
#include "cli/meta_restore.h"
#include "cli/output.h"
#include "core/job/meta.h"

struct dump_args {
	bool log;
};

static const struct option_spec dump_options[] = {
	{ "log", OPTION_FLAG, offsetof(struct dump_args, log), NULL,
	  "also the log, which may hold data that was being written" },
	{ 0 },
};

static const struct field list_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" }, { "path", FIELD_TEXT, "PATH" },
	{ "role", FIELD_TEXT, "ROLE" },      { "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" }, { 0 },
};

/* Whatever is left of it, and without recovery, so that what is on the members is what is read. */
static int array_look(struct array **array_out, const struct invocation *inv, struct err *err)
{
	const struct open_how how = { .access = ACCESS_SALVAGE, .leave_log = true };
	struct array *array = NULL;
	int rc = cli_array_open_as(&array, inv, inv->operands[0], &how, err);

	if (rc)
		return rc;
	rc = array_need_native(array, err);
	if (rc)
		array_close(array);
	else
		*array_out = array;
	return rc;
}

static int list_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = array_look(&array, inv, err);

	(void)verdict_out;
	if (rc)
		return rc;
	out_list_begin(inv->out, "ranges", list_fields);
	for (uint32_t i = 0; i < array_map(array)->member_count; i++) {
		uint32_t slot = array_map(array)->members[i].slot;
		struct meta_range ranges[META_RANGES_MAX];
		uint32_t count = meta_ranges(array, slot, ranges);

		for (uint32_t r = 0; r < count; r++) {
			out_number(inv->out, slot);
			out_text(inv->out, cli_member_path(inv, slot));
			out_text(inv->out, io_role_name(ranges[r].role));
			out_number(inv->out, ranges[r].offset);
			out_number(inv->out, ranges[r].size);
		}
	}
	out_list_end(inv->out);
	array_close(array);
	return 0;
}

static int dump_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct dump_args *args = inv->args;
	struct meta_index index = { 0 };
	struct array *array = NULL;
	int rc = array_look(&array, inv, err);

	if (rc)
		return rc;
	rc = member_guard(inv, array, inv->operands[1], err);
	if (rc == 0)
		rc = meta_archive_write(&index, inv, array, inv->operands[1], args->log, err);
	if (rc == 0) {
		out_value_text(inv->out, "name", index.name);
		out_value(inv->out, "generation", index.generation);
		out_value(inv->out, "members", index.members.count);
		if (index.members.count < array_map(array)->member_count)
			*verdict_out |= VERDICT_LEFT;
	}
	meta_index_reset(&index);
	array_close(array);
	return rc;
}

static int diff_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	bool differs = false;
	int rc = meta_diff(inv, inv->operands[0], inv->operands[1], &differs, err);

	*verdict_out |= rc == 0 && differs ? VERDICT_LEFT : 0;
	return rc;
}

static int restore_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	bool differs = false;
	int rc = meta_restore(inv, inv->operands[0], inv->operands[1], &differs, err);

	*verdict_out |= rc == 0 && differs ? VERDICT_LEFT : 0;
	return rc;
}

static const struct command verb_list = {
	.name = "list",
	.summary = "show where superblocks, map and log lie on each member",
	.group = GROUP_CARE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.run = list_run,
};
static const char *const dump_details[] = {
	"A small archive (pax, zstd) for support, or against the loss of all superblocks: no data, "
	"but "
	"names of volumes and members. 4: members were absent.",
	NULL,
};
static const struct command verb_dump = {
	.name = "dump",
	.summary = "write the metadata of all members into an archive",
	.group = GROUP_CARE,
	.operands = "ARRAY FILE",
	.operands_min = 2,
	.operands_max = 2,
	.options = dump_options,
	.args_size = sizeof(struct dump_args),
	.details = dump_details,
	.run = dump_run,
};
static const struct command verb_diff = {
	.name = "diff",
	.summary = "compare the metadata on the members with an archive",
	.group = GROUP_CARE,
	.operands = "ARRAY FILE",
	.operands_min = 2,
	.operands_max = 2,
	.run = diff_run,
};
static const char *const restore_details[] = {
	"For an array whose superblocks are gone. Members are the files that have the names they "
	"had, "
	"in the directory ARRAY or beside it, or where --member says. What would be written over "
	"is "
	"shown, and asked about; --plan only shows it. Maps and logs are durable before "
	"superblocks "
	"are written.",
	"Refused unless --force: a member whose superblock is another's or newer, whose map "
	"differs, or "
	"that has none of the extents that the archive knows of it.",
	NULL,
};
static const struct command verb_restore = {
	.name = "restore",
	.summary = "write an archive's metadata back onto the members",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY FILE",
	.operands_min = 2,
	.operands_max = 2,
	.details = restore_details,
	.run = restore_run,
};
static const struct command verb_rebuild = {
	.name = "rebuild",
	.summary = "make a new map from the seals, as check --rebuild-map",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.run = map_rebuilding_run,
};

static const struct command *const meta_verbs[] = {
	&verb_list, &verb_diff, &verb_dump, &verb_restore, &verb_rebuild, NULL,
};
static const char *const meta_examples[] = {
	"pgctl meta dump tank/ tank.meta",
	"pgctl meta diff tank/ tank.meta",
	"pgctl meta restore tank/ tank.meta --plan",
	NULL,
};

const struct command cmd_meta = {
	.name = "meta",
	.summary = "list, dump, compare and restore metadata",
	.group = GROUP_CARE,
	.examples = meta_examples,
	.verbs = meta_verbs,
};
