/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A window of recovery: the slices that are named come from the members in one batch, and what it changed of them
 * goes back in one batch. So many slices cost few waits, also where they are scattered.
 */
#ifndef PG_ARRAY_RECOVER_WINDOW_H
#define PG_ARRAY_RECOVER_WINDOW_H

#include "core/array/recover_name.h"

/* Slices of a window for these ascending names of one group: as few as do, by doubling, so that buffers seldom grow. */
uint32_t recover_window_slices(const struct array *array, const struct group *group,
			       const struct slice_name *names, size_t count);
/* Read the slices that these ascending names name, and no other; they fit the window. Returns 0 or ERR_NOMEM. */
int recover_window_read(struct rows *rows, const struct slice_name *names, size_t count) MUST_CHECK;

/*
 * Write the blocks of the window whose `changed`, by rows_at(), is set; not flushed. wrote[column] is set for each
 * that got any. Returns 0; ERR_NOMEM; or what a write to *failed_column_out returned, ERR_NOSPACE only where
 * nothing worse was met.
 */
int recover_window_write(const struct rows *rows, const bool *changed, bool wrote[CODE_COLUMNS_MAX],
			 uint32_t *failed_column_out) MUST_CHECK;

#endif
