/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes with content in their record that failed between their cells, for want of space. The mixture that they left may
 * be no state that can be solved, so nothing may be computed from it; but what they were to be is known. They are
 * kept here until somebody comes to their rows, or settles, and finishes them first (write_finish_halves()): what
 * the next open would do.
 *
 * Bounded by the room of the log, which names each of them until then.
 */
#ifndef PG_ARRAY_WRITE_HALF_H
#define PG_ARRAY_WRITE_HALF_H

#include "core/array/write_run.h"

struct write_half {
	struct write_half *next;
	uint64_t group;
	struct row_writer writer; /* its `sealed` is not held */
};

/* Slices of a group; count 0: all of all groups. */
struct half_place {
	uint64_t group;
	uint32_t first, count;
};

/*
 * Room for it, taken before the record that has the content is written: once that is durable, a lack of memory may not
 * close the rows until the next open. Stays with the writer for what it writes next. Returns 0 or ERR_NOMEM.
 */
int write_half_reserve(struct row_writer *writer) MUST_CHECK;

/* Take over the writer's run with its buffers and its intent; room was reserved. */
void write_half_keep(struct array *array, struct row_writer *writer);

/* One of those that are there, and where it is; NULL when there is none. It stays while its row lock is held. */
struct write_half *write_half_find(struct array *array, const struct half_place *where,
				   struct half_place *found_out);

void write_half_forget(struct array *array, struct write_half *half);
void write_half_free(struct array *array); /* all: with the array */

#endif
