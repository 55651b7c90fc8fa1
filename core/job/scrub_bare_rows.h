/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Some rows of a bare group: do its equations hold? Nothing but content tells (SPEC 2.5). With p checks, e columns that are
 * absent, stale or unreadable and one more that is wrong:
 *
 *	e = p		nothing is left to compare with; what cannot be read is rebuilt all the same
 *	e + 1 = p	that something is wrong is seen, but not where: undecidable
 *	e + 2 <= p	the member is named, if it is the only one that explains every byte of the row
 *	mirrors		more than half of the copies outvote the others
 *
 * A repair writes a block that is named, and one that cannot be read where the row agrees without it; each is read back.
 * With `accept_data` checks are computed anew where all data can be read and nothing is named.
 */
#ifndef PG_JOB_SCRUB_BARE_ROWS_H
#define PG_JOB_SCRUB_BARE_ROWS_H

#include "core/array/row.h"
#include "core/job/scrub_tell.h"

struct scrub_bare_request {
	enum scrub_mode mode; /* not SCRUB_QUICK */
	bool accept_data;
	void (*found)(void *arg, const struct mismatch *mismatch); /* one task at a time */
	void *found_arg;
};

/*
 * Blocks first..first+count-1 of all columns, which the group has. `rows` is the task's own and keeps its buffers. Adds to
 * `counts`. Returns 0 or an error; that a block cannot be written is none.
 */
int scrub_bare_rows(struct rows *rows, struct array *array, const struct group *group,
		    uint32_t first, uint32_t count, const struct scrub_bare_request *request,
		    struct scrub_counts *counts, struct err *err) MUST_CHECK;

#endif
