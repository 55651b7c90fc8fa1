/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Row locks: who is changing which slices of which group. Exclusive, first come first served, so that no
 * writer starves. A task holds at most one lock at a time, except that it may take several of one group in
 * ascending order.
 */
#ifndef PG_ARRAY_ROW_LOCK_H
#define PG_ARRAY_ROW_LOCK_H

#include "core/env/env.h"

#include <stdint.h>

struct row_locks; /* opaque */

/* One held range; the caller's memory, untouched by it while held. */
struct row_lock {
	uint64_t group;
	uint32_t first, count;
	uint64_t ticket;
	struct row_lock *next;
};

struct row_locks *row_locks_create(struct env *env); /* NULL without memory */
void row_locks_free(struct row_locks *locks);

/* Wait until no earlier range overlaps, then hold slices first..first+count-1 of the group. */
void row_lock_take(struct row_locks *locks, struct row_lock *lock, uint64_t group, uint32_t first,
		   uint32_t count);
void row_lock_give(struct row_locks *locks, struct row_lock *lock);

#endif
