/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl survive: what would every loss of up to K members, or whole failure domains, cost? */
#include "cli/command.h"
#include "cli/loss_sets.h"
#include "cli/members.h"
#include "cli/output.h"

#include <inttypes.h>

#define SETS_MAX UINT64_C(1000000)
#define LOSE_MAX 8u

struct survive_args {
	uint64_t lose;
	const char *by;
};

static const struct survive_args survive_defaults = { .lose = 1 };

static const struct option_spec survive_options[] = {
	{ "lose", OPTION_NUMBER, offsetof(struct survive_args, lose), "K",
	  "up to so many at once (default 1)" },
	{ "by", OPTION_TEXT, offsetof(struct survive_args, by), "KEY",
	  "lose whole domains: all members of one value of this label" },
	{ 0 },
};

/* One set of units; `at` are their places, ascending. */
struct choice {
	uint32_t count;
	uint32_t at[LOSE_MAX];
};

/* The next set of as many units out of `units`; false behind the last one. */
static bool choice_next(struct choice *choice, uint32_t units)
{
	for (uint32_t i = choice->count; i-- > 0;) {
		if (choice->at[i] + (choice->count - i) >= units)
			continue;
		choice->at[i]++;
		for (uint32_t j = i + 1; j < choice->count; j++)
			choice->at[j] = choice->at[j - 1] + 1;
		return true;
	}
	return false;
}

struct tally {
	uint64_t sets, redundant, bare, lossy;
};

static int show_set(struct out *out, const struct survive *survive, const struct loss_units *units,
		    const struct choice *choice, struct tally *tally, struct err *err)
{
	struct loss_set set = { 0 };
	enum survive_verdict verdict = SURVIVE_REDUNDANT;

	for (uint32_t i = 0; i < choice->count; i++) {
		const struct loss_unit *unit = &units->at[choice->at[i]];

		set.members.bits |= unit->members.bits;
		if (unit->label)
			set.labels[set.label_count++] = unit->label;
	}
	int rc = loss_row(&verdict, out, survive, &set, err);
	tally->sets++;
	tally->redundant += verdict == SURVIVE_REDUNDANT;
	tally->bare += verdict == SURVIVE_NO_REDUNDANCY;
	tally->lossy += verdict == SURVIVE_DATA_LOSS;
	return rc;
}

static int show_sets(struct out *out, const struct survive *survive, const struct loss_units *units,
		     uint32_t lose, struct err *err)
{
	struct tally tally = { 0 };
	int rc = 0;

	loss_rows_begin(out);
	for (uint32_t k = 1; !rc && k <= lose && k <= units->count; k++) {
		struct choice choice = { .count = k };

		for (uint32_t i = 0; i < k; i++)
			choice.at[i] = i;
		do
			rc = show_set(out, survive, units, &choice, &tally, err);
		while (!rc && choice_next(&choice, units->count));
	}
	loss_rows_end(out);
	out_value(out, "sets", tally.sets);
	out_value(out, "redundant", tally.redundant);
	out_value(out, "no_redundancy", tally.bare);
	out_value(out, "data_loss", tally.lossy);
	return rc;
}

static uint64_t set_count(uint32_t units, uint32_t lose)
{
	uint64_t sum = 0, of_size = 1;

	for (uint32_t k = 1; k <= lose && k <= units; k++) {
		of_size = of_size * (units - k + 1) / k;
		sum += of_size;
	}
	return sum;
}

static int check_args(const struct survive_args *args, const struct loss_units *units,
		      struct err *err)
{
	if (args->lose == 0 || args->lose > LOSE_MAX)
		return err_set(err, ERR_USAGE, "--lose takes 1 to %u", LOSE_MAX);
	if (set_count(units->count, (uint32_t)args->lose) > SETS_MAX)
		return err_set(err, ERR_USAGE, "%" PRIu64 " sets of members are too many to list",
			       set_count(units->count, (uint32_t)args->lose));
	return 0;
}

static int cmd_survive_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct survive_args *args = inv->args;
	struct survive *survive = NULL;
	struct array *array = NULL;
	struct loss_units units;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = loss_units_collect(&units, array, args->by, err);
	if (!rc)
		rc = check_args(args, &units, err);
	if (!rc && survive_create(&survive, array_map(array), loss_extent_usable, array))
		rc = err_set(err, ERR_NOMEM, "no memory to judge losses");
	if (!rc)
		rc = show_sets(inv->out, survive, &units, (uint32_t)args->lose, err);
	survive_free(survive);
	array_close(array);
	return rc;
}

static const char *const survive_details[] = {
	"Each set of members that can be read now is judged: `redundant` when what it leaves could "
	"bear "
	"one more loss, `no-redundancy` when all data would be there but nothing more could be "
	"lost, "
	"`data-loss` when data would be gone; with --json the ranges of each volume are listed. "
	"Volumes "
	"without redundancy (layout plain) count only where they are lost. What is absent already "
	"counts "
	"as lost in every set.",
	"Nothing is read but metadata.",
	NULL,
};
static const char *const survive_examples[] = {
	"pgctl survive tank/ --lose 2",
	"pgctl survive tank/ --by node",
	NULL,
};

const struct command cmd_survive = {
	.name = "survive",
	.summary = "what losing up to K members, or domains, would cost",
	.group = GROUP_QUESTIONS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = survive_options,
	.args_size = sizeof(struct survive_args),
	.defaults = &survive_defaults,
	.details = survive_details,
	.examples = survive_examples,
	.run = cmd_survive_run,
};
