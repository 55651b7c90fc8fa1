/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults above pristine bytes: what a failing disk does, on purpose and where asked.
 *
 * The faults that an operation meets are decided under the lock, before it goes down; the I/O runs
 * without the lock.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/dev/devices.h"

#include <assert.h>
#include <string.h>

#define TEAR_SIZE 512u /* disks tear writes between sectors */

struct fault_state {
	struct fault fault;
	uint32_t seen;   /* matching operations so far, up to `skip` */
	uint32_t struck; /* times it took effect */
};

/* A block as it was before it was written, for FAULT_STALE_READ. */
struct stale_block {
	uint64_t offset;
	uint8_t *bytes; /* owned */
};

VEC_DEFINE(fault_vec, struct fault_state);
VEC_DEFINE(stale_vec, struct stale_block);

struct fault_dev {
	struct dev dev;
	struct env_lock lock;
	struct fault_vec faults;
	struct stale_vec stale; /* ascending; also changed under the lock */
	bool gone;              /* FAULT_DISCONNECT struck */
};

static struct fault_dev *fault_of(struct dev *dev)
{
	return (struct fault_dev *)(void *)dev;
}

/* What is to happen to one operation. */
struct verdict {
	int error; /* the operation ends with it, nothing goes down */
	uint64_t delay_ns;
	bool hangs;
	bool lost;
	bool torn; /* with `is_short` it fails as well */
	bool is_short;
	bool stale;
	uint64_t shift;
	uint8_t flip;     /* the bit, as a mask; 0: none */
	uint64_t flip_at; /* byte on the device */
};

static bool touches(const struct fault *fault, const struct io *io)
{
	return io->offset < fault->offset + fault->size && fault->offset < io->offset + io->size;
}

static bool holds(const struct io *io, uint64_t offset)
{
	return offset >= io->offset && offset - io->offset < io->size;
}

static bool matches(const struct fault *fault, const struct io *io)
{
	switch (fault->kind) {
	case FAULT_READ_ERROR:
		return io->op == IO_READ && touches(fault, io);
	case FAULT_FLIP:
		return io->op == IO_READ && holds(io, fault->offset);
	case FAULT_FLUSH_ERROR:
		return io->op == IO_FLUSH;
	case FAULT_FLIP_READ:
	case FAULT_STALE_READ:
	case FAULT_MISREAD:
		return io->op == IO_READ && touches(fault, io);
	case FAULT_SHORT:
		return io->op != IO_FLUSH && touches(fault, io);
	case FAULT_LATENCY:
	case FAULT_HANG:
	case FAULT_DISCONNECT:
		return io->op == IO_FLUSH || touches(fault, io);
	case FAULT_MISDIRECT:
		return io_is_write(io) && io->offset >= fault->offset &&
		       io->offset - fault->offset < fault->size;
	case FAULT_WRITE_ERROR:
	case FAULT_LOST_WRITE:
	case FAULT_TORN:
	case FAULT_NO_SPACE:
	case FAULT_FLIP_WRITE:
		return io_is_write(io) && touches(fault, io);
	}
	return false;
}

static bool is_spent(const struct fault_state *state)
{
	return state->fault.count && state->struck >= state->fault.count;
}

/* Any bit of the operation, the same for the same seed and offset. */
static void flip_choose(struct verdict *verdict, uint64_t seed, const struct io *io)
{
	struct rng rng = rng_seeded(seed ^ io->offset);

	verdict->flip_at = io->offset + rng_below(&rng, io->size);
	verdict->flip = (uint8_t)(1u << rng_below(&rng, 8));
}

static void verdict_add(struct verdict *verdict, const struct fault *fault, const struct io *io)
{
	verdict->delay_ns = fault->delay_ns;
	verdict->hangs = fault->kind == FAULT_HANG;
	switch (fault->kind) {
	case FAULT_HANG:
	case FAULT_DISCONNECT:
	case FAULT_READ_ERROR:
	case FAULT_WRITE_ERROR:
	case FAULT_FLUSH_ERROR:
		verdict->error = ERR_IO;
		break;
	case FAULT_NO_SPACE:
		verdict->error = ERR_NOSPACE;
		break;
	case FAULT_FLIP:
		verdict->flip = 1;
		verdict->flip_at = fault->offset;
		break;
	case FAULT_FLIP_READ:
	case FAULT_FLIP_WRITE:
		flip_choose(verdict, fault->seed, io);
		break;
	case FAULT_STALE_READ:
		verdict->stale = true;
		break;
	case FAULT_SHORT:
		verdict->is_short = true;
		break;
	case FAULT_LATENCY:
		break;
	case FAULT_LOST_WRITE:
		verdict->lost = true;
		break;
	case FAULT_MISDIRECT:
	case FAULT_MISREAD:
		verdict->shift = fault->shift;
		break;
	case FAULT_TORN:
		verdict->torn = true;
		break;
	}
}

/* Every fault that matches counts the operation; the first that strikes decides. Holds the lock. */
static struct verdict verdict_of(struct fault_dev *dev, const struct io *io)
{
	struct verdict verdict = { 0 };
	bool decided = false;

	for (size_t i = 0; i < dev->faults.count; i++) {
		struct fault_state *state = &dev->faults.at[i];

		if (is_spent(state) || !matches(&state->fault, io))
			continue;
		if (state->seen < state->fault.skip) {
			state->seen++;
			continue;
		}
		if (decided)
			continue;
		state->struck++;
		dev->gone |= state->fault.kind == FAULT_DISCONNECT;
		verdict_add(&verdict, &state->fault, io);
		decided = true;
	}
	return verdict;
}

/* Cut the range of a write out of one fault; what lies behind the cut becomes a fault of its own. */
static void fault_cut(struct fault_vec *faults, size_t index, uint64_t begin, uint64_t end)
{
	struct fault *fault = &faults->at[index].fault;
	uint64_t fault_end = fault->offset + fault->size;

	if (fault->offset < begin && fault_end > end) {
		struct fault_state behind = faults->at[index];

		behind.fault.offset = end;
		behind.fault.size = fault_end - end;
		assert(faults->count < faults->capacity);
		faults->at[faults->count++] = behind;
	}
	if (fault->offset < begin) {
		fault->size = begin - fault->offset;
	} else {
		fault->offset = size_min(end, fault_end);
		fault->size = fault_end - fault->offset;
	}
}

/* A write makes unreadable blocks readable again. Without memory they stay bad. Holds the lock. */
static void heal(struct fault_vec *faults, const struct io *io)
{
	size_t count = faults->count, kept = 0;

	if (fault_vec_reserve(faults, 2 * count)) /* each may be cut in two */
		return;
	for (size_t i = 0; i < count; i++) {
		const struct fault *fault = &faults->at[i].fault;

		if (fault->kind == FAULT_READ_ERROR && touches(fault, io))
			fault_cut(faults, i, io->offset, io->offset + io->size);
	}
	for (size_t i = 0; i < faults->count; i++) {
		if (faults->at[i].fault.kind != FAULT_READ_ERROR || faults->at[i].fault.size)
			faults->at[kept++] = faults->at[i];
	}
	faults->count = kept;
}

/* The byte of `io` that lies at `offset` on the device. */
static uint8_t *byte_at(const struct io *io, uint64_t offset)
{
	const struct iovec *iov = io->iov;
	uint64_t left = offset - io->offset;

	assert(holds(io, offset));
	for (; left >= iov->iov_len; iov++)
		left -= iov->iov_len;
	return (uint8_t *)iov->iov_base + left;
}

static int run_part(struct fault_dev *dev, const struct io *io, uint64_t offset, void *bytes,
		    enum io_op op)
{
	const struct iovec iov = { .iov_base = bytes, .iov_len = BLOCK_SIZE };
	struct io part = {
		.dev = io->dev,
		.op = op,
		.role = io->role,
		.offset = offset,
		.size = BLOCK_SIZE,
		.iov = &iov,
		.iov_count = 1,
	};

	return dev_run_below(&dev->dev, &part);
}

/*
 * Land the first half of a write, down to the sector, and report success. Block by block: this is
 * slow and simple, and the block where it stops keeps what was behind.
 */
static int run_torn(struct fault_dev *dev, const struct io *io)
{
	uint64_t half = io->size / 2 - io->size / 2 % TEAR_SIZE;
	uint8_t *block = mem_pages(BLOCK_SIZE);
	int rc = block ? 0 : ERR_IO;

	for (uint64_t done = 0; rc == 0 && done < half; done += BLOCK_SIZE) {
		size_t keep = (size_t)size_min(half - done, BLOCK_SIZE);

		rc = run_part(dev, io, io->offset + done, block, IO_READ);
		if (rc)
			break;
		if (io->op == IO_WRITE)
			memcpy(block, byte_at(io, io->offset + done), keep);
		else
			memset(block, 0, keep);
		rc = run_part(dev, io, io->offset + done, block, IO_WRITE);
	}
	mem_pages_free(block);
	return rc;
}

static int run_misdirected(struct fault_dev *dev, struct io *io, uint64_t shift)
{
	struct io moved = *io;
	bool passes_end = shift > dev->dev.info.size - io->offset - io->size;

	/* Past the end a disk has nothing to overwrite: the write is only lost. */
	if (passes_end && io_is_write(io))
		return 0;
	if (!passes_end)
		moved.offset += shift;
	else if (shift <= io->offset)
		moved.offset -= shift;
	return dev_run_below(&dev->dev, &moved);
}

/* A read that is cut short leaves its buffer undefined, so it need not be begun. */
static int run_short(struct fault_dev *dev, const struct io *io)
{
	int rc = io_is_write(io) ? run_torn(dev, io) : 0;

	return rc ? rc : ERR_IO;
}

/* The write is done; now the medium holds another bit. */
static int flip_stored(struct fault_dev *dev, const struct io *io, const struct verdict *verdict)
{
	uint64_t offset = verdict->flip_at - verdict->flip_at % BLOCK_SIZE;
	uint8_t *block = mem_pages(BLOCK_SIZE);
	int rc = block ? run_part(dev, io, offset, block, IO_READ) : ERR_IO;

	if (rc == 0) {
		block[verdict->flip_at - offset] ^= verdict->flip;
		rc = run_part(dev, io, offset, block, IO_WRITE);
	}
	mem_pages_free(block);
	return rc;
}

/* The place of the block in the list, or where it would be. Holds the lock. */
static size_t stale_place(const struct fault_dev *dev, uint64_t offset)
{
	size_t low = 0, high = dev->stale.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dev->stale.at[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool stale_has(const struct fault_dev *dev, size_t place, uint64_t offset)
{
	return place < dev->stale.count && dev->stale.at[place].offset == offset;
}

/* Keep what the block holds before it is written for the first time. Without memory it is not kept. */
static void stale_keep(struct fault_dev *dev, const struct io *io, uint64_t offset)
{
	struct stale_block kept = { .offset = offset };
	size_t place;
	bool has;

	env_lock(dev->dev.env, &dev->lock);
	has = stale_has(dev, stale_place(dev, offset), offset) ||
	      dev->stale.count >= FAULT_STALE_BLOCKS_MAX;
	env_unlock(dev->dev.env, &dev->lock);
	if (has)
		return;
	kept.bytes = mem_pages(BLOCK_SIZE);
	if (!kept.bytes || run_part(dev, io, offset, kept.bytes, IO_READ)) {
		mem_pages_free(kept.bytes);
		return;
	}
	env_lock(dev->dev.env, &dev->lock);
	place = stale_place(dev, offset);
	has = stale_has(dev, place, offset) || stale_vec_push(&dev->stale, kept);
	if (!has) {
		memmove(dev->stale.at + place + 1, dev->stale.at + place,
			(dev->stale.count - 1 - place) * sizeof(kept));
		dev->stale.at[place] = kept;
	}
	env_unlock(dev->dev.env, &dev->lock);
	if (has)
		mem_pages_free(kept.bytes);
}

static bool stale_wanted(struct fault_dev *dev, const struct io *io)
{
	bool wanted = false;

	env_lock(dev->dev.env, &dev->lock);
	for (size_t i = 0; i < dev->faults.count && !wanted; i++)
		wanted = dev->faults.at[i].fault.kind == FAULT_STALE_READ &&
			 touches(&dev->faults.at[i].fault, io);
	env_unlock(dev->dev.env, &dev->lock);
	return wanted;
}

/* Put what was there before over what was read. */
static void stale_return(struct fault_dev *dev, const struct io *io)
{
	env_lock(dev->dev.env, &dev->lock);
	for (uint64_t offset = io->offset; offset < io->offset + io->size; offset += BLOCK_SIZE) {
		size_t place = stale_place(dev, offset);

		if (stale_has(dev, place, offset))
			memcpy(byte_at(io, offset), dev->stale.at[place].bytes, BLOCK_SIZE);
	}
	env_unlock(dev->dev.env, &dev->lock);
}

/* What the verdict says instead of the operation; true when that was all. */
static bool run_instead(int *rc_out, struct fault_dev *dev, struct io *io,
			const struct verdict *verdict)
{
	if (verdict->error)
		*rc_out = verdict->error;
	else if (verdict->lost)
		*rc_out = 0;
	else if (verdict->shift)
		*rc_out = run_misdirected(dev, io, verdict->shift);
	else if (verdict->torn)
		*rc_out = run_torn(dev, io);
	else if (verdict->is_short)
		*rc_out = run_short(dev, io);
	else
		return false;
	return true;
}

/* A device that hangs gives no answer for so long, or until it is given up. */
static void delay(struct dev *dev, const struct verdict *verdict)
{
	uint64_t limit_ns = verdict->hangs ? dev_limit_ns(dev) : 0;

	if (limit_ns && limit_ns <= verdict->delay_ns) {
		env_sleep_ns(dev->env, limit_ns);
		dev_set_hung(dev);
	} else if (verdict->delay_ns) {
		env_sleep_ns(dev->env, verdict->delay_ns);
	}
}

static int fault_run(struct dev *base, struct io *io)
{
	struct fault_dev *dev = fault_of(base);
	struct verdict verdict = { .error = ERR_IO };
	int rc = 0;

	env_lock(base->env, &dev->lock);
	if (!dev->gone)
		verdict = verdict_of(dev, io);
	env_unlock(base->env, &dev->lock);

	delay(base, &verdict);
	if (run_instead(&rc, dev, io, &verdict))
		return rc;
	if (io_is_write(io) && stale_wanted(dev, io)) {
		for (uint64_t at = io->offset; at < io->offset + io->size; at += BLOCK_SIZE)
			stale_keep(dev, io, at);
	}

	rc = dev_run_below(base, io);
	if (rc == 0 && verdict.stale)
		stale_return(dev, io);
	if (rc == 0 && verdict.flip && io->op == IO_READ)
		*byte_at(io, verdict.flip_at) ^= verdict.flip;
	else if (rc == 0 && verdict.flip)
		rc = flip_stored(dev, io, &verdict);
	if (rc == 0 && io_is_write(io)) {
		env_lock(base->env, &dev->lock);
		heal(&dev->faults, io);
		env_unlock(base->env, &dev->lock);
	}
	return rc;
}

/* True when a fault could change the operation, or the operation a fault. */
static bool concerns(const struct fault_state *state, const struct io *io)
{
	bool is_kept =
		state->fault.kind == FAULT_READ_ERROR || state->fault.kind == FAULT_STALE_READ;

	if (is_kept && io_is_write(io))
		return touches(&state->fault, io);
	return !is_spent(state) && matches(&state->fault, io);
}

static int fault_direct_fd(struct dev *base, const struct io *io)
{
	struct fault_dev *dev = fault_of(base);
	bool concerned;

	env_lock(base->env, &dev->lock);
	concerned = dev->gone;
	for (size_t i = 0; i < dev->faults.count && !concerned; i++)
		concerned = concerns(&dev->faults.at[i], io);
	env_unlock(base->env, &dev->lock);
	return concerned ? -1 : dev_direct_fd(base->below, io);
}

static void fault_close(struct dev *base)
{
	struct fault_dev *dev = fault_of(base);

	env_lock_reset(base->env, &dev->lock);
	fault_vec_reset(&dev->faults);
	for (size_t i = 0; i < dev->stale.count; i++)
		mem_pages_free(dev->stale.at[i].bytes);
	stale_vec_reset(&dev->stale);
	dev_reset(base);
	mem_free(dev);
}

static const struct dev_ops fault_ops = {
	.name = "fault",
	.run = fault_run,
	.close = fault_close,
	.direct_fd = fault_direct_fd,
};

int dev_fault_add(struct dev *fault_dev, const struct fault *fault)
{
	struct fault_dev *dev = fault_of(fault_dev);
	int rc;

	assert(fault_dev->ops == &fault_ops);
	assert(fault->size <= UINT64_MAX - fault->offset);
	assert(fault->size > 0 || fault->kind == FAULT_FLIP || fault->kind == FAULT_FLUSH_ERROR);
	assert(fault->shift % BLOCK_SIZE == 0);
	assert((fault->kind != FAULT_MISDIRECT && fault->kind != FAULT_MISREAD) ||
	       fault->shift > 0);

	env_lock(fault_dev->env, &dev->lock);
	rc = fault_vec_push(&dev->faults, (struct fault_state){ .fault = *fault });
	env_unlock(fault_dev->env, &dev->lock);
	return rc;
}

void dev_fault_clear(struct dev *fault_dev)
{
	struct fault_dev *dev = fault_of(fault_dev);

	assert(fault_dev->ops == &fault_ops);
	env_lock(fault_dev->env, &dev->lock);
	dev->faults.count = 0;
	dev->gone = false;
	env_unlock(fault_dev->env, &dev->lock);
}

int dev_fault_open(struct dev **dev_out, struct dev *below)
{
	struct fault_dev *dev = mem_calloc(1, sizeof(*dev));

	if (!dev)
		return ERR_NOMEM;
	if (dev_init_above(&dev->dev, &fault_ops, below)) {
		mem_free(dev);
		return ERR_NOMEM;
	}
	env_lock_init(below->env, &dev->lock);
	*dev_out = &dev->dev;
	return 0;
}
