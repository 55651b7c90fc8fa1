/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Row locks: who is changing which slices of which group. Exclusive, first come first served, so that no
 * writer starves. A task holds at most one lock at a time, except that it may take several of one group in
 * ascending order.
 */
#ifndef PG_ARRAY_ROW_LOCK_H
#define PG_ARRAY_ROW_LOCK_H

#include "core/base/err.h"
#include "core/env/env.h"

#include <stdbool.h>
#include <stdint.h>

struct row_locks; /* opaque */

/* One held range; the caller's memory, untouched by it while held. */
struct row_lock {
	uint64_t group;
	uint32_t first, count;
	uint64_t ticket;
	int stalled; /* ERR_ code while the holder cannot end, else 0 */
	struct row_lock *next;
};

struct row_locks *row_locks_create(struct env *env); /* NULL without memory */
void row_locks_free(struct row_locks *locks);

/*
 * Wait until no earlier range overlaps, then hold slices first..first+count-1 of the group. Returns 0, or the code
 * of a stalled range that is in the way: then nothing is held.
 */
int row_lock_take(struct row_locks *locks, struct row_lock *lock, uint64_t group, uint32_t first,
		  uint32_t count) MUST_CHECK;
void row_lock_give(struct row_locks *locks, struct row_lock *lock);

/*
 * The holder of this range cannot end now: who waits for it, or comes for it, is told `code` instead of waiting.
 * 0: he goes on.
 */
void row_lock_stall(struct row_locks *locks, struct row_lock *lock, int code);

/* Would one have to wait for this range now? */
bool row_lock_is_taken(struct row_locks *locks, uint64_t group, uint32_t first, uint32_t count);

#endif
