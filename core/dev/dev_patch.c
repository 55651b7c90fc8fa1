/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes that only this process sees: block by block in a table, above a device that is never written.
 *
 * A read takes what was not written from below, then puts what was written over it. So a block that is
 * damaged below and was written reads well when it is asked for alone, as on a disk that relocates it.
 */
#include "core/base/mem.h"
#include "core/dev/block_table.h"
#include "core/dev/devices.h"

struct patch_dev {
	struct dev dev;
	struct env_lock lock;
	struct block_table table;
};

static struct patch_dev *patch_of(struct dev *dev)
{
	return (struct patch_dev *)(void *)dev;
}

static int patch_read(struct patch_dev *patch, struct io *io)
{
	int rc = 0;

	env_lock(patch->dev.env, &patch->lock);
	uint64_t patched = block_table_count(&patch->table, io->offset, io->size);
	env_unlock(patch->dev.env, &patch->lock);

	if (patched < io->size / BLOCK_SIZE)
		rc = dev_run_below(&patch->dev, io);
	if (rc)
		return rc;
	env_lock(patch->dev.env, &patch->lock);
	block_table_cover(&patch->table, io);
	env_unlock(patch->dev.env, &patch->lock);
	return 0;
}

static int patch_run(struct dev *dev, struct io *io)
{
	struct patch_dev *patch = patch_of(dev);
	int rc;

	if (io->op == IO_READ)
		return patch_read(patch, io);
	if (io->op == IO_FLUSH) /* nothing of it outlives the process anyway */
		return 0;
	env_lock(dev->env, &patch->lock);
	rc = block_table_keep(&patch->table, io, io->size);
	env_unlock(dev->env, &patch->lock);
	return rc ? ERR_NOSPACE : 0;
}

/* A block that was written is all there. */
static void patch_read_sectors(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	struct patch_dev *patch = patch_of(dev);

	env_lock(dev->env, &patch->lock);
	uint64_t patched = block_table_count(&patch->table, io->offset, io->size);
	env_unlock(dev->env, &patch->lock);
	if (patched)
		*bad_out = patch_read(patch, io) ? UINT8_MAX : 0;
	else
		dev_sectors_below(dev, io, bad_out);
}

static int patch_direct_fd(struct dev *dev, const struct io *io)
{
	struct patch_dev *patch = patch_of(dev);

	if (io->op != IO_READ)
		return -1;
	env_lock(dev->env, &patch->lock);
	uint64_t patched = block_table_count(&patch->table, io->offset, io->size);
	env_unlock(dev->env, &patch->lock);
	return patched ? -1 : dev_direct_fd(dev->below, io);
}

static void patch_close(struct dev *dev)
{
	struct patch_dev *patch = patch_of(dev);

	env_lock_reset(dev->env, &patch->lock);
	block_table_reset(&patch->table);
	dev_reset(dev);
	mem_free(patch);
}

static const struct dev_ops patch_ops = {
	.name = "patch",
	.run = patch_run,
	.close = patch_close,
	.direct_fd = patch_direct_fd,
	.read_sectors = patch_read_sectors,
};

int dev_patch_open(struct dev **dev_out, struct dev *below, uint64_t bytes_max)
{
	struct patch_dev *patch = mem_calloc(1, sizeof(*patch));

	if (!patch)
		return ERR_NOMEM;
	if (block_table_init(&patch->table, bytes_max / BLOCK_SIZE) ||
	    dev_init_above(&patch->dev, &patch_ops, below)) {
		block_table_reset(&patch->table);
		mem_free(patch);
		return ERR_NOMEM;
	}
	patch->dev.info.read_only = false; /* writes are taken; they end here */
	env_lock_init(patch->dev.env, &patch->lock);
	*dev_out = &patch->dev;
	return 0;
}
