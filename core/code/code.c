/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/code/code.h"

#include "core/base/mem.h"
#include "core/code/code_table.h"
#include "core/code/kernel.h"
#include "core/code/rank.h"

#include <assert.h>
#include <string.h>

static const struct code_table *const layouts[LAYOUT_COUNT] = {
	[LAYOUT_PLAIN] = &code_plain,
	[LAYOUT_MIRROR] = &code_mirror,
	[LAYOUT_PARITY] = &code_parity,
	[LAYOUT_SEQUENTIAL] = &code_sequential,
};

/* ---- shapes */

uint8_t code_power(uint32_t exponent)
{
	return gf_power(exponent);
}

const char *layout_name(enum layout layout)
{
	assert((unsigned)layout < LAYOUT_COUNT);
	return layouts[layout]->name;
}

int layout_from_name(const char *name)
{
	for (int layout = 0; layout < LAYOUT_COUNT; layout++) {
		if (strcmp(layouts[layout]->name, name) == 0)
			return layout;
	}
	return -1;
}

/* How many entries of `index` the shape uses, if it is a shape at all. */
static unsigned index_count(const struct code_shape *shape)
{
	if (shape->layout != LAYOUT_PARITY || shape->columns <= shape->checks)
		return 0;
	if (shape->columns - shape->checks > (int)CODE_COLUMNS_MAX)
		return CODE_COLUMNS_MAX;
	return (unsigned)(shape->columns - shape->checks);
}

struct code_shape code_shape_make(enum layout layout, uint16_t columns, uint16_t checks,
				  uint16_t pure)
{
	struct code_shape shape = { .layout = layout, .columns = columns, .checks = checks };

	if (layout == LAYOUT_SEQUENTIAL)
		shape.pure = pure;
	for (unsigned i = 0; i < index_count(&shape); i++)
		shape.index[i] = (uint8_t)i;
	return shape;
}

bool code_shape_equal(const struct code_shape *a, const struct code_shape *b)
{
	return a->layout == b->layout && a->columns == b->columns && a->checks == b->checks &&
	       a->pure == b->pure && memcmp(a->index, b->index, sizeof(a->index)) == 0;
}

int code_shape_check(const struct code_shape *shape, struct err *err)
{
	int rc = code_shape_check_any(shape, err);

	if (!rc && shape->layout == LAYOUT_MIRROR && shape->columns > CODE_MIRROR_MAX)
		rc = err_set(err, ERR_LIMIT, "mirror: %u copies, allowed are 2 to %u",
			     shape->columns, CODE_MIRROR_MAX);
	return rc;
}

int code_shape_check_any(const struct code_shape *shape, struct err *err)
{
	if ((unsigned)shape->layout >= LAYOUT_COUNT)
		return err_set(err, ERR_FORMAT, "layout %u is unknown, layouts are 0 to %u",
			       (unsigned)shape->layout, LAYOUT_COUNT - 1u);

	const struct code_table *table = layouts[shape->layout];
	int rc = table->check(shape, err);

	if (rc)
		return rc;
	if (shape->layout != LAYOUT_SEQUENTIAL && shape->pure != 0)
		return err_set(err, ERR_FORMAT, "%s: has a pure column, %u", table->name,
			       shape->pure);
	for (unsigned i = index_count(shape); i < CODE_COLUMNS_MAX; i++) {
		if (shape->index[i] != 0)
			return err_set(err, ERR_FORMAT,
				       "%s: column %u has index %u but is no data column of parity",
				       table->name, i, shape->index[i]);
	}
	return 0;
}

/* ---- making a code */

static int no_memory(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for the equations of a code");
	return ERR_NOMEM;
}

void code_free(struct code *code)
{
	if (!code)
		return;
	mem_free(code->equations);
	mem_free(code->terms);
	mem_free(code->roles);
	mem_free(code->first_use);
	mem_free(code->uses);
	mem_free(code);
}

static bool code_allocate(struct code *code)
{
	uint16_t equations = code->sizes.equations;
	size_t terms_max = (size_t)equations * CODE_TERMS_MAX;

	code->equations = mem_calloc(equations, sizeof(*code->equations));
	code->terms = mem_calloc(terms_max, sizeof(*code->terms));
	code->uses = mem_calloc(terms_max, sizeof(*code->uses));
	code->roles = mem_calloc(code->cell_count, sizeof(*code->roles));
	code->first_use = mem_calloc(code->cell_count + 1u, sizeof(*code->first_use));
	return code->equations && code->terms && code->uses && code->roles && code->first_use;
}

/* Ask the table for its equations, and hold it to what code_table.h says of them. */
static void equations_fill(struct code *code, const struct code_table *table)
{
	struct code_term *terms = code->terms;
	uint64_t defined[CODE_LOST_WORDS] = { 0 };

	code->is_xor = true;
	for (uint16_t e = 0; e < code->sizes.equations; e++) {
		uint16_t count = table->equation(terms, &code->shape, e);

		assert(count >= 2 && count <= CODE_TERMS_MAX);
		assert(terms[count - 1].coefficient == 1);
		for (uint16_t i = 0; i < count; i++) {
			bool is_check = i == count - 1;

			assert(terms[i].cell < code->cell_count && terms[i].coefficient != 0);
			assert(cell_is_set(defined, terms[i].cell) ==
			       (!is_check && code->roles[terms[i].cell] != CELL_DATA));
			if (is_check)
				cell_set(defined, terms[i].cell);
			code->is_xor = code->is_xor && terms[i].coefficient == 1;
			code->first_use[terms[i].cell + 1]++;
		}
		code->equations[e] = (struct code_equation){ terms, count };
		terms += count;
	}
}

/* Turn the equations round: for every cell where it is used. first_use holds counts on entry. */
static bool uses_fill(struct code *code)
{
	uint16_t *next = mem_calloc(code->cell_count, sizeof(*next));

	if (!next)
		return false;
	for (uint16_t cell = 0; cell < code->cell_count; cell++) {
		code->first_use[cell + 1] =
			(uint16_t)(code->first_use[cell + 1] + code->first_use[cell]);
		next[cell] = code->first_use[cell];
	}
	for (uint16_t e = 0; e < code->sizes.equations; e++) {
		const struct code_equation *equation = &code->equations[e];

		for (uint16_t i = 0; i < equation->term_count; i++) {
			const struct code_term *term = &equation->terms[i];

			code->uses[next[term->cell]++] = (struct code_use){ e, term->coefficient };
		}
	}
	mem_free(next);
	return true;
}

int code_build(struct code **code_out, const struct code_table *table,
	       const struct code_shape *shape, struct err *err)
{
	struct code *code = mem_calloc(1, sizeof(*code));

	if (!code)
		return no_memory(err);

	code->shape = *shape;
	code->sizes = table->sizes(shape);
	code->cell_count = (uint16_t)(shape->columns * code->sizes.segments);
	assert(shape->columns <= CODE_COLUMNS_MAX && code->cell_count <= CODE_CELLS_MAX);
	assert(code->sizes.equations <= CODE_EQUATIONS_MAX);

	if (!code_allocate(code))
		goto out_free;
	for (uint16_t cell = 0; cell < code->cell_count; cell++)
		code->roles[cell] = table->role(shape, cell);
	equations_fill(code, table);
	if (!uses_fill(code))
		goto out_free;

	*code_out = code;
	return 0;

out_free:
	code_free(code);
	return no_memory(err);
}

/* ---- rank: what the code survives */

/* Fill `matrix`: the equations as rows, the cells of the lost columns as columns. */
static void lost_matrix_fill(struct rank_matrix *matrix, const struct code *code, uint64_t lost)
{
	uint16_t segments = code->sizes.segments;
	uint16_t at = 0;

	memset(matrix->bytes, 0, (size_t)matrix->row_count * matrix->column_count);
	for (uint16_t cell = 0; cell < code->cell_count; cell++) {
		if ((lost >> cell / segments & 1) == 0)
			continue;
		for (uint16_t u = code->first_use[cell]; u < code->first_use[cell + 1]; u++) {
			const struct code_use *use = &code->uses[u];
			size_t row = (size_t)use->equation * matrix->column_count;

			matrix->bytes[row + at] = use->coefficient;
		}
		at++;
	}
	assert(at == matrix->column_count);
}

/* The next larger number with as many bits. */
static uint64_t next_subset(uint64_t columns)
{
	uint64_t lowest = columns & (~columns + 1);
	uint64_t raised = columns + lowest;

	return raised | ((columns ^ raised) / lowest) >> 2;
}

int code_check_rank(const struct code *code, struct err *err)
{
	uint16_t tolerance = code->sizes.tolerance;
	uint16_t unknowns = (uint16_t)(tolerance * code->sizes.segments);
	struct rank_matrix matrix = { NULL, code->sizes.equations, unknowns };
	int rc = 0;

	if (tolerance == 0)
		return 0;
	matrix.bytes = mem_calloc(matrix.row_count, unknowns);
	if (!matrix.bytes)
		return no_memory(err);

	uint64_t end = (uint64_t)1 << code->shape.columns;

	for (uint64_t lost = ((uint64_t)1 << tolerance) - 1; lost < end && rc == 0;
	     lost = next_subset(lost)) {
		lost_matrix_fill(&matrix, code, lost);

		uint16_t rank = rank_reduce(&matrix, unknowns, NULL);

		if (rank < unknowns)
			rc = err_set(err, ERR_UNSAFE,
				     "code: %u cells cannot be rebuilt when the columns of mask "
				     "0x%x are lost",
				     (unsigned)unknowns - rank, (unsigned)lost);
	}
	mem_free(matrix.bytes);
	return rc;
}

int code_create(struct code **code_out, const struct code_shape *shape, struct err *err)
{
	struct code *code = NULL;
	int rc = code_shape_check_any(shape, err);

	if (rc)
		return rc;
	rc = code_build(&code, layouts[shape->layout], shape, err);
	if (rc)
		return rc;
	rc = code_check_rank(code, err);
	if (rc) {
		code_free(code);
		return rc;
	}
	/* One more lost column is then one too many: more unknowns than equations. */
	assert(code->sizes.equations == code->sizes.tolerance * code->sizes.segments);
	*code_out = code;
	return 0;
}

bool code_survives(const struct code *code, uint32_t lost_columns)
{
	assert((uint64_t)lost_columns >> code->shape.columns == 0);
	return bits_count(lost_columns) <= code->sizes.tolerance;
}

/* ---- facts */

const struct code_shape *code_shape(const struct code *code)
{
	return &code->shape;
}

uint16_t code_segment_count(const struct code *code)
{
	return code->sizes.segments;
}

uint16_t code_cell_count(const struct code *code)
{
	return code->cell_count;
}

uint16_t code_data_columns(const struct code *code)
{
	return code->sizes.data_columns;
}

uint16_t code_data_segments(const struct code *code)
{
	return code->sizes.data_segments;
}

uint16_t code_tolerance(const struct code *code)
{
	return code->sizes.tolerance;
}

bool code_is_xor(const struct code *code)
{
	return code->is_xor;
}

enum cell_role code_cell_role(const struct code *code, uint16_t cell)
{
	assert(cell < code->cell_count);
	return code->roles[cell];
}

uint16_t code_equation_count(const struct code *code)
{
	return code->sizes.equations;
}

const struct code_equation *code_equation(const struct code *code, uint16_t equation)
{
	assert(equation < code->sizes.equations);
	return &code->equations[equation];
}

/* ---- closure */

uint16_t code_closure(const struct code *code, uint16_t cell, uint16_t *cells_out,
		      uint16_t cells_max)
{
	uint64_t changed[CODE_LOST_WORDS] = { 0 };
	uint16_t count = 0;

	assert(cell < code->cell_count);
	cell_set(changed, cell);

	/* Checks of earlier equations are in later ones, never the other way round. */
	for (uint16_t e = 0; e < code->sizes.equations; e++) {
		const struct code_equation *equation = &code->equations[e];
		uint16_t last = (uint16_t)(equation->term_count - 1);

		for (uint16_t i = 0; i < last; i++) {
			if (cell_is_set(changed, equation->terms[i].cell))
				cell_set(changed, equation->terms[last].cell);
		}
	}
	cell_clear(changed, cell);
	for (uint16_t check = 0; check < code->cell_count; check++) {
		if (cell_is_set(changed, check)) {
			assert(count < cells_max);
			cells_out[count++] = check;
		}
	}
	return count;
}

/* ---- location */

/* Would one error in `cell` make exactly these equations fail, by these sums? */
static bool cell_explains(const struct code *code, uint16_t cell, const uint64_t *failed,
			  uint16_t failed_count, const uint8_t *syndromes)
{
	uint16_t first = code->first_use[cell];
	uint16_t end = code->first_use[cell + 1];
	uint8_t error = 0;

	if (end - first != failed_count)
		return false;
	for (uint16_t u = first; u < end; u++) {
		const struct code_use *use = &code->uses[u];

		if (!cell_is_set(failed, use->equation))
			return false;
		if (!syndromes)
			continue;

		uint8_t value = gf_multiply(syndromes[use->equation], gf_inverse(use->coefficient));

		if (value == 0 || (u > first && value != error))
			return false;
		error = value;
	}
	return true;
}

int code_locate(const struct code *code, const uint64_t *failed, const uint8_t *syndromes)
{
	const struct code_equation *witness = NULL;
	uint16_t failed_count = 0;
	int found = -1;

	assert(syndromes || code->is_xor);
	for (uint16_t e = 0; e < code->sizes.equations; e++) {
		if (!cell_is_set(failed, e))
			continue;
		witness = witness ? witness : &code->equations[e];
		failed_count++;
	}

	/* Whatever explains all failures is a term of the first one. */
	for (uint16_t i = 0; witness && i < witness->term_count; i++) {
		uint16_t cell = witness->terms[i].cell;

		if (!cell_explains(code, cell, failed, failed_count, syndromes))
			continue;
		if (found >= 0)
			return -1;
		found = cell;
	}
	return found;
}
