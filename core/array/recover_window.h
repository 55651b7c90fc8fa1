/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The blocks of a window that recovery changed, on their way to the members: all in one batch, runs as one write. */
#ifndef PG_ARRAY_RECOVER_WINDOW_H
#define PG_ARRAY_RECOVER_WINDOW_H

#include "core/array/row.h"

/*
 * Write the blocks of the window whose `changed`, by rows_at(), is set; not flushed. wrote[column] is set for each
 * that got any. Returns 0; ERR_NOMEM; or what a write to *failed_column_out returned, ERR_NOSPACE only where
 * nothing worse was met.
 */
int recover_window_write(const struct rows *rows, const bool *changed, bool wrote[CODE_COLUMNS_MAX],
			 uint32_t *failed_column_out) MUST_CHECK;

#endif
