/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading any byte range of a volume. */
#include "core/array/array_internal.h"
#include "core/array/hold.h"
#include "core/array/span_read.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <inttypes.h>
#include <string.h>

#define PIECE_BLOCKS 256u /* 1 MiB at a time through the bounce buffer */

/* Bytes from..end-1 of the span, through whole blocks. */
static int read_in_span(struct span_reader *reader, uint64_t from, uint64_t end, uint8_t *bytes,
			uint8_t *bounce, uint64_t piece, struct array_read_result *result,
			struct err *err)
{
	while (from < end) {
		uint64_t first = from / BLOCK_SIZE;
		uint64_t blocks = size_divide_up(end, BLOCK_SIZE) - first;
		uint32_t count = (uint32_t)size_min(blocks, piece);
		uint64_t skip = from - first * BLOCK_SIZE;
		uint64_t size = size_min((uint64_t)count * BLOCK_SIZE - skip, end - from);
		int rc = span_read(reader, first, count, bounce, NULL, result, err);

		if (rc)
			return rc;
		memcpy(bytes, bounce + skip, size);
		bytes += size;
		from += size;
	}
	return 0;
}

int array_read(struct array *array, const struct volume *volume, uint64_t offset, void *bytes,
	       uint64_t length, struct array_read_result *result, struct err *err)
{
	struct span_reader reader = { 0 };
	struct heal_list heal = { 0 };
	uint64_t end, piece;
	uint8_t *bounce;
	int rc = 0;

	*result = (struct array_read_result){ 0 };
	if (!size_add(offset, length, &end) || end > volume->length)
		return err_set(err, ERR_SIZE,
			       "volume \"%s\" has %" PRIu64 " bytes, asked for %" PRIu64
			       " at %" PRIu64,
			       volume->name, volume->length, length, offset);
	/* A few bytes more may touch two blocks more; zeroing a whole piece would cost more than a small read. */
	piece = size_min(PIECE_BLOCKS, length / BLOCK_SIZE + 2);
	bounce = mem_pages((size_t)piece * BLOCK_SIZE);
	if (!bounce)
		return err_set(err, ERR_NOMEM, "no memory to read a volume");
	hold_share(array);
	for (uint32_t i = 0; !rc && i < volume->span_count; i++) {
		const struct span *span = &volume->spans[i];
		uint64_t from = size_max(offset, span->offset);
		uint64_t stop = size_min(end, span->offset + span->length);

		if (from >= stop)
			continue;
		rc = span_reader_open(&reader, array, span, err);
		if (rc)
			break;
		reader.heal = array->access == ARRAY_WRITE ? &heal : NULL;
		rc = read_in_span(&reader, from - span->offset, stop - span->offset,
				  (uint8_t *)bytes + (from - offset), bounce, piece, result, err);
		span_reader_close(&reader);
	}
	span_reader_free(&reader);
	if (heal.count > 0)
		result->healed = heal_run(array, &heal);
	hold_unshare(array);
	mem_pages_free(bounce);
	return rc;
}
