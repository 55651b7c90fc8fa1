/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_plan.h"

#include "core/code/kernel.h"

#include <assert.h>
#include <string.h>

#define CHECKS_MAX 3u /* that depend on one data cell: parity 3, mirror 3, sequential 2 */
#define NO_CHECK UINT16_MAX

_Static_assert(CHECKS_MAX >= CODE_PARITY_MAX && CHECKS_MAX + 1 >= CODE_MIRROR_MAX,
	       "all ways of all checks are tried: 3 to the power of this");

static bool has(const uint64_t *cells, uint16_t cell)
{
	return cells[cell / 64] >> cell % 64 & 1;
}

static void add(uint64_t *cells, uint16_t cell)
{
	cells[cell / 64] |= UINT64_C(1) << cell % 64;
}

static uint16_t count_of(const uint64_t *cells)
{
	uint16_t count = 0;

	for (uint32_t i = 0; i < CODE_LOST_WORDS; i++) {
		for (uint64_t bits = cells[i]; bits; bits &= bits - 1)
			count++;
	}
	return count;
}

static uint16_t check_count(const struct write_plan *plan)
{
	return (uint16_t)(plan->cell_count - plan->data_count);
}

static uint16_t check_cell(const struct write_plan *plan, uint16_t check)
{
	return plan->cells[plan->data_count + check];
}

static bool is_absent(const struct write_plan *plan, const struct code *code, uint16_t cell)
{
	return plan->absent >> cell / code_segment_count(code) & 1;
}

static bool is_written(const struct write_plan *plan, uint16_t cell)
{
	for (uint16_t i = 0; i < plan->data_count; i++) {
		if (plan->cells[i] == cell)
			return true;
	}
	return false;
}

/* Which check of the plan the cell is, or NO_CHECK. */
static uint16_t check_of(const struct write_plan *plan, uint16_t cell)
{
	for (uint16_t i = 0; i < check_count(plan); i++) {
		if (check_cell(plan, i) == cell)
			return i;
	}
	return NO_CHECK;
}

/* ---- what a choice of ways needs */

/* One choice: the way of each check, and what it costs. */
struct choice {
	uint8_t ways[CHECKS_MAX];
	uint64_t read[CODE_LOST_WORDS];
	uint32_t cost;
};

/* Costs in the order of what matters: a check that is not computed, a cell read, then the way. */
enum { COST_UNKNOWN = 1 << 20, COST_READ = 1 << 6, COST_UNKNOWN_ABSENT = 4, COST_CHANGE = 1 };

static bool need_old(struct choice *choice, const uint64_t *old, uint16_t cell)
{
	if (!has(old, cell))
		return false;
	add(choice->read, cell);
	return true;
}

static bool need_sum(const struct write_plan *plan, const struct code *code, const uint64_t *old,
		     struct choice *choice, uint16_t check)
{
	const struct code_equation *equation = code_equation(code, plan->equations[check]);

	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		uint16_t cell = equation->terms[i].cell;
		uint16_t other = check_of(plan, cell);

		if (is_written(plan, cell))
			continue;
		if (other != NO_CHECK ? choice->ways[other] == CHECK_UNKNOWN
				      : !need_old(choice, old, cell))
			return false;
	}
	return true;
}

/* The difference of what changes in an equation: of a check by itself, or by what it covers. */
static bool need_change_of_terms(const struct write_plan *plan, const struct code *code,
				 const uint64_t *old, struct choice *choice, uint16_t check)
{
	const struct code_equation *equation = code_equation(code, plan->equations[check]);

	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		uint16_t cell = equation->terms[i].cell;
		uint16_t other = check_of(plan, cell);

		if (is_written(plan, cell) && !need_old(choice, old, cell))
			return false;
		if (other == NO_CHECK)
			continue;
		if (choice->ways[other] != CHECK_UNKNOWN && has(old, cell))
			add(choice->read, cell);
		else if (!need_change_of_terms(plan, code, old, choice, other))
			return false; /* bounded: checks cover earlier checks only */
	}
	return true;
}

/* Fill in what the choice reads and costs; false when it cannot be. */
static bool weigh(const struct write_plan *plan, const struct code *code, const uint64_t *old,
		  struct choice *choice)
{
	memset(choice->read, 0, sizeof(choice->read));
	choice->cost = 0;
	for (uint16_t i = 0; i < check_count(plan); i++) {
		uint16_t cell = check_cell(plan, i);

		switch (choice->ways[i]) {
		case CHECK_SUM:
			if (!need_sum(plan, code, old, choice, i))
				return false;
			break;
		case CHECK_CHANGE:
			if (!need_old(choice, old, cell) ||
			    !need_change_of_terms(plan, code, old, choice, i))
				return false;
			choice->cost += COST_CHANGE;
			break;
		default:
			choice->cost +=
				is_absent(plan, code, cell) ? COST_UNKNOWN_ABSENT : COST_UNKNOWN;
			break;
		}
	}
	choice->cost += (uint32_t)count_of(choice->read) * COST_READ;
	return true;
}

/* The next choice of ways, as a number with three digits to count up; false after the last. */
static bool next_ways(uint8_t *ways, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		if (ways[i]++ < CHECK_CHANGE)
			return true;
		ways[i] = CHECK_UNKNOWN;
	}
	return false;
}

/* Try all ways of all checks; cells of `old` have an old content that is or can be known. */
static uint32_t choose(struct write_plan *plan, const struct code *code, const uint64_t *old)
{
	struct choice best = { .cost = UINT32_MAX }, choice = { .cost = 0 };
	uint16_t checks = check_count(plan);
	uint32_t unknown = 0;

	assert(checks <= CHECKS_MAX);
	do {
		if (weigh(plan, code, old, &choice) && choice.cost < best.cost)
			best = choice;
	} while (next_ways(choice.ways, checks));
	assert(best.cost < UINT32_MAX); /* to compute nothing is always possible */
	memcpy(plan->checks, best.ways, checks);
	memcpy(plan->read, best.read, sizeof(plan->read));
	plan->reads = count_of(plan->read);
	plan->way = plan->reads ? WRITE_RECONSTRUCT : WRITE_FULL_ROW;
	for (uint16_t i = 0; i < checks; i++) {
		if (plan->checks[i] == CHECK_CHANGE)
			plan->way = WRITE_MODIFY;
		unknown += plan->checks[i] == CHECK_UNKNOWN &&
			   !is_absent(plan, code, check_cell(plan, i));
	}
	return unknown;
}

/* ---- the plan */

/* All cells of usable columns: what can be read. */
static void readable_cells(const struct write_plan *plan, const struct code *code, uint64_t *cells)
{
	memset(cells, 0, CODE_LOST_WORDS * sizeof(*cells));
	for (uint16_t cell = 0; cell < code_cell_count(code); cell++) {
		if (!is_absent(plan, code, cell))
			add(cells, cell);
	}
}

/* The checks that depend on any written cell, ascending. */
static bool add_checks(struct write_plan *plan, const struct code *code)
{
	uint64_t changed[CODE_LOST_WORDS] = { 0 };
	uint16_t closure[CODE_COLUMNS_MAX];

	for (uint16_t i = 0; i < plan->data_count; i++) {
		uint16_t count = code_closure(code, plan->cells[i], closure, CODE_COLUMNS_MAX);

		for (uint16_t c = 0; c < count; c++)
			add(changed, closure[c]);
	}
	for (uint16_t cell = 0; cell < code_cell_count(code); cell++) {
		if (!has(changed, cell))
			continue;
		if (plan->cell_count == CODE_COLUMNS_MAX)
			return false;
		plan->cells[plan->cell_count++] = cell;
	}
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);
		uint16_t check = check_of(plan, equation->terms[equation->term_count - 1].cell);

		if (check != NO_CHECK)
			plan->equations[check] = e;
	}
	return true;
}

int write_plan_make(struct write_plan *plan_out, const struct code *code, uint32_t segment,
		    uint32_t columns, uint32_t absent)
{
	struct write_plan plan = { .absent = absent };
	uint64_t readable[CODE_LOST_WORDS];

	assert(segment < code_data_segments(code));
	assert(columns && (uint64_t)columns >> code_data_columns(code) == 0);
	for (uint32_t c = 0; c < code_data_columns(code); c++) {
		if (columns >> c & 1)
			plan.cells[plan.cell_count++] =
				(uint16_t)(c * code_segment_count(code) + segment);
	}
	plan.data_count = plan.cell_count;
	if (!add_checks(&plan, code))
		return ERR_LIMIT;
	for (uint16_t i = 0; i < plan.cell_count; i++) {
		if (is_absent(&plan, code, plan.cells[i]))
			continue;
		add(plan.write, plan.cells[i]);
		plan.writes++;
	}
	readable_cells(&plan, code, readable);
	plan.solve = choose(&plan, code, readable) > 0;
	if (plan.solve) {
		memcpy(plan.read, readable, sizeof(plan.read));
		plan.reads = count_of(plan.read);
		plan.way = WRITE_RECONSTRUCT;
	}
	*plan_out = plan;
	return 0;
}

uint32_t write_plan_adapt(struct write_plan *plan, const struct code *code,
			  const uint64_t standing[CODE_LOST_WORDS])
{
	plan->solve = false;
	return choose(plan, code, standing);
}

/* ---- computing */

struct sum {
	struct kernel_source sources[KERNEL_SOURCES_MAX];
	size_t count;
};

static void sum_add(struct sum *sum, const uint8_t *bytes, uint8_t coefficient)
{
	assert(bytes);
	assert(sum->count < KERNEL_SOURCES_MAX);
	sum->sources[sum->count++] = (struct kernel_source){ bytes, coefficient };
}

struct compute {
	const struct write_plan *plan;
	const struct code *code;
	uint8_t *const *fresh;
	const uint8_t *const *old;
};

static void sum_all(const struct compute *work, struct sum *sum, uint16_t check)
{
	const struct code_equation *equation =
		code_equation(work->code, work->plan->equations[check]);

	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		uint16_t cell = equation->terms[i].cell;
		bool is_new =
			is_written(work->plan, cell) || check_of(work->plan, cell) != NO_CHECK;

		sum_add(sum, is_new ? work->fresh[cell] : work->old[cell],
			equation->terms[i].coefficient);
	}
}

/* What changes in the equation of `check`, weighted; as need_change_of_terms() took care to have it. */
static void sum_change(const struct compute *work, struct sum *sum, uint16_t check, uint8_t weight)
{
	const struct code_equation *equation =
		code_equation(work->code, work->plan->equations[check]);

	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		uint16_t cell = equation->terms[i].cell;
		uint16_t other = check_of(work->plan, cell);
		uint8_t coefficient = gf_multiply(weight, equation->terms[i].coefficient);

		if (other == NO_CHECK && !is_written(work->plan, cell))
			continue;
		if (other != NO_CHECK &&
		    (work->plan->checks[other] == CHECK_UNKNOWN || !has(work->plan->read, cell))) {
			sum_change(work, sum, other, coefficient);
			continue;
		}
		sum_add(sum, work->fresh[cell], coefficient);
		sum_add(sum, work->old[cell], coefficient);
	}
}

void write_plan_compute(const struct write_plan *plan, const struct code *code,
			uint8_t *const fresh[CODE_CELLS_MAX],
			const uint8_t *const old[CODE_CELLS_MAX], size_t size)
{
	const struct compute work = { plan, code, fresh, old };

	assert(!plan->solve);
	/* In the order of the equations: the pure parity needs the row parity. */
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		struct sum sum = { .count = 0 };
		uint16_t check = 0;

		while (check < check_count(plan) && plan->equations[check] != e)
			check++;
		if (check == check_count(plan) || plan->checks[check] == CHECK_UNKNOWN)
			continue;
		if (plan->checks[check] == CHECK_SUM) {
			sum_all(&work, &sum, check);
		} else {
			sum_add(&sum, old[check_cell(plan, check)], 1);
			sum_change(&work, &sum, check, 1);
		}
		kernel_combine(fresh[check_cell(plan, check)], sum.sources, sum.count, size);
	}
}
