/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading a span of a bare array (docs/FOREIGN.md): data blocks straight from where they lie, without checksums. What
 * cannot be read, and what lies in a group with a data extent that is absent or stale, is solved from its rows
 * (core/array/row.h); what cannot be solved gives zeros and is counted.
 *
 * Such a span passes through the groups in turn, chunk by chunk, so each group keeps a window of rows of its own.
 *
 * For one task at a time; many readers may be open on one array.
 */
#ifndef PG_ARRAY_BARE_READ_H
#define PG_ARRAY_BARE_READ_H

#include "core/array/array.h"

struct bare_reader; /* opaque */

/* As of span_read.h; `most` is what one call of bare_read() may take. */
uint32_t bare_read_piece(const struct array *array, const struct span *span, uint32_t wanted,
			 uint32_t most);

/* Returns 0 or ERR_NOMEM. */
int bare_reader_open(struct bare_reader **reader_out, struct array *array, const struct span *span,
		     struct err *err) MUST_CHECK;
void bare_reader_free(struct bare_reader *reader); /* NULL is allowed */

/* As span_read(), which calls it. */
int bare_read(struct bare_reader *reader, uint64_t first, uint32_t count, uint8_t *out,
	      bool *lost_out, struct array_read_result *result, struct err *err) MUST_CHECK;

#endif
