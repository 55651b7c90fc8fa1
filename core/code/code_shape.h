/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Code shapes: the words in which a code is described; values only, code.h gives them meaning.
 */
#ifndef PG_CODE_CODE_SHAPE_H
#define PG_CODE_CODE_SHAPE_H

#include <stdint.h>

enum layout { LAYOUT_PLAIN, LAYOUT_MIRROR, LAYOUT_PARITY, LAYOUT_SEQUENTIAL, LAYOUT_COUNT };

#define CODE_COLUMNS_MAX 32u
#define CODE_MIRROR_MAX 4u /* copies of a native group; others may have CODE_COLUMNS_MAX */
#define CODE_PARITY_MAX 3u
#define CODE_SEQUENTIAL_COLUMNS_MAX 16u
#define CODE_SEQUENTIAL_LEVELS_MAX 8u
#define CODE_CELLS_MAX 2048u /* 16 columns of 8 * 16 segments */

/* What makes a code; everything that a group record stores of it. */
struct code_shape {
	enum layout layout;
	uint16_t columns; /* all columns: 1, copies, k + p, or m */
	uint16_t checks;  /* plain 0; mirror copies - 1; parity p; sequential r (levels) */
	uint16_t pure;    /* sequential: the column with the pure parity; else 0 */
	/* parity: coefficient index of each data column, distinct, below 255; else all 0 */
	uint8_t index[CODE_COLUMNS_MAX];
};

/* Any so many columns may be lost; no layout survives the loss of one more with all its data. */
static inline uint32_t layout_tolerance(enum layout layout, uint32_t checks)
{
	return layout == LAYOUT_SEQUENTIAL ? 1 : checks;
}

enum cell_role { CELL_DATA, CELL_PARITY, CELL_PURE, CELL_COPY };

struct code_term {
	uint16_t cell;
	uint8_t coefficient; /* never 0 */
};

/* One equation; its last term is the check cell that it defines, with coefficient 1. */
struct code_equation {
	const struct code_term *terms; /* owned by the code */
	uint16_t term_count;
};

#endif
