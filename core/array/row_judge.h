/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Judging: which blocks of a window are right, by their seals, and what a block's seal must say. The
 * judging half of row.h, which is its manual. Reads nothing, rebuilds nothing.
 */
#ifndef PG_ARRAY_ROW_JUDGE_H
#define PG_ARRAY_ROW_JUDGE_H

#include "core/array/row_types.h"

const char *block_fate_name(enum block_fate fate);

/* Judge one block that has been read by the checksum in its seal. */
void rows_judge_checksum(struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice);

/* Judge all blocks of the window that verify by generation and witness: which missed a write? */
void rows_judge(struct rows *rows);
void rows_judge_slice(struct rows *rows, uint32_t slice);

/*
 * Compare every rebuilt block of a slice whose own checksum is known with it; where they differ the
 * block no longer counts as rebuilt. Returns how many were taken back.
 */
uint32_t rows_verify_rebuilt(struct rows *rows, uint32_t slice);

/* Does its seal, or another's, say of a cell what generation it has at most? Else rows_restore_entry() may be too low. */
bool rows_bounds_generation(const struct rows *rows, uint32_t column, uint32_t segment,
			    uint32_t slice);

/*
 * The seal entry that a cell must have, with its witnesses, from the seals of the others: checksum of
 * the block in the window, generation by witness or maximum (FORMAT.md section 6). Sets the entry of
 * `seal`, which is of the cell's column.
 */
void rows_restore_entry(const struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice,
			struct seal *seal);

/*
 * Do all equations of an XOR code hold in this slice, by the checksums alone (crc.h)? Only for slices
 * where every block is good. A bit per equation that does not, in failed_out.
 */
#define ROWS_FAILED_WORDS 2u /* 128 equations: sequential, 16 columns, 8 levels */
bool rows_slice_holds(const struct rows *rows, uint32_t slice,
		      uint64_t failed_out[ROWS_FAILED_WORDS]);

/*
 * Do the checks of a parity group fit its data in these slices, by content? For whole blocks of all columns. `scratch`
 * holds ROWS_PARITY_SCRATCH blocks. Only says whether all fit.
 */
#define ROWS_PARITY_RUN 8u /* slices at once: 32 KiB of each column stay in the cache */
#define ROWS_PARITY_SCRATCH (CODE_PARITY_MAX * ROWS_PARITY_RUN)
bool rows_parity_holds(const struct rows *rows, uint32_t first, uint32_t count, uint8_t *scratch);

#endif
