/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parity: k data columns, then p checks; check j weighs data i with 2^(j * index[i]).
 *
 * With up to three checks any distinct indexes below 255 survive any p losses: the square parts
 * of the matrix are Vandermonde matrices, if need be of the squares of 2^index, which are distinct
 * too. That ends at p = 4, so CODE_PARITY_MAX is 3.
 */
#include "core/code/code_table.h"
#include "core/code/kernel.h"

#define INDEX_MAX 254u /* the powers of 2 repeat after 255 */

static uint16_t data_count(const struct code_shape *shape)
{
	return (uint16_t)(shape->columns - shape->checks);
}

static int index_check(const struct code_shape *shape, struct err *err)
{
	for (unsigned i = 0; i < data_count(shape); i++) {
		if (shape->index[i] > INDEX_MAX)
			return err_set(err, ERR_FORMAT,
				       "parity: data column %u has index %u, at most %u is allowed",
				       i, shape->index[i], INDEX_MAX);
		for (unsigned other = 0; other < i; other++) {
			if (shape->index[other] == shape->index[i])
				return err_set(err, ERR_FORMAT,
					       "parity: data columns %u and %u both have index %u",
					       other, i, shape->index[i]);
		}
	}
	return 0;
}

static int parity_check(const struct code_shape *shape, struct err *err)
{
	if (shape->checks < 1 || shape->checks > CODE_PARITY_MAX)
		return err_set(err, ERR_LIMIT, "parity: %u check columns, allowed are 1 to %u",
			       shape->checks, CODE_PARITY_MAX);
	if (shape->columns <= shape->checks || shape->columns > CODE_COLUMNS_MAX)
		return err_set(err, ERR_LIMIT,
			       "parity: %u columns, allowed with %u checks are %u to %u",
			       shape->columns, shape->checks, shape->checks + 1u, CODE_COLUMNS_MAX);
	return index_check(shape, err);
}

static struct code_sizes parity_sizes(const struct code_shape *shape)
{
	return (struct code_sizes){
		.segments = 1,
		.data_columns = data_count(shape),
		.data_segments = 1,
		.equations = shape->checks,
		.tolerance = shape->checks,
	};
}

static enum cell_role parity_role(const struct code_shape *shape, uint16_t cell)
{
	return cell < data_count(shape) ? CELL_DATA : CELL_PARITY;
}

static uint16_t parity_equation(struct code_term terms_out[static CODE_TERMS_MAX],
				const struct code_shape *shape, uint16_t number)
{
	uint16_t count = 0;

	for (; count < data_count(shape); count++) {
		uint32_t exponent = (uint32_t)number * shape->index[count];

		terms_out[count] = (struct code_term){ count, gf_power(exponent) };
	}
	terms_out[count] = (struct code_term){ (uint16_t)(count + number), 1 };
	return (uint16_t)(count + 1);
}

const struct code_table code_parity = {
	.name = "parity",
	.check = parity_check,
	.sizes = parity_sizes,
	.role = parity_role,
	.equation = parity_equation,
};
