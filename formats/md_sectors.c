/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_sectors.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"

#include <assert.h>
#include <string.h>

#define STEP_SIZE 65536u
#define SECTOR 512u

/* The blocks of one step: `skip` bytes of them lie before what is wanted. */
struct step {
	uint64_t first;
	size_t skip, wanted, blocks_size;
};

static int step_of(struct step *step, const struct dev *dev, uint64_t sector, size_t size)
{
	uint64_t offset, end;

	if (!size_multiply(sector, SECTOR, &offset))
		return ERR_IO;
	step->skip = (size_t)(offset % BLOCK_SIZE);
	step->first = offset - step->skip;
	step->wanted = (size_t)size_min(size, STEP_SIZE - BLOCK_SIZE);
	step->blocks_size = (size_t)size_round_up(step->skip + step->wanted, BLOCK_SIZE);
	if (!size_add(step->first, step->blocks_size, &end) || end > dev_info(dev)->size)
		return ERR_IO;
	return 0;
}

int md_sectors_read(struct dev *dev, uint64_t sector, void *bytes, size_t size)
{
	uint8_t *pages = mem_pages(STEP_SIZE), *to = bytes;
	struct step step = { 0 };
	int rc = pages ? 0 : ERR_NOMEM;

	assert(size % SECTOR == 0);
	for (size_t done = 0; rc == 0 && done < size; done += step.wanted) {
		rc = step_of(&step, dev, sector + done / SECTOR, size - done);
		if (rc == 0)
			rc = io_read(dev, IO_ROLE_LOG, step.first, pages, step.blocks_size);
		if (rc == 0)
			memcpy(to + done, pages + step.skip, step.wanted);
	}
	mem_pages_free(pages);
	return rc;
}

int md_sectors_write(struct dev *dev, uint64_t sector, const void *bytes, size_t size)
{
	uint8_t *pages = mem_pages(STEP_SIZE);
	const uint8_t *from = bytes;
	struct step step = { 0 };
	int rc = pages ? 0 : ERR_NOMEM;

	assert(size % SECTOR == 0);
	for (size_t done = 0; rc == 0 && done < size; done += step.wanted) {
		rc = step_of(&step, dev, sector + done / SECTOR, size - done);
		if (rc == 0 && step.wanted < step.blocks_size)
			rc = io_read(dev, IO_ROLE_LOG, step.first, pages, step.blocks_size);
		if (rc)
			break;
		memcpy(pages + step.skip, from + done, step.wanted);
		rc = io_write(dev, IO_ROLE_LOG, step.first, pages, step.blocks_size);
	}
	mem_pages_free(pages);
	return rc;
}
