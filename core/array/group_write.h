/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a whole new group: encode its checks, sum every block, write bodies and seals.
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
 * `data` holds the span's address space: data columns x data blocks, page-aligned, zeros behind its
 * end. `volume` and `span` (whose extents are this group's data extents) go into the headers.
 * *bytes_out is what was written. Returns 0, ERR_NOMEM, or the error of a member, named in the text.
 */
int group_write(struct group_writer *writer, struct array *array, const struct group *group,
		const struct volume *volume, const struct span *span, const uint8_t *data,
		uint64_t *bytes_out, struct err *err) MUST_CHECK;

#endif
