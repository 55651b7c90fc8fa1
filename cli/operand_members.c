/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/operand_members.h"

#include "core/base/mem.h"

int operand_members_init(struct operand_members *all, const struct invocation *inv, struct err *err)
{
	const struct text_list *named = &inv->common->members;

	*all = (struct operand_members){ .inv = *inv, .common = *inv->common };
	all->members.at = mem_calloc(named->count + inv->operand_count, sizeof(*all->members.at));
	if (!all->members.at)
		return err_set(err, ERR_NOMEM, "no memory for the names of members");
	for (size_t i = 0; i < named->count; i++)
		all->members.at[all->members.count++] = named->at[i];
	for (size_t i = 1; i < inv->operand_count; i++)
		all->members.at[all->members.count++] = inv->operands[i];
	all->common.members = all->members;
	all->inv.common = &all->common;
	return 0;
}

void operand_members_reset(struct operand_members *all)
{
	mem_free(all->members.at);
	*all = (struct operand_members){ .members = { 0 } };
}
