/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slices that entries of a log record name, and whether an entry can be believed at all. Pure. */
#ifndef PG_ARRAY_RECOVER_NAME_H
#define PG_ARRAY_RECOVER_NAME_H

#include "core/array/row.h"
#include "core/store/log_record.h"

/* Entry `rows` names the slice; `part`: what has no cell in common is recovered by itself. */
struct slice_name {
	struct log_rows *rows;
	uint64_t group;
	uint32_t slice;
	uint32_t part;
	uint32_t generation; /* the greatest of its cells in this slice */
};

/* Does this entry fit the group, so that its cells are the closure that it means? */
bool slice_entry_fits(const struct rows *rows, const struct log_rows *entry);
/* The part that an entry belongs to, and the greatest generation of its cells in a slice. */
uint32_t slice_part(const struct rows *rows, const struct log_rows *entry);
uint32_t slice_generation(const struct log_rows *entry, uint32_t slice);

#endif
