/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hold: readers and writers go on while a job changes which groups there are (docs/GROW.md section 3).
 *
 *	map lock	readers and writers share the map for one request, never longer; whoever changes groups and
 *			spans is alone in it for one commit
 *	hold		a job holds the groups that it is going to replace: no writer is in them, nothing of them is
 *			late or named by the log, until it releases them. Readers go on.
 *
 *	reader	hold_share()	look up, read	hold_unshare()
 *	writer	hold_share()	look up, hold_enter()	write	hold_leave(), hold_unshare()
 *	job	array_hold()	write new groups, flush	hold_alone()	edit, commit	hold_together()	array_release()
 *
 * A writer that finds a group held gives up its share, waits until the job releases, and looks up again: what it
 * looked up may be gone. A commit that changes groups is made alone, and frames are freed by it, so nobody reads a
 * frame that is used again.
 *
 * Any number of readers and writers, one job. An array that is only read has no holds, and all of this is nothing.
 */
#ifndef PG_ARRAY_HOLD_H
#define PG_ARRAY_HOLD_H

#include "core/array/array_internal.h"

struct hold; /* opaque */

int hold_create(struct array *array) MUST_CHECK;
void hold_free(struct array *array);

/* Nothing is looked up and no pointer into the map is kept outside of these two. Not to be nested. */
void hold_share(struct array *array);
void hold_unshare(struct array *array);

/* Groups that a writer is in; the caller's memory, its own until hold_leave(). */
struct hold_entry {
	uint64_t groups[CODE_COLUMNS_MAX];
	uint32_t count;
	struct hold_entry *next;
};

/*
 * Enter these groups, sharing the map. False when one of them was held: the share was given up and the hold has
 * ended meanwhile; nothing is entered.
 */
bool hold_enter(struct array *array, struct hold_entry *entry) MUST_CHECK;
void hold_leave(struct array *array, struct hold_entry *entry);

/*
 * Hold these groups (ids ascending, borrowed until the release). When it returns 0 no writer is in them, their seals
 * are in place, and no record that counts names them. Returns ERR_NOSPACE when rows of them wait for space or a write
 * to them failed half-way, ERR_IO, ERR_NOMEM; then nothing is held.
 */
int array_hold(struct array *array, const uint64_t *groups, size_t count,
	       struct err *err) MUST_CHECK;
void array_release(struct array *array);

/* Be alone in the map, and with the commit state: for an edit of groups and spans and its commit. */
void hold_alone(struct array *array);
void hold_together(struct array *array);

#endif
