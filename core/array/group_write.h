/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a new group: encode its checks, sum every block, write bodies and seals.
 *
 *	group_write_begin()
 *	group_write_strip()	again and again, strip after strip, until the group is full
 *	group_write_end()	the seals but for their headers; or group_write_abandon()
 *	group_write_headers()	when all groups of the volume are written, just before they are published
 *
 * A strip is some slices of all columns, whose data follow each other in the volume; of a sequential
 * group it is the whole group. group_write() does all of that with a group that is in memory.
 *
 * A group without headers is nothing to whoever rebuilds the map from them. So what is given up before its
 * headers are written leaves no trace that could be taken for a volume, or for a later group, which gets
 * the same ids.
 *
 * Nobody reads the group yet, so neither log nor order is needed; the caller flushes the members and then
 * publishes the group by a commit. The data stay where they are: bodies are written from the caller's
 * buffer by scattered writes. Checks are computed and summed in tiles that stay in the cache.
 *
 * For XOR codes the checksum of a check block is derived from those of the data blocks (crc.h), so a fault in
 * computing or writing it does not verify later.
 */
#ifndef PG_ARRAY_GROUP_WRITE_H
#define PG_ARRAY_GROUP_WRITE_H

#include "core/array/array_internal.h"

struct group_writer; /* buffers for checks and seals; one per task */

int group_writer_create(struct group_writer **writer_out) MUST_CHECK;
void group_writer_free(struct group_writer *writer);

/*
 * Begin a group, whose data extents are those of `span`. All are borrowed until the end. Returns 0 or
 * ERR_NOMEM.
 */
int group_write_begin(struct group_writer *writer, const struct array *array,
		      const struct group *group, const struct span *span,
		      struct err *err) MUST_CHECK;

/* Slices of each strip but the last, which may have fewer. */
uint32_t group_write_strip_slices(const struct group_writer *writer);

/*
 * Write the next strip. `data` is its part of the span's address space: slices x data columns (x data
 * segments, of a sequential group) blocks, page-aligned, zeros behind the end of the span. `beside`, if not
 * NULL, is an operation that is done at the same time: its result is not looked at. Returns 0 or the error
 * of a member, named in the text.
 */
int group_write_strip(struct group_writer *writer, const uint8_t *data, struct io *beside,
		      struct err *err) MUST_CHECK;

/* Bytes written of the group so far. */
uint64_t group_write_bytes(const struct group_writer *writer);

/* Write the entry pages of the seals. *bytes_out is what was written of the group. Ends it in any case. */
int group_write_end(struct group_writer *writer, uint64_t *bytes_out, struct err *err) MUST_CHECK;
void group_write_abandon(struct group_writer *writer);

/* All but the headers of a group, `data` all of the span's address space. */
int group_write(struct group_writer *writer, const struct array *array, const struct group *group,
		const struct span *span, const uint8_t *data, uint64_t *bytes_out,
		struct err *err) MUST_CHECK;

/* Write the headers of a group: a block a column, which tell of `volume` and `span`. */
int group_write_headers(const struct array *array, const struct group *group,
			const struct volume *volume, const struct span *span,
			struct err *err) MUST_CHECK;

#endif
