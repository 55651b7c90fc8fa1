/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/code_oracle.h"

#include "core/code/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOST_BYTE 0xee

uint8_t oracle_product(uint8_t a, uint8_t b)
{
	unsigned product = 0;

	for (int bit = 0; bit < 8; bit++) {
		if (b >> bit & 1)
			product ^= (unsigned)a << bit;
	}
	for (int bit = 14; bit >= 8; bit--) {
		if (product >> bit & 1)
			product ^= 0x11du << (bit - 8);
	}
	return (uint8_t)product;
}

/* All products, for the matrices. */
static const uint8_t *product_row(uint8_t factor)
{
	static uint8_t products[256][256];
	static bool ready;

	for (int a = 0; !ready && a < 256; a++) {
		for (int b = 0; b < 256; b++)
			products[a][b] = oracle_product((uint8_t)a, (uint8_t)b);
	}
	ready = true;
	return products[factor];
}

static uint8_t quotient_of_one(uint8_t a)
{
	uint8_t candidate = 1;

	assert_int_not_equal(a, 0);
	while (oracle_product(a, candidate) != 1)
		candidate++;
	return candidate;
}

/* target += factor * source; sizes are multiples of 8 */
static void bytes_add(uint8_t *target, const uint8_t *source, uint8_t factor, uint32_t size)
{
	const uint8_t *product = product_row(factor);

	if (factor != 1) {
		for (uint32_t i = 0; i < size; i++)
			target[i] ^= product[source[i]];
		return;
	}
	for (uint32_t i = 0; i < size; i += 8) {
		uint64_t a;
		uint64_t b;

		memcpy(&a, target + i, 8);
		memcpy(&b, source + i, 8);
		a ^= b;
		memcpy(target + i, &a, 8);
	}
}

static uint8_t *row_of(const struct oracle *oracle, uint32_t cell)
{
	return oracle->generator + (size_t)cell * oracle->row_size;
}

static uint32_t cell_of(const struct oracle *oracle, uint32_t column, uint32_t segment)
{
	return column * oracle->segments + segment;
}

/* ---- the layouts, from their definitions */

static void generate_mirror(struct oracle *oracle)
{
	for (uint32_t i = 0; i < oracle->cell_count; i++)
		row_of(oracle, i)[0] = 1;
}

static void generate_parity(struct oracle *oracle)
{
	for (uint32_t i = 0; i < oracle->data_count; i++) {
		uint8_t weight = 1; /* (2^index)^j */
		uint8_t base = 1;

		row_of(oracle, i)[i] = 1;
		for (uint32_t n = 0; n < oracle->shape.index[i]; n++)
			base = oracle_product(base, 2);
		for (uint32_t j = 0; j < oracle->shape.checks; j++) {
			row_of(oracle, oracle->data_count + j)[i] = weight;
			weight = oracle_product(weight, base);
		}
	}
}

static void generate_sequential(struct oracle *oracle)
{
	uint32_t m = oracle->shape.columns;
	uint32_t p = oracle->shape.checks * (m - 1);

	for (uint32_t i = 0; i < m; i++) {
		for (uint32_t j = 0; j < p; j++)
			row_of(oracle, cell_of(oracle, i, j))[i * p + j] = 1;
	}
	for (uint32_t t = 0; t < oracle->shape.checks; t++) {
		uint8_t *pure = row_of(oracle, cell_of(oracle, oracle->shape.pure, p + t));
		uint32_t row = t * (m - 1);

		for (uint32_t column = 0; column < m; column++) {
			if (column == oracle->shape.pure)
				continue;

			uint8_t *parity = row_of(oracle, cell_of(oracle, column, p + t));

			for (uint32_t i = 0; i < m; i++)
				parity[i * p + row] = 1;
			bytes_add(pure, parity, 1, oracle->row_size);
			row++;
		}
	}
}

void oracle_init(struct oracle *oracle, const struct code_shape *shape)
{
	uint32_t m = shape->columns;

	*oracle = (struct oracle){ .shape = *shape, .segments = 1, .data_count = 1 };
	if (shape->layout == LAYOUT_PARITY)
		oracle->data_count = m - shape->checks;
	if (shape->layout == LAYOUT_SEQUENTIAL) {
		oracle->segments = m * shape->checks;
		oracle->data_count = m * (m - 1) * shape->checks;
	}
	oracle->cell_count = m * oracle->segments;
	oracle->row_size = (oracle->data_count + 7) / 8 * 8;
	oracle->generator = calloc(oracle->cell_count, oracle->row_size);
	oracle->cells = aligned_alloc(64, (size_t)oracle->cell_count * ORACLE_CELL_SIZE);
	assert_non_null(oracle->generator);
	assert_non_null(oracle->cells);

	if (shape->layout == LAYOUT_SEQUENTIAL)
		generate_sequential(oracle);
	else if (shape->layout == LAYOUT_PARITY)
		generate_parity(oracle);
	else
		generate_mirror(oracle);
}

void oracle_reset(struct oracle *oracle)
{
	free(oracle->generator);
	free(oracle->cells);
	*oracle = (struct oracle){ 0 };
}

void oracle_fill(struct oracle *oracle, struct rng *rng)
{
	uint8_t *data = malloc((size_t)oracle->data_count * ORACLE_CELL_SIZE);

	assert_non_null(data);
	for (size_t i = 0; i < (size_t)oracle->data_count * ORACLE_CELL_SIZE; i++)
		data[i] = (uint8_t)rng_next(rng);
	memset(oracle->cells, 0, (size_t)oracle->cell_count * ORACLE_CELL_SIZE);
	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		for (uint32_t d = 0; d < oracle->data_count; d++) {
			if (row_of(oracle, cell)[d] != 0)
				bytes_add(oracle->cells + (size_t)cell * ORACLE_CELL_SIZE,
					  data + (size_t)d * ORACLE_CELL_SIZE,
					  row_of(oracle, cell)[d], ORACLE_CELL_SIZE);
		}
	}
	free(data);
}

/* ---- brute force */

/* Reduce by the basis; at the first place without a basis row stop and return it. */
static uint32_t reduce(uint8_t *row, uint8_t *const *basis, const struct oracle *oracle)
{
	for (uint32_t at = 0; at < oracle->data_count; at++) {
		if (row[at] == 0)
			continue;
		if (!basis[at])
			return at;
		bytes_add(row, basis[at], row[at], oracle->row_size);
	}
	return oracle->data_count;
}

void oracle_solve(const struct oracle *oracle, const uint64_t *lost, uint64_t *solved_out)
{
	size_t size = (size_t)oracle->cell_count * oracle->row_size;
	uint8_t *rows = malloc(size);
	uint8_t **basis = calloc(oracle->data_count + 1u, sizeof(*basis));

	assert_non_null(rows);
	assert_non_null(basis);
	memcpy(rows, oracle->generator, size);
	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		uint8_t *row = rows + (size_t)cell * oracle->row_size;

		if (bit_get(lost, cell))
			continue;

		uint32_t at = reduce(row, basis, oracle);

		if (at == oracle->data_count)
			continue;

		uint8_t scale = quotient_of_one(row[at]);

		for (uint32_t i = 0; scale != 1 && i < oracle->data_count; i++)
			row[i] = oracle_product(scale, row[i]);
		basis[at] = row;
	}
	memset(solved_out, 0, CODE_LOST_WORDS * sizeof(*solved_out));
	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		if (bit_get(lost, cell) && reduce(rows + (size_t)cell * oracle->row_size, basis,
						  oracle) == oracle->data_count)
			bit_set(solved_out, cell);
	}
	free(basis);
	free(rows);
}

/* ---- the engine against it */

static void run_step(uint8_t *cells, const struct code_step *step, const uint64_t *known)
{
	struct kernel_source sources[KERNEL_SOURCES_MAX];

	assert_true(step->term_count <= KERNEL_SOURCES_MAX);
	for (uint16_t i = 0; i < step->term_count; i++) {
		const struct code_term *term = &step->terms[i];

		assert_true(bit_get(known, term->cell));
		sources[i] = (struct kernel_source){
			cells + (size_t)term->cell * ORACLE_CELL_SIZE,
			term->coefficient,
		};
	}
	kernel_combine_reference(cells + (size_t)step->target * ORACLE_CELL_SIZE, sources,
				 step->term_count, ORACLE_CELL_SIZE);
}

void oracle_check_plan(const struct oracle *oracle, const struct code_plan *plan,
		       const uint64_t *lost)
{
	size_t size = (size_t)oracle->cell_count * ORACLE_CELL_SIZE;
	uint8_t *cells = aligned_alloc(64, size);
	uint64_t known[CODE_LOST_WORDS];

	assert_non_null(cells);
	memcpy(cells, oracle->cells, size);
	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		if (bit_get(lost, cell))
			memset(cells + (size_t)cell * ORACLE_CELL_SIZE, LOST_BYTE,
			       ORACLE_CELL_SIZE);
	}
	for (uint32_t word = 0; word < CODE_LOST_WORDS; word++)
		known[word] = ~lost[word];

	for (uint16_t s = 0; s < plan->step_count; s++) {
		uint16_t target = plan->steps[s].target;
		size_t at = (size_t)target * ORACLE_CELL_SIZE;

		assert_false(bit_get(known, target));
		run_step(cells, &plan->steps[s], known);
		assert_memory_equal(cells + at, oracle->cells + at, ORACLE_CELL_SIZE);
		bit_set(known, target);
	}
	free(cells);
}

uint16_t oracle_check_loss(const struct oracle *oracle, const struct code *code,
			   const uint64_t *lost)
{
	uint64_t expected[CODE_LOST_WORDS];
	uint64_t solved[CODE_LOST_WORDS] = { 0 };
	uint64_t unsolved[CODE_LOST_WORDS] = { 0 };
	struct code_plan plan;

	oracle_solve(oracle, lost, expected);
	assert_int_equal(code_solve(&plan, code, lost, NULL), 0);
	for (uint16_t s = 0; s < plan.step_count; s++)
		bit_set(solved, plan.steps[s].target);
	assert_memory_equal(solved, expected, sizeof(solved));

	for (uint16_t u = 0; u < plan.unsolved_count; u++) {
		assert_true(u == 0 || plan.unsolved[u - 1] < plan.unsolved[u]);
		bit_set(unsolved, plan.unsolved[u]);
	}
	for (uint32_t word = 0; word < CODE_LOST_WORDS; word++)
		assert_true((solved[word] ^ unsolved[word]) == lost[word]);

	oracle_check_plan(oracle, &plan, lost);

	uint16_t count = plan.unsolved_count;

	code_plan_reset(&plan);
	return count;
}

uint16_t oracle_check_columns(const struct oracle *oracle, const struct code *code,
			      uint32_t columns)
{
	uint64_t lost[CODE_LOST_WORDS] = { 0 };

	for (uint32_t cell = 0; cell < oracle->cell_count; cell++) {
		if (columns >> cell / oracle->segments & 1)
			bit_set(lost, cell);
	}

	uint16_t unsolved = oracle_check_loss(oracle, code, lost);

	assert_int_equal(code_survives(code, columns), unsolved == 0);
	return unsolved;
}

struct code *code_made(const struct code_shape *shape)
{
	struct code *code = NULL;
	struct err err = { 0 };

	assert_int_equal(code_create(&code, shape, &err), 0);
	return code;
}
