/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Codes: how the cells of a group depend on each other, as a list of equations.
 *
 * A group has `column_count` columns (one extent each). A column's body is `segment_count` segments of
 * equal length; cell (column, segment) has the number column * segment_count + segment. Every
 * equation says: the sum over its terms of coefficient * cell is zero, in GF(2^8) over 0x11d, byte by
 * byte, so it holds for every block of the segments alike.
 *
 *	plain			1 column, 1 segment, no equation
 *	mirror, c copies	c columns; equation i-1: column 0 + column i = 0 for i = 1..c-1
 *	parity, k data, p	k+p columns, 1 segment; check j (column k+j):
 *				sum over data i of g^(j*x[i]) * d[i] + c[j] = 0, g = 2, j = 0..p-1, where
 *				x[i] is the coefficient index of data column i (0..k-1 when new)
 *	sequential, m, r	m columns of r*m segments: r*(m-1) data, then r tails. With q the pure
 *				column and bear[0..m-2] the others in order, row j = t*(m-1)+h:
 *				sum over columns of D[i][j] + P = 0, P the tail t of column bear[h];
 *				level t: sum over h of the tails t of bear[h] + tail t of q = 0
 *				(SPEC 2.1, 2.6; data runs column after column); equations 0..
 *				r*(m-1)-1 are the rows, then one a level
 *
 * From the equations alone one engine answers: what to compute (encode), what a write touches
 * (closure), how lost cells are rebuilt (solve) or that they cannot be, and which cell is damaged
 * (locate). Pure: no I/O, no clock.
 *
 * code_create() checks by rank that the code survives the loss of any `tolerance` columns.
 */
#ifndef PG_CODE_CODE_H
#define PG_CODE_CODE_H

#include "core/base/err.h"
#include "core/code/code_shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code; /* opaque, immutable, safe for any number of tasks */

/* Is the shape within the limits? Returns 0, ERR_LIMIT or ERR_FORMAT with a text. */
int code_shape_check(const struct code_shape *shape, struct err *err) MUST_CHECK;
/* The same for a group of any maker: only what the engine cannot do is refused. */
int code_shape_check_any(const struct code_shape *shape, struct err *err) MUST_CHECK;

/* Fill a shape with the usual indexes 0..k-1; `pure` is given for sequential. */
struct code_shape code_shape_make(enum layout layout, uint16_t columns, uint16_t checks,
				  uint16_t pure);
bool code_shape_equal(const struct code_shape *a, const struct code_shape *b);

/*
 * Claim 16 read literally: sequential with the pure parity on a column that bears row parity, one
 * of 0..columns-2. That is no shape; this says why. Always fails: ERR_UNSAFE names the data segment
 * that losing the column would lose, also as facts "segment" and "member column"; ERR_LIMIT when
 * there is no such column.
 */
int code_literal_claim16(uint16_t columns, uint16_t levels, uint16_t bearing_column,
			 struct err *err) MUST_CHECK;

/* Returns 0, what code_shape_check() says, ERR_UNSAFE by the rank check, or ERR_NOMEM. */
int code_create(struct code **code_out, const struct code_shape *shape, struct err *err) MUST_CHECK;
void code_free(struct code *code);

const struct code_shape *code_shape(const struct code *code);
uint16_t code_segment_count(const struct code *code);
uint16_t code_cell_count(const struct code *code);
uint16_t code_data_columns(const struct code *code);  /* columns that carry data */
uint16_t code_data_segments(const struct code *code); /* of a column that carries data */
uint16_t code_tolerance(const struct code *code);     /* any so many columns may be lost */
bool code_is_xor(const struct code *code);            /* every coefficient is 1 */
enum cell_role code_cell_role(const struct code *code, uint16_t cell);
uint16_t code_equation_count(const struct code *code);
const struct code_equation *code_equation(const struct code *code, uint16_t equation);

/* g^exponent, the coefficient of parity: check j weighs a data column of index i with code_power(j * i). */
uint8_t code_power(uint32_t exponent);

/* The names of --layout, both ways; -1 for a name that is none. */
const char *layout_name(enum layout layout);
int layout_from_name(const char *name);

/*
 * A plan that rebuilds lost cells: steps in order; step n computes cell `target` as the sum of
 * coefficient * cell over its terms, which are surviving cells or targets of earlier steps.
 */
struct code_step {
	uint16_t target;
	uint16_t term_count;
	const struct code_term *terms; /* owned by the plan */
};

struct code_plan {
	struct code_step *steps;
	uint16_t step_count;
	uint16_t *unsolved; /* lost cells that cannot be rebuilt, ascending */
	uint16_t unsolved_count;
	struct code_term *terms; /* storage of all steps */
};

/*
 * How to rebuild: `lost` is a bit per cell (lost[cell / 64] >> cell % 64 & 1), CODE_LOST_WORDS words.
 * Cells that can be solved are in steps, the others in `unsolved`; that is no error.
 * `wanted`, if not NULL, limits the targets to those cells and what they need, and `unsolved` to
 * those cells. Peeled steps come first; of a sequential column the row parities, then its data,
 * then pure parity (claim 10). A step has at most KERNEL_SOURCES_MAX terms.
 * Returns 0 or ERR_NOMEM; release with code_plan_reset().
 */
#define CODE_LOST_WORDS (CODE_CELLS_MAX / 64u)
int code_solve(struct code_plan *plan_out, const struct code *code, const uint64_t *lost,
	       const uint64_t *wanted) MUST_CHECK;
void code_plan_reset(struct code_plan *plan);

/* The plan that computes every check cell from the data cells (solve with all checks lost). */
int code_encode_plan(struct code_plan *plan_out, const struct code *code) MUST_CHECK;

/* Can every cell be rebuilt when these columns are lost? A bit per column. */
bool code_survives(const struct code *code, uint32_t lost_columns);

/* The check cells that change when `cell` changes, directly or through others; ascending. */
uint16_t code_closure(const struct code *code, uint16_t cell, uint16_t *cells_out,
		      uint16_t cells_max);

/*
 * Where is the damage, from syndromes alone: `failed` has a bit per equation that does not hold;
 * `syndromes`, a byte per equation, are the sums at one byte offset where they are not all zero;
 * NULL where all coefficients are 1 and the bits are to be believed.
 * Returns the only cell that explains them, or -1 when none or several do.
 */
int code_locate(const struct code *code, const uint64_t *failed, const uint8_t *syndromes);

#endif
