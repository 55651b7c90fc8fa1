/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/adding.h"

#include "cli/member_guard.h"
#include "cli/output.h"
#include "cli/plan.h"

static const struct field added_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "size", FIELD_BYTES, "SIZE" },
	{ "state", FIELD_TEXT, "STATE" },
	{ 0 },
};

int adding_open(struct new_members *members, const struct invocation *inv,
		const struct array *array, uint64_t size, bool again, struct err *err)
{
	/* Before a file is made. */
	if (array_need_committed(array, err))
		return err->code;
	for (size_t i = 1; i < inv->operand_count; i++) {
		struct err why = { 0 };
		int rc = member_guard(inv, array, inv->operands[i], &why);

		if (rc == ERR_IN_USE && again)
			continue;
		if (rc)
			*err = why;
		else
			rc = new_members_open(members, inv, inv->operands[i], size, err);
		if (rc)
			return rc;
	}
	return 0;
}

static void added_show(const struct invocation *inv, const struct new_member *member,
		       const uint32_t *slot, uint64_t size, bool spare)
{
	if (slot)
		out_number(inv->out, *slot);
	else
		out_none(inv->out);
	out_text(inv->out, member->path);
	out_number(inv->out, size);
	out_text(inv->out, member_state_name(spare ? MEMBER_SPARE : MEMBER_ONLINE));
}

/* One commit a member: those before a failure stay. */
static int members_add(struct new_members *members, const struct invocation *inv,
		       struct array *array, bool spare, struct err *err)
{
	for (uint32_t i = 0; i < members->count; i++) {
		struct new_member *member = &members->at[i];
		uint64_t size = dev_info(member->dev)->size;
		uint32_t slot = MEMBER_NONE;
		int rc;

		if (plan_only(inv)) {
			added_show(inv, member, NULL, size, spare);
			continue;
		}
		rc = array_add_member(array, member->dev, spare, &slot, err);
		if (rc)
			return rc;
		new_member_number(member, inv, slot);
		new_member_taken(member);
		member->created = false;
		added_show(inv, member, &slot, size, spare);
	}
	return 0;
}

int adding_run(struct new_members *members, const struct invocation *inv, struct array *array,
	       bool spare, struct err *err)
{
	new_members_show(members, inv);
	out_list_begin(inv->out, "members", added_fields);
	int rc = members_add(members, inv, array, spare, err);
	out_list_end(inv->out);
	return rc;
}

int adding_open_and_run(const struct invocation *inv, uint64_t size, bool spare, struct err *err)
{
	struct new_members members = { 0 };
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	rc = adding_open(&members, inv, array, size, false, err);
	if (rc == 0)
		rc = adding_run(&members, inv, array, spare, err);
	if (rc == 0 && plan_only(inv))
		plan_show_map(inv, "more members");
	new_members_close(&members);
	array_close(array);
	return rc;
}
