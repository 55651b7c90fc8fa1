/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/seal_read.h"

#include "core/array/array_internal.h"
#include "core/array/io_role.h"

#include <string.h>

uint32_t seal_read_pages(const struct seal_read *read, uint32_t column)
{
	return (read->headers ? 1 : 0) + seal_entry_pages(&read->seals[column].shape);
}

static struct io column_io(const struct seal_read *read, uint32_t column, const struct iovec *iov)
{
	const struct extent *extent = &read->group->extents[column];

	return (struct io){
		.dev = array_dev(read->array, extent->slot),
		.op = IO_READ,
		.role = io_role_of_seal(&read->seals[column].shape),
		.offset = extent_seal_offset(read->array->map, extent) +
			  (read->headers ? 0 : BLOCK_SIZE),
		.size = iov->iov_len,
		.iov = iov,
		.iov_count = 1,
	};
}

/* After a read that failed: every page by itself; those that cannot be read are zeros, which is damage. */
static void read_single_pages(const struct io *io)
{
	uint8_t *bytes = io->iov->iov_base;

	for (uint64_t at = 0; at < io->size; at += BLOCK_SIZE) {
		if (io_read(io->dev, io->role, io->offset + at, bytes + at, BLOCK_SIZE))
			memset(bytes + at, 0, BLOCK_SIZE);
	}
}

/*
 * A page that is not good is read once more: a disk may err for once, or read from another place (FAULTS A3, A10),
 * and what a page says of hundreds of blocks may be said nowhere else.
 */
static void decode_pages(const struct seal_read *read, uint32_t column, const struct io *io)
{
	struct seal *seal = &read->seals[column];

	for (uint32_t page = 0; page < seal_entry_pages(&seal->shape); page++) {
		uint64_t at = (uint64_t)(page + read->headers) * BLOCK_SIZE;
		uint8_t *bytes = (uint8_t *)io->iov->iov_base + at;

		seal_decode_page(seal, page, bytes);
		if (!seal->page_good[page] &&
		    io_read(io->dev, io->role, io->offset + at, bytes, BLOCK_SIZE) == 0)
			seal_decode_page(seal, page, bytes);
	}
}

uint64_t seal_read(const struct seal_read *read)
{
	struct iovec iovs[CODE_COLUMNS_MAX];
	struct io ios[CODE_COLUMNS_MAX];
	uint32_t columns[CODE_COLUMNS_MAX], count = 0;
	uint8_t *bytes = read->pages;
	uint64_t asked = 0;

	for (uint32_t c = 0; c < read->group->shape.columns; c++) {
		struct seal *seal = &read->seals[c];
		size_t size = (size_t)seal_read_pages(read, c) * BLOCK_SIZE;

		if (read->usable[c]) {
			iovs[count] = (struct iovec){ bytes, size };
			ios[count] = column_io(read, c, &iovs[count]);
			columns[count++] = c;
			asked += size;
		} else {
			memset(seal->page_good, false, seal_entry_pages(&seal->shape));
		}
		bytes += size;
	}
	bool failed = count > 0 && io_run(ios, count) != 0;

	for (uint32_t i = 0; i < count; i++) {
		if (failed && ios[i].result)
			read_single_pages(&ios[i]);
		decode_pages(read, columns[i], &ios[i]);
	}
	return asked;
}
