/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The holes are one sorted list; an operation looks for the first that ends behind its beginning. */
#include "core/dev/holes.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

_Static_assert(BLOCK_SIZE / HOLE_UNIT == 8, "the sectors of a block are the bits of a byte");

struct holes_dev {
	struct dev dev;
	struct hole *holes; /* owned, ascending */
	size_t hole_count;
};

static const struct holes_dev *holes_of(const struct dev *dev)
{
	return (const struct holes_dev *)(const void *)dev;
}

/* True when some hole has a byte in the range. */
static bool holes_touch(const struct holes_dev *holes, uint64_t offset, uint64_t size)
{
	size_t low = 0, high = holes->hole_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct hole *hole = &holes->holes[middle];

		if (hole->offset + hole->size <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < holes->hole_count && holes->holes[low].offset < offset + size;
}

static bool holes_fail(const struct dev *dev, const struct io *io)
{
	return io->op == IO_READ && holes_touch(holes_of(dev), io->offset, io->size);
}

static int holes_run(struct dev *dev, struct io *io)
{
	return holes_fail(dev, io) ? ERR_IO : dev_run_below(dev, io);
}

/* The sectors of a block that are in a hole, a bit each. */
static uint8_t hole_sectors(const struct holes_dev *holes, uint64_t offset)
{
	uint8_t sectors = 0;

	for (uint32_t sector = 0; sector < BLOCK_SIZE / HOLE_UNIT; sector++) {
		if (holes_touch(holes, offset + (uint64_t)sector * HOLE_UNIT, HOLE_UNIT))
			sectors = (uint8_t)(sectors | 1u << sector);
	}
	return sectors;
}

static void holes_read_sectors(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	uint8_t bad = 0;

	dev_sectors_below(dev, io, &bad);
	*bad_out = bad | hole_sectors(holes_of(dev), io->offset);
}

static int holes_direct_fd(struct dev *dev, const struct io *io)
{
	return holes_fail(dev, io) ? -1 : dev_direct_fd(dev->below, io);
}

static void holes_close(struct dev *dev)
{
	struct holes_dev *holes = (struct holes_dev *)(void *)dev;

	dev_reset(dev);
	mem_free(holes->holes);
	mem_free(holes);
}

static const struct dev_ops holes_ops = {
	.name = "holes",
	.run = holes_run,
	.close = holes_close,
	.direct_fd = holes_direct_fd,
	.read_sectors = holes_read_sectors,
};

static void holes_check(const struct hole *holes, size_t hole_count)
{
	uint64_t end = 0;

	for (size_t i = 0; i < hole_count; i++) {
		assert(holes[i].size > 0 && holes[i].size <= UINT64_MAX - holes[i].offset);
		assert(holes[i].offset % HOLE_UNIT == 0 && holes[i].size % HOLE_UNIT == 0);
		assert(holes[i].offset >= end);
		end = holes[i].offset + holes[i].size;
	}
}

int dev_holes_open(struct dev **dev_out, struct dev *below, const struct hole *holes,
		   size_t hole_count)
{
	struct holes_dev *made = mem_calloc(1, sizeof(*made));

	holes_check(holes, hole_count);
	if (!made)
		return ERR_NOMEM;
	made->hole_count = hole_count;
	made->holes = mem_calloc(hole_count, sizeof(*holes));
	if (!made->holes || dev_init_above(&made->dev, &holes_ops, below)) {
		mem_free(made->holes);
		mem_free(made);
		return ERR_NOMEM;
	}
	if (hole_count)
		memcpy(made->holes, holes, hole_count * sizeof(*holes));
	*dev_out = &made->dev;
	return 0;
}
