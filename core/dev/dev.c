/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/dev.h"

#include "core/base/mem.h"
#include "core/dev/uring.h"

#include <assert.h>
#include <errno.h>

/* Where an operation stands while its batch runs, in `result`, where nobody looks before the end. */
enum { IO_WAITS = 1, IO_DIRECT, IO_IN_FLIGHT };

const char *io_role_name(enum io_role role)
{
	static const char *const names[IO_ROLE_COUNT] = {
		"data", "parity", "pure", "log", "map", "super", "seal", "witness",
	};

	assert(role < IO_ROLE_COUNT);
	return names[role];
}

const char *io_op_name(enum io_op op)
{
	static const char *const names[] = { "read", "write", "zero", "flush" };

	assert(op <= IO_FLUSH);
	return names[op];
}

int dev_init(struct dev *dev, const struct dev_ops *ops, struct env *env, const char *name)
{
	assert(ops && ops->run && ops->close);
	assert(env);

	*dev = (struct dev){ .ops = ops, .env = env, .name = mem_strdup(name) };
	return dev->name ? 0 : ERR_NOMEM;
}

int dev_init_above(struct dev *dev, const struct dev_ops *ops, struct dev *below)
{
	int rc = dev_init(dev, ops, below->env, below->name);

	if (rc)
		return rc;
	dev->info = below->info;
	dev->below = below;
	return 0;
}

void dev_reset(struct dev *dev)
{
	mem_free(dev->name);
	dev->name = NULL;
}

int dev_run_below(struct dev *dev, struct io *io)
{
	assert(dev->below);
	return dev->below->ops->run(dev->below, io);
}

int dev_direct_fd(struct dev *dev, const struct io *io)
{
	return dev->ops->direct_fd ? dev->ops->direct_fd(dev, io) : -1;
}

int dev_code_of_errno(int number)
{
	return number == ENOSPC || number == EDQUOT || number == EFBIG ? ERR_NOSPACE : ERR_IO;
}

const struct dev_info *dev_info(const struct dev *dev)
{
	return &dev->info;
}

const char *dev_name(const struct dev *dev)
{
	return dev->name;
}

void dev_close(struct dev *dev)
{
	while (dev) {
		struct dev *below = dev->below;

		dev->ops->close(dev);
		dev = below;
	}
}

static void memory_check(const struct io *io)
{
	uint64_t total = 0;

	assert(io->iov_count > 0 && io->iov_count <= IO_IOV_MAX);
	for (uint32_t i = 0; i < io->iov_count; i++) {
		assert((uintptr_t)io->iov[i].iov_base % BLOCK_SIZE == 0);
		assert(io->iov[i].iov_len % BLOCK_SIZE == 0);
		total += io->iov[i].iov_len;
	}
	assert(total == io->size);
}

/* The frame before an operation: IO_WAITS, or the error that it already has. */
static int io_check(const struct io *io)
{
	const struct dev_info *info = &io->dev->info;

	assert(io->op <= IO_FLUSH && io->role < IO_ROLE_COUNT);
	if (io->op == IO_FLUSH) {
		assert(io->offset == 0 && io->size == 0);
		return IO_WAITS;
	}
	assert(io->size > 0);
	assert(io->offset % BLOCK_SIZE == 0 && io->size % BLOCK_SIZE == 0);
	assert(io->op == IO_READ || !info->read_only);
	if (io->op != IO_ZERO)
		memory_check(io);
	if (info->size == 0) /* an absent member cannot be too short */
		return ERR_IO;
	if (io->offset > info->size || io->size > info->size - io->offset)
		return ERR_TRUNCATED;
	return IO_WAITS;
}

static void run_blocking(struct io *io)
{
	int rc = io->dev->ops->run(io->dev, io);

	assert(rc <= 0);
	io->result = rc;
}

/*
 * The operations that need run(), one after the other. Flushes go first: a caller who puts one in a
 * batch with the writes it should cover then sees it fail in the first crash test.
 */
static void run_all_blocking(struct io *ios, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ios[i].result == IO_WAITS && ios[i].op == IO_FLUSH)
			run_blocking(&ios[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (ios[i].result == IO_WAITS)
			run_blocking(&ios[i]);
	}
}

/* The operations of one batch that go through a ring. */
struct batch {
	struct uring *ring;
	struct io *ios;
	size_t count;
	size_t next;        /* all before it have been started or do not go this way */
	uint32_t in_flight; /* entries of `flights` in use */
	struct flight {
		struct io *io; /* NULL: free */
		uint64_t begin_ns;
	} flights[URING_DEPTH];
};

/* When it is, for the layers that want to know. */
static uint64_t time_for(const struct dev *dev)
{
	for (const struct dev *layer = dev; layer; layer = layer->below) {
		if (layer->ops->timed)
			return env_now_ns(dev->env);
	}
	return 0;
}

static void flight_begin(struct batch *batch, struct io *io, int fd)
{
	static const enum uring_kind kinds[] = {
		[IO_READ] = URING_READ,
		[IO_WRITE] = URING_WRITE,
		[IO_FLUSH] = URING_SYNC,
	};
	uint32_t tag = 0;

	assert(io->op != IO_ZERO);
	while (batch->flights[tag].io)
		tag++;
	assert(tag < URING_DEPTH);

	const struct uring_op op = {
		.kind = kinds[io->op],
		.fd = fd,
		.iov = io->iov,
		.iov_count = io->iov_count,
		.offset = io->offset,
		.tag = tag,
	};
	uring_add(batch->ring, &op);
	io->result = IO_IN_FLIGHT;
	batch->flights[tag].io = io;
	batch->flights[tag].begin_ns = time_for(io->dev);
	batch->in_flight++;
}

static void batch_fill(struct batch *batch)
{
	for (; batch->next < batch->count && batch->in_flight < URING_DEPTH; batch->next++) {
		struct io *io = &batch->ios[batch->next];
		int fd;

		if (io->result != IO_DIRECT)
			continue;
		fd = dev_direct_fd(io->dev, io); /* again: a fault may have been added */
		if (fd >= 0)
			flight_begin(batch, io, fd);
		else
			run_blocking(io);
	}
	uring_start(batch->ring);
}

/* What an operation that came back with `result` has to say. */
static int flight_code(struct io *io, int result)
{
	struct dev *bottom = io->dev;

	if (result >= 0 && (uint64_t)result == io->size)
		return 0;
	if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EINVAL &&
	    result != -EOPNOTSUPP)
		return dev_code_of_errno(-result);

	/* Short, or not possible this way: do all of it again, which ends whole or with an error. */
	while (bottom->below)
		bottom = bottom->below;
	return bottom->ops->run(bottom, io);
}

static void flight_end(struct batch *batch, uint32_t tag, int result)
{
	struct flight *flight = &batch->flights[tag];
	struct io *io = flight->io;

	assert(tag < URING_DEPTH && io);
	io->result = flight_code(io, result);
	assert(io->result <= 0);
	uint64_t end_ns = time_for(io->dev);

	for (struct dev *dev = io->dev; dev; dev = dev->below) {
		if (dev->ops->seen)
			dev->ops->seen(dev, io, flight->begin_ns, end_ns);
	}
	flight->io = NULL;
	batch->in_flight--;
}

/* The kernel took no more: what it did not begin is done here. */
static void batch_abandon(struct batch *batch)
{
	for (uint32_t tag = 0; tag < URING_DEPTH; tag++) {
		if (batch->flights[tag].io)
			flight_end(batch, tag, -EAGAIN);
	}
	for (size_t i = batch->next; i < batch->count; i++) {
		if (batch->ios[i].result == IO_DIRECT)
			run_blocking(&batch->ios[i]);
	}
	batch->next = batch->count;
}

static void batch_run(struct uring *ring, struct io *ios, size_t count)
{
	struct batch batch = { .ring = ring, .ios = ios, .count = count };

	batch_fill(&batch);
	run_all_blocking(ios, count); /* while the others are in flight */
	while (batch.in_flight) {
		uint32_t tag;
		int result;

		if (uring_wait(ring, &tag, &result)) {
			batch_abandon(&batch);
			break;
		}
		flight_end(&batch, tag, result);
		if (batch.in_flight <=
		    URING_DEPTH / 2) /* some at once: each start is a system call */
			batch_fill(&batch);
	}
	assert(batch.next == count);
}

/* Mark what can go to the kernel as it stands; true when there is any. */
static bool direct_mark(struct io *ios, size_t count)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (ios[i].result == IO_WAITS && dev_direct_fd(ios[i].dev, &ios[i]) >= 0) {
			ios[i].result = IO_DIRECT;
			found = true;
		}
	}
	return found;
}

int io_run(struct io *ios, size_t count)
{
	struct uring *ring = NULL;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		ios[i].result = io_check(&ios[i]);

	/* One operation alone gains nothing from a ring. */
	if (count > 1 && direct_mark(ios, count))
		ring = uring_take();
	if (ring) {
		batch_run(ring, ios, count);
		uring_give(ring);
	} else {
		for (size_t i = 0; i < count; i++) {
			if (ios[i].result == IO_DIRECT)
				ios[i].result = IO_WAITS;
		}
		run_all_blocking(ios, count);
	}
	for (size_t i = 0; i < count; i++) {
		assert(ios[i].result <= 0);
		if (rc == 0)
			rc = ios[i].result;
	}
	return rc;
}

static int io_run_one(struct dev *dev, enum io_op op, enum io_role role, uint64_t offset,
		      const struct iovec *iov, size_t size)
{
	struct io io = {
		.dev = dev,
		.op = op,
		.role = role,
		.offset = offset,
		.size = size,
		.iov = iov,
		.iov_count = iov ? 1 : 0,
	};

	return io_run(&io, 1);
}

int io_read(struct dev *dev, enum io_role role, uint64_t offset, void *bytes, size_t size)
{
	const struct iovec iov = { .iov_base = bytes, .iov_len = size };

	return io_run_one(dev, IO_READ, role, offset, &iov, size);
}

int io_write(struct dev *dev, enum io_role role, uint64_t offset, const void *bytes, size_t size)
{
	/* An iovec has no const; nothing below writes to the memory of a write. */
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };

	return io_run_one(dev, IO_WRITE, role, offset, &iov, size);
}

int io_flush(struct dev *dev)
{
	return io_run_one(dev, IO_FLUSH, IO_ROLE_DATA, 0, NULL, 0);
}
