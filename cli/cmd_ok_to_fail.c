/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl ok-to-fail: may these members be taken away together? Yes is exit 0, no is exit 4. */
#include "cli/command.h"
#include "cli/loss_sets.h"
#include "cli/members.h"
#include "cli/output.h"

static int collect_members(struct member_set *members_out, const struct invocation *inv,
			   const struct array *array, struct err *err)
{
	int rc = 0;

	*members_out = (struct member_set){ 0 };
	for (size_t i = 1; !rc && i < inv->operand_count; i++) {
		uint32_t slot = MEMBER_NONE;

		rc = cli_member_find(&slot, inv, array, inv->operands[i], err);
		if (!rc)
			*members_out = member_set_with(*members_out, slot);
	}
	return rc;
}

static int answer(const struct invocation *inv, const struct array *array, unsigned *verdict_out,
		  struct err *err)
{
	struct survive *survive = NULL;
	struct loss_set set = { 0 };
	int rc = collect_members(&set.members, inv, array, err);

	if (!rc && survive_create(&survive, array_map(array), loss_extent_usable, array))
		rc = err_set(err, ERR_NOMEM, "no memory to judge losses");
	if (!rc) {
		enum survive_verdict verdict = SURVIVE_DATA_LOSS;

		loss_rows_begin(inv->out);
		rc = loss_row(&verdict, inv->out, survive, &set, err);
		loss_rows_end(inv->out);
		out_value_flag(inv->out, "ok", verdict != SURVIVE_DATA_LOSS);
		if (verdict == SURVIVE_DATA_LOSS)
			*verdict_out |= VERDICT_LEFT;
	}
	survive_free(survive);
	return rc;
}

static int cmd_ok_to_fail_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	rc = answer(inv, array, verdict_out, err);
	array_close(array);
	return rc;
}

static const char *const ok_to_fail_details[] = {
	"Exit status 0: all data could still be read without these members; 4: data would be lost. "
	"What is absent already counts as lost too. `survive` tries every set of members.",
	NULL,
};
static const char *const ok_to_fail_examples[] = {
	"pgctl ok-to-fail tank/ 2 && pgctl offline tank/ 2",
	NULL,
};

const struct command cmd_ok_to_fail = {
	.name = "ok-to-fail",
	.summary = "may these members be taken away together?",
	.group = GROUP_QUESTIONS,
	.operands = "ARRAY MEMBER…",
	.operands_min = 2,
	.operands_max = OPERANDS_ANY,
	.details = ok_to_fail_details,
	.examples = ok_to_fail_examples,
	.run = cmd_ok_to_fail_run,
};
