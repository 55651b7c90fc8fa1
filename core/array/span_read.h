/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading a span: data blocks straight from their extents, each compared with its checksum.
 *
 * Only data extents and their seals are touched as long as all is well (SPEC 2.5, claim 29). A group with
 * an absent extent is read whole, its checks too (claim 30); of a mirror the copies are read that share the load
 * (core/map/share.h); where a block does not verify, the window
 * of rows around it is loaded and solved (core/array/row.h). Damage that cannot be solved gives zeros and is counted.
 *
 * Spans of bare arrays have no checksums; bare_read.h does all of it.
 *
 * For one task at a time; many readers may be open on one array while nobody edits the map.
 */
#ifndef PG_ARRAY_SPAN_READ_H
#define PG_ARRAY_SPAN_READ_H

#include "core/array/bare_read.h"
#include "core/array/heal.h"
#include "core/array/row.h"

/* One data extent of the span, or another copy of it. */
struct span_column {
	const struct group *group;
	uint32_t column;
	uint32_t seed;
	bool straight;       /* read by itself; else through the rows of its group */
	uint32_t end;        /* copies: read for blocks from the end of the one before up to here */
	bool *page_loaded;   /* entry pages that are in `seal` */
	uint32_t first_page; /* where its pages begin in the reader's `pages` */
	struct seal seal;
};

struct span_reader {
	struct array *array;
	const struct span *span;
	uint32_t data_blocks; /* of each extent */
	uint32_t piece;       /* blocks of an extent to read before they are summed */
	uint32_t window;      /* slices that are rebuilt at once; 0: as rows_window() says */
	uint8_t *pages;       /* entry pages of all columns */
	struct span_column columns[CODE_COLUMNS_MAX];
	struct span_column *copies; /* a span of mirrors: CODE_MIRROR_MAX for each of its extents */
	struct rows rows;           /* of rows_group, when that is set */
	const struct group *rows_group;
	uint64_t bytes_read;   /* from members, besides rows.bytes_read */
	uint64_t changes;      /* of the seal cache, when seals were read */
	uint64_t rows_changes; /* when the rows were opened */
	struct bare_reader
		*bare; /* of a bare array, and then none of the above but array and span */
	struct heal_list
		*heal; /* what had to be solved; borrowed from who sets it, NULL: nobody cares */
};

/* Blocks that one call of span_read() may take; the buffers behind it are bounded by it. */
#define SPAN_READ_BLOCKS_MAX 4096u

/*
 * Blocks of the span to read at a time, about `wanted` of them (> 0): calls that begin at multiples of it
 * share no window of rows, so that a group with an absent extent is read once and not once a call.
 */
uint32_t span_read_piece(const struct array *array, const struct span *span, uint32_t wanted);

/* `reader` is zero or was closed. The window's buffers stay from one span to the next until free. */
int span_reader_open(struct span_reader *reader, struct array *array, const struct span *span,
		     struct err *err) MUST_CHECK;
void span_reader_close(struct span_reader *reader);
void span_reader_free(struct span_reader *reader);

/*
 * Read blocks first..first+count-1 of the span's address space to `out` (page-aligned).
 * Adds to result->reconstructed and ->lost. `lost_out`, if not NULL, has a flag per block.
 * Returns 0 or ERR_NOMEM.
 */
int span_read(struct span_reader *reader, uint64_t first, uint32_t count, uint8_t *out,
	      bool *lost_out, struct array_read_result *result, struct err *err) MUST_CHECK;

#endif
