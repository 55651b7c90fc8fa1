/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/reader.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"

#include <assert.h>
#include <string.h>

int reader_open(struct reader *reader_out, struct dev *dev, struct err *err)
{
	uint8_t *pages = mem_pages_raw(READER_MAX + 2 * BLOCK_SIZE);

	if (!pages)
		return err_set(err, ERR_NOMEM, "no memory to read %s", dev_name(dev));
	*reader_out = (struct reader){ dev, dev_info(dev)->size_exact, pages, true };
	return 0;
}

void reader_close(struct reader *reader)
{
	mem_pages_free(reader->pages);
	*reader = (struct reader){ 0 };
}

const uint8_t *reader_read(struct reader *reader, uint64_t offset, size_t size)
{
	uint64_t first = offset - offset % BLOCK_SIZE, end;

	assert(size > 0 && size <= READER_MAX);
	if (!size_add(offset, size, &end) || end > dev_info(reader->dev)->size)
		return NULL;
	end = size_round_up(end, BLOCK_SIZE);
	if (io_read(reader->dev, IO_ROLE_SUPER, first, reader->pages, (size_t)(end - first)))
		return NULL;
	return reader->pages + (offset - first);
}

uint8_t *reader_copy(struct reader *reader, uint64_t offset, size_t size)
{
	uint8_t *copy = mem_calloc(size, 1);
	const uint8_t *bytes;

	for (size_t done = 0; copy && done < size;) {
		size_t step = (size_t)size_min(size - done, READER_MAX);

		bytes = reader_read(reader, offset + done, step);
		if (!bytes) {
			mem_free(copy);
			return NULL;
		}
		memcpy(copy + done, bytes, step);
		done += step;
	}
	return copy;
}
