/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/salvage_want.h"

#include <assert.h>
#include <string.h>

#define ALL_SETS_MAX                                                                               \
	10u /* cells: 1024 sets are tried; of more, one set that lacks nothing is taken */

/* The cells that may be read, in the order of their numbers. */
struct choices {
	const struct code *code;
	uint64_t lost[CODE_LOST_WORDS], goal[CODE_LOST_WORDS];
	uint16_t cells[CODE_CELLS_MAX];
	uint32_t count;
};

static void bit_set(uint64_t *bits, uint32_t cell)
{
	bits[cell / 64] |= UINT64_C(1) << cell % 64;
}

static void bit_clear(uint64_t *bits, uint32_t cell)
{
	bits[cell / 64] &= ~(UINT64_C(1) << cell % 64);
}

static bool bit_is_set(const uint64_t *bits, uint32_t cell)
{
	return bits[cell / 64] >> cell % 64 & 1;
}

static bool bits_any(const uint64_t *bits)
{
	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++) {
		if (bits[i])
			return true;
	}
	return false;
}

/* Take out of `goal` what cannot be solved with only `lost` unknown; *all_out: there was nothing of that kind. */
static int goal_reduce(uint64_t *goal, const struct code *code, const uint64_t *lost, bool *all_out)
{
	struct code_plan plan;
	int rc = code_solve(&plan, code, lost, goal);

	if (rc)
		return rc;
	*all_out = true;
	for (uint16_t i = 0; i < plan.unsolved_count; i++) {
		if (!bit_is_set(goal, plan.unsolved[i]))
			continue;
		bit_clear(goal, plan.unsolved[i]);
		*all_out = false;
	}
	code_plan_reset(&plan);
	return 0;
}

/* Would the goal be reached if the cells of the set (a bit a choice; NULL: all) were read? */
static int reaches(bool *yes_out, const struct choices *choices, const bool *chosen)
{
	uint64_t lost[CODE_LOST_WORDS], goal[CODE_LOST_WORDS];

	memcpy(lost, choices->lost, sizeof(lost));
	memcpy(goal, choices->goal, sizeof(goal));
	for (uint32_t i = 0; i < choices->count; i++) {
		if (!chosen || chosen[i])
			bit_clear(lost, choices->cells[i]);
	}
	/* What is read is not asked for any more. */
	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++)
		goal[i] &= lost[i];
	if (!bits_any(goal)) {
		*yes_out = true;
		return 0;
	}
	return goal_reduce(goal, choices->code, lost, yes_out);
}

/* Does this set of choices, a bit each, reach the goal? Then its cells are wanted. */
static int set_try(bool *found, const struct choices *choices, uint32_t set, uint64_t *wanted)
{
	bool chosen[ALL_SETS_MAX], yes = false;
	int rc;

	for (uint32_t i = 0; i < choices->count; i++)
		chosen[i] = set >> i & 1;
	rc = reaches(&yes, choices, chosen);
	if (rc || !yes)
		return rc;
	*found = true;
	for (uint32_t i = 0; i < choices->count; i++) {
		if (chosen[i])
			bit_set(wanted, choices->cells[i]);
	}
	return 0;
}

/* The smallest sets, all of them together. */
static int choose_among_all(const struct choices *choices, uint64_t *wanted)
{
	bool found = false;

	for (uint32_t size = 1; !found && size <= choices->count; size++) {
		for (uint32_t set = 1; set < UINT32_C(1) << choices->count; set++) {
			int rc = (uint32_t)__builtin_popcount(set) == size
					 ? set_try(&found, choices, set, wanted)
					 : 0;

			if (rc)
				return rc;
		}
	}
	return 0;
}

/* One set of which every cell is needed. */
static int choose_one(const struct choices *choices, uint64_t *wanted)
{
	static const bool all = true;
	bool chosen[CODE_CELLS_MAX];

	memset(chosen, all, choices->count * sizeof(*chosen));
	for (uint32_t i = choices->count; i-- > 0;) {
		bool yes = false;
		int rc;

		chosen[i] = false;
		rc = reaches(&yes, choices, chosen);
		if (rc)
			return rc;
		chosen[i] = !yes;
	}
	for (uint32_t i = 0; i < choices->count; i++) {
		if (chosen[i])
			bit_set(wanted, choices->cells[i]);
	}
	return 0;
}

/* Cells of a hope not worse than `worst`. */
static void choices_fill(struct choices *choices, const uint8_t *hopes, uint32_t worst)
{
	choices->count = 0;
	for (uint32_t cell = 0; cell < code_cell_count(choices->code); cell++) {
		if (bit_is_set(choices->lost, cell) && hopes[cell] && hopes[cell] <= worst)
			choices->cells[choices->count++] = (uint16_t)cell;
	}
}

static int choose(struct choices *choices, const uint8_t *hopes, uint64_t *wanted)
{
	uint64_t rest[CODE_LOST_WORDS], solved[CODE_LOST_WORDS];
	bool yes = false;
	int rc = 0;

	/* What no reading could give is not asked for. */
	choices_fill(choices, hopes, SALVAGE_HOPES);
	memcpy(rest, choices->lost, sizeof(rest));
	for (uint32_t i = 0; i < choices->count; i++)
		bit_clear(rest, choices->cells[i]);
	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++)
		solved[i] = choices->goal[i] & rest[i];
	if (bits_any(solved))
		rc = goal_reduce(solved, choices->code, rest, &yes);
	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++)
		choices->goal[i] = (choices->goal[i] & ~rest[i]) | solved[i];
	if (rc || !bits_any(choices->goal))
		return rc;
	yes = false;
	for (uint32_t worst = 1; rc == 0 && !yes && worst <= SALVAGE_HOPES; worst++) {
		choices_fill(choices, hopes, worst);
		rc = reaches(&yes, choices, NULL);
	}
	if (rc)
		return rc;
	assert(yes);
	return choices->count <= ALL_SETS_MAX ? choose_among_all(choices, wanted)
					      : choose_one(choices, wanted);
}

int salvage_want_find(struct salvage_want *want, const struct code *code, const uint64_t *lost,
		      const uint64_t *goal, const uint8_t *hopes)
{
	size_t cells = code_cell_count(code);
	struct choices choices = { .code = code };
	int rc;

	if (want->valid && memcmp(want->lost, lost, sizeof(want->lost)) == 0 &&
	    memcmp(want->goal, goal, sizeof(want->goal)) == 0 &&
	    memcmp(want->hopes, hopes, cells) == 0)
		return 0;
	want->valid = false;
	memcpy(want->lost, lost, sizeof(want->lost));
	memcpy(want->goal, goal, sizeof(want->goal));
	memcpy(want->hopes, hopes, cells);
	memset(want->wanted, 0, sizeof(want->wanted));
	memcpy(choices.lost, lost, sizeof(choices.lost));
	memcpy(choices.goal, goal, sizeof(choices.goal));
	rc = choose(&choices, hopes, want->wanted);
	want->valid = rc == 0;
	return rc;
}
