/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl rebuild: give the extents of a lost member a new home. */
#include "cli/command.h"
#include "cli/rebuilding.h"

struct rebuild_args {
	const char *to;
	bool into_free;
	bool group_buffer;
	bool resume;
	uint64_t size;
};

static const struct option_spec rebuild_options[] = {
	{ "to", OPTION_TEXT, offsetof(struct rebuild_args, to), "MEMBER",
	  "onto this member, or this new file or device" },
	{ "into-free", OPTION_FLAG, offsetof(struct rebuild_args, into_free), NULL,
	  "into the free space of the other members" },
	{ "size", OPTION_SIZE, offsetof(struct rebuild_args, size), "SIZE",
	  "size of the image file to make; as the lost member unless given" },
	{ "group-buffer", OPTION_FLAG, offsetof(struct rebuild_args, group_buffer), NULL,
	  "hold all surviving extents of a group at once: one read each" },
	{ "resume", OPTION_FLAG, offsetof(struct rebuild_args, resume), NULL,
	  "go on with the rebuild that was stopped, else begin" },
	{ 0 },
};

static int cmd_rebuild_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct rebuild_args *args = inv->args;
	const struct rebuild_call call = {
		.from = inv->operand_count > 1 ? inv->operands[1] : NULL,
		.to = args->to,
		.into_free = args->into_free,
		.group_buffer = args->group_buffer,
		.resume = args->resume,
		.size = args->size,
	};

	return rebuilding_run(inv, &call, verdict_out, err);
}

static const char *const rebuild_details[] = {
	"MEMBER is the lost one, and may be left out when only one is. Its extents are computed "
	"from the rest of their groups and written to a spare, to --to, or with --into-free "
	"wherever there is room on members outside the group.",
	"A MEMBER that is still in use is read and serves until the end; `fail` it first to go "
	"without it. With --into-free it is empty afterwards and can be removed; copies go to the "
	"homes of their topology where those have room, and `astray` counts what does not.",
	"A MEMBER that came back with `online` after it missed writes takes in only what it "
	"missed, where it is, unless a target is given.",
	"A file of --to that does not exist is made as large as the lost member. What a file or "
	"device holds already is overwritten with --force only.",
	"A slot of a Linux MD array is rebuilt onto --to, else, where MEMBER is named, onto the "
	"device that held it and "
	"missed changes, else onto a spare; it counts when all of it is there.",
	"A rebuild that was stopped or killed goes on from its last commit: with the same command, "
	"or with --resume, which begins anew where none is unfinished. Exit status: 4 data was "
	"lost, 64 the array is still degraded.",
	NULL,
};
static const char *const rebuild_examples[] = {
	"pgctl rebuild tank/ 2 --to new.img",
	"pgctl rebuild tank/ --into-free",
	"pgctl rebuild tank/ --resume",
	NULL,
};

const struct command cmd_rebuild = {
	.name = "rebuild",
	.alias = "resilver",
	.summary = "give the extents of a lost member a new home",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY [MEMBER]",
	.operands_min = 1,
	.operands_max = 2,
	.options = rebuild_options,
	.args_size = sizeof(struct rebuild_args),
	.details = rebuild_details,
	.examples = rebuild_examples,
	.run = cmd_rebuild_run,
};
