/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/room_write.h"

#include "core/array/array_internal.h"
#include "core/array/row.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/runner.h"

#include <inttypes.h>

#define PIECE_BLOCKS 1024u /* 4 MiB */

struct copying {
	struct array *array;
	uint8_t *bytes; /* a piece */
	struct rows rows;
	uint64_t bytes_read;
};

/* Blocks of a column that could not be read, from the others. */
static int solve(struct copying *copying, const struct group *group, uint32_t column,
		 uint32_t first, uint32_t count, struct err *err)
{
	struct rows *rows = &copying->rows;
	int rc = rows_open(rows, copying->array, group, 0, rows_window(copying->array, group),
			   ROWS_WHOLE, err);

	if (rc)
		return rc;
	for (uint32_t i = 0; !rc && i < count; i++) {
		bool stands = true, rebuilt;

		rc = rows_fetch(rows, column, first + i, copying->bytes + (size_t)i * BLOCK_SIZE,
				&stands, &rebuilt);
		if (rc)
			err_set(err, rc, "no memory to rebuild a block of group %" PRIu64,
				group->id);
		else if (!stands)
			rc = err_set(err, ERR_DATA_LOST,
				     "block %u of column %u of group %" PRIu64 " is lost",
				     first + i, column, group->id);
	}
	copying->bytes_read += rows->bytes_read;
	rows_close(rows);
	return rc;
}

static int copy_column(struct copying *copying, const struct room_move *move, struct err *err)
{
	struct array *array = copying->array;
	const struct group *group = map_group(array->map, move->group);
	const struct extent *from = &group->extents[move->column];
	struct dev *to = array_dev(array, move->extent.slot);
	int rc = 0;

	for (uint32_t first = 0, count; !rc && first < from->body_blocks; first += count) {
		count = (uint32_t)size_min(PIECE_BLOCKS, from->body_blocks - first);
		uint64_t size = (uint64_t)count * BLOCK_SIZE;

		if (!array_extent_usable(array, from) ||
		    io_read(array_dev(array, from->slot), IO_ROLE_DATA,
			    extent_offset(array->map, from, first), copying->bytes, size))
			rc = solve(copying, group, move->column, first, count, err);
		else
			copying->bytes_read += size;
		/* Its place has no window before the commit; in a row it is an address of the member. */
		if (!rc && (rc = io_write(to, IO_ROLE_DATA,
					  move->window.origin + (uint64_t)first * BLOCK_SIZE,
					  copying->bytes, size)))
			err_set(err, rc, "%s: member %u cannot be written", dev_name(to),
				move->extent.slot);
	}
	return rc;
}

int room_write(struct array *array, const struct room *room, uint64_t *bytes_read_out,
	       struct err *err)
{
	struct copying copying = { .array = array,
				   .bytes = mem_pages((size_t)PIECE_BLOCKS * BLOCK_SIZE) };
	int rc = copying.bytes ? 0 : err_set(err, ERR_NOMEM, "no memory to make room");

	for (size_t i = 0; !rc && i < room->moves.count; i++)
		rc = copy_column(&copying, &room->moves.at[i], err);
	if (!rc)
		rc = runner_flush(array, member_set_with((struct member_set){ 0 }, room->to), err);
	rows_free(&copying.rows);
	mem_pages_free(copying.bytes);
	*bytes_read_out = copying.bytes_read;
	return rc;
}
