/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes that only this process sees: block by block in a table, above a device that is never written.
 *
 * A read takes what was not written from below, then puts what was written over it. So a block that is
 * damaged below and was written reads well when it is asked for alone, as on a disk that relocates it.
 */
#include "core/base/mem.h"
#include "core/dev/devices.h"

#include <assert.h>
#include <string.h>

#define SLOTS_MIN 64u

struct patched {
	uint64_t number; /* of the block on the device */
	uint8_t *bytes;  /* owned; NULL: the place is free */
};

struct patch_dev {
	struct dev dev;
	struct env_lock lock;
	uint64_t blocks_max;
	uint64_t count;
	uint64_t capacity; /* of `table`: a power of two, never more than half full */
	struct patched *table;
};

static struct patch_dev *patch_of(struct dev *dev)
{
	return (struct patch_dev *)(void *)dev;
}

/* Where block `number` is in the table, or the free place where it would be. */
static struct patched *find(const struct patch_dev *patch, uint64_t number)
{
	uint64_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (;; at++) {
		struct patched *found = &patch->table[at & (patch->capacity - 1)];

		if (!found->bytes || found->number == number)
			return found;
	}
}

static bool grow(struct patch_dev *patch)
{
	struct patch_dev larger = { .capacity = patch->capacity * 2 };

	if (patch->count * 2 < patch->capacity)
		return true;
	larger.table = mem_calloc((size_t)larger.capacity, sizeof(*larger.table));
	if (!larger.table)
		return false;
	for (uint64_t i = 0; i < patch->capacity; i++) {
		if (patch->table[i].bytes)
			*find(&larger, patch->table[i].number) = patch->table[i];
	}
	mem_free(patch->table);
	patch->table = larger.table;
	patch->capacity = larger.capacity;
	return true;
}

/* The bytes of block `number`, made if it is not patched yet; NULL without room or memory. */
static uint8_t *take(struct patch_dev *patch, uint64_t number)
{
	struct patched *found = find(patch, number);

	if (found->bytes)
		return found->bytes;
	if (patch->count == patch->blocks_max || !grow(patch))
		return NULL;
	found = find(patch, number);
	found->bytes = mem_pages(BLOCK_SIZE);
	if (!found->bytes)
		return NULL;
	found->number = number;
	patch->count++;
	return found->bytes;
}

static int patch_write(struct patch_dev *patch, const struct io *io)
{
	const struct iovec *iov = io->iov;
	size_t in_iov = 0;

	for (uint64_t done = 0; done < io->size; done += BLOCK_SIZE) {
		uint8_t *block = take(patch, (io->offset + done) / BLOCK_SIZE);

		if (!block)
			return ERR_NOSPACE;
		if (io->op == IO_ZERO) {
			memset(block, 0, BLOCK_SIZE);
			continue;
		}
		while (in_iov == iov->iov_len) {
			iov++;
			in_iov = 0;
		}
		memcpy(block, (const uint8_t *)iov->iov_base + in_iov, BLOCK_SIZE);
		in_iov += BLOCK_SIZE;
	}
	return 0;
}

/* Blocks of the range that are patched. */
static uint64_t patched_blocks(const struct patch_dev *patch, uint64_t offset, uint64_t size)
{
	uint64_t count = 0;

	for (uint64_t at = offset; patch->count && at < offset + size; at += BLOCK_SIZE)
		count += find(patch, at / BLOCK_SIZE)->bytes != NULL;
	return count;
}

/* Put what was written over what was read from below. */
static void cover(const struct patch_dev *patch, const struct io *io)
{
	uint64_t offset = io->offset;

	for (uint32_t i = 0; i < io->iov_count; i++) {
		uint8_t *bytes = io->iov[i].iov_base;

		for (size_t at = 0; at < io->iov[i].iov_len; at += BLOCK_SIZE) {
			const struct patched *found = find(patch, offset / BLOCK_SIZE);

			if (found->bytes)
				memcpy(bytes + at, found->bytes, BLOCK_SIZE);
			offset += BLOCK_SIZE;
		}
	}
}

static int patch_read(struct patch_dev *patch, struct io *io)
{
	int rc = 0;

	env_lock(patch->dev.env, &patch->lock);
	uint64_t patched = patched_blocks(patch, io->offset, io->size);
	env_unlock(patch->dev.env, &patch->lock);

	if (patched < io->size / BLOCK_SIZE)
		rc = dev_run_below(&patch->dev, io);
	if (rc)
		return rc;
	env_lock(patch->dev.env, &patch->lock);
	cover(patch, io);
	env_unlock(patch->dev.env, &patch->lock);
	return 0;
}

static int patch_run(struct dev *dev, struct io *io)
{
	struct patch_dev *patch = patch_of(dev);
	int rc = 0;

	if (io->op == IO_READ)
		return patch_read(patch, io);
	if (io->op == IO_FLUSH) /* nothing of it outlives the process anyway */
		return 0;
	env_lock(dev->env, &patch->lock);
	rc = patch_write(patch, io);
	env_unlock(dev->env, &patch->lock);
	return rc;
}

static int patch_direct_fd(struct dev *dev, const struct io *io)
{
	struct patch_dev *patch = patch_of(dev);

	if (io->op != IO_READ)
		return -1;
	env_lock(dev->env, &patch->lock);
	uint64_t patched = patched_blocks(patch, io->offset, io->size);
	env_unlock(dev->env, &patch->lock);
	return patched ? -1 : dev_direct_fd(dev->below, io);
}

static void patch_close(struct dev *dev)
{
	struct patch_dev *patch = patch_of(dev);

	env_lock_reset(dev->env, &patch->lock);
	for (uint64_t i = 0; i < patch->capacity; i++)
		mem_pages_free(patch->table[i].bytes);
	mem_free(patch->table);
	dev_reset(dev);
	mem_free(patch);
}

static const struct dev_ops patch_ops = {
	.name = "patch",
	.run = patch_run,
	.close = patch_close,
	.direct_fd = patch_direct_fd,
};

int dev_patch_open(struct dev **dev_out, struct dev *below, uint64_t bytes_max)
{
	struct patch_dev *patch = mem_calloc(1, sizeof(*patch));

	if (!patch)
		return ERR_NOMEM;
	patch->table = mem_calloc(SLOTS_MIN, sizeof(*patch->table));
	if (!patch->table || dev_init_above(&patch->dev, &patch_ops, below)) {
		mem_free(patch->table);
		mem_free(patch);
		return ERR_NOMEM;
	}
	patch->capacity = SLOTS_MIN;
	patch->blocks_max = bytes_max / BLOCK_SIZE;
	patch->dev.info.read_only = false; /* writes are taken; they end here */
	env_lock_init(patch->dev.env, &patch->lock);
	*dev_out = &patch->dev;
	return 0;
}
