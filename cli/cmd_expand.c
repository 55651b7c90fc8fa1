/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl expand: add members, make groups wider, and level what is used. */
#include "cli/adding.h"
#include "cli/command.h"
#include "cli/members.h"
#include "cli/plan.h"
#include "cli/relayouting.h"
#include "cli/room_warn.h"
#include "core/job/forecast.h"

struct expand_args {
	uint64_t size;
	uint64_t width;
};

static const struct option_spec expand_options[] = {
	{ "size", OPTION_SIZE, offsetof(struct expand_args, size), "SIZE",
	  "make image files of this size, sparse, where no file exists" },
	{ "width", OPTION_NUMBER, offsetof(struct expand_args, width), "N",
	  "columns of a group; unless given as new volumes get them" },
	{ 0 },
};

/* The members to come are not in the map yet: the plan is a forecast. */
static int plan(const struct invocation *inv, const struct array *array,
		const struct new_members *members, struct err *err)
{
	const struct expand_args *args = inv->args;
	uint64_t sizes[MEMBERS_MAX];
	struct forecast_request request = { sizes, members->count, (uint32_t)args->width };
	struct forecast forecast;

	for (uint32_t i = 0; i < members->count; i++)
		sizes[i] = dev_info(members->at[i].dev)->size;
	int rc = forecast_expand(&forecast, array, &request, err);
	if (!rc)
		relayouting_plan_show(inv, &forecast.moves);
	return rc;
}

static int expand(const struct invocation *inv, struct array *array, struct new_members *members,
		  struct err *err)
{
	const struct expand_args *args = inv->args;
	const struct relayout_request request = { .kind = JOB_EXPAND,
						  .member = MEMBER_NONE,
						  .columns = (uint32_t)args->width };
	/* After one that was stopped the same command goes on with it, and its members are there. */
	bool goes_on = relayout_find_job(array, &request) != NULL;
	int rc = array_need_sealed(array,
				   err); /* before anything joins that could not be used then */

	if (!rc)
		rc = adding_open(members, inv, array, args->size, goes_on, err);
	if (!rc && members->count > 0)
		rc = adding_run(members, inv, array, false, err);
	if (!rc && plan_only(inv))
		return plan(inv, array, members, err);
	if (!rc)
		rc = relayouting_run(inv, array, &request, err);
	if (!rc)
		room_warn(inv, array, false);
	return rc;
}

static int cmd_expand_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct expand_args *args = inv->args;
	struct new_members members = { 0 };
	struct array *array = NULL;
	int rc;

	(void)verdict_out;
	if (args->width > CODE_COLUMNS_MAX)
		return err_set(err, ERR_USAGE, "--width takes up to %u", CODE_COLUMNS_MAX);
	rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);
	if (rc)
		return rc;
	rc = expand(inv, array, &members, err);
	new_members_close(&members);
	array_close(array);
	return rc;
}

static const char *const expand_details[] = {
	"The same as add, recombine and rebalance, as one job. Data that is there becomes as wide "
	"as "
	"new data and no instant has less redundancy than before. The same command, or one without "
	"MEMBER, goes on with an expansion that was stopped.",
	NULL,
};
static const char *const expand_examples[] = {
	"pgctl expand tank/ /dev/sdf",
	"pgctl expand tank/ d8.img --size 2T",
	NULL,
};

const struct command cmd_expand = {
	.name = "expand",
	.summary = "add members and spread data and redundancy over all",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY [MEMBER…]",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = expand_options,
	.args_size = sizeof(struct expand_args),
	.details = expand_details,
	.examples = expand_examples,
	.run = cmd_expand_run,
};
