/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a row still gives when it cannot be solved in whole blocks: the equations hold byte by byte, so each sector of
 * 512 bytes is solved by itself, from those blocks whose same sector can be read. For salvage (core/job/salvage.h).
 *
 * A block whose checksum is known counts only as a whole: it stands when all of its sectors are known and it verifies.
 * In a bare array each sector stands by itself.
 */
#ifndef PG_ARRAY_ROW_SECTORS_H
#define PG_ARRAY_ROW_SECTORS_H

#include "core/array/row.h"

#define ROW_SECTORS 8u /* of a block; bits of a uint8_t */

/* Of one cell of a slice. */
struct cell_sectors {
	uint8_t unread;   /* could not be read: what the equations had to do without */
	uint8_t unsolved; /* of these, what they could not give */
	uint8_t missing;  /* is not known now; of a block with a checksum all or nothing */
};

/*
 * After rows_solve(): solve slice `slice` of the window by sectors, in the window's blocks. `cells_out` has one entry a
 * cell. Returns 0 or ERR_NOMEM.
 */
int row_sectors_solve(struct rows *rows, uint32_t slice, struct cell_sectors *cells_out) MUST_CHECK;

/* The byte of the member where a sector of a cell lies; false when it is behind the end of what the member has. */
bool row_sector_place(const struct rows *rows, uint32_t column, uint32_t block, uint32_t sector,
		      uint64_t *place_out);

#endif
