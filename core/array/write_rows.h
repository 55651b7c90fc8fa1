/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing some slices of one segment of a group in place: docs/WRITES.md section 2, from lock to
 * acknowledgement. Which slices of which group a write addresses is core/array/write.c's business.
 */
#ifndef PG_ARRAY_WRITE_ROWS_H
#define PG_ARRAY_WRITE_ROWS_H

#include "core/array/write_run.h"

/*
 * Write the run; durable when it returns 0. The caller set array, sealed, source, result,
 * generations_ahead and content_wanted of the writer. ERR_LIMIT: a smaller run is to be tried, nothing was done. Other errors
 * as array_write().
 */
int write_rows(struct row_writer *writer, const struct write_run *run, struct err *err) MUST_CHECK;

#endif
