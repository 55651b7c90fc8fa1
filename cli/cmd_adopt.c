/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl adopt: an array of Linux MD becomes one of ours where it lies; taken back, or made final.
 *
 * adopting.h and adopt_back.h do it; docs/ADOPT.md says how.
 */
#include "cli/adopt_back.h"
#include "cli/adopting.h"
#include "cli/command.h"
#include "cli/operand_members.h"

static const struct option_spec adopt_options[] = {
	{ "undo", OPTION_FLAG, offsetof(struct adopt_args, undo), NULL,
	  "put every byte back as it was, on the members that are there" },
	{ "commit", OPTION_FLAG, offsetof(struct adopt_args, commit), NULL,
	  "make it final: what was kept to undo it is given up" },
	{ "name", OPTION_TEXT, offsetof(struct adopt_args, name), "NAME",
	  "name of the array from now on; else the one that it has" },
	{ 0 },
};

static int adopt_dispatch(const struct invocation *inv, const struct adopt_args *args,
			  struct err *err)
{
	if (args->undo && args->commit)
		return err_set(err, ERR_USAGE, "--undo and --commit are opposites");
	if (args->name && (args->undo || args->commit))
		return err_set(err, ERR_USAGE, "--name is for adopting an array");
	if (args->undo)
		return adopt_back_undo(inv, err);
	if (args->commit)
		return adopt_back_commit(inv, err);
	return adopting_run(inv, args, err);
}

static int cmd_adopt_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct operand_members all;
	int rc = operand_members_init(&all, inv, err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = adopt_dispatch(&all.inv, inv->args, err);
	operand_members_reset(&all);
	return rc;
}

static const char *const details[] = {
	"ARRAY is any member of an array of Linux MD, or a directory of members; further members "
	"can be named behind it. Metadata 1.1 and 1.2 of the levels linear, 0, 1, 4, 5, 6 and 10 "
	"are "
	"adopted when the array is clean and complete and nothing is under way. Our superblocks, "
	"map "
	"and log go into the room between MD's superblock and its data; the data stay where they "
	"are, and MD's superblocks get a mark by which Linux leaves the array alone.",
	"What was in that room is kept on every member. --undo puts it back, byte by byte: from "
	"any "
	"members, also when the array does not open any more, and as often as it takes. Until "
	"--commit the array is read, scrubbed and repaired, and nothing else.",
	"After --commit the data still lie as MD put them, without seals. pgctl migrate gives a "
	"volume groups of ours, while it is in use; for that it needs room: pgctl add.",
	"--force gives up what lies where the adoption record has its place (192 KiB from the "
	"start "
	"of a member), and lets --commit go on without a member that is absent.",
	NULL,
};
static const char *const examples[] = {
	"pgctl adopt /dev/sdb /dev/sdc /dev/sdd --plan",
	"pgctl adopt disks/",
	"pgctl adopt --undo disks/m0.img",
	"pgctl adopt --commit disks/ --yes",
	NULL,
};

const struct command cmd_adopt = {
	.name = "adopt",
	.summary = "take an array of Linux MD over in place; undo that, or make it final",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY [PATH…]",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = adopt_options,
	.args_size = sizeof(struct adopt_args),
	.details = details,
	.examples = examples,
	.run = cmd_adopt_run,
};
