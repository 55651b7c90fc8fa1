/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: what core/job/salvage_want.h names is the union of the smallest sets of the best hope that suffices. Method: small
 * codes of each kind, with equations that share few cells, under random losses, goals and hopes; all sets are tried against
 * an oracle that knows codes by their definition, not by the engine's elimination.
 */
#include "core/job/salvage_want.h"

#include "core/base/mem.h"
#include "tests/unit/code_oracle.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct question {
	uint64_t lost[CODE_LOST_WORDS], goal[CODE_LOST_WORDS];
	uint8_t hopes[CODE_CELLS_MAX];
};

/* The goals that are known when the cells of `read` have been read, as bits. */
static void known_with(const struct oracle *oracle, const struct question *question,
		       const uint64_t *read, uint64_t *known_out)
{
	uint64_t lost[CODE_LOST_WORDS], solved[CODE_LOST_WORDS] = { 0 };

	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++)
		lost[i] = question->lost[i] & ~read[i];
	oracle_solve(oracle, lost, solved);
	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++)
		known_out[i] = question->goal[i] & (solved[i] | ~lost[i]);
}

static uint32_t choices_of(const struct oracle *oracle, const struct question *question,
			   uint32_t worst, uint16_t *cells)
{
	uint32_t count = 0;

	for (uint16_t cell = 0; cell < oracle->cell_count; cell++) {
		if (bit_get(question->lost, cell) && question->hopes[cell] &&
		    question->hopes[cell] <= worst)
			cells[count++] = cell;
	}
	return count;
}

static void set_of(const uint16_t *cells, uint32_t count, uint32_t set, uint64_t *bits_out)
{
	memset(bits_out, 0, CODE_LOST_WORDS * sizeof(*bits_out));
	for (uint32_t i = 0; i < count; i++) {
		if (set >> i & 1)
			bit_set(bits_out, cells[i]);
	}
}

/* By trying everything. */
static void expected_of(const struct oracle *oracle, const struct question *question,
			uint64_t *wanted_out)
{
	uint64_t read[CODE_LOST_WORDS], best[CODE_LOST_WORDS], known[CODE_LOST_WORDS];
	uint16_t cells[CODE_CELLS_MAX];
	uint32_t smallest = UINT32_MAX;

	memset(wanted_out, 0, CODE_LOST_WORDS * sizeof(*wanted_out));
	uint32_t count = choices_of(oracle, question, SALVAGE_HOPES, cells);
	set_of(cells, count, UINT32_MAX, read);
	known_with(oracle, question, read, best);
	for (uint32_t worst = 0; worst <= SALVAGE_HOPES && smallest == UINT32_MAX; worst++) {
		count = choices_of(oracle, question, worst, cells);
		for (uint32_t set = 0; set < 1u << count; set++) {
			uint32_t size = (uint32_t)__builtin_popcount(set);

			if (size > smallest)
				continue;
			set_of(cells, count, set, read);
			known_with(oracle, question, read, known);
			if (memcmp(known, best, sizeof(known)) != 0)
				continue;
			if (size < smallest)
				memset(wanted_out, 0, sizeof(known));
			smallest = size;
			for (uint32_t i = 0; i < CODE_LOST_WORDS; i++)
				wanted_out[i] |= read[i];
		}
	}
}

/* At most 8 cells of hope. Goals are lost cells that cannot be solved. */
static void question_make(struct question *question, const struct oracle *oracle, struct rng *rng)
{
	uint64_t solved[CODE_LOST_WORDS] = { 0 };
	uint32_t hopes = 0;

	memset(question, 0, sizeof(*question));
	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		if (rng_below(rng, 2))
			continue;
		bit_set(question->lost, cell);
		if (hopes < 8 && rng_below(rng, 4)) {
			question->hopes[cell] = (uint8_t)(1 + rng_below(rng, SALVAGE_HOPES));
			hopes++;
		}
	}
	oracle_solve(oracle, question->lost, solved);
	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		if (bit_get(question->lost, cell) && !bit_get(solved, cell) && rng_below(rng, 4))
			bit_set(question->goal, cell);
	}
}

static void the_smallest_sets_of_the_best_hope(void **state)
{
	const struct code_shape shapes[] = {
		code_shape_make(LAYOUT_PLAIN, 1, 0, 0),
		code_shape_make(LAYOUT_MIRROR, 3, 2, 0),
		code_shape_make(LAYOUT_PARITY, 6, 2, 0),
		code_shape_make(LAYOUT_PARITY, 7, 3, 0),
		code_shape_make(LAYOUT_SEQUENTIAL, 3, 1, 2),
		code_shape_make(LAYOUT_SEQUENTIAL, 4, 1, 3),
		code_shape_make(LAYOUT_SEQUENTIAL, 4, 2, 3),
	};
	struct rng rng = rng_seeded(19);
	uint32_t asked = 0;

	(void)state;
	print_message("seed 19\n");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct code *code = code_made(&shapes[i]);
		struct salvage_want want = { 0 };
		struct oracle oracle;

		oracle_init(&oracle, &shapes[i]);
		for (uint32_t round = 0; round < 60; round++) {
			uint64_t expected[CODE_LOST_WORDS];
			struct question question;

			question_make(&question, &oracle, &rng);
			expected_of(&oracle, &question, expected);
			/* Twice: the second answer is the one that was kept. */
			for (uint32_t again = 0; again < 2; again++) {
				assert_int_equal(salvage_want_find(&want, code, question.lost,
								   question.goal, question.hopes),
						 0);
				assert_memory_equal(want.wanted, expected, sizeof(expected));
			}
			for (uint32_t w = 0; w < CODE_LOST_WORDS; w++)
				asked += expected[w] != 0;
		}
		oracle_reset(&oracle);
		code_free(code);
	}
	assert_true(asked > 100);
}

/* Too many choices to try all sets: then one set that reaches what all would, and of which no cell can be left out. */
static void of_many_choices_none_can_be_left_out(void **state)
{
	const struct code_shape shape = code_shape_make(LAYOUT_SEQUENTIAL, 4, 2, 3);
	struct code *code = code_made(&shape);
	struct rng rng = rng_seeded(23);
	struct oracle oracle;
	uint32_t asked = 0;

	(void)state;
	print_message("seed 23\n");
	oracle_init(&oracle, &shape);
	for (uint32_t round = 0; round < 40; round++) {
		uint64_t best[CODE_LOST_WORDS], known[CODE_LOST_WORDS];
		struct salvage_want want = { 0 };
		struct question question;
		uint32_t choices = 0;

		question_make(&question, &oracle, &rng);
		for (uint32_t cell = 0; cell < oracle.cell_count; cell++) {
			question.hopes[cell] = bit_get(question.lost, cell);
			choices += question.hopes[cell];
		}
		if (choices <= 10)
			continue;
		known_with(&oracle, &question, question.lost, best);
		assert_int_equal(salvage_want_find(&want, code, question.lost, question.goal,
						   question.hopes),
				 0);
		known_with(&oracle, &question, want.wanted, known);
		assert_memory_equal(known, best, sizeof(best));
		for (uint32_t cell = 0; cell < oracle.cell_count; cell++) {
			if (!bit_get(want.wanted, cell))
				continue;
			asked++;
			want.wanted[cell / 64] ^= UINT64_C(1) << cell % 64;
			known_with(&oracle, &question, want.wanted, known);
			assert_memory_not_equal(known, best, sizeof(best));
			bit_set(want.wanted, cell);
		}
	}
	assert_true(asked > 50);
	oracle_reset(&oracle);
	code_free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_sets_of_the_best_hope),
		cmocka_unit_test(of_many_choices_none_can_be_left_out),
	};

	return cmocka_run_group_tests_name("salvage_want", tests, NULL, NULL);
}
