/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside of the codes: what a layout has to tell the engine, and what the engine keeps of it.
 *
 * Only files of this folder and their tests include this.
 */
#ifndef PG_CODE_CODE_TABLE_H
#define PG_CODE_CODE_TABLE_H

#include "core/base/err.h"
#include "core/code/code_shape.h"

#include <stdbool.h>
#include <stdint.h>

#define CODE_TERMS_MAX CODE_COLUMNS_MAX /* of one equation: parity with 31 data columns */
#define CODE_EQUATIONS_MAX 128u         /* sequential: 16 columns, 8 levels */

struct code_sizes {
	uint16_t segments; /* of a column */
	uint16_t data_columns;
	uint16_t data_segments; /* of a column that carries data */
	uint16_t equations;
	uint16_t tolerance;
};

/* A layout; all functions but `check` are only called with shapes that `check` accepts. */
struct code_table {
	const char *name; /* of --layout */
	int (*check)(const struct code_shape *shape, struct err *err);
	struct code_sizes (*sizes)(const struct code_shape *shape);
	enum cell_role (*role)(const struct code_shape *shape, uint16_t cell);
	/*
	 * Fill the terms of equation `number`; returns how many. The last is a check cell that no
	 * equation has defined yet; the others are data, or checks that earlier equations define.
	 */
	uint16_t (*equation)(struct code_term terms_out[static CODE_TERMS_MAX],
			     const struct code_shape *shape, uint16_t number);
};

extern const struct code_table code_plain;
extern const struct code_table code_mirror;
extern const struct code_table code_parity;
extern const struct code_table code_sequential;

/* A cell's part in an equation. */
struct code_use {
	uint16_t equation;
	uint8_t coefficient;
};

struct code {
	struct code_shape shape;
	struct code_sizes sizes;
	uint16_t cell_count;
	bool is_xor;
	struct code_equation *equations;
	struct code_term *terms; /* storage of all equations */
	enum cell_role *roles;   /* per cell */
	uint16_t *first_use;     /* per cell, and one behind: where its uses start */
	struct code_use *uses;
};

/* Make a code of any table, without asking what it survives. Returns 0 or ERR_NOMEM. */
int code_build(struct code **code_out, const struct code_table *table,
	       const struct code_shape *shape, struct err *err) MUST_CHECK;

/* Does it survive the loss of any `tolerance` columns? Returns 0, ERR_UNSAFE or ERR_NOMEM. */
int code_check_rank(const struct code *code, struct err *err) MUST_CHECK;

static inline uint16_t bits_count(uint64_t bits)
{
	uint16_t count = 0;

	for (; bits != 0; bits &= bits - 1)
		count++;
	return count;
}

static inline bool cell_is_set(const uint64_t *cells, uint16_t cell)
{
	return (cells[cell / 64] >> cell % 64 & 1) != 0;
}

static inline void cell_set(uint64_t *cells, uint16_t cell)
{
	cells[cell / 64] |= (uint64_t)1 << cell % 64;
}

static inline void cell_clear(uint64_t *cells, uint16_t cell)
{
	cells[cell / 64] &= ~((uint64_t)1 << cell % 64);
}

#endif
