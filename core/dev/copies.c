/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first image is the device below, and asked with the whole operation. Only where that fails it goes block by block,
 * which is slow and is done where disks were bad.
 */
#include "core/dev/copies.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

#define SECTORS 8u
#define SECTOR_SIZE (BLOCK_SIZE / SECTORS)
#define ALL_SECTORS UINT8_MAX

struct copies_dev {
	struct dev dev;
	struct dev *second; /* owned */
};

static struct copies_dev *copies_of(struct dev *dev)
{
	return (struct copies_dev *)(void *)dev;
}

/* What the second has of the sectors in `bad`; returns those that it lacks. */
static uint8_t second_fill(struct copies_dev *copies, const struct io *io, uint8_t *block,
			   uint8_t bad)
{
	uint8_t *page = mem_pages(BLOCK_SIZE), lacks;

	if (!page)
		return bad;
	lacks = io_read_sectors(copies->second, io->role, io->offset, page);
	for (uint32_t s = 0; s < SECTORS; s++) {
		if (bad >> s & ~lacks >> s & 1)
			memcpy(block + (size_t)s * SECTOR_SIZE, page + (size_t)s * SECTOR_SIZE,
			       SECTOR_SIZE);
	}
	mem_pages_free(page);
	return bad & lacks;
}

static void copies_read_sectors(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	uint8_t bad = ALL_SECTORS;

	assert(io->size == BLOCK_SIZE && io->iov_count == 1);
	dev_sectors_below(dev, io, &bad);
	*bad_out = bad ? second_fill(copies_of(dev), io, io->iov->iov_base, bad) : 0;
}

/* One block of an operation, in its own memory. */
static int read_block(struct dev *dev, const struct io *io, uint64_t offset, void *bytes)
{
	const struct iovec iov = { .iov_base = bytes, .iov_len = BLOCK_SIZE };
	struct io part = *io;
	uint8_t bad;

	part.offset = offset;
	part.size = BLOCK_SIZE;
	part.iov = &iov;
	part.iov_count = 1;
	copies_read_sectors(dev, &part, &bad);
	return bad ? ERR_IO : 0;
}

static int copies_run(struct dev *dev, struct io *io)
{
	uint64_t offset = io->offset;
	int rc;

	assert(!io_is_write(io)); /* it is read-only */
	rc = dev_run_below(dev, io);
	if (rc == 0 || io->op == IO_FLUSH)
		return rc;
	rc = 0;
	for (uint32_t i = 0; rc == 0 && i < io->iov_count; i++) {
		uint8_t *bytes = io->iov[i].iov_base;

		for (size_t at = 0; rc == 0 && at < io->iov[i].iov_len; at += BLOCK_SIZE) {
			rc = read_block(dev, io, offset, bytes + at);
			offset += BLOCK_SIZE;
		}
	}
	return rc;
}

static void copies_close(struct dev *dev)
{
	struct copies_dev *copies = copies_of(dev);

	dev_close(copies->second);
	dev_reset(dev);
	mem_free(copies);
}

/* No descriptor: what fails on its way to the kernel would not come back here. */
static const struct dev_ops copies_ops = {
	.name = "copies",
	.run = copies_run,
	.close = copies_close,
	.read_sectors = copies_read_sectors,
};

int dev_copies_open(struct dev **dev_out, struct dev *first, struct dev *second)
{
	struct copies_dev *copies = mem_calloc(1, sizeof(*copies));

	if (!copies)
		return ERR_NOMEM;
	if (dev_init_above(&copies->dev, &copies_ops, first)) {
		mem_free(copies);
		return ERR_NOMEM;
	}
	copies->second = second;
	copies->dev.info.read_only = true;
	*dev_out = &copies->dev;
	return 0;
}
