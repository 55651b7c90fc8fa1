/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of write plans: every code up to width 8, every set of written and of absent columns. */
#include "core/array/write_plan.h"

#include "core/code/kernel.h"
#include "tests/unit/code_oracle.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WIDTH_MAX 8u
#define TWO_LEVELS_BELOW 5u /* columns: a second level is the same again */
#define SIZE ORACLE_CELL_SIZE

/* One write to one slice, beside what it must come to. */
struct trial {
	const struct code *code;
	uint32_t segment, columns, absent;
	struct write_plan plan;
	uint8_t (*old)[SIZE];    /* of every cell */
	uint8_t (*wanted)[SIZE]; /* after the write */
	uint8_t (*fresh)[SIZE];
};

static bool cell_absent(const struct trial *trial, uint32_t cell)
{
	return trial->absent >> cell / code_segment_count(trial->code) & 1;
}

static bool cell_written(const struct trial *trial, uint32_t cell)
{
	uint32_t segments = code_segment_count(trial->code);

	return cell % segments == trial->segment &&
	       cell / segments < code_data_columns(trial->code) &&
	       (trial->columns >> cell / segments & 1);
}

/* Every check from its equation, in order, over `cells`. */
static void encode(const struct code *code, uint8_t (*cells)[SIZE])
{
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);
		uint8_t *check = cells[equation->terms[equation->term_count - 1].cell];

		memset(check, 0, SIZE);
		for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
			const uint8_t *bytes = cells[equation->terms[i].cell];
			uint8_t factor = equation->terms[i].coefficient;

			for (uint32_t b = 0; b < SIZE; b++)
				check[b] ^=
					factor == 1 ? bytes[b] : oracle_product(factor, bytes[b]);
		}
	}
}

/* ---- the fewest reads, by brute force over the ways of each check */

struct force {
	const struct trial *trial;
	uint16_t checks[8];
	uint16_t equations[8];
	uint32_t count;
	uint32_t ways[8]; /* 0: sum, 1: change, 2: not computed, only on an absent column */
};

static void find_checks(struct force *force)
{
	bool changed[CODE_CELLS_MAX] = { false };
	const struct code *code = force->trial->code;

	for (uint16_t cell = 0; cell < code_cell_count(code); cell++)
		changed[cell] = cell_written(force->trial, cell);
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);
		uint16_t check = equation->terms[equation->term_count - 1].cell;

		for (uint16_t i = 0; i + 1 < equation->term_count; i++)
			changed[check] |= changed[equation->terms[i].cell];
		if (!changed[check])
			continue;
		assert_in_range(force->count, 0, 7);
		force->equations[force->count] = e;
		force->checks[force->count++] = check;
	}
}

static int find_check(const struct force *force, uint16_t cell)
{
	for (uint32_t i = 0; i < force->count; i++) {
		if (force->checks[i] == cell)
			return (int)i;
	}
	return -1;
}

static bool want(const struct force *force, bool *read, uint16_t cell)
{
	read[cell] = true;
	return !cell_absent(force->trial, cell);
}

/* What a change of this check needs; of a check in it either its own old content or what that one needs. */
static bool want_change(const struct force *force, bool *read, uint32_t check)
{
	const struct code_equation *equation =
		code_equation(force->trial->code, force->equations[check]);

	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		uint16_t cell = equation->terms[i].cell;
		int other = find_check(force, cell);

		if (cell_written(force->trial, cell) && !want(force, read, cell))
			return false;
		if (other < 0)
			continue;
		if (force->ways[other] != 2 && !cell_absent(force->trial, cell))
			read[cell] = true;
		else if (!want_change(force, read, (uint32_t)other))
			return false;
	}
	return true;
}

/* Reads of this choice, or UINT32_MAX when it cannot be. */
static uint32_t reads_of(const struct force *force)
{
	const struct code *code = force->trial->code;
	bool read[CODE_CELLS_MAX] = { false };
	uint32_t count = 0;

	for (uint32_t c = 0; c < force->count; c++) {
		const struct code_equation *equation = code_equation(code, force->equations[c]);

		if (force->ways[c] == 2) {
			if (!cell_absent(force->trial, force->checks[c]))
				return UINT32_MAX;
			continue;
		}
		if (force->ways[c] == 1) {
			if (!want(force, read, force->checks[c]) || !want_change(force, read, c))
				return UINT32_MAX;
			continue;
		}
		for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
			uint16_t cell = equation->terms[i].cell;
			int other = find_check(force, cell);

			if (other >= 0 && force->ways[other] == 2)
				return UINT32_MAX;
			if (other < 0 && !cell_written(force->trial, cell) &&
			    !want(force, read, cell))
				return UINT32_MAX;
		}
	}
	for (uint16_t cell = 0; cell < code_cell_count(code); cell++)
		count += read[cell];
	return count;
}

static uint32_t fewest_reads(const struct trial *trial)
{
	struct force force = { .trial = trial };
	uint32_t fewest = UINT32_MAX, choices = 1;

	find_checks(&force);
	for (uint32_t i = 0; i < force.count; i++)
		choices *= 3;
	for (uint32_t choice = 0; choice < choices; choice++) {
		uint32_t rest = choice, reads;

		for (uint32_t i = 0; i < force.count; i++, rest /= 3)
			force.ways[i] = rest % 3;
		reads = reads_of(&force);
		if (reads < fewest)
			fewest = reads;
	}
	return fewest;
}

/* ---- one plan */

static bool bit(const uint64_t *bits, uint32_t n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static void compute(struct trial *trial, const struct write_plan *plan, const uint64_t *known)
{
	uint8_t *fresh[CODE_CELLS_MAX] = { NULL };
	const uint8_t *old[CODE_CELLS_MAX] = { NULL };

	for (uint16_t i = 0; i < plan->cell_count; i++)
		fresh[plan->cells[i]] = trial->fresh[plan->cells[i]];
	for (uint16_t i = 0; i < plan->data_count; i++)
		memcpy(trial->fresh[plan->cells[i]], trial->wanted[plan->cells[i]], SIZE);
	for (uint16_t i = plan->data_count; i < plan->cell_count; i++)
		memset(trial->fresh[plan->cells[i]], 0xee, SIZE);
	/* Only what the plan said it reads: anything else would be a NULL that is not allowed. */
	for (uint16_t cell = 0; cell < code_cell_count(trial->code); cell++) {
		if (bit(plan->read, cell)) {
			assert_true(bit(known, cell));
			old[cell] = trial->old[cell];
		}
	}
	write_plan_compute(plan, trial->code, fresh, old, SIZE);
}

static void check_cells(const struct trial *trial, const struct write_plan *plan)
{
	for (uint16_t i = 0; i < plan->cell_count; i++) {
		uint16_t cell = plan->cells[i];

		if (i >= plan->data_count && plan->checks[i - plan->data_count] == CHECK_UNKNOWN)
			continue;
		if (memcmp(trial->fresh[cell], trial->wanted[cell], SIZE) != 0)
			fail_msg("segment %u, columns 0x%x, absent 0x%x: cell %u is wrong",
				 trial->segment, trial->columns, trial->absent, cell);
	}
}

static void usable_cells(const struct trial *trial, uint64_t *cells)
{
	memset(cells, 0, CODE_LOST_WORDS * sizeof(*cells));
	for (uint16_t cell = 0; cell < code_cell_count(trial->code); cell++) {
		if (!cell_absent(trial, cell))
			cells[cell / 64] |= UINT64_C(1) << cell % 64;
	}
}

static void check_plan(struct trial *trial, uint32_t *solves)
{
	uint64_t known[CODE_LOST_WORDS];
	uint32_t fewest = fewest_reads(trial), writes = 0;
	struct write_plan *plan = &trial->plan;

	assert_int_equal(
		write_plan_make(plan, trial->code, trial->segment, trial->columns, trial->absent),
		0);
	usable_cells(trial, known);
	for (uint16_t i = 0; i < plan->cell_count; i++)
		writes += !cell_absent(trial, plan->cells[i]);
	assert_int_equal(plan->writes, writes);
	assert_int_equal(plan->solve, fewest == UINT32_MAX);
	if (plan->solve) {
		++*solves;
		memset(known, 0xff, sizeof(known)); /* all was solved */
		assert_int_equal(write_plan_adapt(plan, trial->code, known), 0);
	} else if (plan->reads != fewest) {
		fail_msg("segment %u, columns 0x%x, absent 0x%x: %u reads, %u would do",
			 trial->segment, trial->columns, trial->absent, plan->reads, fewest);
	}
	compute(trial, plan, known);
	check_cells(trial, plan);
}

static void random_cells(struct trial *trial, struct rng *rng)
{
	uint16_t cells = code_cell_count(trial->code);

	for (uint16_t cell = 0; cell < cells; cell++) {
		for (uint32_t b = 0; b < SIZE; b++)
			trial->old[cell][b] = (uint8_t)rng_next(rng);
	}
	encode(trial->code, trial->old);
	memcpy(trial->wanted, trial->old, (size_t)cells * SIZE);
	for (uint16_t cell = 0; cell < cells; cell++) {
		for (uint32_t b = 0; b < SIZE && cell_written(trial, cell); b++)
			trial->wanted[cell][b] = (uint8_t)rng_next(rng);
	}
	encode(trial->code, trial->wanted);
}

/* All writes to one code. */
static void check_code(const struct code_shape *shape, uint32_t *plans, uint32_t *solves)
{
	static _Alignas(64) uint8_t old[CODE_CELLS_MAX][SIZE], wanted[CODE_CELLS_MAX][SIZE],
		fresh[CODE_CELLS_MAX][SIZE];
	struct code *code = code_made(shape);
	struct trial trial = { .code = code, .old = old, .wanted = wanted, .fresh = fresh };
	struct rng rng = rng_seeded(shape->columns);

	for (trial.segment = 0; trial.segment < code_data_segments(code); trial.segment++) {
		for (trial.columns = 1; trial.columns >> code_data_columns(code) == 0;
		     trial.columns++) {
			random_cells(&trial, &rng);
			for (trial.absent = 0; trial.absent >> shape->columns == 0;
			     trial.absent++) {
				if (!code_survives(code, trial.absent))
					continue;
				check_plan(&trial, solves);
				++*plans;
			}
		}
	}
	code_free(code);
}

/*
 * Aim: the fewest reads that any way of computing the checks needs, and checks that satisfy the equations.
 * Method: all codes up to width 8, all sets of written columns, all absent columns that the code survives;
 * the reads against brute force over the ways of every check, the bytes against the equations.
 */
static void test_fewest_ios(void **state)
{
	uint32_t plans = 0, solves = 0;

	(void)state;
	const struct code_shape plain = code_shape_make(LAYOUT_PLAIN, 1, 0, 0);
	check_code(&plain, &plans, &solves);
	for (uint16_t copies = 2; copies <= CODE_MIRROR_MAX; copies++) {
		const struct code_shape shape =
			code_shape_make(LAYOUT_MIRROR, copies, (uint16_t)(copies - 1), 0);
		check_code(&shape, &plans, &solves);
	}
	for (uint16_t checks = 1; checks <= CODE_PARITY_MAX; checks++) {
		for (uint16_t columns = (uint16_t)(checks + 1); columns <= WIDTH_MAX; columns++) {
			const struct code_shape shape =
				code_shape_make(LAYOUT_PARITY, columns, checks, 0);
			check_code(&shape, &plans, &solves);
		}
	}
	for (uint16_t columns = 2; columns <= WIDTH_MAX; columns++) {
		/* Of wide ones the first and the last, which lie on both sides of the rows' parities. */
		uint16_t step = columns > 6 ? (uint16_t)(columns - 1) : 1;

		for (uint16_t pure = 0; pure < columns; pure = (uint16_t)(pure + step)) {
			const struct code_shape shape =
				code_shape_make(LAYOUT_SEQUENTIAL, columns,
						columns < TWO_LEVELS_BELOW ? 2 : 1, pure);
			check_code(&shape, &plans, &solves);
		}
	}
	print_message("%u plans, %u of them have to solve\n", plans, solves);
	assert_true(solves > 0);
}

/*
 * Aim: a check is computed from whatever suffices, and never from what is not there. Method: parity 3+2, every set
 * of cells whose old content stands; what is computed satisfies the equations, what is not could not be.
 */
static void test_adapt(void **state)
{
	static _Alignas(64) uint8_t old[CODE_CELLS_MAX][SIZE], wanted[CODE_CELLS_MAX][SIZE],
		fresh[CODE_CELLS_MAX][SIZE];
	const struct code_shape shape = code_shape_make(LAYOUT_PARITY, 5, 2, 0);
	struct code *code = code_made(&shape);
	struct trial trial = { .code = code, .old = old, .wanted = wanted, .fresh = fresh };
	struct rng rng = rng_seeded(5);

	(void)state;
	for (trial.columns = 1; trial.columns < 8; trial.columns++) {
		random_cells(&trial, &rng);
		for (uint64_t standing = 0; standing < 32; standing++) {
			const uint64_t known[CODE_LOST_WORDS] = { standing };
			struct write_plan plan;
			uint32_t unknown = 0;

			assert_int_equal(write_plan_make(&plan, code, 0, trial.columns, 0), 0);
			for (uint32_t check = 3; check < 5; check++) {
				bool sum = (~standing & ~trial.columns & 7) == 0;
				bool change = (standing & trial.columns) == trial.columns &&
					      (standing >> check & 1);
				unknown += !sum && !change;
			}
			assert_int_equal(write_plan_adapt(&plan, code, known), unknown);
			compute(&trial, &plan, known);
			check_cells(&trial, &plan);
		}
	}
	code_free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fewest_ios),
		cmocka_unit_test(test_adapt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
