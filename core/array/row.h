/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rows: a window of a group in memory. Loads its blocks, judges each, and rebuilds what does not stand.
 * This is the only place that reconstructs.
 *
 * Slice t of a group is block t of every segment of every column; the equations hold for each slice by
 * itself. A window is some slices in a row, of all cells:
 *
 *	rows_open()	for one group: code, seals of all columns that can be read
 *	rows_load()	read slices first..first+count-1 of all columns, compare with checksums
 *	rows_judge()	decide by witness and generation what missed a write
 *	rows_solve()	rebuild every block that is not good, where the good ones suffice
 *	(rows_block, rows_fate, rows_is_rebuilt)
 *	rows_close()	give the group up; the buffers stay for the next rows_open()
 *	rows_free()
 *
 * A block is judged by its own seal, then by what its checks have seen (FORMAT.md section 6): so a lost
 * write is found although block and seal agree with each other. A block that cannot be judged because
 * its seal page is damaged counts as an erasure. A rebuilt block whose own checksum is known is compared
 * with it; where they differ the block counts as lost. Bounded: two passes, no recursion.
 *
 * A group of a bare array has no seals: a block that was read is good, and nothing else is asked.
 *
 * For one task at a time; many windows may be open on one array.
 */
#ifndef PG_ARRAY_ROW_H
#define PG_ARRAY_ROW_H

#include "core/array/row_judge.h"
#include "core/array/row_types.h"

/*
 * Open a group; `rows` is zero or was closed. `except` is a bit mask of columns to treat as absent. The window has room for
 * `slices` slices, or for the whole group when 0. Returns 0, ERR_NOMEM.
 */
int rows_open(struct rows *rows, struct array *array, const struct group *group, uint32_t except,
	      uint32_t slices, enum rows_order order, struct err *err) MUST_CHECK;
void rows_close(struct rows *rows);
void rows_free(struct rows *rows);

/* The header page of a usable column's seal as it was read; zeros where it could not be. Borrowed. */
const uint8_t *rows_seal_header(const struct rows *rows, uint32_t column);

/* Slices for a window that suits the members' devices and fits the cache or the bound of memory. */
uint32_t rows_window(const struct array *array, const struct group *group);

/* Read the window. Read errors become fates. Returns 0. */
int rows_load(struct rows *rows, uint32_t first, uint32_t count) MUST_CHECK;
/*
 * The same, but only slices whose wanted[slice - first] is set are read, all in one batch; the others are
 * BLOCK_MISSING. Not to be judged or solved as a whole.
 */
int rows_load_some(struct rows *rows, uint32_t first, uint32_t count,
		   const bool *wanted) MUST_CHECK;
/* The same for a window of all slices, but only check cells of sequential groups are read. */
int rows_load_tails(struct rows *rows) MUST_CHECK;
/* The same, but only these columns are read, a bit each; of the others the seals alone are judged. */
int rows_load_columns(struct rows *rows, uint32_t columns, uint32_t first,
		      uint32_t count) MUST_CHECK;

/* Rebuild. Returns how many blocks could not be, 0 when all are good or rebuilt; ERR_NOMEM. */
int rows_solve(struct rows *rows, uint32_t *lost_out) MUST_CHECK;

/*
 * For recovery, which does not know yet which seals are right. take copies a slice of the window as it was loaded:
 * a block and a fate for each cell, in the order of their numbers. try puts such a copy back, then judges
 * and solves the slice by what rows->seals says now, which the caller may have changed. So one reading is
 * held against several states of the seals. Returns 0 or ERR_NOMEM.
 */
void rows_take_slice(const struct rows *rows, uint32_t slice, uint8_t *blocks, uint8_t *fates);
int rows_try_slice(struct rows *rows, uint32_t slice, const uint8_t *blocks,
		   const uint8_t *fates) MUST_CHECK;

/*
 * Load, judge and solve the window around block `block` of a column, unless it is there already, and
 * copy the block to `out`. *stands_out is false when it is lost, and then `out` is zeros.
 */
int rows_fetch(struct rows *rows, uint32_t column, uint32_t block, uint8_t *out, bool *stands_out,
	       bool *rebuilt_out) MUST_CHECK;

/* The role of a cell for --trace. */
enum io_role rows_role(const struct rows *rows, uint32_t column, uint32_t segment);

#endif
