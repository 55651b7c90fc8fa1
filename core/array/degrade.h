/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members that fail while they are in use, and what they miss (docs/WRITES.md section 6, FAULTS W7, E2).
 *
 * What a member missed is noted by extent: one that is stale is no source for anything until it was
 * rebuilt, whoever brings its member back. All tasks may call at once; each function holds array->change
 * from the first look to the end of its commit, so who comes second finds it done.
 */
#ifndef PG_ARRAY_DEGRADE_H
#define PG_ARRAY_DEGRADE_H

#include "core/array/array_internal.h"
#include "core/store/intent_log.h"

/*
 * A write or flush of this member failed with `code`: mark it failed in a commit, tell the log who is left,
 * before anything that missed it is acknowledged. Any task; the second who calls for a member waits for the
 * first's commit. ERR_NOSPACE never comes here. Returns 0, or the error that made the array read-only: ERR_IO
 * when more are gone than array_absent_allowed() or a group would be lost without this one, or that of the
 * commit. Such a member stays in service: what can be read of it is all that there is (FAULTS A1, A14).
 *
 * The caller then calls array_mark_missed() for each group that it was writing to.
 */
int array_member_failed(struct array *array, uint32_t slot, int code, struct err *err) MUST_CHECK;

/*
 * Flush a member. One that fails is marked as above, since a failed flush is final for all who wrote there
 * (FAULTS A12). Returns 0, or the error of the flush or of marking.
 */
int array_flush_member(struct array *array, uint32_t slot, struct err *err) MUST_CHECK;

/*
 * Before cells of this group are written while a column cannot be: mark its extent stale, in a commit, unless it
 * is already. So a member that returns is no source for what it missed. The commit also begins the epoch of
 * those who are present (FAULTS M5). Any task.
 *
 * Returns 0; ERR_IO when more columns are gone than the group survives, and then nothing is marked, since
 * those members may be all that is left; or the error that made the array read-only.
 */
int array_mark_missed(struct array *array, uint64_t group, struct err *err) MUST_CHECK;

/*
 * The same for many groups in one commit; those that have lost too much are left as they are. In an array that is
 * only read it does nothing: recovery in memory comes here too.
 */
int array_mark_missed_all(struct array *array, const uint64_t *groups, size_t count,
			  struct err *err) MUST_CHECK;

/* Columns of the group that cannot be written; group_tolerance() may be for it to be read. */
uint32_t array_columns_gone(const struct array *array, const struct group *group);

/*
 * May these groups, which the log names, be recovered on disk? Where one has lost more columns than it survives, what
 * is away may be all that is left of some rows, and the record all that is known of others: neither may be
 * given up. Returns 0, or ERR_TOO_FEW that names the member to wait for; 0 when open for reading.
 */
int array_check_named(const struct array *array, const uint64_t *groups, size_t count,
		      struct err *err) MUST_CHECK;

/* The members in service with their log regions, ascending; returns how many. */
uint32_t array_log_members(const struct array *array, struct log_member members[MEMBERS_MAX]);

/* Tell the log who is in service, if there is one. Caller is the only one who changes that now. */
void array_tell_log(struct array *array);

/*
 * Make nothing of what the log region of a member holds: it was away in the present epoch, or is new. Before the
 * commit that takes it in, so that its old records never count again. Writes only where there is something.
 */
int array_wipe_log(struct dev *dev, uint64_t log_offset, uint64_t slot_size) MUST_CHECK;

#endif
