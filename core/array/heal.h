/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Heal: what a reader or a writer had to solve around a bad block is written back, in a session that may write
 * (FAULTS A2, A4; docs/WRITES.md section 7).
 *
 *	heal_note()	while reading: a block of this slice was solved from the others
 *	heal_run()	afterwards: solve those slices anew, under their row locks, and write back what is damaged
 *
 * Promises, each tested under its name in tests/unit/test_heal.c:
 *	same	what is written is what the block's own seal says, so it needs no record of the log: after a crash the
 *		block is damaged as before, or right
 *	good	a block that verifies by then is not written, nor one whose seal is in doubt or missed a write
 *	whole	only in groups all of whose columns are there, and never in rows of a write that failed half-way
 *	once	a member that does not take a block, or gives back another, is left alone for the session
 */
#ifndef PG_ARRAY_HEAL_H
#define PG_ARRAY_HEAL_H

#include "core/array/row_types.h"

#define HEAL_MAX 32u /* slices of one read or write; the next one comes to the others */

struct heal_list {
	uint32_t count;
	struct {
		uint64_t group;
		uint32_t slice;
	} at[HEAL_MAX];
};

/* The cell was not good in `rows`, which are solved: note its slice if it can be written back. `list` may be NULL. */
void heal_note(struct heal_list *list, const struct rows *rows, uint32_t column, uint32_t segment,
	       uint32_t slice);

/*
 * Write back what is damaged in these slices; the caller shares the map (hold.h) and holds no row lock. Returns the bytes
 * that were; what fails stays as it was, and is solved by every reader as before.
 */
uint64_t heal_run(struct array *array, const struct heal_list *list);

#endif
