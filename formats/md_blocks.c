/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_blocks.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/md_shape.h"

int md_blocks_read(struct md_blocks *blocks_out, struct dev *dev, uint64_t sector, uint64_t size,
		   const char *what, struct err *err)
{
	uint64_t at = sector * MD_SECTOR, first = at - at % BLOCK_SIZE;
	struct md_blocks blocks = {
		.offset = first,
		.size = (size_t)(size_round_up(at + size, BLOCK_SIZE) - first),
		.skip = (size_t)(at - first),
	};
	int rc;

	blocks.pages = mem_pages(blocks.size);
	if (!blocks.pages)
		return err_set(err, ERR_NOMEM, "no memory for the %s of %s", what, dev_name(dev));
	rc = io_read(dev, IO_ROLE_LOG, blocks.offset, blocks.pages, blocks.size);
	if (rc) {
		md_blocks_reset(&blocks);
		return err_set(err, rc, "%s: its %s cannot be read", dev_name(dev), what);
	}
	*blocks_out = blocks;
	return 0;
}

void md_blocks_reset(struct md_blocks *blocks)
{
	mem_pages_free(blocks->pages);
	*blocks = (struct md_blocks){ 0 };
}

int md_blocks_write(const struct md_blocks *blocks, struct dev *dev, const char *what,
		    struct err *err)
{
	int rc = io_write(dev, IO_ROLE_LOG, blocks->offset, blocks->pages, blocks->size);

	return rc ? err_set(err, rc, "%s: its %s cannot be written", dev_name(dev), what) : 0;
}
