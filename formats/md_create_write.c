/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_create.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define ZERO_PIECE (UINT64_C(16) << 20)
/* Superblocks of whoever was there lie within so many bytes of either end: GPT, other RAIDs, our own. */
#define ENDS_SIZE (UINT64_C(2) << 20)

static uint32_t target_count(const struct md_create_plan *plan)
{
	return plan->shape.raid_disks + plan->request.spare_count;
}

/* All of it, so that parity is true; without parity or copies what is there may stay. */
static uint64_t zero_bytes_of(const struct md_create_plan *plan,
			      const struct md_create_target *target)
{
	uint64_t size;

	if (!target->dev || target->is_zero)
		return 0;
	size = dev_info(target->dev)->size;
	return md_level_is_redundant(plan->shape.level) ? size : size_min(size, 2 * ENDS_SIZE);
}

uint64_t md_create_zero_bytes(const struct md_create_plan *plan,
			      const struct md_create_target *targets)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < target_count(plan); i++)
		bytes += zero_bytes_of(plan, &targets[i]);
	return bytes;
}

/* How far the zeros are. */
struct zeroing {
	md_create_watch *watch;
	void *arg;
	uint64_t done, total;
};

static int range_zero(struct zeroing *zeroing, struct dev *dev, uint64_t offset, uint64_t end,
		      struct err *err)
{
	while (offset < end) {
		struct io io = { .dev = dev,
				 .op = IO_ZERO,
				 .role = IO_ROLE_DATA,
				 .offset = offset,
				 .size = size_min(ZERO_PIECE, end - offset) };

		if (zeroing->watch && !zeroing->watch(zeroing->arg, zeroing->done, zeroing->total))
			return err_set(err, ERR_STOPPED, "stopped before there was an array");
		if (io_run(&io, 1))
			return err_set(err, io.result, "%s: cannot be filled with zeros",
				       dev_name(dev));
		offset += io.size;
		zeroing->done += io.size;
	}
	return 0;
}

static int target_zero(struct zeroing *zeroing, const struct md_create_plan *plan,
		       const struct md_create_target *target, struct err *err)
{
	uint64_t bytes = zero_bytes_of(plan, target), size;
	int rc;

	if (bytes == 0)
		return 0;
	size = dev_info(target->dev)->size;
	if (bytes == size)
		return range_zero(zeroing, target->dev, 0, size, err);
	rc = range_zero(zeroing, target->dev, 0, ENDS_SIZE, err);
	return rc ? rc : range_zero(zeroing, target->dev, size - ENDS_SIZE, size, err);
}

int md_create_wipe(struct dev *dev, struct err *err)
{
	struct zeroing zeroing = { 0 };
	uint64_t size = dev_info(dev)->size, end = size_min(size, ENDS_SIZE);
	int rc = range_zero(&zeroing, dev, 0, end, err);

	if (rc == 0)
		rc = range_zero(&zeroing, dev, size_max(end, size - end), size, err);
	if (rc == 0 && io_flush(dev))
		rc = err_set(err, ERR_IO, "%s: cannot be flushed", dev_name(dev));
	return rc;
}

/* Superblock or a block of the bitmap. */
static int block_write(struct dev *dev, enum io_role role, uint64_t sector, const uint8_t *block,
		       struct err *err)
{
	int rc = io_write(dev, role, sector * MD_SECTOR, block, BLOCK_SIZE);

	if (rc)
		return err_set(err, rc, "%s: sector %" PRIu64 " cannot be written", dev_name(dev),
			       sector);
	return 0;
}

/* All of its bits are clear. */
static int bitmap_write(const struct md_create_plan *plan, struct dev *dev, uint32_t member,
			uint8_t *block, struct err *err)
{
	uint64_t sector;
	int rc = 0;

	memset(block, 0, BLOCK_SIZE);
	sector = md_create_bitmap(block, plan, member);
	for (uint32_t at = 0; rc == 0 && at < plan->bitmap_room; at += BLOCK_SIZE / MD_SECTOR) {
		rc = block_write(dev, IO_ROLE_LOG, sector + at, block, err);
		memset(block, 0, MD_BITMAP_SIZE);
	}
	return rc;
}

static int all_flush(const struct md_create_plan *plan, const struct md_create_target *targets,
		     struct err *err)
{
	for (uint32_t i = 0; i < target_count(plan); i++) {
		int rc = targets[i].dev ? io_flush(targets[i].dev) : 0;

		if (rc)
			return err_set(err, rc, "%s: cannot be flushed", dev_name(targets[i].dev));
	}
	return 0;
}

static int supers_write(const struct md_create_plan *plan, const struct md_create_target *targets,
			uint8_t *block, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < target_count(plan); i++) {
		uint64_t sector;

		if (!targets[i].dev)
			continue;
		sector = md_create_super(block, plan, i, &targets[i].device);
		rc = block_write(targets[i].dev, IO_ROLE_SUPER, sector, block, err);
	}
	return rc;
}

int md_create_write(const struct md_create_plan *plan, const struct md_create_target *targets,
		    md_create_watch *watch, void *arg, struct err *err)
{
	struct zeroing zeroing = { .watch = watch,
				   .arg = arg,
				   .total = md_create_zero_bytes(plan, targets) };
	uint8_t *block = mem_pages(BLOCK_SIZE);
	int rc = 0;

	if (!block)
		return err_set(err, ERR_NOMEM, "no memory");
	for (uint32_t i = 0; rc == 0 && i < target_count(plan); i++)
		rc = target_zero(&zeroing, plan, &targets[i], err);
	for (uint32_t i = 0; rc == 0 && plan->bitmap_chunk_bytes && i < target_count(plan); i++)
		if (targets[i].dev)
			rc = bitmap_write(plan, targets[i].dev, i, block, err);
	if (rc == 0)
		rc = all_flush(plan, targets, err);
	if (rc == 0)
		rc = supers_write(plan, targets, block, err);
	if (rc == 0)
		rc = all_flush(plan, targets, err);
	mem_pages_free(block);
	return rc;
}
