/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl fail, offline, online: what a member is allowed to do from now on. Each is one commit. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/array/array.h"

/* Taking away a member that something still depends on is refused unless forced. */
static int needed_check(const struct invocation *inv, const struct array *array, uint32_t slot,
			struct err *err)
{
	int rc;

	if (inv->common->force || !array_member_usable(array, slot))
		return 0;
	rc = array_member_is_needed(array, slot, err);
	if (rc == ERR_UNSAFE)
		err_hint(err, "rebuild what is degraded first (pgctl status), or repeat with "
			      "--force");
	return rc;
}

static void result_show(const struct invocation *inv, const struct array *array, uint32_t slot,
			enum member_state state)
{
	out_value(inv->out, "member", slot);
	out_value_text(inv->out, "path", cli_member_path(inv, slot));
	out_value_text(inv->out, "state", member_state_name(state));
	if (!plan_only(inv))
		out_value_text(inv->out, "health", health_name(array_health(array)));
}

static int state_set(const struct invocation *inv, struct array *array, enum member_state state,
		     struct err *err)
{
	uint32_t slot = MEMBER_NONE;
	int rc = cli_member_find(&slot, inv, array, inv->operands[1], err);

	if (rc == 0 && state != MEMBER_ONLINE)
		rc = needed_check(inv, array, slot, err);
	if (rc)
		return rc;
	if (plan_only(inv))
		plan_show_map(inv, "another state of a member");
	else
		rc = array_set_member_state(array, slot, state, err);
	if (rc == 0)
		result_show(inv, array, slot, state);
	return rc;
}

static int state_run(const struct invocation *inv, enum member_state state, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	rc = state_set(inv, array, state, err);
	array_close(array);
	return rc;
}

static int fail_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	return state_run(inv, MEMBER_FAILED, err);
}

static int offline_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	return state_run(inv, MEMBER_OFFLINE, err);
}

static int online_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	return state_run(inv, MEMBER_ONLINE, err);
}

static const char *const fail_details[] = {
	"A failed member is neither read nor written any more; `rebuild` gives its extents a new "
	"place. A member without which data could not be read is failed with --force only.",
	NULL,
};
static const char *const fail_examples[] = {
	"pgctl fail tank/ 2",
	"pgctl fail tank/ /dev/sdc --plan",
	NULL,
};

const struct command cmd_fail = {
	.name = "fail",
	.summary = "declare a member failed",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER",
	.operands_min = 2,
	.operands_max = 2,
	.details = fail_details,
	.examples = fail_examples,
	.run = fail_run,
};

static const char *const offline_details[] = {
	"An offline member is left alone, as if it were absent, until `online`. What it missed "
	"meanwhile is known and not read from it.",
	NULL,
};

const struct command cmd_offline = {
	.name = "offline",
	.summary = "leave a member alone for a while",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER",
	.operands_min = 2,
	.operands_max = 2,
	.details = offline_details,
	.run = offline_run,
};

static const char *const online_details[] = {
	"Takes back `offline` and `fail`, and turns a spare into a member that new volumes use.",
	NULL,
};

const struct command cmd_online = {
	.name = "online",
	.summary = "use a member again",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER",
	.operands_min = 2,
	.operands_max = 2,
	.details = online_details,
	.run = online_run,
};
