/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing where not all stands: what the plan wants to read does not verify, is absent, or missed a write.
 * Whole slices are loaded, judged and solved by rows (core/array/row.h), then each is computed from what
 * stands. A check for which that is not enough gets an entry that no content matches, rather than a guess.
 */
#ifndef PG_ARRAY_WRITE_SOLVE_H
#define PG_ARRAY_WRITE_SOLVE_H

#include "core/array/write_run.h"

/*
 * Merge partial blocks, compute the checks of the run, note its cells. Holds the row lock. Returns 0,
 * ERR_NOMEM, or ERR_DATA_LOST when a block that is written in part is lost.
 */
int write_solve(struct row_writer *writer, struct err *err) MUST_CHECK;

/*
 * Are entry pages damaged that this run changes? Then make them again from the others; entries of blocks that
 * are lost match nothing. restore takes the lock of the whole group, so the caller holds none.
 */
bool write_pages_damaged(const struct row_writer *writer);
int write_restore_pages(struct row_writer *writer, struct err *err) MUST_CHECK;

#endif
