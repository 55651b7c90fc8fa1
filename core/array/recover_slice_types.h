/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the recovery of a slice is made of; recover_slice.h is the manual. */
#ifndef PG_ARRAY_RECOVER_SLICE_TYPES_H
#define PG_ARRAY_RECOVER_SLICE_TYPES_H

#include "core/array/recover_name.h"
#include "core/array/row.h"
#include "core/array/write_plan.h"
#include "core/base/crc.h"

#include <assert.h>

/* The names of one slice and part, by generation; the window that holds it is loaded, but not judged. */
struct slice_request {
	struct rows *rows;
	const struct slice_name *names;
	uint32_t name_count;
	struct array_recovery *report; /* what was done is added */
	bool *changed; /* by rows_at(): set for the blocks of the window that must be written */
};

/* One cell that entries name. */
struct named_cell {
	uint32_t cell;
	struct log_cell value;         /* in the state that is tried; after all, what it is now */
	struct log_cell newest;        /* in the newest state */
	const uint8_t *content;        /* in the state that is tried; or NULL */
	bool unknown;                  /* written around it since: nobody said what it would be */
	bool by_entry;                 /* the value is an entry's, not the seal's */
	const uint8_t *newest_content; /* in the newest state; or NULL */
	bool poisoned;                 /* nobody knows it: its seal fits no content */
};

struct slice_work {
	uint32_t cells; /* of a slice */
	uint8_t *found, *image;
	uint8_t *found_fates, *image_fates;
	struct seal_entry *old_entries;
	uint16_t *old_witnesses; /* CODE_COLUMNS_MAX of each cell */
	bool *known;
	uint32_t named_count;
	struct named_cell *named;
	uint16_t *name_of; /* cell -> index in `named` + 1, 0: not named */
	const struct slice_request *request;
	struct rows *rows;
	uint32_t slice;
	struct write_plan plan; /* of the entry that `plan_of` is */
	const struct log_rows *plan_of;
};

static inline bool is_later(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* The cells of an entry, in its order; of one that fits. */
static inline const struct write_plan *plan_of(struct slice_work *work,
					       const struct log_rows *entry)
{
	if (work->plan_of != entry) {
		int rc = write_plan_make(&work->plan, work->rows->code, entry->segment,
					 entry->columns, 0);

		assert(rc == 0 && work->plan.cell_count == entry->cell_count);
		work->plan_of = entry;
	}
	return &work->plan;
}

static inline struct log_cell *entry_cells(const struct slice_work *work,
					   const struct log_rows *entry)
{
	return entry->cells + (size_t)(work->slice - entry->first) * entry->cell_count;
}

static inline struct seal *seal_of(const struct slice_work *work, uint32_t cell)
{
	return &work->rows->seals[cell / work->rows->segments];
}

static inline uint32_t block_of(const struct slice_work *work, uint32_t cell)
{
	return cell % work->rows->segments * work->rows->segment_blocks + work->slice;
}

static inline uint8_t *window_block(const struct slice_work *work, uint32_t cell)
{
	return rows_block(work->rows, cell / work->rows->segments, cell % work->rows->segments,
			  work->slice);
}

static inline bool stands(const struct slice_work *work, uint32_t cell)
{
	return rows_stands(work->rows, cell / work->rows->segments, cell % work->rows->segments,
			   work->slice);
}

static inline bool is_usable(const struct slice_work *work, uint32_t cell)
{
	return work->rows->usable[cell / work->rows->segments];
}

static inline bool was_read(const struct slice_work *work, uint32_t cell)
{
	return work->found_fates[cell] != BLOCK_MISSING &&
	       work->found_fates[cell] != BLOCK_UNREADABLE;
}

static inline bool seal_is_known(const struct slice_work *work, uint32_t cell)
{
	return is_usable(work, cell) && seal_knows(seal_of(work, cell), block_of(work, cell));
}

/* What the seal of a cell says, whatever state is tried; NULL when it is not known. */
static inline const struct seal_entry *slice_old_entry(const struct slice_work *work, uint32_t cell)
{
	if (!seal_is_known(work, cell))
		return NULL;
	return work->name_of[cell] ? &work->old_entries[cell]
				   : &seal_of(work, cell)->entries[block_of(work, cell)];
}

static inline uint32_t crc_of(const struct slice_work *work, uint32_t cell, const uint8_t *bytes)
{
	uint32_t seed = seal_block_seed(work->rows->seeds[cell / work->rows->segments],
					block_of(work, cell));

	return crc32_of(seed, bytes, BLOCK_SIZE);
}

#endif
