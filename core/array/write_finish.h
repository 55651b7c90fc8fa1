/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The second half of writes whose rows are named in a durable record: the cells in one batch, flushed, then the
 * seals in memory (docs/WRITES.md section 2, steps 4 and 5). For one write, or for many that were left behind.
 */
#ifndef PG_ARRAY_WRITE_FINISH_H
#define PG_ARRAY_WRITE_FINISH_H

#include "core/array/write_half.h"

/*
 * Write the runs of `count` writers, each prepared, declared and computed. `ios` has room for the cells of
 * all. Row locks stay with the caller. On an error all rows stay named for good, with their content.
 *
 * Returns 0, ERR_NOSPACE, or ERR_IO when more members failed than a group survives.
 */
int write_finish(struct array *array, struct row_writer *const *writers, size_t count,
		 struct io *ios, struct err *err) MUST_CHECK;

/* The cells to be written and flushed, alone: for who tries again when there is space. */
int write_finish_cells(struct array *array, struct row_writer *const *writers, size_t count,
		       struct io *ios, struct err *err) MUST_CHECK;
/* After that, by its result. */
void write_finish_note(struct array *array, struct row_writer *const *writers, size_t count,
		       bool written);

/*
 * Try once more to bring writes to their place that failed half-way at `where` (write_half.h). Takes their row locks:
 * the caller holds none of them. Returns 0 when none is left there, or as write_finish().
 */
int write_finish_halves(struct array *array, const struct half_place *where,
			struct err *err) MUST_CHECK;

#endif
