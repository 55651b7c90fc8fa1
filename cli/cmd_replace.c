/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl replace: move everything from one member to another, which takes over its number. */
#include "cli/command.h"
#include "cli/rebuilding.h"

struct replace_args {
	bool group_buffer;
	bool resume;
	uint64_t size;
};

static const struct option_spec replace_options[] = {
	{ "size", OPTION_SIZE, offsetof(struct replace_args, size), "SIZE",
	  "size of the image file to make; as OLD unless given" },
	{ "group-buffer", OPTION_FLAG, offsetof(struct replace_args, group_buffer), NULL,
	  "hold all extents of a group at once where one must be computed" },
	{ "resume", OPTION_FLAG, offsetof(struct replace_args, resume), NULL,
	  "go on with the replace that was stopped; without OLD and NEW only that" },
	{ 0 },
};

static int cmd_replace_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct replace_args *args = inv->args;
	const struct rebuild_call call = {
		.from = inv->operand_count > 1 ? inv->operands[1] : NULL,
		.to = inv->operand_count > 2 ? inv->operands[2] : NULL,
		.group_buffer = args->group_buffer,
		.resume = args->resume,
		.replace = true,
		.size = args->size,
	};

	if (!args->resume && inv->operand_count < 3)
		return err_set(err, ERR_USAGE, "too few operands, needed: ARRAY OLD NEW");
	return rebuilding_run(inv, &call, verdict_out, err);
}

static const char *const replace_details[] = {
	"OLD serves until the end, so the array is never less protected than before; what cannot "
	"be read from it is computed from the other members. NEW is another member, or a new file "
	"or device, which is made or checked as `rebuild --to` does it.",
	NULL,
};
static const char *const replace_examples[] = {
	"pgctl replace tank/ 2 /dev/sdf",
	"pgctl replace tank/ --resume",
	NULL,
};

const struct command cmd_replace = {
	.name = "replace",
	.summary = "move everything from one member to another",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY [OLD NEW]",
	.operands_min = 1,
	.operands_max = 3,
	.options = replace_options,
	.args_size = sizeof(struct replace_args),
	.details = replace_details,
	.examples = replace_examples,
	.run = cmd_replace_run,
};
