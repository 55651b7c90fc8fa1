/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codes: all erasures of the small ones, many of the wide ones, limits, plans, location. */
#include "core/base/mem.h"
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

#define SEED 20240610u
#define EXHAUSTIVE_WIDTH 12u

static void oracle_made(struct oracle *oracle, const struct code_shape *shape, struct rng *rng)
{
	oracle_init(oracle, shape);
	oracle_fill(oracle, rng);
}

/* ---- erasures */

/* Every set of lost cells of a code of few cells, against brute force and by bytes. */
static void check_all_cell_sets(const struct code_shape *shape, struct rng *rng)
{
	struct code *code = code_made(shape);
	struct oracle oracle;

	oracle_made(&oracle, shape, rng);
	assert_int_equal(code_cell_count(code), oracle.cell_count);
	assert_true(oracle.cell_count <= 16);
	for (uint64_t set = 0; oracle.segments > 1 && set < 1u << oracle.cell_count; set++) {
		uint64_t lost[CODE_LOST_WORDS] = { set };

		oracle_check_loss(&oracle, code, lost);
	}
	for (uint32_t columns = 0; columns < 1u << shape->columns; columns++)
		oracle_check_columns(&oracle, code, columns);
	oracle_reset(&oracle);
	code_free(code);
}

/* Plain and mirror: every loss of 1 to 4 columns. */
static void plain_and_mirror_all_losses(void **state)
{
	struct rng rng = rng_seeded(SEED);
	struct code_shape plain = code_shape_make(LAYOUT_PLAIN, 1, 0, 0);

	(void)state;
	check_all_cell_sets(&plain, &rng);
	for (uint16_t copies = 2; copies <= CODE_MIRROR_MAX; copies++) {
		struct code_shape mirror =
			code_shape_make(LAYOUT_MIRROR, copies, (uint16_t)(copies - 1), 0);

		check_all_cell_sets(&mirror, &rng);
	}
}

/* Parity: every set of lost columns of every width up to 12 and p = 1 to 3, indexes at random. */
static void parity_all_losses_to_width_12(void **state)
{
	struct rng rng = rng_seeded(SEED);

	(void)state;
	printf("# seed %u\n", SEED);
	for (uint16_t p = 1; p <= CODE_PARITY_MAX; p++) {
		for (uint16_t n = (uint16_t)(p + 1); n <= EXHAUSTIVE_WIDTH; n++) {
			struct code_shape shape = code_shape_make(LAYOUT_PARITY, n, p, 0);

			for (uint16_t i = 0; i < n - p && n % 2 == 1; i++)
				shape.index[i] = (uint8_t)(i * 20u + rng_below(&rng, 20));
			check_all_cell_sets(&shape, &rng);
		}
	}
}

/* Sequential: every set of lost cells, readable columns or not, of the geometries of 16 cells. */
static void sequential_all_cell_losses_to_16_cells(void **state)
{
	static const uint16_t geometries[][2] = {
		{ 2, 1 }, { 2, 2 }, { 2, 4 }, { 3, 1 }, { 4, 1 }
	};
	struct rng rng = rng_seeded(SEED);

	(void)state;
	for (size_t g = 0; g < sizeof(geometries) / sizeof(geometries[0]); g++) {
		uint16_t m = geometries[g][0];
		uint16_t pure = (uint16_t)(g % m);
		struct code_shape shape =
			code_shape_make(LAYOUT_SEQUENTIAL, m, geometries[g][1], pure);

		check_all_cell_sets(&shape, &rng);
	}
}

/* The next larger number with as many bits. */
static uint64_t next_of_size(uint64_t set)
{
	uint64_t lowest = set & (~set + 1);
	uint64_t raised = set + lowest;

	return raised | (((set ^ raised) / lowest) >> 2);
}

/* All sets of `size` lost columns must be rebuilt, each 16th by bytes too; one more is too many. */
static void check_wide(const struct oracle *oracle, const struct code *code, uint16_t size)
{
	uint64_t end = (uint64_t)1 << oracle->shape.columns;
	unsigned number = 0;

	for (uint64_t set = ((uint64_t)1 << size) - 1; set < end; set = next_of_size(set)) {
		uint64_t lost[CODE_LOST_WORDS] = { set };
		struct code_plan plan;

		assert_int_equal(code_solve(&plan, code, lost, NULL), 0);
		assert_int_equal(plan.unsolved_count, 0);
		assert_int_equal(plan.step_count, size);
		assert_true(code_survives(code, (uint32_t)set));
		if (number++ % 16 == 0)
			oracle_check_plan(oracle, &plan, lost);
		code_plan_reset(&plan);
	}
}

/* Parity, wider: all losses of up to p columns of widths up to 32, indexes in order or at random. */
static void parity_all_survivable_losses_to_width_32(void **state)
{
	static const uint16_t widths[] = { 13, 16, 21, 24, 31, 32 };
	struct rng rng = rng_seeded(SEED);

	(void)state;
	for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
		for (uint16_t p = 1; p <= CODE_PARITY_MAX; p++) {
			struct code_shape shape = code_shape_make(LAYOUT_PARITY, widths[w], p, 0);

			for (uint16_t i = 0; i < widths[w] - p && w % 2 == 1; i++)
				shape.index[i] = (uint8_t)(254u - i * 8u - rng_below(&rng, 7));

			struct code *code = code_made(&shape);
			struct oracle oracle;

			oracle_made(&oracle, &shape, &rng);
			for (uint16_t size = 1; size <= p; size++)
				check_wide(&oracle, code, size);
			oracle_check_columns(&oracle, code, (2u << p) - 1);
			assert_false(code_survives(code, (2u << p) - 1));
			oracle_reset(&oracle);
			code_free(code);
		}
	}
}

/* Encode: the encode plan of every layout gives the oracle's check cells. */
static void encode_plan_computes_every_check(void **state)
{
	struct rng rng = rng_seeded(SEED);
	const struct code_shape shapes[] = {
		code_shape_make(LAYOUT_PLAIN, 1, 0, 0),
		code_shape_make(LAYOUT_MIRROR, 4, 3, 0),
		code_shape_make(LAYOUT_PARITY, 32, 3, 0),
		code_shape_make(LAYOUT_PARITY, 2, 1, 0),
		code_shape_make(LAYOUT_SEQUENTIAL, 9, 2, 4),
	};

	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		struct code *code = code_made(&shapes[s]);
		uint64_t checks[CODE_LOST_WORDS] = { 0 };
		struct code_plan plan;
		struct oracle oracle;

		oracle_made(&oracle, &shapes[s], &rng);
		for (uint16_t cell = 0; cell < oracle.cell_count; cell++) {
			if (code_cell_role(code, cell) != CELL_DATA)
				bit_set(checks, cell);
		}
		assert_int_equal(code_encode_plan(&plan, code), 0);
		assert_int_equal(plan.step_count, oracle.cell_count - oracle.data_count);
		assert_int_equal(plan.unsolved_count, 0);
		oracle_check_plan(&oracle, &plan, checks);
		code_plan_reset(&plan);
		oracle_reset(&oracle);
		code_free(code);
	}
}

/* ---- plans */

/* Wanted: only the wanted cells and what they need become steps; only wanted cells stay unsolved. */
static void wanted_limits_the_plan(void **state)
{
	/* 4 columns of 4 segments, pure on 3: column 1 holds D[1][0..2] in 4..6 and P_1 in 7. */
	const struct code_shape shape = code_shape_make(LAYOUT_SEQUENTIAL, 4, 1, 3);
	struct code *code = code_made(&shape);
	const uint64_t lost[CODE_LOST_WORDS] = { 0xf0 };
	const uint64_t lost_two[CODE_LOST_WORDS] = { 0xff };
	struct code_plan plan;

	(void)state;
	uint64_t wanted[CODE_LOST_WORDS] = { 1u << 6 | 1u << 12 };

	assert_int_equal(code_solve(&plan, code, lost, wanted), 0);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].target, 6);
	code_plan_reset(&plan);

	/* D[1][1] needs P_1, which is lost with it. */
	wanted[0] = 1u << 5;
	assert_int_equal(code_solve(&plan, code, lost, wanted), 0);
	assert_int_equal(plan.step_count, 2);
	assert_int_equal(plan.steps[0].target, 7);
	assert_int_equal(plan.steps[1].target, 5);
	code_plan_reset(&plan);

	wanted[0] = 1u << 5 | 1u << 8;
	assert_int_equal(code_solve(&plan, code, lost_two, wanted), 0);
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.unsolved_count, 1);
	assert_int_equal(plan.unsolved[0], 5);
	code_plan_reset(&plan);
	code_free(code);
}

/* A plan reads little: a lost parity of a whole group comes from the m - 1 other tails. */
static void a_plan_takes_the_shorter_equation(void **state)
{
	const struct code_shape shape = code_shape_make(LAYOUT_SEQUENTIAL, 4, 1, 3);
	struct code *code = code_made(&shape);
	const uint64_t lost[CODE_LOST_WORDS] = { 1u << 7 };
	struct code_plan plan;

	(void)state;
	assert_int_equal(code_solve(&plan, code, lost, NULL), 0);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].term_count, 3);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_not_equal(code_cell_role(code, plan.steps[0].terms[i].cell), CELL_DATA);
	code_plan_reset(&plan);
	code_free(code);
}

/* ---- closure */

/* Closure: of each cell of each layout, the checks whose generator rows hold it, SPEC 2.4. */
static void closure_is_every_check_that_changes(void **state)
{
	uint16_t cells[CODE_COLUMNS_MAX];
	struct code_shape mirror = code_shape_make(LAYOUT_MIRROR, 3, 2, 0);
	struct code_shape parity = code_shape_make(LAYOUT_PARITY, 8, 3, 0);
	struct code *code = code_made(&mirror);

	(void)state;
	assert_int_equal(code_closure(code, 0, cells, 2), 2);
	assert_int_equal(cells[0], 1);
	assert_int_equal(cells[1], 2);
	assert_int_equal(code_closure(code, 1, cells, 2), 0);
	code_free(code);

	code = code_made(&parity);
	for (uint16_t data = 0; data < 5; data++) {
		assert_int_equal(code_closure(code, data, cells, 3), 3);
		for (uint16_t j = 0; j < 3; j++)
			assert_int_equal(cells[j], 5 + j);
	}
	assert_int_equal(code_closure(code, 6, cells, 3), 0);
	code_free(code);
}

/* ---- location */

/* Which equations fail, and by how much, when cell has an error. */
static void disturb(const struct code *code, uint16_t cell, uint8_t error, uint64_t *failed,
		    uint8_t *syndromes)
{
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);

		for (uint16_t i = 0; i < equation->term_count; i++) {
			if (equation->terms[i].cell == cell)
				syndromes[e] ^=
					oracle_product(equation->terms[i].coefficient, error);
		}
		failed[e / 64] &= ~((uint64_t)1 << e % 64);
		if (syndromes[e] != 0)
			bit_set(failed, e);
	}
}

/* Parity, p = 2 and 3: each error value in each column of widths up to 32 is located. */
static void parity_locates_each_single_error(void **state)
{
	(void)state;
	for (uint16_t p = 2; p <= 3; p++) {
		for (uint16_t n = (uint16_t)(p + 1); n <= CODE_COLUMNS_MAX; n++) {
			const struct code_shape shape = code_shape_make(LAYOUT_PARITY, n, p, 0);
			struct code *code = code_made(&shape);

			for (uint32_t i = 0; i < 255u * n; i++) {
				uint16_t cell = (uint16_t)(i % n);
				uint64_t failed[CODE_LOST_WORDS] = { 0 };
				uint8_t syndromes[CODE_PARITY_MAX] = { 0 };

				disturb(code, cell, (uint8_t)(1 + i / n), failed, syndromes);
				assert_int_equal(code_locate(code, failed, syndromes), cell);
			}
			code_free(code);
		}
	}
}

/* Parity, p = 3: two errors never look like one, whatever columns and values (distance 4). */
static void parity_3_takes_no_two_errors_for_one(void **state)
{
	const struct code_shape shape = code_shape_make(LAYOUT_PARITY, 9, 3, 0);
	struct code *code = code_made(&shape);

	(void)state;
	for (uint16_t a = 0; a < 9; a++) {
		for (uint16_t b = 0; b < a; b++) {
			for (unsigned values = 0; values < 255u * 255u; values += 7) {
				uint64_t failed[CODE_LOST_WORDS] = { 0 };
				uint8_t syndromes[CODE_PARITY_MAX] = { 0 };

				disturb(code, a, (uint8_t)(1 + values % 255), failed, syndromes);
				disturb(code, b, (uint8_t)(1 + values / 255), failed, syndromes);
				assert_int_equal(code_locate(code, failed, syndromes), -1);
			}
		}
	}
	code_free(code);
}

/* Parity: p = 1 locates nothing; P and Q with a quotient of no column blame nobody. */
static void parity_blames_nobody_without_proof(void **state)
{
	const struct code_shape single = code_shape_make(LAYOUT_PARITY, 5, 1, 0);
	const struct code_shape twice = code_shape_make(LAYOUT_PARITY, 5, 2, 0);
	const struct code_shape copies = code_shape_make(LAYOUT_PARITY, 3, 2, 0);
	const uint64_t one[CODE_LOST_WORDS] = { 1 };
	const uint64_t two[CODE_LOST_WORDS] = { 3 };
	const uint64_t none[CODE_LOST_WORDS] = { 0 };
	struct code *code = code_made(&single);

	(void)state;
	assert_int_equal(code_locate(code, one, (const uint8_t[]){ 9 }), -1);
	assert_int_equal(code_locate(code, one, NULL), -1);
	code_free(code);

	code = code_made(&twice);
	assert_int_equal(code_locate(code, none, (const uint8_t[]){ 0, 0 }), -1);
	assert_int_equal(code_locate(code, two, (const uint8_t[]){ 1, 4 }), 2);
	assert_int_equal(code_locate(code, two, (const uint8_t[]){ 1, 8 }), -1);
	/* P fails, but not at this byte: the sums explain nothing. */
	assert_int_equal(code_locate(code, one, (const uint8_t[]){ 0, 0 }), -1);
	/* At this byte only P is wrong, but Q failed elsewhere: two cells are damaged. */
	assert_int_equal(code_locate(code, two, (const uint8_t[]){ 1, 0 }), -1);
	code_free(code);

	/* One data column with two checks is three copies; unequal sums are two damaged ones. */
	code = code_made(&copies);
	assert_int_equal(code_locate(code, two, (const uint8_t[]){ 5, 5 }), 0);
	assert_int_equal(code_locate(code, two, (const uint8_t[]){ 5, 6 }), -1);
	code_free(code);
}

/* Mirror: with three copies or more the odd one out is known, with two it is not. */
static void mirror_locates_the_odd_copy(void **state)
{
	(void)state;
	for (uint16_t copies = 2; copies <= CODE_MIRROR_MAX; copies++) {
		const struct code_shape shape =
			code_shape_make(LAYOUT_MIRROR, copies, (uint16_t)(copies - 1), 0);
		struct code *code = code_made(&shape);

		for (uint16_t column = 0; column < copies; column++) {
			uint64_t failed[CODE_LOST_WORDS] = { 0 };
			uint8_t syndromes[CODE_MIRROR_MAX] = { 0 };

			disturb(code, column, 1, failed, syndromes);
			assert_int_equal(code_locate(code, failed, NULL),
					 copies == 2 ? -1 : (int)column);
		}
		code_free(code);
	}

	/* Four copies, two of them differ: nobody knows. */
	const struct code_shape shape = code_shape_make(LAYOUT_MIRROR, 4, 3, 0);
	const uint64_t failed[CODE_LOST_WORDS] = { 3 };
	struct code *code = code_made(&shape);

	assert_int_equal(code_locate(code, failed, NULL), -1);
	code_free(code);
}

/* ---- facts, limits, memory */

/* Facts: of one code of each layout, by hand. */
static void facts_of_each_layout(void **state)
{
	static const struct {
		uint16_t columns, checks, segments, data_columns, data_segments, tolerance;
		bool is_xor;
		const char *name;
	} facts[LAYOUT_COUNT] = {
		[LAYOUT_PLAIN] = { 1, 0, 1, 1, 1, 0, true, "plain" },
		[LAYOUT_MIRROR] = { 3, 2, 1, 1, 1, 2, true, "mirror" },
		[LAYOUT_PARITY] = { 6, 2, 1, 4, 1, 2, false, "parity" },
		[LAYOUT_SEQUENTIAL] = { 5, 2, 10, 5, 8, 1, true, "sequential" },
	};

	(void)state;
	for (int l = 0; l < LAYOUT_COUNT; l++) {
		struct code_shape shape =
			code_shape_make((enum layout)l, facts[l].columns, facts[l].checks, 1);
		struct code *code = code_made(&shape);

		assert_true(code_shape_equal(code_shape(code), &shape));
		assert_int_equal(code_segment_count(code), facts[l].segments);
		assert_int_equal(code_cell_count(code), facts[l].segments * facts[l].columns);
		assert_int_equal(code_data_columns(code), facts[l].data_columns);
		assert_int_equal(code_data_segments(code), facts[l].data_segments);
		assert_int_equal(code_tolerance(code), facts[l].tolerance);
		assert_int_equal(code_is_xor(code), facts[l].is_xor);
		assert_string_equal(layout_name((enum layout)l), facts[l].name);
		assert_int_equal(layout_from_name(facts[l].name), l);
		for (uint16_t cell = 0; cell < code_cell_count(code); cell++)
			assert_int_equal(code_cell_role(code, cell) == CELL_COPY,
					 l == LAYOUT_MIRROR && cell > 0);
		code_free(code);
	}
	assert_int_equal(layout_from_name("raid5"), -1);
	assert_int_equal(layout_from_name(""), -1);
}

/* Shapes: equal only when every field is. */
static void shapes_differ_in_every_field(void **state)
{
	const struct code_shape shape = code_shape_make(LAYOUT_SEQUENTIAL, 4, 2, 1);
	const struct code_shape others[] = {
		code_shape_make(LAYOUT_SEQUENTIAL, 5, 2, 1),
		code_shape_make(LAYOUT_SEQUENTIAL, 4, 3, 1),
		code_shape_make(LAYOUT_SEQUENTIAL, 4, 2, 2),
		{ LAYOUT_PLAIN, 4, 2, 1, { 0 } },
		{ LAYOUT_SEQUENTIAL, 4, 2, 1, { [31] = 1 } },
	};

	(void)state;
	assert_true(code_shape_equal(&shape, &(struct code_shape){ LAYOUT_SEQUENTIAL, 4, 2, 1 }));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(code_shape_equal(&shape, &others[i]));
}

/* Limits: each shape just outside is refused with its number in the text; other makers' mirrors are codes. */
static void shapes_beyond_the_limits_are_refused(void **state)
{
	static const struct {
		enum layout layout;
		uint16_t columns, checks, pure;
		int code;
		const char *text;
	} shapes[] = {
		{ LAYOUT_PLAIN, 2, 0, 0, ERR_LIMIT, "2 columns" },
		{ LAYOUT_PLAIN, 1, 1, 0, ERR_LIMIT, "with 1 checks" },
		{ LAYOUT_MIRROR, 1, 0, 0, ERR_LIMIT, "1 copies" },
		{ LAYOUT_MIRROR, 2, 1, 0, 0, NULL },
		{ LAYOUT_MIRROR, 4, 3, 0, 0, NULL },
		{ LAYOUT_MIRROR, 5, 4, 0, ERR_LIMIT, "5 copies" },
		{ LAYOUT_MIRROR, 32, 31, 0, ERR_LIMIT, "32 copies" },
		{ LAYOUT_MIRROR, 33, 32, 0, ERR_LIMIT, "33 copies" },
		{ LAYOUT_MIRROR, 3, 1, 0, ERR_FORMAT, "must be 2" },
		{ LAYOUT_PARITY, 5, 0, 0, ERR_LIMIT, "0 check columns" },
		{ LAYOUT_PARITY, 9, 4, 0, ERR_LIMIT, "4 check columns" },
		{ LAYOUT_PARITY, 3, 3, 0, ERR_LIMIT, "3 columns" },
		{ LAYOUT_PARITY, 1, 3, 0, ERR_LIMIT, "1 columns" },
		{ LAYOUT_PARITY, 4, 3, 0, 0, NULL },
		{ LAYOUT_PARITY, 32, 1, 0, 0, NULL },
		{ LAYOUT_PARITY, 33, 1, 0, ERR_LIMIT, "33 columns" },
		{ LAYOUT_PARITY, UINT16_MAX, 1, 0, ERR_LIMIT, "65535 columns" },
		{ LAYOUT_SEQUENTIAL, 1, 1, 0, ERR_LIMIT, "1 columns" },
		{ LAYOUT_SEQUENTIAL, 2, 1, 1, 0, NULL },
		{ LAYOUT_SEQUENTIAL, 16, 8, 15, 0, NULL },
		{ LAYOUT_SEQUENTIAL, 17, 1, 0, ERR_LIMIT, "17 columns" },
		{ LAYOUT_SEQUENTIAL, 4, 0, 0, ERR_LIMIT, "0 levels" },
		{ LAYOUT_SEQUENTIAL, 4, 9, 0, ERR_LIMIT, "9 levels" },
		{ LAYOUT_SEQUENTIAL, 4, 1, 4, ERR_LIMIT, "column 4" },
		{ LAYOUT_COUNT, 1, 0, 0, ERR_FORMAT, "layout 4" },
	};

	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		const struct code_shape shape = code_shape_make(shapes[s].layout, shapes[s].columns,
								shapes[s].checks, shapes[s].pure);
		bool wide = shape.checks >= CODE_MIRROR_MAX && shape.checks < CODE_COLUMNS_MAX;
		int wanted = wide && shape.layout == LAYOUT_MIRROR ? 0 : shapes[s].code;
		struct code *code = NULL;
		struct err err = { 0 };

		assert_int_equal(code_shape_check(&shape, &err), shapes[s].code);
		assert_int_equal(err.code, shapes[s].code);
		if (shapes[s].text)
			assert_non_null(strstr(err.text, shapes[s].text));
		assert_int_equal(code_create(&code, &shape, &err), wanted);
		code_free(code);
	}
}

/* Indexes: twice the same, beyond 254, or where none belongs are refused; also a stray pure. */
static void indexes_must_be_distinct_and_belong(void **state)
{
	struct err err = { 0 };
	struct code_shape shape = code_shape_make(LAYOUT_PARITY, 6, 2, 0);

	(void)state;
	shape.index[3] = 254;
	assert_int_equal(code_shape_check(&shape, &err), 0);
	shape.index[3] = 255;
	assert_int_equal(code_shape_check(&shape, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "column 3 has index 255"));
	shape.index[3] = 1;
	assert_int_equal(code_shape_check(&shape, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "columns 1 and 3 both have index 1"));
	shape.index[3] = 2;
	assert_int_equal(code_shape_check(&shape, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "columns 2 and 3 both have index 2"));
	shape.index[3] = 3;
	shape.index[4] = 4;
	assert_int_equal(code_shape_check(&shape, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "column 4 has index 4"));
	shape.index[4] = 0;
	shape.pure = 1;
	assert_int_equal(code_shape_check(&shape, &err), ERR_FORMAT);

	shape = code_shape_make(LAYOUT_SEQUENTIAL, 4, 1, 3);
	shape.index[31] = 1;
	assert_int_equal(code_shape_check(&shape, &err), ERR_FORMAT);
}

/* Rank: small matrices with known rank, and the trailing columns as witness of the operations. */
static void rank_reduces_and_records(void **state)
{
	/* Rows 0 and 1 are multiples, so rank 2 of 3; the last three columns start as identity. */
	uint8_t bytes[3][6] = { { 1, 2, 3, 1, 0, 0 }, { 2, 4, 6, 0, 1, 0 }, { 0, 0, 5, 0, 0, 1 } };
	const uint8_t before[3][3] = { { 1, 2, 3 }, { 2, 4, 6 }, { 0, 0, 5 } };
	struct rank_matrix matrix = { bytes[0], 3, 6 };
	uint16_t pivots[3];

	(void)state;
	assert_int_equal(rank_reduce(&matrix, 3, pivots), 2);
	assert_int_equal(pivots[0], 0);
	assert_int_equal(pivots[1], RANK_NO_ROW);
	assert_int_equal(pivots[2], 1);
	for (int row = 0; row < 3; row++) {
		for (int column = 0; column < 3; column++) {
			uint8_t sum = 0;

			for (int i = 0; i < 3; i++)
				sum ^= oracle_product(bytes[row][3 + i], before[i][column]);
			assert_int_equal(sum, bytes[row][column]);
		}
	}
	assert_int_equal(bytes[0][0], 1);
	assert_int_equal(bytes[0][2], 0);
	assert_int_equal(bytes[1][2], 1);
	assert_int_equal(bytes[2][0] | bytes[2][1] | bytes[2][2], 0);
}

/* Three columns with one equation over the first two: the last one is lost for good. */
static uint16_t first_two_equation(struct code_term terms_out[static CODE_TERMS_MAX],
				   const struct code_shape *shape, uint16_t number)
{
	(void)shape;
	(void)number;
	terms_out[0] = (struct code_term){ 0, 1 };
	terms_out[1] = (struct code_term){ 1, 1 };
	return 2;
}

static struct code_sizes first_two_sizes(const struct code_shape *shape)
{
	(void)shape;
	return (struct code_sizes){ .segments = 1, .equations = 1, .tolerance = 1 };
}

static enum cell_role first_two_role(const struct code_shape *shape, uint16_t cell)
{
	(void)shape;
	return cell == 1 ? CELL_PARITY : CELL_DATA;
}

/* Rank check: two data columns of one index cannot be told apart; the refusal names the two. */
static void rank_check_refuses_a_code_that_loses_data(void **state)
{
	struct code_shape shape = code_shape_make(LAYOUT_PARITY, 7, 2, 0);
	struct code *code = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(code_build(&code, &code_parity, &shape, &err), 0);
	assert_int_equal(code_check_rank(code, &err), 0);
	code_free(code);

	shape.index[3] = shape.index[1];
	assert_int_equal(code_build(&code, &code_parity, &shape, &err), 0);
	assert_int_equal(code_check_rank(code, &err), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "1 cells"));
	assert_non_null(strstr(err.text, "mask 0xa "));
	code_free(code);

	const struct code_table first_two = {
		.sizes = first_two_sizes,
		.role = first_two_role,
		.equation = first_two_equation,
	};

	shape = code_shape_make(LAYOUT_PARITY, 3, 1, 0);
	assert_int_equal(code_build(&code, &first_two, &shape, &err), 0);
	assert_int_equal(code_check_rank(code, &err), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "mask 0x4 "));
	code_free(code);
}

static bool deny_after(void *arg)
{
	int *left = arg;

	return (*left)-- <= 0;
}

/* Memory: whichever allocation fails, create and solve say so, leave _out alone and leak nothing. */
static void every_failed_allocation_is_reported(void **state)
{
	const struct code_shape shape = code_shape_make(LAYOUT_PARITY, 8, 3, 0);
	const uint64_t lost[CODE_LOST_WORDS] = { 0x91 }; /* two data and a check: elimination */
	struct code_plan untouched = { .step_count = 77 };
	struct code_plan plan = untouched;
	struct code *code = NULL;
	int refusals = 0;

	(void)state;
	for (int rc = ERR_NOMEM; rc != 0; refusals++) {
		struct err err = { 0 };
		int left = refusals;

		mem_set_hook(deny_after, &left);
		rc = code_create(&code, &shape, &err);
		mem_set_hook(NULL, NULL);
		assert_int_equal(rc, err.code);
		assert_true(rc == 0 || (rc == ERR_NOMEM && code == NULL));
	}
	assert_true(refusals > 6);

	refusals = 0;
	for (int rc = ERR_NOMEM; rc != 0; refusals++) {
		int left = refusals;

		mem_set_hook(deny_after, &left);
		rc = code_solve(&plan, code, lost, NULL);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		assert_true(rc == 0 || memcmp(&plan, &untouched, sizeof(plan)) == 0);
	}
	assert_true(refusals > 8);
	assert_int_equal(plan.step_count, 3);
	code_plan_reset(&plan);
	code_plan_reset(&plan);
	code_free(code);
	code_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_and_mirror_all_losses),
		cmocka_unit_test(parity_all_losses_to_width_12),
		cmocka_unit_test(sequential_all_cell_losses_to_16_cells),
		cmocka_unit_test(parity_all_survivable_losses_to_width_32),
		cmocka_unit_test(encode_plan_computes_every_check),
		cmocka_unit_test(wanted_limits_the_plan),
		cmocka_unit_test(a_plan_takes_the_shorter_equation),
		cmocka_unit_test(closure_is_every_check_that_changes),
		cmocka_unit_test(parity_locates_each_single_error),
		cmocka_unit_test(parity_3_takes_no_two_errors_for_one),
		cmocka_unit_test(parity_blames_nobody_without_proof),
		cmocka_unit_test(mirror_locates_the_odd_copy),
		cmocka_unit_test(facts_of_each_layout),
		cmocka_unit_test(shapes_differ_in_every_field),
		cmocka_unit_test(shapes_beyond_the_limits_are_refused),
		cmocka_unit_test(indexes_must_be_distinct_and_belong),
		cmocka_unit_test(rank_reduces_and_records),
		cmocka_unit_test(rank_check_refuses_a_code_that_loses_data),
		cmocka_unit_test(every_failed_allocation_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
