/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a window of rows is made of; row.h is the manual. */
#ifndef PG_ARRAY_ROW_TYPES_H
#define PG_ARRAY_ROW_TYPES_H

#include "core/array/array.h"
#include "core/code/code.h"
#include "core/store/seal.h"

enum block_fate {
	BLOCK_GOOD,
	BLOCK_UNREADABLE, /* read error */
	BLOCK_MISMATCH,   /* checksum of block and seal differ */
	BLOCK_STALE,      /* verifies, but others saw a later write */
	BLOCK_MISSING,    /* member or extent absent, or not loaded */
	BLOCK_UNSEALED,   /* its seal page is damaged or unreadable */
	BLOCK_WRONG,      /* of a bare array: the equations say that it is the one which is wrong */
	BLOCK_FATE_COUNT
};

enum rows_order {
	ROWS_TAILS_FIRST, /* check cells in one batch, then data (SPEC claim 10) */
	ROWS_WHOLE,       /* one contiguous run a column where the window allows */
	ROWS_ONE_READ,    /* the same, in one read, not in pieces that fit the cache (SPEC R07) */
};

struct rows {
	struct array *array;       /* borrowed */
	const struct group *group; /* borrowed; the map may not change meanwhile */
	struct code *code;
	uint32_t columns, segments, segment_blocks;
	bool bare;           /* it has no seals: what was read is good */
	uint32_t slices_max; /* of a window */
	struct seal seals[CODE_COLUMNS_MAX];
	bool usable[CODE_COLUMNS_MAX];    /* column can be read */
	uint32_t seeds[CODE_COLUMNS_MAX]; /* seal_extent_seed of each column */
	uint8_t *seal_pages;              /* of all columns as they were read, header first */
	uint32_t seal_pages_capacity;
	uint32_t seal_first[CODE_COLUMNS_MAX]; /* each column's header in `seal_pages` */
	enum rows_order order;
	uint32_t first, count;  /* the window that is loaded; count 0: none */
	uint8_t *blocks;        /* [column][segment][slices_max] blocks */
	uint8_t *fates;         /* the same shape, enum block_fate */
	uint8_t *rebuilt;       /* the same shape: ROWS_REBUILT, and ROWS_AS_READ */
	size_t blocks_capacity; /* of the three, in blocks */
	uint64_t bytes_read;    /* so far */
	uint16_t covered_by
		[CODE_CELLS_MAX]; /* equation that covers the cell as data, or NO_EQUATION */
	uint16_t defined_by[CODE_CELLS_MAX]; /* equation whose check the cell is, or NO_EQUATION */
	struct code_plan plan;               /* of the last pattern of losses */
	uint64_t plan_lost[CODE_LOST_WORDS];
	bool plan_valid;
};

enum {
	ROWS_REBUILT = 1,
	ROWS_AS_READ = 2, /* what was rebuilt equals what was read: only the seal was in doubt */
};

#define NO_EQUATION UINT16_MAX

/* Where block and fate of a cell lie; `slice` is the group's, inside the window. */
static inline size_t rows_at(const struct rows *rows, uint32_t column, uint32_t segment,
			     uint32_t slice)
{
	return ((size_t)column * rows->segments + segment) * rows->slices_max +
	       (slice - rows->first);
}

static inline uint8_t *rows_block(const struct rows *rows, uint32_t column, uint32_t segment,
				  uint32_t slice)
{
	return rows->blocks + rows_at(rows, column, segment, slice) * BLOCK_SIZE;
}

static inline enum block_fate rows_fate(const struct rows *rows, uint32_t column, uint32_t segment,
					uint32_t slice)
{
	return (enum block_fate)rows->fates[rows_at(rows, column, segment, slice)];
}

static inline bool rows_is_rebuilt(const struct rows *rows, uint32_t column, uint32_t segment,
				   uint32_t slice)
{
	return rows->rebuilt[rows_at(rows, column, segment, slice)] & ROWS_REBUILT;
}

/* Good or rebuilt. */
static inline bool rows_stands(const struct rows *rows, uint32_t column, uint32_t segment,
			       uint32_t slice)
{
	size_t at = rows_at(rows, column, segment, slice);

	return rows->fates[at] == BLOCK_GOOD || rows->rebuilt[at];
}

#endif
