/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl remove: strike an empty member from the array; its superblocks are wiped. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/relayouting.h"
#include "core/array/array.h"

#include <inttypes.h>

struct remove_args {
	bool evacuate;
};

static const struct option_spec remove_options[] = {
	{ "evacuate", OPTION_FLAG, offsetof(struct remove_args, evacuate), NULL,
	  "move what it holds to the others first" },
	{ 0 },
};

static int member_remove(const struct invocation *inv, struct array *array, struct err *err)
{
	const struct remove_args *args = inv->args;
	uint32_t slot = MEMBER_NONE;
	uint64_t used;
	int rc = cli_member_find(&slot, inv, array, inv->operands[1], err);

	if (!rc && args->evacuate && array_member_used(array, slot) > 0)
		rc = relayouting_evacuate(inv, array, slot, err);
	if (rc || (args->evacuate && plan_only(inv)))
		return rc;
	used = array_member_used(array, slot);
	if (used > 0) {
		err_set(err, ERR_STATE, "member %u still holds %" PRIu64 " bytes of extents", slot,
			used);
		return err_hint(err, "move them first: pgctl remove %s %u --evacuate",
				inv->operands[0], slot);
	}
	if (plan_only(inv))
		plan_show_map(inv, "one member less");
	else
		rc = array_remove_member(array, slot, err);
	if (rc)
		return rc;
	out_value(inv->out, "member", slot);
	out_value_text(inv->out, "path", cli_member_path(inv, slot));
	return 0;
}

static int cmd_remove_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = member_remove(inv, array, err);
	array_close(array);
	return rc;
}

static const char *const remove_details[] = {
	"Only a member that holds no extents can be removed. --evacuate moves them to the others "
	"first, with no instant of less redundancy; the same command goes on after a stop. "
	"`replace` gives a good member's place to another.",
	NULL,
};
static const char *const remove_examples[] = { "pgctl remove tank/ 4",
					       "pgctl remove tank/ 4 --evacuate", NULL };

const struct command cmd_remove = {
	.name = "remove",
	.summary = "remove an empty member",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER",
	.operands_min = 2,
	.operands_max = 2,
	.options = remove_options,
	.args_size = sizeof(struct remove_args),
	.details = remove_details,
	.examples = remove_examples,
	.run = cmd_remove_run,
};
