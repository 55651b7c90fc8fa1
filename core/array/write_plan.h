/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pure: how to write data cells of one slice with the fewest I/Os.
 *
 *	full row	every data cell that a check covers is written: nothing is read
 *	reconstruct	read the data cells that are not written, compute the checks from all
 *	modify		read the old written cells and the old checks, add the difference
 *
 * Each check goes its own cheapest way, and all together read the fewest cells: of a whole row of a sequential
 * group the row parity is computed from the row, while the pure parity takes the row parity's difference.
 *
 * Columns that are not usable are neither read nor written. Where the cheapest way would need one, another
 * way is taken; where every way needs one, `solve` is set: the whole slice is loaded and solved first, and
 * write_plan_adapt() says what can be done with what stands.
 */
#ifndef PG_ARRAY_WRITE_PLAN_H
#define PG_ARRAY_WRITE_PLAN_H

#include "core/code/code.h"

enum write_way { WRITE_FULL_ROW, WRITE_RECONSTRUCT, WRITE_MODIFY };

/* How one check is computed. */
enum check_way {
	CHECK_UNKNOWN, /* not at all: nobody can read it, or what it needs is lost */
	CHECK_SUM,     /* from all cells that it covers */
	CHECK_CHANGE,  /* from its old content and the difference */
};

struct write_plan {
	enum write_way way; /* of all checks together: modify when one of them does */
	bool solve; /* what is to be read has to be rebuilt: load all cells that can be read */
	uint64_t read[CODE_LOST_WORDS];   /* cells to read, a bit each */
	uint64_t write[CODE_LOST_WORDS];  /* cells to write: data and checks on usable columns */
	uint16_t cells[CODE_COLUMNS_MAX]; /* the closure in the order of struct log_rows */
	uint16_t cell_count;
	uint16_t data_count; /* the first so many of `cells` are data */
	uint16_t reads, writes;
	uint16_t equations[CODE_COLUMNS_MAX]; /* of each check: which one defines it */
	uint8_t checks[CODE_COLUMNS_MAX];     /* of each check: enum check_way */
	uint32_t absent;                      /* columns that are not usable */
};

/*
 * Write the data columns `columns` (bits) of `segment`; `absent` has a bit for each column that is not
 * usable. Returns 0; ERR_LIMIT when the closure has more than CODE_COLUMNS_MAX cells.
 */
int write_plan_make(struct write_plan *plan_out, const struct code *code, uint32_t segment,
		    uint32_t columns, uint32_t absent) MUST_CHECK;

/*
 * The same write where only the cells of `standing` (bits) have a known old content: choose each check's way
 * again. Returns how many checks on usable columns cannot be computed.
 */
uint32_t write_plan_adapt(struct write_plan *plan, const struct code *code,
			  const uint64_t standing[CODE_LOST_WORDS]);

/*
 * Compute the check cells of the plan over `size` bytes each. blocks[cell] is where a cell's bytes lie: new data
 * in `fresh`, what was read in `old` (NULL where neither read nor needed); the new checks go to fresh[check].
 * Checks of CHECK_UNKNOWN are left alone.
 */
void write_plan_compute(const struct write_plan *plan, const struct code *code,
			uint8_t *const fresh[CODE_CELLS_MAX],
			const uint8_t *const old[CODE_CELLS_MAX], size_t size);

#endif
