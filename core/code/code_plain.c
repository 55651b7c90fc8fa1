/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plain: one column, no equation, no loss survived. */
#include "core/code/code_table.h"

static int plain_check(const struct code_shape *shape, struct err *err)
{
	if (shape->columns != 1 || shape->checks != 0)
		return err_set(err, ERR_LIMIT, "plain: %u columns with %u checks, must be 1 and 0",
			       shape->columns, shape->checks);
	return 0;
}

static struct code_sizes plain_sizes(const struct code_shape *shape)
{
	(void)shape;
	return (struct code_sizes){ .segments = 1, .data_columns = 1, .data_segments = 1 };
}

static enum cell_role plain_role(const struct code_shape *shape, uint16_t cell)
{
	(void)shape;
	(void)cell;
	return CELL_DATA;
}

const struct code_table code_plain = {
	.name = "plain",
	.check = plain_check,
	.sizes = plain_sizes,
	.role = plain_role,
};
