/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a reshape (core/map/reshape.h): bodies and seals of every extent that moves or is new, where nobody
 * reads yet. The caller flushes and commits.
 *
 * New checks are summed from the columns that reshape_sum() names; each of them is verified by its checksum
 * and judged by generation and witness with the seals of its whole group. Where something does not stand, the
 * old groups are read whole and solved, and the checks computed from data. What nobody can solve any more
 * ends the reshape: the groups stay as they are.
 */
#ifndef PG_JOB_RESHAPE_WRITE_H
#define PG_JOB_RESHAPE_WRITE_H

#include "core/array/array_internal.h"
#include "core/array/row.h"
#include "core/job/rewrite.h"
#include "core/map/reshape.h"

struct reshape_writer; /* buffers; one per task */

int reshape_writer_create(struct reshape_writer **writer_out) MUST_CHECK;
void reshape_writer_free(struct reshape_writer *writer);

struct reshape_report {
	uint64_t bytes_read, bytes_written;
	uint64_t extents;     /* written */
	uint32_t blocks_lost; /* of extents that moved: as lost there as they were here */
	bool impossible;      /* a new check could not be computed: do not commit */
};

/* What it reads and writes as long as nothing is damaged, seals included. */
struct reshape_bytes {
	uint64_t read, written;
	uint64_t extents; /* written */
};
struct reshape_bytes reshape_bytes(const struct map *map, const struct reshape *reshape);

/* Returns 0, ERR_NOMEM, or the error of the member written to. */
int reshape_write(struct reshape_writer *writer, struct array *array, const struct reshape *reshape,
		  const struct rewrite_index *index, struct reshape_report *report_out,
		  struct err *err) MUST_CHECK;

#endif
