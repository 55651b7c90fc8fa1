/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mirror: column 0 is the primary, every other column equals it. */
#include "core/code/code_table.h"

#define COPIES_MIN 2u

static int mirror_check(const struct code_shape *shape, struct err *err)
{
	if (shape->columns < COPIES_MIN || shape->columns > CODE_COLUMNS_MAX)
		return err_set(err, ERR_LIMIT, "mirror: %u copies, allowed are %u to %u",
			       shape->columns, COPIES_MIN, CODE_COLUMNS_MAX);
	if (shape->checks != shape->columns - 1)
		return err_set(err, ERR_FORMAT, "mirror: %u checks for %u copies, must be %u",
			       shape->checks, shape->columns, shape->columns - 1u);
	return 0;
}

static struct code_sizes mirror_sizes(const struct code_shape *shape)
{
	return (struct code_sizes){
		.segments = 1,
		.data_columns = 1,
		.data_segments = 1,
		.equations = shape->checks,
		.tolerance = shape->checks,
	};
}

static enum cell_role mirror_role(const struct code_shape *shape, uint16_t cell)
{
	(void)shape;
	return cell == 0 ? CELL_DATA : CELL_COPY;
}

static uint16_t mirror_equation(struct code_term terms_out[static CODE_TERMS_MAX],
				const struct code_shape *shape, uint16_t number)
{
	(void)shape;
	terms_out[0] = (struct code_term){ 0, 1 };
	terms_out[1] = (struct code_term){ (uint16_t)(number + 1), 1 };
	return 2;
}

const struct code_table code_mirror = {
	.name = "mirror",
	.check = mirror_check,
	.sizes = mirror_sizes,
	.role = mirror_role,
	.equation = mirror_equation,
};
