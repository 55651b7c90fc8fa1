/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rewrite: the one act that changes where an extent lives (DESIGN 2): its bytes are written where nobody
 * reads yet; the caller flushes, flips the map in one commit, and frees the old place.
 *
 * Here is the first part, for one extent: get the column's blocks (from the old place where that may be
 * read, else rebuilt from the others), write body and seal at the new place. A block that is lost gets a
 * seal entry that no content matches, so that reading it is an error and not zeros.
 *
 * The new place may be the old one, if it is stale: nobody reads that either. Then only what differs is
 * written, and a block that is lost is left as it is, since the extent stays stale.
 */
#ifndef PG_JOB_REWRITE_H
#define PG_JOB_REWRITE_H

#include "core/array/array_internal.h"
#include "core/array/row.h"

/* Where data extents belong, sorted by id: O(log n) instead of a walk over all spans. */
struct rewrite_index;
int rewrite_index_create(struct rewrite_index **index_out, const struct map *map) MUST_CHECK;
void rewrite_index_free(struct rewrite_index *index);
/* False, and NULLs, when no span names the extent. */
bool rewrite_index_find(const struct rewrite_index *index, uint64_t extent,
			const struct volume **volume_out, const struct span **span_out);

struct rewrite_request {
	const struct group *group;
	uint32_t column;
	struct extent place; /* the new place; frames are taken, or those of the stale extent */
	bool read_old;       /* the old place may be read, and is tried first */
	bool group_buffer;   /* the whole group in one window, one read a column */
	const struct rewrite_index *index;
};

struct rewrite_report {
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t buffer; /* bytes of surviving columns held at once */
	uint32_t blocks_lost;
	uint32_t *lost; /* numbers of the lost blocks; mem_free() */
};

/* `rows` is the task's own. Returns 0, ERR_NOMEM, or the error of the member written to. */
int rewrite_extent(struct rows *rows, struct array *array, const struct rewrite_request *request,
		   struct rewrite_report *report_out, struct err *err) MUST_CHECK;

#endif
