/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sequential: every column holds r(m-1) data segments, then r tails. The tails of m-1 columns are
 * row parities, those of the pure column are sums of row parities (SPEC 2.1, 2.6).
 *
 * A row covers a segment of every column, also of the one that bears its parity. So a lost column
 * takes a parity and a data segment of the same row; the pure parity gives the first one back.
 */
#include "core/code/code.h"
#include "core/code/code_table.h"

#include <assert.h>

#define COLUMNS_MIN 2u

/* Equations 0..rows-1 are the rows, then come the pure parities of levels 0..r-1. */
static uint16_t row_count(const struct code_shape *shape)
{
	return (uint16_t)(shape->checks * (shape->columns - 1));
}

static uint16_t cell_at(const struct code_shape *shape, uint16_t column, uint16_t segment)
{
	return (uint16_t)(column * shape->checks * shape->columns + segment);
}

static uint16_t tail_at(const struct code_shape *shape, uint16_t column, uint16_t level)
{
	return cell_at(shape, column, (uint16_t)(row_count(shape) + level));
}

/* The h-th of the columns that bear row parity. */
static uint16_t bearer(const struct code_shape *shape, uint16_t h)
{
	assert(h + 1u < shape->columns);
	return (uint16_t)(h < shape->pure ? h : h + 1);
}

static int sequential_check(const struct code_shape *shape, struct err *err)
{
	if (shape->columns < COLUMNS_MIN || shape->columns > CODE_SEQUENTIAL_COLUMNS_MAX)
		return err_set(err, ERR_LIMIT, "sequential: %u columns, allowed are %u to %u",
			       shape->columns, COLUMNS_MIN, CODE_SEQUENTIAL_COLUMNS_MAX);
	if (shape->checks < 1 || shape->checks > CODE_SEQUENTIAL_LEVELS_MAX)
		return err_set(err, ERR_LIMIT, "sequential: %u levels, allowed are 1 to %u",
			       shape->checks, CODE_SEQUENTIAL_LEVELS_MAX);
	if (shape->pure >= shape->columns)
		return err_set(err, ERR_LIMIT,
			       "sequential: pure parity on column %u, columns are 0 to %u",
			       shape->pure, shape->columns - 1u);
	return 0;
}

static struct code_sizes sequential_sizes(const struct code_shape *shape)
{
	uint16_t segments = (uint16_t)(shape->checks * shape->columns);

	return (struct code_sizes){
		.segments = segments,
		.data_columns = shape->columns,
		.data_segments = row_count(shape),
		.equations = segments, /* rows, and a pure parity a level */
		.tolerance = 1,
	};
}

static enum cell_role sequential_role(const struct code_shape *shape, uint16_t cell)
{
	uint16_t segments = (uint16_t)(shape->checks * shape->columns);

	if (cell % segments < row_count(shape))
		return CELL_DATA;
	return cell / segments == shape->pure ? CELL_PURE : CELL_PARITY;
}

static uint16_t row_equation(struct code_term *terms_out, const struct code_shape *shape,
			     uint16_t row)
{
	uint16_t bearers = (uint16_t)(shape->columns - 1);
	uint16_t parity = tail_at(shape, bearer(shape, row % bearers), row / bearers);

	for (uint16_t i = 0; i < shape->columns; i++)
		terms_out[i] = (struct code_term){ cell_at(shape, i, row), 1 };
	terms_out[shape->columns] = (struct code_term){ parity, 1 };
	return (uint16_t)(shape->columns + 1);
}

static uint16_t pure_equation(struct code_term *terms_out, const struct code_shape *shape,
			      uint16_t level)
{
	uint16_t bearers = (uint16_t)(shape->columns - 1);

	for (uint16_t h = 0; h < bearers; h++)
		terms_out[h] = (struct code_term){ tail_at(shape, bearer(shape, h), level), 1 };
	terms_out[bearers] = (struct code_term){ tail_at(shape, shape->pure, level), 1 };
	return shape->columns;
}

static uint16_t sequential_equation(struct code_term terms_out[static CODE_TERMS_MAX],
				    const struct code_shape *shape, uint16_t number)
{
	uint16_t rows = row_count(shape);

	if (number < rows)
		return row_equation(terms_out, shape, number);
	return pure_equation(terms_out, shape, (uint16_t)(number - rows));
}

const struct code_table code_sequential = {
	.name = "sequential",
	.check = sequential_check,
	.sizes = sequential_sizes,
	.role = sequential_role,
	.equation = sequential_equation,
};

/*
 * Losing column k takes D[k][k], its row's parity P_k, and the pure parity that would give P_k back:
 * two unknowns in the row, and nothing else knows of either. The same in every level.
 */
int code_literal_claim16(uint16_t columns, uint16_t levels, uint16_t bearing_column,
			 struct err *err)
{
	const struct code_shape shape = { LAYOUT_SEQUENTIAL, columns, levels, 0, { 0 } };
	unsigned k = bearing_column;
	int rc = sequential_check(&shape, err);

	if (rc)
		return rc;
	if (k + 1 >= columns)
		return err_set(err, ERR_LIMIT,
			       "sequential: column %u bears no row parity, columns 0 to %u do", k,
			       columns - 2u);

	err_set(err, ERR_UNSAFE,
		"sequential: pure parity on column %u, which bears row parity: losing that column "
		"would lose data segment D[%u][%u], because its row parity and the pure parity, "
		"which restores that, are lost with it; %u segments in all, one a level",
		k, k, k, levels);
	err_hint(err, "leave the pure parity on the one column that bears no row parity");
	err_fact(err, "segment", "D[%u][%u]", k, k);
	return err_fact(err, "member column", "%u", k);
}
