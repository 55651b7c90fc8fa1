/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults above pristine bytes: what a failing disk does, on purpose and where asked.
 *
 * The faults that an operation meets are decided under the lock, before it goes down; the I/O runs
 * without the lock.
 */
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/dev/devices.h"

#include <assert.h>

#define TEAR_SIZE 512u /* disks tear writes between sectors */

struct fault_state {
	struct fault fault;
	uint32_t seen;   /* matching operations so far, up to `skip` */
	uint32_t struck; /* times it took effect */
};

VEC_DEFINE(fault_vec, struct fault_state);

struct fault_dev {
	struct dev dev;
	struct env_lock lock;
	struct fault_vec faults;
};

static struct fault_dev *fault_of(struct dev *dev)
{
	return (struct fault_dev *)(void *)dev;
}

/* What is to happen to one operation. */
struct verdict {
	int error; /* the operation ends with it, nothing goes down */
	bool lost;
	bool torn;
	uint64_t shift;
	bool flip;
	uint64_t flip_at; /* byte on the device */
};

static bool io_is_write(const struct io *io)
{
	return io->op == IO_WRITE || io->op == IO_ZERO;
}

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
	case FAULT_MISDIRECT:
		return io_is_write(io) && io->offset >= fault->offset &&
		       io->offset - fault->offset < fault->size;
	case FAULT_WRITE_ERROR:
	case FAULT_LOST_WRITE:
	case FAULT_TORN:
	case FAULT_NO_SPACE:
		return io_is_write(io) && touches(fault, io);
	}
	return false;
}

static bool is_spent(const struct fault_state *state)
{
	return state->fault.count && state->struck >= state->fault.count;
}

static void verdict_add(struct verdict *verdict, const struct fault *fault)
{
	switch (fault->kind) {
	case FAULT_READ_ERROR:
	case FAULT_WRITE_ERROR:
	case FAULT_FLUSH_ERROR:
		verdict->error = ERR_IO;
		break;
	case FAULT_NO_SPACE:
		verdict->error = ERR_NOSPACE;
		break;
	case FAULT_FLIP:
		verdict->flip = true;
		verdict->flip_at = fault->offset;
		break;
	case FAULT_LOST_WRITE:
		verdict->lost = true;
		break;
	case FAULT_MISDIRECT:
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
		verdict_add(&verdict, &state->fault);
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

	/* Past the end a disk has nothing to overwrite: the write is only lost. */
	if (shift > dev->dev.info.size - io->offset - io->size)
		return 0;
	moved.offset += shift;
	return dev_run_below(&dev->dev, &moved);
}

static int fault_run(struct dev *base, struct io *io)
{
	struct fault_dev *dev = fault_of(base);
	struct verdict verdict;
	int rc = 0;

	env_lock(base->env, &dev->lock);
	verdict = verdict_of(dev, io);
	env_unlock(base->env, &dev->lock);

	if (verdict.error)
		return verdict.error;
	if (verdict.lost)
		return 0;
	if (verdict.shift)
		return run_misdirected(dev, io, verdict.shift);
	if (verdict.torn)
		return run_torn(dev, io);

	rc = dev_run_below(base, io);
	if (rc == 0 && verdict.flip)
		*byte_at(io, verdict.flip_at) ^= 1;
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
	if (state->fault.kind == FAULT_READ_ERROR && io_is_write(io))
		return touches(&state->fault, io);
	return !is_spent(state) && matches(&state->fault, io);
}

static int fault_direct_fd(struct dev *base, const struct io *io)
{
	struct fault_dev *dev = fault_of(base);
	bool concerned = false;

	env_lock(base->env, &dev->lock);
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
	assert(fault->kind != FAULT_MISDIRECT || fault->shift > 0);

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
