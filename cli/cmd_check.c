/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl check: are superblocks, map copies and the map's own rules as they should be? */
#include "cli/command.h"
#include "cli/map_rebuilding.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/array/array.h"
#include "core/base/bytes.h"

#include <inttypes.h>

struct check_args {
	bool rebuild_map;
	bool rebuild_free;
};

static const struct option_spec check_options[] = {
	{ "rebuild-map", OPTION_FLAG, offsetof(struct check_args, rebuild_map), NULL,
	  "make a new map from the seals of all extents, when no copy of the map is left" },
	{ "rebuild-free", OPTION_FLAG, offsetof(struct check_args, rebuild_free), NULL,
	  "derive the free space from the map again and compare" },
	{ 0 },
};

static const struct field finding_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "text", FIELD_TEXT, "FINDING" },
	{ "harmless", FIELD_FLAG, NULL },
	{ 0 },
};

static void finding_show(void *arg, const struct array_finding *finding)
{
	struct out *out = arg;

	if (finding->slot == MEMBER_NONE) {
		out_none(out);
		out_none(out);
		out_none(out);
	} else {
		out_number(out, finding->slot);
		out_number(out, finding->offset);
		out_number(out, finding->length);
	}
	out_text(out, finding->kind);
	out_text(out, finding->text);
	out_flag(out, finding->harmless);
}

static int metadata_check(const struct invocation *inv, struct array *array, unsigned *verdict_out,
			  struct err *err)
{
	uint64_t findings = 0;
	int rc;

	out_list_begin(inv->out, "findings", finding_fields);
	rc = array_check(array, finding_show, inv->out, &findings, err);
	out_list_end(inv->out);
	if (rc)
		return rc;
	out_value(inv->out, "left", findings);
	if (findings)
		*verdict_out |= VERDICT_LEFT;
	else
		out_line(inv->out, "metadata is consistent");
	return 0;
}

static const struct field free_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "extents", FIELD_COUNT, "EXTENTS" },
	{ "frames_used", FIELD_COUNT, "FRAMES USED" },
	{ "frames_free", FIELD_COUNT, "FRAMES FREE" },
	{ 0 },
};

/* Frames and extents of one member, counted from the groups. */
static uint64_t frames_count(const struct map *map, uint32_t slot, uint64_t *extents_out)
{
	uint64_t frames = 0, extents = 0;

	for (uint32_t i = 0; i < map->group_count; i++) {
		const struct group *group = map->groups[i];

		for (uint32_t column = 0; column < group->shape.columns; column++) {
			if (group->extents[column].slot != slot)
				continue;
			frames += UINT64_C(1) << group->extents[column].size_class;
			extents++;
		}
	}
	*extents_out = extents;
	return frames;
}

/*
 * There is no free list on a member that could be wrong: free space is what the map does not name. So
 * this counts it again, in another way than the open array does, and compares.
 */
static int free_check(const struct invocation *inv, const struct array *array,
		      unsigned *verdict_out)
{
	const struct map *map = array_map(array);
	uint64_t frame_size = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;
	uint64_t wrong = 0;

	out_list_begin(inv->out, "free", free_fields);
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		uint64_t extents = 0;
		uint64_t frames = frames_count(map, member->slot, &extents);

		wrong += frames * frame_size != array_member_used(array, member->slot) ||
			 frames > member->frame_count;
		out_number(inv->out, member->slot);
		out_number(inv->out, extents);
		out_number(inv->out, frames);
		out_number(inv->out, member->frame_count - frames);
	}
	out_list_end(inv->out);
	out_value(inv->out, "left", wrong);
	out_line(inv->out, "free space is derived from the map whenever an array opens; %s",
		 wrong ? "the two counts differ" : "counted again, it is the same");
	*verdict_out |= wrong ? VERDICT_LEFT : 0;
	return 0;
}

static int cmd_check_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct check_args *args = inv->args;
	struct array *array = NULL;
	int rc;

	if (args->rebuild_map && args->rebuild_free)
		return err_set(err, ERR_USAGE,
			       "--rebuild-map and --rebuild-free are two different things");
	if (args->rebuild_map)
		return map_rebuilding_run(inv, verdict_out, err);
	rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);
	if (rc)
		return rc;
	rc = args->rebuild_free ? free_check(inv, array, verdict_out)
				: metadata_check(inv, array, verdict_out, err);
	array_close(array);
	return rc;
}

static const char *const check_details[] = {
	"Reads every superblock slot and both halves of the map on every member, and tests the map "
	"against its rules. Nothing is written; data is not read, that is what `scrub` does.",
	"A command that was killed in a commit may leave half of a superblock in a slot on which "
	"nothing rests. Such a finding is harmless and counts neither in `left` nor in the "
	"exit status.",
	"--rebuild-map reads the header of every extent on every member and writes a new map. It "
	"is for an array that does not open any more, and asks first. Members whose superblocks "
	"are "
	"gone are named with --member; without any superblock the array is called `rebuilt`, and "
	"what "
	"its log still had to bring forward is lost, so scrub it.",
	NULL,
};
static const char *const check_examples[] = {
	"pgctl check tank/",
	"pgctl check tank/ --rebuild-map --plan",
	NULL,
};

const struct command cmd_check = {
	.name = "check",
	.summary = "compare all copies of the metadata, test the map's rules",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = check_options,
	.args_size = sizeof(struct check_args),
	.details = check_details,
	.examples = check_examples,
	.run = cmd_check_run,
};
