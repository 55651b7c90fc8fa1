/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl add: new members for an array, in use at once or as spares. Each is one commit. */
#include "cli/adding.h"
#include "cli/command.h"

struct add_args {
	bool spare;
	uint64_t size;
};

static const struct option_spec add_options[] = {
	{ "spare", OPTION_FLAG, offsetof(struct add_args, spare), NULL,
	  "holds nothing until a rebuild takes it" },
	{ "size", OPTION_SIZE, offsetof(struct add_args, size), "SIZE",
	  "make image files of this size, sparse, where no file exists" },
	{ 0 },
};

static int cmd_add_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct add_args *args = inv->args;

	(void)verdict_out;
	return adding_open_and_run(inv, args->size, args->spare, err);
}

static const char *const add_details[] = {
	"A new member may have any size. New volumes use it at once; volumes that exist stay where "
	"they are. What a file or device holds already is overwritten with --force only.",
	NULL,
};
static const char *const add_examples[] = {
	"pgctl add tank/ d4.img --size 2G",
	"pgctl add tank/ /dev/sdf --spare",
	NULL,
};

const struct command cmd_add = {
	.name = "add",
	.summary = "add members or spares",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER…",
	.operands_min = 2,
	.operands_max = OPERANDS_ANY,
	.options = add_options,
	.args_size = sizeof(struct add_args),
	.details = add_details,
	.examples = add_examples,
	.run = cmd_add_run,
};
