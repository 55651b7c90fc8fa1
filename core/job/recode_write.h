/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a recoded group (core/map/recode.h): the bytes of its span are read from the spans they are in now, each
 * block verified and where it does not stand solved, and written with new checks where nobody reads yet. The
 * caller holds the groups they come from, writes the headers, flushes and commits.
 *
 * What nobody can solve ends it: `lost` is told of each such range, and the group is not to be committed.
 */
#ifndef PG_JOB_RECODE_WRITE_H
#define PG_JOB_RECODE_WRITE_H

#include "core/array/array_internal.h"
#include "core/map/recode.h"

struct recode_writer; /* buffers; one per task */

int recode_writer_create(struct recode_writer **writer_out) MUST_CHECK;
void recode_writer_free(struct recode_writer *writer);

struct recode_request {
	const struct volume *volume;
	const struct recode_run *run;
	const struct recode_group *made;
	/* Bytes at `offset` of the volume are lost; `span` is the one they are in. */
	void (*lost)(void *arg, const struct span *span, uint64_t offset, uint64_t length);
	void *lost_arg;
};

struct recode_report {
	uint64_t bytes_read, bytes_written;
	bool impossible;
};

/* Returns 0, ERR_NOMEM, or the error of the member written to. */
int recode_write(struct recode_writer *writer, struct array *array,
		 const struct recode_request *request, struct recode_report *report_out,
		 struct err *err) MUST_CHECK;

/* What all of a batch reads and writes as long as nothing is damaged, seals included. */
struct recode_bytes {
	uint64_t read, written;
	uint64_t extents; /* written */
};
struct recode_bytes recode_bytes(const struct map *map, const struct recode_batch *batch,
				 const struct volume *volume, size_t runs);

#endif
