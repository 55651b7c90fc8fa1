/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/overlay_record.h"

#include <assert.h>
#include <inttypes.h>

#define READ_PAGES 256u /* of the record at once, at opening */
#define FLUSH_PAGES 64u /* of the record between two flushes: what one flush keeps a copy of */
#define PAGE_DIRTY 1u   /* has states that the side's record does not have yet */

struct overlay_dev {
	struct dev dev;
	struct dev *side; /* owned */
	uint64_t data_offset;
	uint64_t page_count;
	struct env_lock lock; /* of all below */
	struct env_event flushed;
	uint8_t **pages; /* of the record, as reads see it; NULL: nothing was written there */
	uint8_t *flags;  /* PAGE_DIRTY, for each page */
	uint64_t dirty_count;
	bool flushing;
	int failure; /* of a flush: what it left undone is not known, so no later one may name it */
	uint8_t *copies; /* FLUSH_PAGES pages, the flushing task's */
	uint64_t numbers[FLUSH_PAGES];
};

static const struct dev_ops overlay_ops;

static struct overlay_dev *overlay_of(struct dev *dev)
{
	assert(dev->ops == &overlay_ops);
	return (struct overlay_dev *)(void *)dev;
}

/* ---- which blocks were written; under the lock */

static uint32_t state_of(const struct overlay_dev *overlay, uint64_t block)
{
	const uint8_t *page = overlay->pages[block / OVERLAY_PAGE_BLOCKS];

	return page ? overlay_page_get(page, (uint32_t)(block % OVERLAY_PAGE_BLOCKS)) : 0;
}

/* The first block at or behind `block`, before `end`, whose state is not `state`. */
static uint64_t state_end(const struct overlay_dev *overlay, uint64_t block, uint64_t end,
			  uint32_t state)
{
	while (block < end && state_of(overlay, block) == state) {
		if (state == 0 && !overlay->pages[block / OVERLAY_PAGE_BLOCKS])
			block += OVERLAY_PAGE_BLOCKS - block % OVERLAY_PAGE_BLOCKS;
		else
			block++;
	}
	return size_min(block, end);
}

/* Blocks from `block` on, before `end`, that are all written or all not. */
static uint64_t written_end(const struct overlay_dev *overlay, uint64_t block, uint64_t end,
			    bool *written_out)
{
	bool written = state_of(overlay, block) != 0;

	*written_out = written;
	if (!written)
		return state_end(overlay, block, end, 0);
	while (block < end && state_of(overlay, block) != 0)
		block++;
	return block;
}

/* Have pages for a write's states, so that nothing can fail behind the write. */
static int pages_prepare(struct overlay_dev *overlay, const struct io *io)
{
	uint64_t last = (io->offset + io->size - 1) / BLOCK_SIZE / OVERLAY_PAGE_BLOCKS;

	for (uint64_t i = io->offset / BLOCK_SIZE / OVERLAY_PAGE_BLOCKS; i <= last; i++) {
		if (!overlay->pages[i])
			overlay->pages[i] = mem_pages(BLOCK_SIZE);
		if (!overlay->pages[i])
			return ERR_NOSPACE;
	}
	return 0;
}

static void states_set(struct overlay_dev *overlay, const struct io *io)
{
	uint64_t end = (io->offset + io->size) / BLOCK_SIZE;

	for (uint64_t block = io->offset / BLOCK_SIZE; block < end; block++) {
		uint64_t page = block / OVERLAY_PAGE_BLOCKS;
		uint32_t state = 1u + (uint32_t)io->role;

		if (state_of(overlay, block) == state)
			continue;
		overlay_page_set(overlay->pages[page], (uint32_t)(block % OVERLAY_PAGE_BLOCKS),
				 state);
		overlay->dirty_count += !(overlay->flags[page] & PAGE_DIRTY);
		overlay->flags[page] |= PAGE_DIRTY;
	}
}

/* ---- reads and writes */

/* The memory of a part of `io`; returns the number of entries. */
static uint32_t iov_part(struct iovec part[static IO_IOV_MAX], const struct io *io, uint64_t skip,
			 uint64_t size)
{
	uint32_t count = 0;

	for (uint32_t i = 0; size; i++) {
		uint64_t have = io->iov[i].iov_len;

		assert(i < io->iov_count);
		if (skip >= have) {
			skip -= have;
			continue;
		}
		have = size_min(have - skip, size);
		part[count++] = (struct iovec){ (uint8_t *)io->iov[i].iov_base + skip, have };
		size -= have;
		skip = 0;
	}
	return count;
}

/* `size` bytes of `io`, `skip` bytes behind its start, by the member or by the side. */
static int run_part(struct overlay_dev *overlay, const struct io *io, uint64_t skip, uint64_t size,
		    bool in_side)
{
	struct iovec iov[IO_IOV_MAX];
	struct io part = *io;

	part.offset += skip;
	part.size = size;
	if (io->op != IO_ZERO) {
		part.iov = iov;
		part.iov_count = iov_part(iov, io, skip, size);
	}
	if (!in_side)
		return dev_run_below(&overlay->dev, &part);
	part.dev = overlay->side;
	part.offset += overlay->data_offset;
	return io_run(&part, 1);
}

static int overlay_read(struct overlay_dev *overlay, const struct io *io)
{
	uint64_t first = io->offset / BLOCK_SIZE, end = first + io->size / BLOCK_SIZE;
	int rc = 0;

	for (uint64_t at = first, next; rc == 0 && at < end; at = next) {
		bool written;

		env_lock(overlay->dev.env, &overlay->lock);
		next = written_end(overlay, at, end, &written);
		env_unlock(overlay->dev.env, &overlay->lock);
		rc = run_part(overlay, io, (at - first) * BLOCK_SIZE, (next - at) * BLOCK_SIZE,
			      written);
	}
	return rc;
}

static int overlay_write(struct overlay_dev *overlay, const struct io *io)
{
	struct env *env = overlay->dev.env;
	int rc;

	env_lock(env, &overlay->lock);
	rc = pages_prepare(overlay, io);
	env_unlock(env, &overlay->lock);
	if (rc == 0)
		rc = run_part(overlay, io, 0, io->size, true);
	if (rc)
		return rc;
	env_lock(env, &overlay->lock);
	states_set(overlay, io);
	env_unlock(env, &overlay->lock);
	return 0;
}

/* ---- flush */

/* Take copies of dirty pages, from page `from` on; returns how many. They are clean then. Under the lock. */
static uint32_t pages_take(struct overlay_dev *overlay, uint64_t from)
{
	uint32_t count = 0;

	for (uint64_t i = from; count < FLUSH_PAGES && overlay->dirty_count; i++) {
		uint8_t *copy = overlay->copies + (size_t)count * BLOCK_SIZE;

		if (i == overlay->page_count)
			break;
		if (!(overlay->flags[i] & PAGE_DIRTY))
			continue;
		memcpy(copy, overlay->pages[i], BLOCK_SIZE);
		overlay_page_seal(copy, i);
		overlay->flags[i] &= (uint8_t)~PAGE_DIRTY;
		overlay->dirty_count--;
		overlay->numbers[count++] = i;
	}
	return count;
}

static int pages_write(struct overlay_dev *overlay, uint32_t count)
{
	struct iovec iovs[FLUSH_PAGES];
	struct io ios[FLUSH_PAGES];

	for (uint32_t i = 0; i < count; i++) {
		iovs[i].iov_base = overlay->copies + (size_t)i * BLOCK_SIZE;
		iovs[i].iov_len = BLOCK_SIZE;
		ios[i] = (struct io){
			.dev = overlay->side,
			.op = IO_WRITE,
			.role = IO_ROLE_MAP,
			.offset = OVERLAY_RECORD_OFFSET + overlay->numbers[i] * BLOCK_SIZE,
			.size = BLOCK_SIZE,
			.iov = &iovs[i],
			.iov_count = 1,
		};
	}
	return io_run(ios, count);
}

/*
 * The copies are taken before the flush that makes their blocks durable: what is written meanwhile is in the pages
 * and not in the copies.
 */
static int flush_all(struct overlay_dev *overlay)
{
	struct env *env = overlay->dev.env;
	uint64_t from = 0;
	bool written = false;

	for (;;) {
		uint32_t count;
		int rc;

		env_lock(env, &overlay->lock);
		count = pages_take(overlay, from);
		env_unlock(env, &overlay->lock);
		if (count == 0 && written)
			return io_flush(overlay->side);
		rc = io_flush(overlay->side);
		if (rc || count == 0)
			return rc;
		rc = pages_write(overlay, count);
		if (rc)
			return rc;
		written = true;
		from = overlay->numbers[count - 1] + 1;
	}
}

static int overlay_flush(struct overlay_dev *overlay)
{
	struct env *env = overlay->dev.env;
	int rc;

	env_lock(env, &overlay->lock);
	while (overlay->flushing)
		env_wait(env, &overlay->flushed, &overlay->lock);
	overlay->flushing = true;
	rc = overlay->failure;
	env_unlock(env, &overlay->lock);
	if (rc == 0)
		rc = flush_all(overlay);
	env_lock(env, &overlay->lock);
	overlay->failure = rc;
	overlay->flushing = false;
	env_wake_all(env, &overlay->flushed);
	env_unlock(env, &overlay->lock);
	return rc;
}

static int overlay_run(struct dev *dev, struct io *io)
{
	struct overlay_dev *overlay = overlay_of(dev);

	if (io->op == IO_READ)
		return overlay_read(overlay, io);
	if (dev->info.read_only) /* a flush: there is nothing to flush */
		return 0;
	return io->op == IO_FLUSH ? overlay_flush(overlay) : overlay_write(overlay, io);
}

/* Was nothing of the range written? */
static bool is_clean(struct overlay_dev *overlay, const struct io *io)
{
	uint64_t first = io->offset / BLOCK_SIZE, end = first + io->size / BLOCK_SIZE;
	bool written;

	env_lock(overlay->dev.env, &overlay->lock);
	bool clean = written_end(overlay, first, end, &written) == end && !written;
	env_unlock(overlay->dev.env, &overlay->lock);
	return clean;
}

/* What nothing was written over goes to the kernel as if the member were read alone. */
static int overlay_direct_fd(struct dev *dev, const struct io *io)
{
	struct overlay_dev *overlay = overlay_of(dev);

	return io->op == IO_READ && is_clean(overlay, io) ? dev_direct_fd(dev->below, io) : -1;
}

static void overlay_read_sectors(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	struct overlay_dev *overlay = overlay_of(dev);

	if (is_clean(overlay, io))
		dev_sectors_below(dev, io, bad_out);
	else
		*bad_out = overlay_read(overlay, io) ? UINT8_MAX : 0;
}

/* ---- opening */

static void parts_free(struct overlay_dev *overlay)
{
	for (uint64_t i = 0; overlay->pages && i < overlay->page_count; i++)
		mem_pages_free(overlay->pages[i]);
	mem_free(overlay->pages);
	mem_free(overlay->flags);
	mem_pages_free(overlay->copies);
	mem_free(overlay);
}

/* What was not flushed reaches a disk in its own time: it is there for the next command. */
static void overlay_close(struct dev *dev)
{
	struct overlay_dev *overlay = overlay_of(dev);

	if (!dev->info.read_only && overlay->dirty_count)
		(void)!overlay_flush(overlay);
	env_event_reset(dev->env, &overlay->flushed);
	env_lock_reset(dev->env, &overlay->lock);
	dev_close(overlay->side);
	dev_reset(dev);
	parts_free(overlay);
}

static const struct dev_ops overlay_ops = {
	.name = "overlay",
	.run = overlay_run,
	.close = overlay_close,
	.direct_fd = overlay_direct_fd,
	.read_sectors = overlay_read_sectors,
};

static int record_read_part(struct overlay_dev *overlay, uint8_t *buffer, uint64_t first,
			    uint64_t count, struct err *err)
{
	uint64_t block_count = overlay->dev.info.size / BLOCK_SIZE;
	int rc = io_read(overlay->side, IO_ROLE_MAP, OVERLAY_RECORD_OFFSET + first * BLOCK_SIZE,
			 buffer, (size_t)count * BLOCK_SIZE);

	if (rc)
		return err_set(err, rc, "%s: cannot be read", dev_name(overlay->side));
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *page = buffer + (size_t)i * BLOCK_SIZE;

		if (bytes_are_zero(page, BLOCK_SIZE))
			continue;
		rc = overlay_page_check(page, first + i, block_count, err);
		if (rc)
			return err_prefix(err, "%s", dev_name(overlay->side));
		overlay->pages[first + i] = mem_pages_raw(BLOCK_SIZE);
		if (!overlay->pages[first + i])
			return err_set(err, ERR_NOMEM, "%s: no memory", dev_name(overlay->side));
		memcpy(overlay->pages[first + i], page, BLOCK_SIZE);
	}
	return 0;
}

static int record_read(struct overlay_dev *overlay, struct err *err)
{
	uint8_t *buffer = mem_pages_raw((size_t)READ_PAGES * BLOCK_SIZE);
	int rc = 0;

	if (!buffer)
		return err_set(err, ERR_NOMEM, "%s: no memory", dev_name(overlay->side));
	for (uint64_t at = 0; rc == 0 && at < overlay->page_count; at += READ_PAGES)
		rc = record_read_part(overlay, buffer, at,
				      size_min(READ_PAGES, overlay->page_count - at), err);
	mem_pages_free(buffer);
	return rc;
}

/* CRC of a block; 0 for one that cannot be read, which then tells nothing. */
static uint32_t sum_of(struct dev *dev, uint64_t block, uint8_t *bytes)
{
	uint32_t sum;

	if (io_read(dev, IO_ROLE_SUPER, block * BLOCK_SIZE, bytes, BLOCK_SIZE))
		return 0;
	sum = crc32_of(0, bytes, BLOCK_SIZE);
	return sum ? sum : 1;
}

static void sums_fill(uint8_t sums[static BLOCK_SIZE], struct dev *member, uint8_t *bytes)
{
	memset(sums, 0, BLOCK_SIZE);
	for (uint32_t i = 0; i < OVERLAY_SUMS_MAX; i++) {
		uint64_t block = overlay_telling_block(i, dev_info(member)->size);

		if (block != UINT64_MAX)
			put_le32(sums + (size_t)i * 4, sum_of(member, block, bytes));
	}
}

/* Is the block of the member as it was, or, when that is allowed, as the overlay has it? */
static bool sum_fits(struct overlay_dev *overlay, uint64_t block, uint32_t expected,
		     bool committing, uint8_t *bytes)
{
	uint32_t found = sum_of(overlay->dev.below, block, bytes);

	if (found == expected || found == 0 || expected == 0)
		return true;
	return committing && state_of(overlay, block) != 0 &&
	       found == sum_of(&overlay->dev, block, bytes);
}

/* The member must be what the overlay was made over. */
static int member_check(struct overlay_dev *overlay, const struct overlay_header *header,
			bool committing, struct err *err)
{
	const char *member = dev_name(&overlay->dev);
	uint8_t *bytes = mem_pages(2 * (size_t)BLOCK_SIZE),
		*sums = bytes ? bytes + BLOCK_SIZE : NULL;
	int rc = 0;

	if (!bytes)
		return err_set(err, ERR_NOMEM, "%s: no memory", member);
	rc = io_read(overlay->side, IO_ROLE_SUPER, OVERLAY_SUMS_OFFSET, sums, BLOCK_SIZE);
	if (rc)
		rc = err_set(err, rc, "%s: cannot be read", dev_name(overlay->side));
	else if (crc32_of(0, sums, BLOCK_SIZE) != header->sums_crc)
		rc = err_set(err, ERR_CHECKSUM, "%s: bad checksum of the sums",
			     dev_name(overlay->side));
	for (uint32_t i = 0; rc == 0 && i < OVERLAY_SUMS_MAX; i++) {
		uint64_t block = overlay_telling_block(i, header->size);

		if (block == UINT64_MAX ||
		    sum_fits(overlay, block, get_le32(sums + (size_t)i * 4), committing, bytes))
			continue;
		rc = err_set(err, ERR_CHANGED,
			     "%s changed since its overlay %s was made: at offset %" PRIu64, member,
			     dev_name(overlay->side), block * BLOCK_SIZE);
	}
	mem_pages_free(bytes);
	return rc;
}

static int sizes_check(const struct dev *member, const struct dev *side,
		       const struct overlay_header *header, struct err *err)
{
	if (dev_info(member)->size != header->size)
		return err_set(err, ERR_CHANGED,
			       "%s has %" PRIu64 " bytes, and had %" PRIu64
			       " when its overlay %s was made",
			       dev_name(member), dev_info(member)->size, header->size,
			       dev_name(side));
	if (dev_info(side)->size < overlay_side_size(header->size))
		return err_set(err, ERR_TRUNCATED, "%s has %" PRIu64 " bytes, needed: %" PRIu64,
			       dev_name(side), dev_info(side)->size,
			       overlay_side_size(header->size));
	return 0;
}

/* Nothing is owned yet. */
static struct overlay_dev *parts_make(struct dev *member, struct dev *side)
{
	struct overlay_dev *overlay = mem_calloc(1, sizeof(*overlay));
	uint64_t size = dev_info(member)->size;

	if (!overlay)
		return NULL;
	overlay->side = side;
	overlay->data_offset = overlay_data_offset(size);
	overlay->page_count = overlay_page_count(size);
	overlay->pages = mem_calloc((size_t)overlay->page_count, sizeof(*overlay->pages));
	overlay->flags = mem_calloc((size_t)overlay->page_count, sizeof(*overlay->flags));
	overlay->copies = mem_pages((size_t)FLUSH_PAGES * BLOCK_SIZE);
	if (overlay->pages && overlay->flags && overlay->copies &&
	    dev_init_above(&overlay->dev, &overlay_ops, member) == 0)
		return overlay;
	parts_free(overlay);
	return NULL;
}

int dev_overlay_open(struct dev **dev_out, struct dev *member, struct dev *side, bool committing,
		     struct err *err)
{
	struct overlay_dev *overlay;
	struct overlay_header header;
	int rc = overlay_header_read(&header, side, err);

	if (rc == 0)
		rc = sizes_check(member, side, &header, err);
	if (rc)
		return rc;
	overlay = parts_make(member, side);
	if (!overlay)
		return err_set(err, ERR_NOMEM, "%s: no memory", dev_name(member));
	overlay->dev.info.read_only = dev_info(side)->read_only;
	env_lock_init(overlay->dev.env, &overlay->lock);
	env_event_init(overlay->dev.env, &overlay->flushed);
	rc = record_read(overlay, err);
	if (rc == 0 && !header.is_new)
		rc = member_check(overlay, &header, committing, err);
	if (rc) {
		env_event_reset(overlay->dev.env, &overlay->flushed);
		env_lock_reset(overlay->dev.env, &overlay->lock);
		dev_reset(&overlay->dev);
		parts_free(overlay);
		return rc;
	}
	*dev_out = &overlay->dev;
	return 0;
}

int overlay_header_read(struct overlay_header *header_out, struct dev *side, struct err *err)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	int rc;

	if (!bytes)
		return err_set(err, ERR_NOMEM, "%s: no memory", dev_name(side));
	rc = io_read(side, IO_ROLE_SUPER, 0, bytes, BLOCK_SIZE);
	if (rc)
		rc = err_set(err, rc, "%s: cannot be read", dev_name(side));
	else if (bytes_are_zero(bytes, BLOCK_SIZE))
		rc = err_set(err, ERR_NOT_MEMBER, "%s: an overlay that was never finished",
			     dev_name(side));
	else if (overlay_header_decode(header_out, bytes, err))
		rc = err_prefix(err, "%s", dev_name(side));
	mem_pages_free(bytes);
	return rc;
}

bool overlay_is_empty(struct dev *side)
{
	uint8_t *page = mem_pages(BLOCK_SIZE);
	struct overlay_header header;
	struct err ignored = { 0 };
	bool empty = page && overlay_header_read(&header, side, &ignored) == 0;

	for (uint64_t i = 0; empty && i < overlay_page_count(header.size); i++)
		empty = io_read(side, IO_ROLE_MAP, OVERLAY_RECORD_OFFSET + i * BLOCK_SIZE, page,
				BLOCK_SIZE) == 0 &&
			bytes_are_zero(page, BLOCK_SIZE);
	mem_pages_free(page);
	return empty;
}

int overlay_format(struct dev *side, struct dev *member, const struct overlay_header *header,
		   struct err *err)
{
	struct overlay_header whole = *header;
	uint8_t *sums = mem_pages(2 * (size_t)BLOCK_SIZE);
	int rc;

	assert(header->size == dev_info(member)->size);
	assert(dev_info(side)->size >= overlay_side_size(header->size));
	if (!sums)
		return err_set(err, ERR_NOMEM, "%s: no memory", dev_name(side));
	sums_fill(sums, member, sums + BLOCK_SIZE);
	whole.sums_crc = crc32_of(0, sums, BLOCK_SIZE);
	rc = io_write(side, IO_ROLE_SUPER, OVERLAY_SUMS_OFFSET, sums, BLOCK_SIZE);
	if (rc == 0)
		rc = io_flush(side);
	overlay_header_encode(sums, &whole);
	if (rc == 0)
		rc = io_write(side, IO_ROLE_SUPER, 0, sums, BLOCK_SIZE);
	if (rc == 0)
		rc = io_flush(side);
	if (rc)
		err_set(err, rc, "%s: cannot be written", dev_name(side));
	mem_pages_free(sums);
	return rc;
}

bool overlay_next_range(struct overlay_range *range_out, struct dev *dev, uint64_t from,
			uint64_t size_max)
{
	struct overlay_dev *overlay = overlay_of(dev);
	uint64_t count = dev->info.size / BLOCK_SIZE, block = from / BLOCK_SIZE, end;
	uint32_t state = 0;

	assert(size_max >= BLOCK_SIZE);
	env_lock(dev->env, &overlay->lock);
	block = state_end(overlay, block, count, 0);
	end = block;
	if (block < count) {
		state = state_of(overlay, block);
		end = state_end(overlay, block,
				block + size_min(count - block, size_max / BLOCK_SIZE), state);
	}
	env_unlock(dev->env, &overlay->lock);
	if (block >= count)
		return false;
	*range_out = (struct overlay_range){
		.offset = block * BLOCK_SIZE,
		.size = (end - block) * BLOCK_SIZE,
		.role = (enum io_role)(state - 1),
	};
	return true;
}
