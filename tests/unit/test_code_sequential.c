/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sequential layout: the facts of SPEC 2 and the rows R02 to R14 that concern equations. */
#include "core/base/rng.h"
#include "core/code/code.h"
#include "core/code/code_table.h"
#include "core/code/rank.h"
#include "tests/unit/code_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20240620u
#define COLUMNS_EXHAUSTIVE 12u

/* A code with the words of SPEC 2: m columns, r levels, pure column q, p rows. */
struct sequential {
	struct code_shape shape;
	struct code *code;
	uint16_t m, r, q, p;
	uint16_t segments;
};

static struct sequential sequential_made(uint16_t m, uint16_t r, uint16_t q)
{
	struct sequential s = { .m = m, .r = r, .q = q };

	s.shape = code_shape_make(LAYOUT_SEQUENTIAL, m, r, q);
	s.code = code_made(&s.shape);
	s.p = (uint16_t)(r * (m - 1));
	s.segments = (uint16_t)(r * m);
	return s;
}

static uint16_t data_cell(const struct sequential *s, unsigned column, unsigned row)
{
	return (uint16_t)(column * s->segments + row);
}

static uint16_t tail_cell(const struct sequential *s, unsigned column, unsigned level)
{
	return (uint16_t)(column * s->segments + s->p + level);
}

/* The cell of row j's parity: the (j mod m-1)-th column but q, tail j div m-1. */
static uint16_t parity_cell(const struct sequential *s, unsigned row)
{
	unsigned column = row % (s->m - 1u);

	return tail_cell(s, column >= s->q ? column + 1 : column, row / (s->m - 1u));
}

static uint16_t pure_cell(const struct sequential *s, unsigned level)
{
	return tail_cell(s, s->q, level);
}

static bool equation_holds(const struct code *code, uint16_t equation, uint16_t cell)
{
	const struct code_equation *e = code_equation(code, equation);

	for (uint16_t i = 0; i < e->term_count; i++) {
		if (e->terms[i].cell == cell)
			return true;
	}
	return false;
}

/* Run `check` for all m to 12, r of 1, 2 and 4, and the first, a middle and the last q. */
static void for_geometries(void (*check)(const struct sequential *s))
{
	static const uint16_t levels[] = { 1, 2, 4 };

	for (uint16_t m = 2; m <= COLUMNS_EXHAUSTIVE; m++) {
		for (size_t i = 0; i < 3 * sizeof(levels) / sizeof(levels[0]); i++) {
			const uint16_t pures[] = { (uint16_t)(m - 1), (uint16_t)(m / 2), 0 };
			struct sequential s = sequential_made(m, levels[i / 3], pures[i % 3]);

			check(&s);
			code_free(s.code);
		}
	}
}

/* ---- the layout */

static void check_r02(const struct sequential *s)
{
	uint16_t bearing = 0;

	for (uint16_t row = 0; row < s->p; row++) {
		const struct code_equation *e = code_equation(s->code, row);

		assert_int_equal(e->term_count, s->m + 1);
		assert_int_equal(e->terms[s->m].cell, parity_cell(s, row));
		assert_int_equal(code_cell_role(s->code, parity_cell(s, row)), CELL_PARITY);
	}
	for (uint16_t column = 0; column < s->m; column++) {
		uint16_t parities = 0;

		for (uint16_t segment = 0; segment < s->segments; segment++) {
			uint16_t cell = data_cell(s, column, segment);

			assert_int_equal(code_cell_role(s->code, cell) == CELL_DATA,
					 segment < s->p);
			parities = (uint16_t)(parities +
					      (code_cell_role(s->code, cell) == CELL_PARITY));
		}
		assert_int_equal(parities, column == s->q ? 0 : s->r);
		bearing = (uint16_t)(bearing + (parities > 0));
	}
	assert_int_equal(bearing, s->m - 1);
}

/* R02: row parities lie behind the data, P_k on the k-th bearing column, on exactly m-1 columns. */
static void r02_row_parities_are_appended_to_m_minus_1_columns(void **state)
{
	(void)state;
	for_geometries(check_r02);
}

static void check_r03(const struct sequential *s)
{
	for (uint16_t level = 0; level < s->r; level++) {
		const struct code_equation *e = code_equation(s->code, (uint16_t)(s->p + level));

		assert_int_equal(e->term_count, s->m);
		assert_int_equal(e->terms[s->m - 1].cell, pure_cell(s, level));
		assert_int_equal(code_cell_role(s->code, pure_cell(s, level)), CELL_PURE);
	}
}

/* R03: one pure parity a level, on the column that bears no row parity; any column may be it. */
static void r03_pure_parity_is_on_the_column_without_row_parity(void **state)
{
	(void)state;
	for_geometries(check_r03);
}

static void check_r04(const struct sequential *s)
{
	for (uint16_t column = 0; column < s->m; column++) {
		for (uint16_t row = 0; row < s->p; row++) {
			for (uint16_t e = 0; e < code_equation_count(s->code); e++)
				assert_int_equal(
					equation_holds(s->code, e, data_cell(s, column, row)),
					e == row);
		}
	}
}

/* R04: a data segment is in its row's equation and no other; a row has one of every column. */
static void r04_a_row_covers_one_segment_of_each_column(void **state)
{
	(void)state;
	for_geometries(check_r04);
}

static void check_r05(const struct sequential *s)
{
	for (uint16_t level = 0; level < s->r; level++) {
		const struct code_equation *e = code_equation(s->code, (uint16_t)(s->p + level));

		for (uint16_t i = 0; i < e->term_count; i++)
			assert_int_equal(e->terms[i].cell % s->segments, s->p + level);
	}
}

/* R05: the quick check reads the m tails of a level and no data. */
static void r05_pure_parity_covers_only_the_tails_of_its_level(void **state)
{
	(void)state;
	for_geometries(check_r05);
}

static void check_r08(const struct sequential *s)
{
	uint16_t counts[] = {
		[CELL_DATA] = 0, [CELL_PARITY] = 0, [CELL_PURE] = 0, [CELL_COPY] = 0
	};

	for (uint16_t cell = 0; cell < code_cell_count(s->code); cell++)
		counts[code_cell_role(s->code, cell)]++;
	assert_int_equal(code_shape(s->code)->columns, s->m);
	assert_int_equal(code_data_segments(s->code), s->r * (s->m - 1));
	assert_int_equal(counts[CELL_DATA], s->m * s->p);
	assert_int_equal(counts[CELL_PARITY], s->r * (s->m - 1));
	assert_int_equal(counts[CELL_PURE], s->r);
	assert_int_equal(counts[CELL_COPY], 0);
}

/* R08: m columns, p = r(m-1), as many row parities, r pure ones, m*p data segments. */
static void r08_counts_of_a_group(void **state)
{
	(void)state;
	for_geometries(check_r08);
}

static void check_r14(const struct sequential *s)
{
	for (uint16_t e = 0; e < code_equation_count(s->code); e++) {
		const struct code_equation *equation = code_equation(s->code, e);

		for (uint16_t i = 0; i < equation->term_count; i++) {
			assert_true(equation->terms[i].cell < code_cell_count(s->code));
			for (uint16_t other = 0; other < i; other++)
				assert_int_not_equal(equation->terms[i].cell,
						     equation->terms[other].cell);
		}
	}
	for (uint16_t column = 0; column < s->m; column++) {
		for (uint16_t level = 0; level < s->r; level++)
			assert_int_not_equal(code_cell_role(s->code, tail_cell(s, column, level)),
					     CELL_DATA);
	}
}

/* R14: every column ends in parity of its own group; no equation leaves the group. */
static void r14_each_column_ends_in_parity_of_its_own_group(void **state)
{
	(void)state;
	for_geometries(check_r14);
}

/* ---- losses */

static uint64_t choose_2(uint64_t n)
{
	return n * (n - 1) / 2;
}

/* SPEC 2.2: m to 12, r of 1 and 2: each single loss is whole again; of two nothing of either. */
static void spec_2_2_one_loss_costs_nothing_two_lose_both_columns(void **state)
{
	struct rng rng = rng_seeded(SEED);

	(void)state;
	printf("# seed %u\n", SEED);
	for (uint16_t m = 2; m <= COLUMNS_EXHAUSTIVE; m++) {
		for (uint16_t r = 1; r <= 2; r++) {
			uint16_t q = (uint16_t)rng_below(&rng, m);
			struct sequential s = sequential_made(m, r, q);
			struct oracle oracle;

			oracle_init(&oracle, &s.shape);
			oracle_fill(&oracle, &rng);
			for (uint16_t a = 0; a < m; a++) {
				assert_int_equal(oracle_check_columns(&oracle, s.code, 1u << a), 0);
				for (uint16_t b = 0; b < a; b++)
					assert_int_equal(oracle_check_columns(&oracle, s.code,
									      1u << a | 1u << b),
							 2 * s.segments);
			}
			oracle_reset(&oracle);
			code_free(s.code);
		}
	}
}

/* R09: 1000 random geometries: no column has P and Q of a level; any one column may be lost. */
static void r09_1000_random_geometries(void **state)
{
	struct rng rng = rng_seeded(SEED + 1);

	(void)state;
	printf("# seed %u\n", SEED + 1);
	for (int n = 0; n < 1000; n++) {
		uint16_t m = (uint16_t)(2 + rng_below(&rng, 11));
		uint16_t r = (uint16_t)(1 + rng_below(&rng, 4));
		struct sequential s = sequential_made(m, r, (uint16_t)rng_below(&rng, m));
		uint16_t column = (uint16_t)rng_below(&rng, m);

		for (uint16_t e = 0; e < s.p; e++) {
			uint16_t last = code_equation(s.code, e)->terms[m].cell;

			assert_int_not_equal(last / s.segments, s.q);
		}
		for (uint16_t c = 0; c < m; c++) {
			uint64_t lost[CODE_LOST_WORDS] = { 0 };
			struct code_plan plan;

			for (uint16_t segment = 0; segment < s.segments; segment++)
				bit_set(lost, data_cell(&s, c, segment));
			assert_int_equal(code_solve(&plan, s.code, lost, NULL), 0);
			assert_int_equal(plan.step_count, s.segments);
			assert_int_equal(plan.unsolved_count, 0);
			code_plan_reset(&plan);
		}
		if (n % 20 == 0) {
			struct oracle oracle;

			oracle_init(&oracle, &s.shape);
			oracle_fill(&oracle, &rng);
			assert_int_equal(oracle_check_columns(&oracle, s.code, 1u << column), 0);
			oracle_reset(&oracle);
		}
		code_free(s.code);
	}
}

/* The cells of a role that `plan` computes must come in one run, in order; returns its end. */
static uint16_t run_of_role(const struct sequential *s, const struct code_plan *plan, uint16_t step,
			    enum cell_role role, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++, step++) {
		assert_true(step < plan->step_count);
		assert_int_equal(code_cell_role(s->code, plan->steps[step].target), role);
		assert_true(i == 0 || plan->steps[step - 1].target < plan->steps[step].target);
	}
	return step;
}

static void check_r06(const struct sequential *s)
{
	for (uint16_t column = 0; column < s->m; column++) {
		uint64_t lost[CODE_LOST_WORDS] = { 0 };
		struct code_plan plan;
		uint16_t step = 0;

		for (uint16_t segment = 0; segment < s->segments; segment++)
			bit_set(lost, data_cell(s, column, segment));
		assert_int_equal(code_solve(&plan, s->code, lost, NULL), 0);
		if (column != s->q)
			step = run_of_role(s, &plan, step, CELL_PARITY, s->r);
		for (uint16_t i = 0; i < step; i++) {
			/* From the other tails alone: m-2 row parities and the pure one. */
			assert_int_equal(plan.steps[i].term_count, s->m - 1);
			for (uint16_t t = 0; t < s->m - 1; t++)
				assert_true(plan.steps[i].terms[t].cell % s->segments >= s->p);
		}
		step = run_of_role(s, &plan, step, CELL_DATA, s->p);
		if (column == s->q)
			step = run_of_role(s, &plan, step, CELL_PURE, s->r);
		assert_int_equal(step, plan.step_count);
		code_plan_reset(&plan);
	}
}

/* R06, claim 10: the lost row parities first, from the tails, then the data; of q data, then Q. */
static void r06_rebuild_takes_parity_first_then_data(void **state)
{
	(void)state;
	for_geometries(check_r06);
}

/* How many data cells are lost, by the engine and by the oracle alike. */
static uint32_t data_lost(const struct sequential *s, const struct oracle *oracle,
			  const uint64_t *lost)
{
	struct code_plan plan;
	uint32_t count = 0;

	oracle_check_loss(oracle, s->code, lost);
	assert_int_equal(code_solve(&plan, s->code, lost, NULL), 0);
	for (uint16_t i = 0; i < plan.unsolved_count; i++)
		count += code_cell_role(s->code, plan.unsolved[i]) == CELL_DATA;
	code_plan_reset(&plan);
	return count;
}

/* SPEC 2.2: one column and one bad segment elsewhere lose 1 or 2 segments, 1.92 on average at m=5. */
static void spec_2_2_column_and_segment_lose_one_or_two(void **state)
{
	struct rng rng = rng_seeded(SEED);
	struct sequential s = sequential_made(5, 1, 4);
	struct oracle oracle;
	uint32_t total = 0;
	uint32_t patterns = 0;

	(void)state;
	oracle_init(&oracle, &s.shape);
	oracle_fill(&oracle, &rng);
	for (uint16_t column = 0; column < 5; column++) {
		for (uint16_t cell = 0; cell < 25; cell++) {
			uint64_t lost[CODE_LOST_WORDS] = { (uint64_t)0x1f << column * 5 };

			if (bit_get(lost, cell))
				continue;
			bit_set(lost, cell);

			uint32_t count = data_lost(&s, &oracle, lost);

			assert_in_range(count, 1, 2);
			total += count;
			patterns++;
		}
	}
	assert_int_equal(patterns, 100);
	assert_int_equal(total, 192);
	oracle_reset(&oracle);
	code_free(s.code);
}

/* SPEC 2.2: two bad segments are fatal only as data of one row: (m-1)*C(m,2) patterns. */
static void spec_2_2_two_segments_are_fatal_only_in_one_row(void **state)
{
	struct rng rng = rng_seeded(SEED);

	(void)state;
	for (uint16_t m = 2; m <= 6; m++) {
		struct sequential s = sequential_made(m, 1, (uint16_t)(m - 1));
		struct oracle oracle;
		uint32_t fatal = 0;

		oracle_init(&oracle, &s.shape);
		oracle_fill(&oracle, &rng);
		for (uint32_t a = 0; a < oracle.cell_count; a++) {
			for (uint32_t b = 0; b < a; b++) {
				uint64_t lost[CODE_LOST_WORDS] = { 0 };

				bit_set(lost, a);
				bit_set(lost, b);
				fatal += data_lost(&s, &oracle, lost) > 0;
			}
		}
		assert_int_equal(fatal, (m - 1u) * choose_2(m));
		oracle_reset(&oracle);
		code_free(s.code);
	}
}

/* ---- claim 16 read literally */

/*
 * P_0..P_{m-2} on columns 0..m-2, and Q on column `pure`, which has its P already; column m-1 has
 * no tail. Columns have room for two tails; cells that are not there are in no equation.
 */
static uint16_t literal_equation(struct code_term terms_out[static CODE_TERMS_MAX],
				 const struct code_shape *shape, uint16_t number)
{
	uint16_t m = shape->columns;
	uint16_t rows = (uint16_t)(m - 1);
	uint16_t segments = (uint16_t)(m + 1);
	uint16_t count = 0;

	if (number < rows) {
		for (; count < m; count++)
			terms_out[count] =
				(struct code_term){ (uint16_t)(count * segments + number), 1 };
		terms_out[count++] = (struct code_term){ (uint16_t)(number * segments + rows), 1 };
		return count;
	}
	for (; count < rows; count++)
		terms_out[count] = (struct code_term){ (uint16_t)(count * segments + rows), 1 };
	terms_out[count++] = (struct code_term){ (uint16_t)(shape->pure * segments + m), 1 };
	return count;
}

static struct code_sizes literal_sizes(const struct code_shape *shape)
{
	return (struct code_sizes){
		.segments = (uint16_t)(shape->columns + 1),
		.data_columns = shape->columns,
		.data_segments = (uint16_t)(shape->columns - 1),
		.equations = shape->columns,
		.tolerance = 1,
	};
}

static enum cell_role literal_role(const struct code_shape *shape, uint16_t cell)
{
	return cell % (shape->columns + 1) < shape->columns - 1 ? CELL_DATA : CELL_PARITY;
}

static const struct code_table literal_claim16 = {
	.name = "claim 16 read literally",
	.sizes = literal_sizes,
	.role = literal_role,
	.equation = literal_equation,
};

/* Lose the cells of a column that exist: the last column has no tail, only column k has two. */
static void literal_lose(uint64_t *lost, uint16_t m, uint16_t k, uint16_t column)
{
	uint16_t tails = column == k ? 2 : column == m - 1 ? 0 : 1;

	for (uint16_t segment = 0; segment < m - 1 + tails; segment++)
		bit_set(lost, column * (m + 1u) + segment);
}

/* How many of the lost cells the equations cannot tell apart, by the rank of their columns. */
static uint16_t rank_deficit(const struct code *code, const uint64_t *lost)
{
	static uint8_t bytes[CODE_EQUATIONS_MAX * CODE_EQUATIONS_MAX];
	struct rank_matrix matrix = { bytes, code_equation_count(code), 0 };
	uint16_t cells[CODE_EQUATIONS_MAX];

	for (uint16_t cell = 0; cell < code_cell_count(code); cell++) {
		if (bit_get(lost, cell))
			cells[matrix.column_count++] = cell;
	}
	for (uint16_t e = 0; e < matrix.row_count; e++) {
		for (uint16_t c = 0; c < matrix.column_count; c++)
			bytes[e * matrix.column_count + c] = equation_holds(code, e, cells[c]);
	}
	return (uint16_t)(matrix.column_count - rank_reduce(&matrix, matrix.column_count, NULL));
}

/*
 * SPEC 2.2, claim 16: build that layout, lose each column. Of column k exactly D[k][k] stays lost
 * (with P_k and Q, which hang on it), of the others nothing; the rank says so as well.
 */
static void claim_16_literally_loses_one_data_segment(void **state)
{
	(void)state;
	for (uint16_t m = 2; m <= 9; m++) {
		for (uint16_t k = 0; k < m - 1; k++) {
			struct code_shape shape = code_shape_make(LAYOUT_SEQUENTIAL, m, 1, k);
			struct code *code = NULL;
			struct err err = { 0 };

			assert_int_equal(code_build(&code, &literal_claim16, &shape, &err), 0);
			for (uint16_t column = 0; column < m; column++) {
				uint64_t lost[CODE_LOST_WORDS] = { 0 };
				struct code_plan plan;

				literal_lose(lost, m, k, column);
				assert_int_equal(rank_deficit(code, lost), column == k);
				assert_int_equal(code_solve(&plan, code, lost, NULL), 0);
				assert_int_equal(plan.unsolved_count, column == k ? 3 : 0);
				if (column == k) {
					assert_int_equal(plan.unsolved[0], k * (m + 1) + k);
					assert_int_equal(plan.unsolved[1], k * (m + 1) + m - 1);
					assert_int_equal(plan.unsolved[2], k * (m + 1) + m);
				}
				code_plan_reset(&plan);
			}
			code_free(code);
		}
	}
}

/* R03, claim 16: the refusal names the segment that the layout above loses, and the column. */
static void r03_claim_16_literally_is_refused_with_the_lost_segment(void **state)
{
	(void)state;
	for (uint16_t m = 2; m <= CODE_SEQUENTIAL_COLUMNS_MAX; m++) {
		for (uint16_t k = 0; k < m - 1; k++) {
			struct err err = { 0 };
			char segment[32];
			char column[8];

			snprintf(segment, sizeof(segment), "D[%u][%u]", k, k);
			snprintf(column, sizeof(column), "%u", k);
			assert_int_equal(code_literal_claim16(m, 8, k, &err), ERR_UNSAFE);
			assert_non_null(strstr(err.text, segment));
			assert_non_null(strstr(err.text, "8 segments in all"));
			assert_int_equal(err.fact_count, 2);
			assert_string_equal(err.facts[0].name, "segment");
			assert_string_equal(err.facts[0].value, segment);
			assert_string_equal(err.facts[1].name, "member column");
			assert_string_equal(err.facts[1].value, column);
		}
	}

	struct err err = { 0 };

	assert_int_equal(code_literal_claim16(5, 1, 4, &err), ERR_LIMIT);
	assert_int_equal(code_literal_claim16(17, 1, 0, &err), ERR_LIMIT);
}

/* ---- writes and location */

static void check_closure(const struct sequential *s)
{
	uint16_t cells[2];

	for (uint16_t row = 0; row < s->p; row++) {
		uint16_t parity = parity_cell(s, row);
		uint16_t pure = pure_cell(s, row / (s->m - 1u));

		for (uint16_t column = 0; column < s->m; column++) {
			assert_int_equal(code_closure(s->code, data_cell(s, column, row), cells, 2),
					 2);
			assert_int_equal(cells[0], parity < pure ? parity : pure);
			assert_int_equal(cells[1], parity < pure ? pure : parity);
		}
		assert_int_equal(code_closure(s->code, parity, cells, 2), 1);
		assert_int_equal(cells[0], pure);
		assert_int_equal(code_closure(s->code, pure, cells, 2), 0);
	}
}

/* SPEC 2.4: a data segment changes its row's parity and its level's pure one, nothing else. */
static void spec_2_4_a_write_touches_row_and_pure_parity(void **state)
{
	(void)state;
	for_geometries(check_closure);
}

/* Toggle the equations that hold `cell`. */
static void disturb(const struct code *code, uint16_t cell, uint64_t *failed)
{
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		if (equation_holds(code, e, cell))
			failed[e / 64] ^= (uint64_t)1 << e % 64;
	}
}

static void check_location(const struct sequential *s)
{
	for (uint16_t cell = 0; cell < code_cell_count(s->code); cell++) {
		uint64_t failed[CODE_LOST_WORDS] = { 0 };
		bool is_data = code_cell_role(s->code, cell) == CELL_DATA;

		disturb(s->code, cell, failed);
		assert_int_equal(code_locate(s->code, failed, NULL), is_data ? -1 : (int)cell);
		if (is_data && s->r > 1) {
			/* A second damage in another level: still nothing to blame. */
			disturb(s->code, pure_cell(s, cell % s->segments < s->m - 1 ? 1 : 0),
				failed);
			assert_int_equal(code_locate(s->code, failed, NULL), -1);
		}
	}
}

/* SPEC 2.5: a damaged parity or pure segment is located by its equations, data is ambiguous. */
static void spec_2_5_locates_parity_never_data(void **state)
{
	(void)state;
	for_geometries(check_location);
}

/* SPEC 2.5: of the 6 torn states of a one-segment write the quick check alone sees 4. */
static void spec_2_5_quick_check_sees_4_of_6_torn_writes(void **state)
{
	struct sequential s = sequential_made(5, 1, 4);
	uint16_t cells[3] = { data_cell(&s, 2, 1), 0, 0 };
	int quick = 0;
	int torn = 0;

	(void)state;
	assert_int_equal(code_closure(s.code, cells[0], cells + 1, 2), 2);
	for (unsigned written = 1; written < 7; written++) {
		uint64_t failed[CODE_LOST_WORDS] = { 0 };

		for (int i = 0; i < 3; i++) {
			if (written >> i & 1)
				disturb(s.code, cells[i], failed);
		}
		torn += failed[0] != 0;
		quick += bit_get(failed, s.p);
	}
	assert_int_equal(torn, 6);
	assert_int_equal(quick, 4);
	code_free(s.code);
}

/* The largest geometry: 16 columns of 128 segments; every column rebuilt, steps fit the kernels. */
static void the_largest_group_rebuilds_each_column(void **state)
{
	struct sequential s = sequential_made(16, 8, 7);

	(void)state;
	assert_int_equal(code_cell_count(s.code), CODE_CELLS_MAX);
	assert_int_equal(code_equation_count(s.code), CODE_EQUATIONS_MAX);
	for (uint16_t column = 0; column < 16; column++) {
		uint64_t lost[CODE_LOST_WORDS] = { 0 };
		struct code_plan plan;

		for (uint16_t segment = 0; segment < s.segments; segment++)
			bit_set(lost, data_cell(&s, column, segment));
		assert_int_equal(code_solve(&plan, s.code, lost, NULL), 0);
		assert_int_equal(plan.unsolved_count, 0);
		assert_int_equal(plan.step_count, s.segments);
		for (uint16_t i = 0; i < plan.step_count; i++)
			assert_true(plan.steps[i].term_count <= 16);
		code_plan_reset(&plan);
	}
	code_free(s.code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r02_row_parities_are_appended_to_m_minus_1_columns),
		cmocka_unit_test(r03_pure_parity_is_on_the_column_without_row_parity),
		cmocka_unit_test(r03_claim_16_literally_is_refused_with_the_lost_segment),
		cmocka_unit_test(r04_a_row_covers_one_segment_of_each_column),
		cmocka_unit_test(r05_pure_parity_covers_only_the_tails_of_its_level),
		cmocka_unit_test(r06_rebuild_takes_parity_first_then_data),
		cmocka_unit_test(r08_counts_of_a_group),
		cmocka_unit_test(r09_1000_random_geometries),
		cmocka_unit_test(r14_each_column_ends_in_parity_of_its_own_group),
		cmocka_unit_test(spec_2_2_one_loss_costs_nothing_two_lose_both_columns),
		cmocka_unit_test(spec_2_2_column_and_segment_lose_one_or_two),
		cmocka_unit_test(spec_2_2_two_segments_are_fatal_only_in_one_row),
		cmocka_unit_test(claim_16_literally_loses_one_data_segment),
		cmocka_unit_test(spec_2_4_a_write_touches_row_and_pure_parity),
		cmocka_unit_test(spec_2_5_locates_parity_never_data),
		cmocka_unit_test(spec_2_5_quick_check_sees_4_of_6_torn_writes),
		cmocka_unit_test(the_largest_group_rebuilds_each_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
