/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl label: labels of a member, as node=a or power=2. One commit. */
#include "cli/command.h"
#include "cli/labels.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/job/arrange.h"

#include <string.h>

static const struct field label_fields[] = {
	{ "key", FIELD_TEXT, "KEY" },
	{ "value", FIELD_TEXT, "VALUE" },
	{ 0 },
};

static int labels_read(struct label_set *labels, const struct invocation *inv, struct err *err)
{
	int rc = 0;

	for (size_t i = 2; !rc && i < inv->operand_count; i++)
		rc = label_set_change(labels, inv->operands[i], err);
	return rc;
}

static int label_member(const struct invocation *inv, struct array *array, struct err *err)
{
	uint32_t slot = MEMBER_NONE;
	struct label_set labels = { 0 };
	int rc = cli_member_find(&slot, inv, array, inv->operands[1], err);

	if (rc)
		return rc;
	const struct member *member = map_member(array_map(array), slot);
	labels.count = member->label_count;
	memcpy(labels.at, member->labels, sizeof(labels.at));
	rc = labels_read(&labels, inv, err);
	if (rc)
		return rc;
	if (plan_only(inv))
		plan_show_map(inv, "other labels of a member");
	else if (inv->operand_count > 2)
		rc = arrange_label(array, slot, labels.at, labels.count, err);
	if (rc)
		return rc;
	out_value(inv->out, "member", slot);
	out_list_begin(inv->out, "labels", label_fields);
	for (uint32_t i = 0; i < labels.count; i++) {
		out_text(inv->out, labels.at[i].key);
		out_text(inv->out, labels.at[i].value);
	}
	out_list_end(inv->out);
	return 0;
}

static int cmd_label_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	enum access access = inv->operand_count > 2 ? plan_access(inv) : ACCESS_SALVAGE;
	int rc = cli_array_open(&array, inv, inv->operands[0], access, err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = label_member(inv, array, err);
	array_close(array);
	return rc;
}

static const char *const label_details[] = {
	"KEY=VALUE sets a label, KEY= takes it away; without one the labels are shown. Labels say "
	"what members share: a node, a power supply, a switch. Nothing moves by it: `topology "
	"check` names what then shares a label of --across, `topology set` moves it.",
	NULL,
};
static const char *const label_examples[] = { "pgctl label tank/ 3 node=b power=2", NULL };

const struct command cmd_label = {
	.name = "label",
	.summary = "show or change the labels of a member",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY MEMBER [KEY=VALUE…]",
	.operands_min = 2,
	.operands_max = OPERANDS_ANY,
	.details = label_details,
	.examples = label_examples,
	.run = cmd_label_run,
};
