/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rank: Gauss-Jordan elimination of dense matrices over GF(2^8).
 *
 * Rows that are mostly zero and factors of 1 cost next to nothing, so XOR codes are fast as well.
 */
#ifndef PG_CODE_RANK_H
#define PG_CODE_RANK_H

#include <stddef.h>
#include <stdint.h>

#define RANK_NO_ROW UINT16_MAX

/* Row after row, row_count * column_count bytes, borrowed; the caller fills them. */
struct rank_matrix {
	uint8_t *bytes;
	uint16_t row_count; /* below RANK_NO_ROW */
	uint16_t column_count;
};

/*
 * Bring the first `pivot_columns` columns into reduced echelon form; the other columns go through
 * the same row operations. Returns the rank of the first `pivot_columns` columns.
 *
 * pivot_row_out	pivot_columns entries: the row whose leading 1 is in that column, or
 *			RANK_NO_ROW; may be NULL
 */
uint16_t rank_reduce(struct rank_matrix *matrix, uint16_t pivot_columns, uint16_t *pivot_row_out);

#endif
