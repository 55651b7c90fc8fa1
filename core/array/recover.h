/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recovery: what the newest log record names is brought to one state (docs/WRITES.md section 5). Part of
 * array_open(): for writing it writes, for reading it writes into memory only (dev_patch).
 */
#ifndef PG_ARRAY_RECOVER_H
#define PG_ARRAY_RECOVER_H

#include "core/array/array_internal.h"
#include "core/store/intent_log.h"

/*
 * Read the log and recover. The map is open, nothing else looks at data yet. Idempotent: interrupted at any
 * write and begun again it ends with the same bytes. Returns 0 or why the array cannot be opened.
 */
int array_recover(struct array *array, struct err *err) MUST_CHECK; /* result: array->recovery */

#endif
