/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild plans. First peel: an equation with one unknown gives that cell, which may leave another
 * equation with one unknown. Then eliminate what is left: several unknowns at once.
 */
#include "core/base/mem.h"
#include "core/code/code.h"
#include "core/code/code_table.h"
#include "core/code/kernel.h"
#include "core/code/rank.h"

#include <assert.h>
#include <string.h>

/* What is known of an equation while solving. */
struct equation_state {
	uint16_t unknown_count;
	uint16_t unknown_xor; /* of the unknowns' numbers: with one unknown, its number */
};

struct solver {
	const struct code *code;
	uint64_t unknown[CODE_LOST_WORDS];
	struct equation_state *states; /* per equation */
	uint8_t *sums;                 /* per cell: coefficient of the step being made, else 0 */
	struct code_plan plan;
	size_t term_count;
	size_t term_capacity;
};

void code_plan_reset(struct code_plan *plan)
{
	mem_free(plan->steps);
	mem_free(plan->unsolved);
	mem_free(plan->terms);
	*plan = (struct code_plan){ 0 };
}

static uint16_t cells_count(const uint64_t *cells)
{
	uint16_t count = 0;

	for (size_t word = 0; word < CODE_LOST_WORDS; word++)
		count = (uint16_t)(count + bits_count(cells[word]));
	return count;
}

static void solver_reset(struct solver *solver)
{
	mem_free(solver->states);
	mem_free(solver->sums);
	code_plan_reset(&solver->plan);
}

static int solver_init(struct solver *solver, const struct code *code, const uint64_t *lost)
{
	uint16_t lost_count = cells_count(lost);

	*solver = (struct solver){ .code = code };
	memcpy(solver->unknown, lost, sizeof(solver->unknown));

	/* A cell that no equation holds cannot be a target, so steps and terms are bounded. */
	solver->states = mem_calloc(code->sizes.equations, sizeof(*solver->states));
	solver->sums = mem_calloc(code->cell_count, sizeof(*solver->sums));
	solver->plan.steps = mem_calloc(lost_count, sizeof(*solver->plan.steps));
	solver->plan.unsolved = mem_calloc(lost_count, sizeof(*solver->plan.unsolved));
	if (!solver->states || !solver->sums || !solver->plan.steps || !solver->plan.unsolved)
		return ERR_NOMEM;

	for (uint16_t cell = 0; cell < code->cell_count; cell++) {
		if (!cell_is_set(lost, cell))
			continue;
		for (uint16_t u = code->first_use[cell]; u < code->first_use[cell + 1]; u++) {
			struct equation_state *state = &solver->states[code->uses[u].equation];

			state->unknown_count++;
			state->unknown_xor ^= cell;
		}
	}
	return 0;
}

/* Room for the terms of one more step. */
static int terms_reserve(struct solver *solver, size_t count)
{
	size_t needed = solver->term_count + count;
	size_t capacity = solver->term_capacity ? solver->term_capacity : 256;

	if (needed <= solver->term_capacity)
		return 0;
	while (capacity < needed)
		capacity *= 2;

	struct code_term *terms =
		mem_realloc(solver->plan.terms, capacity, sizeof(*solver->plan.terms));

	if (!terms)
		return ERR_NOMEM;
	solver->plan.terms = terms;
	solver->term_capacity = capacity;
	return 0;
}

/* Append a step without its terms; they follow by step_add_term(). */
static void step_begin(struct solver *solver, uint16_t target)
{
	solver->plan.steps[solver->plan.step_count++] = (struct code_step){ .target = target };
}

static void step_add_term(struct solver *solver, struct code_term term)
{
	assert(term.coefficient != 0);
	assert(!cell_is_set(solver->unknown, term.cell));
	assert(solver->term_count < solver->term_capacity);
	solver->plan.terms[solver->term_count++] = term;
	solver->plan.steps[solver->plan.step_count - 1].term_count++;
}

static void cell_becomes_known(struct solver *solver, uint16_t cell)
{
	const struct code *code = solver->code;

	cell_clear(solver->unknown, cell);
	for (uint16_t u = code->first_use[cell]; u < code->first_use[cell + 1]; u++) {
		struct equation_state *state = &solver->states[code->uses[u].equation];

		state->unknown_count--;
		state->unknown_xor ^= cell;
	}
}

/* ---- peeling */

/*
 * The order of steps that are possible at once. Row parities come first and pure parities last:
 * claim 10 rebuilds the lost parity, then its data, and data before the pure parity (SPEC 2.2).
 * Then the step that reads less, then the lower equation.
 */
static uint32_t step_rank(const struct code *code, uint16_t equation, uint16_t target)
{
	static const uint8_t role_rank[] = {
		[CELL_PARITY] = 0,
		[CELL_DATA] = 1,
		[CELL_COPY] = 2,
		[CELL_PURE] = 3,
	};
	uint32_t role = role_rank[code->roles[target]];

	return role << 24 | (uint32_t)code->equations[equation].term_count << 16 | equation;
}

/* The equation to peel next, or the number of equations. */
static uint16_t peel_choose(const struct solver *solver)
{
	const struct code *code = solver->code;
	uint16_t best = code->sizes.equations;
	uint32_t best_rank = UINT32_MAX;

	for (uint16_t e = 0; e < code->sizes.equations; e++) {
		if (solver->states[e].unknown_count != 1)
			continue;

		uint32_t rank = step_rank(code, e, solver->states[e].unknown_xor);

		if (rank < best_rank) {
			best_rank = rank;
			best = e;
		}
	}
	return best;
}

static int peel(struct solver *solver)
{
	const struct code *code = solver->code;

	for (;;) {
		uint16_t e = peel_choose(solver);

		if (e == code->sizes.equations)
			return 0;

		const struct code_equation *equation = &code->equations[e];
		uint16_t target = solver->states[e].unknown_xor;
		uint8_t divisor = 1;

		if (terms_reserve(solver, equation->term_count))
			return ERR_NOMEM;
		for (uint16_t i = 0; i < equation->term_count; i++) {
			if (equation->terms[i].cell == target)
				divisor = gf_inverse(equation->terms[i].coefficient);
		}
		step_begin(solver, target);
		for (uint16_t i = 0; i < equation->term_count; i++) {
			struct code_term term = equation->terms[i];

			term.coefficient = gf_multiply(term.coefficient, divisor);
			if (term.cell != target)
				step_add_term(solver, term);
		}
		cell_becomes_known(solver, target);
	}
}

/* ---- elimination */

/* The equations and unknowns that peeling left, each with a number of its own. */
struct remainder {
	uint16_t *equations; /* the code's numbers */
	uint16_t *cells;
	uint16_t *pivot_rows;
	struct rank_matrix matrix; /* a column per cell, then the identity: which rows were added */
	uint16_t equation_count;
	uint16_t cell_count;
};

static void remainder_reset(struct remainder *left)
{
	mem_free(left->equations);
	mem_free(left->cells);
	mem_free(left->pivot_rows);
	mem_free(left->matrix.bytes);
}

static int remainder_init(struct remainder *left, const struct solver *solver)
{
	const struct code *code = solver->code;

	*left = (struct remainder){ 0 };
	left->equations = mem_calloc(code->sizes.equations, sizeof(*left->equations));
	left->cells = mem_calloc(code->cell_count, sizeof(*left->cells));
	left->pivot_rows = mem_calloc(code->cell_count, sizeof(*left->pivot_rows));
	if (!left->equations || !left->cells || !left->pivot_rows)
		return ERR_NOMEM;

	for (uint16_t e = 0; e < code->sizes.equations; e++) {
		if (solver->states[e].unknown_count > 0)
			left->equations[left->equation_count++] = e;
	}
	for (uint16_t cell = 0; cell < code->cell_count; cell++) {
		if (cell_is_set(solver->unknown, cell))
			left->cells[left->cell_count++] = cell;
	}

	left->matrix.row_count = left->equation_count;
	left->matrix.column_count = (uint16_t)(left->cell_count + left->equation_count);
	left->matrix.bytes = mem_calloc(left->matrix.row_count, left->matrix.column_count);
	return left->matrix.bytes ? 0 : ERR_NOMEM;
}

static uint8_t *remainder_row(const struct remainder *left, uint16_t row)
{
	return left->matrix.bytes + (size_t)row * left->matrix.column_count;
}

static void remainder_fill(struct remainder *left, const struct code *code)
{
	uint16_t row_of[CODE_EQUATIONS_MAX] = { 0 };

	for (uint16_t row = 0; row < left->equation_count; row++) {
		row_of[left->equations[row]] = row;
		remainder_row(left, row)[left->cell_count + row] = 1;
	}
	for (uint16_t column = 0; column < left->cell_count; column++) {
		uint16_t cell = left->cells[column];

		for (uint16_t u = code->first_use[cell]; u < code->first_use[cell + 1]; u++) {
			const struct code_use *use = &code->uses[u];

			remainder_row(left, row_of[use->equation])[column] = use->coefficient;
		}
	}
}

/* A row gives a cell when it holds no other unknown. */
static bool row_is_determined(const struct remainder *left, const uint8_t *row)
{
	uint16_t count = 0;

	for (uint16_t column = 0; column < left->cell_count; column++)
		count = (uint16_t)(count + (row[column] != 0));
	return count == 1;
}

/* The step of `row`: add up the known terms of the equations that went into it. */
static int row_make_step(struct solver *solver, const struct remainder *left, const uint8_t *row,
			 uint16_t target)
{
	const struct code *code = solver->code;

	for (uint16_t r = 0; r < left->equation_count; r++) {
		const struct code_equation *equation = &code->equations[left->equations[r]];
		uint8_t factor = row[left->cell_count + r];

		for (uint16_t i = 0; factor != 0 && i < equation->term_count; i++) {
			struct code_term term = equation->terms[i];

			if (!cell_is_set(solver->unknown, term.cell))
				solver->sums[term.cell] ^= gf_multiply(factor, term.coefficient);
		}
	}

	if (terms_reserve(solver, code->cell_count))
		return ERR_NOMEM;
	step_begin(solver, target);
	for (uint16_t cell = 0; cell < code->cell_count; cell++) {
		if (solver->sums[cell] != 0)
			step_add_term(solver, (struct code_term){ cell, solver->sums[cell] });
		solver->sums[cell] = 0;
	}
	return 0;
}

static int eliminate(struct solver *solver)
{
	struct remainder left;
	uint64_t solved[CODE_LOST_WORDS] = { 0 };
	int rc = remainder_init(&left, solver);

	if (rc)
		goto out_reset;
	remainder_fill(&left, solver->code);
	rank_reduce(&left.matrix, left.cell_count, left.pivot_rows);

	for (uint16_t column = 0; column < left.cell_count && rc == 0; column++) {
		if (left.pivot_rows[column] == RANK_NO_ROW)
			continue;

		const uint8_t *row = remainder_row(&left, left.pivot_rows[column]);

		if (!row_is_determined(&left, row))
			continue;
		cell_set(solved, left.cells[column]);
		rc = row_make_step(solver, &left, row, left.cells[column]);
	}
	/* Only now: the rows are sums over what was known before. */
	for (size_t word = 0; word < CODE_LOST_WORDS; word++)
		solver->unknown[word] &= ~solved[word];

out_reset:
	remainder_reset(&left);
	return rc;
}

/* ---- the plan */

static bool has_remainder(const struct solver *solver)
{
	for (uint16_t e = 0; e < solver->code->sizes.equations; e++) {
		if (solver->states[e].unknown_count > 0)
			return true;
	}
	return false;
}

/* Terms got their final place: let the steps point to theirs. */
static void steps_link(struct code_plan *plan)
{
	const struct code_term *terms = plan->terms;

	for (uint16_t s = 0; s < plan->step_count; s++) {
		plan->steps[s].terms = terms;
		terms += plan->steps[s].term_count;
	}
}

/* Drop the steps that the wanted cells do not need, looking from the last step back. */
static void steps_limit(struct code_plan *plan, const uint64_t *wanted)
{
	uint64_t needed[CODE_LOST_WORDS];
	uint16_t kept = 0;

	memcpy(needed, wanted, sizeof(needed));
	for (uint16_t s = plan->step_count; s-- > 0;) {
		const struct code_step *step = &plan->steps[s];

		for (uint16_t i = 0; cell_is_set(needed, step->target) && i < step->term_count; i++)
			cell_set(needed, step->terms[i].cell);
	}
	for (uint16_t s = 0; s < plan->step_count; s++) {
		if (cell_is_set(needed, plan->steps[s].target))
			plan->steps[kept++] = plan->steps[s];
	}
	plan->step_count = kept;
}

static void unsolved_fill(struct solver *solver, const uint64_t *wanted)
{
	struct code_plan *plan = &solver->plan;

	for (uint16_t cell = 0; cell < solver->code->cell_count; cell++) {
		if (cell_is_set(solver->unknown, cell) && (!wanted || cell_is_set(wanted, cell)))
			plan->unsolved[plan->unsolved_count++] = cell;
	}
}

int code_solve(struct code_plan *plan_out, const struct code *code, const uint64_t *lost,
	       const uint64_t *wanted)
{
	struct solver solver;

	for (uint16_t cell = code->cell_count; cell < CODE_CELLS_MAX; cell++)
		assert(!cell_is_set(lost, cell));

	int rc = solver_init(&solver, code, lost);

	if (rc == 0)
		rc = peel(&solver);
	if (rc == 0 && has_remainder(&solver))
		rc = eliminate(&solver);
	if (rc)
		goto out_reset;

	steps_link(&solver.plan);
	if (wanted)
		steps_limit(&solver.plan, wanted);
	unsolved_fill(&solver, wanted);

	*plan_out = solver.plan;
	solver.plan = (struct code_plan){ 0 };

out_reset:
	solver_reset(&solver);
	return rc;
}

int code_encode_plan(struct code_plan *plan_out, const struct code *code)
{
	uint64_t lost[CODE_LOST_WORDS] = { 0 };

	for (uint16_t cell = 0; cell < code->cell_count; cell++) {
		if (code->roles[cell] != CELL_DATA)
			cell_set(lost, cell);
	}
	return code_solve(plan_out, code, lost, NULL);
}
