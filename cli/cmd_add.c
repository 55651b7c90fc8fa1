/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl add: new members for an array, in use at once or as spares. Each is one commit. */
#include "cli/command.h"
#include "cli/member_guard.h"
#include "cli/members.h"
#include "cli/new_member.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/array/array.h"

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

static const struct field added_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "size", FIELD_BYTES, "SIZE" },
	{ "state", FIELD_TEXT, "STATE" },
	{ 0 },
};

static int members_open(struct new_members *members, const struct invocation *inv,
			const struct array *array, struct err *err)
{
	const struct add_args *args = inv->args;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < inv->operand_count; i++) {
		rc = member_guard(inv, array, inv->operands[i], err);
		if (rc == 0)
			rc = new_members_open(members, inv, inv->operands[i], args->size, err);
	}
	return rc;
}

static void added_show(const struct invocation *inv, const struct new_member *member,
		       const uint32_t *slot, uint64_t size)
{
	const struct add_args *args = inv->args;

	if (slot)
		out_number(inv->out, *slot);
	else
		out_none(inv->out);
	out_text(inv->out, member->path);
	out_number(inv->out, size);
	out_text(inv->out, member_state_name(args->spare ? MEMBER_SPARE : MEMBER_ONLINE));
}

/* One commit a member: those before a failure stay. */
static int members_add(struct new_members *members, const struct invocation *inv,
		       struct array *array, struct err *err)
{
	const struct add_args *args = inv->args;

	for (uint32_t i = 0; i < members->count; i++) {
		struct new_member *member = &members->at[i];
		uint64_t size = dev_info(member->dev)->size;
		uint32_t slot = MEMBER_NONE;
		int rc;

		if (plan_only(inv)) {
			added_show(inv, member, NULL, size);
			continue;
		}
		rc = array_add_member(array, member->dev, args->spare, &slot, err);
		if (rc)
			return rc;
		new_member_number(member, inv, slot);
		new_member_taken(member);
		member->created = false;
		added_show(inv, member, &slot, size);
	}
	return 0;
}

static int cmd_add_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct new_members members = { 0 };
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = members_open(&members, inv, array, err);
	if (rc)
		goto out_close;

	new_members_show(&members, inv);
	out_list_begin(inv->out, "members", added_fields);
	rc = members_add(&members, inv, array, err);
	out_list_end(inv->out);
	if (rc == 0 && plan_only(inv))
		plan_show_map(inv, "more members");

out_close:
	new_members_close(&members);
	array_close(array);
	return rc;
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
