/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seals in memory of the groups that are being written in place: read once, changed there, written late by
 * the checkpoint (docs/WRITES.md section 3).
 *
 * Entries of different slices may be read and set by different tasks that hold those row locks; pages are
 * made of them under the cache's own lock. Bounded: groups without dirty pages are given up, least
 * recently used first, above SEAL_CACHE_BYTES_MAX.
 */
#ifndef PG_ARRAY_SEAL_CACHE_H
#define PG_ARRAY_SEAL_CACHE_H

#include "core/array/array_internal.h"
#include "core/code/code.h"
#include "core/store/intent_log.h"
#include "core/store/seal.h"

#define SEAL_CACHE_BYTES_MAX (UINT64_C(64) << 20)

struct seal_cache; /* opaque */
struct late;       /* opaque */

/* Rows of which a write failed between its cells. */
struct half_rows {
	uint32_t segment, first, count, columns;
};

#define SEAL_HALF_MAX 16u /* that are told apart; then all of the group are such */

/* The seals of one group, held while `users` > 0. */
struct sealed_group {
	const struct group *group; /* of the map; valid while held */
	struct code *code;
	uint32_t columns, segments;
	struct seal seals[CODE_COLUMNS_MAX]; /* pages that could not be read: page_good false */
	uint32_t seeds[CODE_COLUMNS_MAX];    /* seal_extent_seed */
	bool usable[CODE_COLUMNS_MAX];       /* array_extent_usable when they were read */
	/*
	 * Generations at or below this one were named by writes that failed; 0: there was none. No other
	 * content may get them (docs/WRITES.md section 1). Set under the cache's lock.
	 */
	uint32_t generation_floor;
	struct half_rows half[SEAL_HALF_MAX]; /* under the cache's lock */
	uint32_t half_count;
};

int seal_cache_create(struct seal_cache **cache_out, struct array *array) MUST_CHECK;
void seal_cache_free(struct seal_cache *cache); /* forgets dirty pages: checkpoint before */

/* Hold the seals of a group, reading them when they are not here. Returns 0, ERR_NOMEM. */
int seal_cache_hold(struct seal_cache *cache, uint64_t group, struct sealed_group **sealed_out,
		    struct err *err) MUST_CHECK;
void seal_cache_release(struct seal_cache *cache, struct sealed_group *sealed);

/*
 * Room to remember that seals of so many cells in so many slices are late; NULL without memory. Taken before rows are
 * named: once they are written, nothing may keep their names from being taken back.
 */
struct late *seal_late_create(uint32_t cells, uint32_t slices);
void seal_late_free(struct late *late); /* may be NULL */

/*
 * Set the entries of these cells and mark their pages dirty, and keep `intent` in `late`, which changes hands, until
 * all those pages are durable; then intent_log_clean() is called for it. Witnesses of check cells are set from the
 * generations of the data cells of `rows`. A cell of generation 0 was not written, and its entry stays as it is.
 * Caller holds the row lock.
 */
void seal_cache_set(struct seal_cache *cache, struct sealed_group *sealed,
		    const struct log_rows *rows, struct late *late, struct log_intent *intent);

/* Set generation_floor to `generation` unless it is later already; such a group stays in memory. */
void seal_cache_note_failed(struct seal_cache *cache, struct sealed_group *sealed,
			    uint32_t generation);

/*
 * Some cells of these rows may have been written and others not, and no seal says so. Until the next open only writes
 * that write all of those columns again may go there: another one would compute checks of what is not there.
 */
void seal_cache_note_half(struct seal_cache *cache, struct sealed_group *sealed,
			  const struct log_rows *rows);
bool seal_cache_is_half(struct seal_cache *cache, const struct sealed_group *sealed,
			const struct half_rows *rows);
/* Are there such rows in this slice? For who does not hold the group. */
bool seal_cache_has_half(struct seal_cache *cache, uint64_t group, uint32_t slice);

/*
 * Give a column's entry page, made again from the others by the caller, who holds the row locks of all its slices:
 * takes the page's entries and witnesses of `from`, which is of the same shape.
 */
void seal_cache_restore_page(struct seal_cache *cache, struct sealed_group *sealed, uint32_t column,
			     uint32_t page, const struct seal *from);

/* Set one entry and its witnesses as in `from`, in memory only: what the member holds does not verify. */
void seal_cache_restore_entry(struct seal_cache *cache, struct sealed_group *sealed,
			      uint32_t column, uint32_t block, const struct seal *from);

/*
 * For readers: what the member's seal will say, where the group is here. overlay replaces the pages of `seal`
 * that are known here; entry gives one entry, false when it is not known here.
 */
void seal_cache_overlay(struct seal_cache *cache, uint64_t group, uint32_t column,
			struct seal *seal);
bool seal_cache_entry(struct seal_cache *cache, uint64_t group, uint32_t column, uint32_t block,
		      struct seal_entry *entry_out);

/* Changes of seals in memory so far, of all groups: what was read before the last of them may be old. */
uint64_t seal_cache_changes(struct seal_cache *cache);

/*
 * Groups that have left so far. What a member gave before one left may be from before its checkpoint: who laid over
 * it what is known here looks whether any left meanwhile, and reads again.
 */
uint64_t seal_cache_departures(struct seal_cache *cache);

/* Dirty pages now. */
uint64_t seal_cache_dirty(struct seal_cache *cache);

/*
 * Checkpoint: write dirty pages through the log, in as many records as they need, until none is dirty that
 * was dirty at the call. One task at a time; others may go on writing rows.
 * Returns 0, or the error that keeps pages dirty (their rows stay named).
 */
int seal_cache_checkpoint(struct seal_cache *cache, struct intent_log *log,
			  struct err *err) MUST_CHECK;

/* Is a checkpoint under way? Who only wants there to be one soon need not wait for it. */
bool seal_cache_is_checkpointing(struct seal_cache *cache);

/* Forget all groups that nobody holds and that have nothing late; jobs are going to change groups. */
void seal_cache_forget_all(struct seal_cache *cache);

/* Is no group here? After a settle one is only where a write failed, or is under way. */
bool seal_cache_is_empty(struct seal_cache *cache);

/* Has one of these groups (ids ascending) seals that are not in place, or rows that wait for them? */
bool seal_cache_is_late(struct seal_cache *cache, const uint64_t *groups, size_t count);

/*
 * Wait until nobody is in these groups (ids ascending; nobody may come), then forget them. Returns 0, or ERR_NOSPACE
 * when something of one is late for good; then those stay.
 */
int seal_cache_leave(struct seal_cache *cache, const uint64_t *groups, size_t count) MUST_CHECK;

/* Forget a group that was moved, removed or opened by a job; it must have no dirty pages. */
void seal_cache_forget(struct seal_cache *cache, uint64_t group);

#endif
