/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/dev.h"

#include "core/base/mem.h"
#include "core/dev/uring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/*
 * A limit is over when nothing came back in so many waits in a row, each as long as its share: a process that was
 * stopped, or a machine that slept, finds one of them over when it goes on, not all.
 */
#define WAITS 8u

#define OWN_MAX (64u << 10)               /* is copied: what costs little beside any device */
#define GIVE_UP_ROUNDS 3u                 /* what is taken back comes back within the next */
#define GIVE_UP_WAIT_NS UINT64_C(2000000) /* until it does */

/* Where an operation stands while its batch runs, in `result`, where nobody looks before the end. */
enum {
	IO_WAITS = 1, /* for run() */
	IO_DIRECT,    /* dev_direct_fd() had one for it */
	IO_IN_FLIGHT,
};

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

#define SECTORS_ALL 0xffu

static void read_sectors(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	if (dev->ops->read_sectors)
		dev->ops->read_sectors(dev, io, bad_out);
	else
		*bad_out = dev->ops->run(dev, io) ? SECTORS_ALL : 0;
}

void dev_sectors_below(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	assert(dev->below);
	read_sectors(dev->below, io, bad_out);
}

int dev_direct_fd(struct dev *dev, const struct io *io)
{
	return dev->ops->direct_fd ? dev->ops->direct_fd(dev, io) : -1;
}

static const struct dev *bottom_of(const struct dev *dev)
{
	while (dev->below)
		dev = dev->below;
	return dev;
}

uint64_t dev_limit_ns(const struct dev *dev)
{
	return bottom_of(dev)->limit_ns;
}

bool dev_has_hung(const struct dev *dev)
{
	return __atomic_load_n(&bottom_of(dev)->hung, __ATOMIC_RELAXED);
}

void dev_set_hung(struct dev *dev)
{
	while (dev->below)
		dev = dev->below;
	__atomic_store_n(&dev->hung, true, __ATOMIC_RELAXED);
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

void dev_show_tail(struct dev *dev)
{
	const struct dev *bottom = bottom_of(dev);
	uint64_t tail = bottom->info.size_exact % BLOCK_SIZE;
	uint64_t whole = bottom->info.size_exact - tail;

	if (tail == 0 || !bottom->ops->has_tail)
		return;
	for (; dev; dev = dev->below) {
		if (dev->info.size == whole)
			dev->info.size = whole + BLOCK_SIZE;
	}
}

struct dev *dev_peel(struct dev *dev)
{
	struct dev *below = dev->below;

	assert(below);
	dev->ops->close(dev);
	return below;
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

/*
 * ---- A batch on its way: what can go to the kernel as it stands goes through a ring, all at once, the rest through run().
 *
 * Time limits are kept here, for what goes through a ring. What is given up is left to the kernel for ever: flushes as they
 * are; what is small in memory of our own, which it was in from the start; what is large and is in the hands of the device,
 * in pages that the kernel holds and whose addresses get others. What is large and the kernel has not yet handed to the
 * device could reach for the caller's addresses at any later time: that is waited for, however long it takes.
 */

struct flight {
	struct io *io; /* NULL: free */
	uint64_t begin_ns;
	bool late; /* the limit is over: if it comes back with an error it is not tried again */
	void *own; /* our memory of its size, where it is not the caller's that is read or written */
	struct iovec own_iov;
};

/* The operations of one batch that go through a ring. */
struct batch {
	struct uring *ring;
	struct io *ios;
	size_t count;
	size_t next;        /* all before it have been started or do not go this way */
	uint32_t in_flight; /* entries of `flights` in use */
	uint64_t limit_ns;  /* the longest of those that were started; 0: one of them has none */
	struct flight flights[URING_DEPTH];
};

/* A device that hung is not asked again. */
static void run_blocking(struct io *io)
{
	int rc = dev_has_hung(io->dev) ? ERR_IO : io->dev->ops->run(io->dev, io);

	assert(rc <= 0);
	io->result = rc;
}

/*
 * What waits for run(), one after the other; the others may be in flight. Flushes go first: a caller who puts one in a
 * batch with the writes it should cover then sees it fail in the first crash test.
 */
static void run_waiting(struct io *ios, size_t count)
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

static void batch_run_blocking(struct io *ios, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ios[i].result == IO_DIRECT)
			ios[i].result = IO_WAITS;
	}
	run_waiting(ios, count);
}

/* When it is, for the layers that want to know. */
static uint64_t time_for(const struct dev *dev)
{
	for (const struct dev *layer = dev; layer; layer = layer->below) {
		if (layer->ops->timed)
			return env_now_ns(dev->env);
	}
	return 0;
}

static bool has_memory(const struct io *io)
{
	return io->op != IO_FLUSH;
}

static enum uring_kind kind_of(const struct io *io)
{
	assert(io->op != IO_ZERO);
	if (io->op == IO_FLUSH)
		return URING_SYNC;
	return io->op == IO_READ ? URING_READ : URING_WRITE;
}

/* Between the caller's memory and our own. */
static void own_copy(const struct flight *flight)
{
	const struct io *io = flight->io;
	uint8_t *own = flight->own;

	for (uint32_t i = 0; i < io->iov_count; i++) {
		if (io->op == IO_READ)
			memcpy(io->iov[i].iov_base, own, io->iov[i].iov_len);
		else
			memcpy(own, io->iov[i].iov_base, io->iov[i].iov_len);
		own += io->iov[i].iov_len;
	}
}

/* Where there is no memory for it, it goes as what is large does. */
static void own_take(struct flight *flight)
{
	const struct io *io = flight->io;

	if (!has_memory(io) || io->size > OWN_MAX || dev_limit_ns(io->dev) == 0)
		return;
	flight->own = mem_pages_raw(io->size);
	flight->own_iov = (struct iovec){ .iov_base = flight->own, .iov_len = io->size };
	if (flight->own && io->op == IO_WRITE)
		own_copy(flight);
}

static void flight_begin(struct batch *batch, struct io *io, int fd)
{
	uint64_t limit_ns = dev_limit_ns(io->dev);
	struct flight *flight = batch->flights;

	while (flight->io)
		flight++;
	assert(flight < batch->flights + URING_DEPTH);

	*flight = (struct flight){ .io = io, .begin_ns = time_for(io->dev) };
	own_take(flight);
	const struct uring_op op = {
		.kind = kind_of(io),
		.fd = fd,
		.iov = flight->own ? &flight->own_iov : io->iov,
		.iov_count = flight->own ? 1 : io->iov_count,
		.offset = io->offset,
		.tag = (uint32_t)(flight - batch->flights),
	};
	uring_add(batch->ring, &op);
	io->result = IO_IN_FLIGHT;
	if (batch->in_flight == 0 || limit_ns == 0 ||
	    (batch->limit_ns && limit_ns > batch->limit_ns))
		batch->limit_ns = limit_ns;
	batch->in_flight++;
}

static void batch_fill(struct batch *batch)
{
	for (; batch->next < batch->count && batch->in_flight < URING_DEPTH; batch->next++) {
		struct io *io = &batch->ios[batch->next];
		int fd;

		if (io->result != IO_DIRECT)
			continue;
		fd = dev_has_hung(io->dev)
			     ? -1
			     : dev_direct_fd(io->dev, io); /* again: a fault may have been added */
		if (fd >= 0)
			flight_begin(batch, io, fd);
		else
			run_blocking(io);
	}
	uring_start(batch->ring);
}

/* What an operation that came back with `result` has to say. */
static int flight_code(const struct flight *flight, int result)
{
	struct io *io = flight->io;
	struct dev *bottom = io->dev;

	if (result >= 0 && (uint64_t)result == io->size) {
		if (flight->own && io->op == IO_READ)
			own_copy(flight);
		return 0;
	}
	if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EINVAL &&
	    result != -EOPNOTSUPP)
		return dev_code_of_errno(-result);

	/* Short, or not possible this way: do all of it again, which ends whole or with an error. */
	while (bottom->below)
		bottom = bottom->below;
	return bottom->ops->run(bottom, io);
}

/* It is over, as far as its caller can know. */
static void flight_end(struct batch *batch, uint32_t tag, int code)
{
	struct flight *flight = &batch->flights[tag];
	struct io *io = flight->io;

	assert(tag < URING_DEPTH && io);
	assert(code <= 0);
	io->result = code;
	uint64_t end_ns = time_for(io->dev);

	for (struct dev *dev = io->dev; dev; dev = dev->below) {
		if (dev->ops->seen)
			dev->ops->seen(dev, io, flight->begin_ns, end_ns);
	}
	flight->io = NULL;
	batch->in_flight--;
}

static void flight_land(struct batch *batch, uint32_t tag, int result)
{
	struct flight *flight = &batch->flights[tag];
	void *own = flight->own;

	flight_end(batch, tag, flight_code(flight, result));
	mem_pages_free(own);
}

/* The kernel took no more: what it did not begin is done here. */
static void batch_abandon(struct batch *batch)
{
	for (uint32_t tag = 0; tag < URING_DEPTH; tag++) {
		if (batch->flights[tag].io)
			flight_land(batch, tag, -EAGAIN);
	}
	uring_give(batch->ring);
	batch->ring = NULL;
}

/* What is late and comes back after all. */
static void flight_land_late(struct batch *batch, uint32_t tag, int result)
{
	const struct io *io = batch->flights[tag].io;
	void *own = batch->flights[tag].own;

	if (result >= 0 && (uint64_t)result == io->size) {
		flight_land(batch, tag, result);
		return;
	}
	dev_set_hung(io->dev);
	flight_end(batch, tag, ERR_IO);
	mem_pages_free(own);
}

/* Flights with the caller's memory that cannot be left; some may come back for having been asked. */
static uint32_t count_unheld(struct batch *batch)
{
	uint32_t count = 0, tag = 0;
	int result = 0;

	for (tag = 0; tag < URING_DEPTH; tag++) {
		const struct flight *flight = &batch->flights[tag];

		count += flight->io && !flight->own && has_memory(flight->io) &&
			 !uring_holds(batch->ring, tag);
	}
	while (batch->in_flight && uring_wait(batch->ring, GIVE_UP_WAIT_NS, &tag, &result) == 0)
		flight_land_late(batch, tag, result);
	return count;
}

static bool memory_renew(struct batch *batch)
{
	for (uint32_t tag = 0; tag < URING_DEPTH; tag++) {
		const struct flight *flight = &batch->flights[tag];

		if (flight->io && !flight->own && has_memory(flight->io) &&
		    uring_renew(flight->io->iov, flight->io->iov_count))
			return false;
	}
	return true;
}

/* Nothing came back until the limit was over: leave all that is in flight, if it can be left. */
static void batch_give_up(struct batch *batch)
{
	void *memory[URING_DEPTH] = { 0 };
	uint32_t unheld = 1;

	for (uint32_t tag = 0; tag < URING_DEPTH; tag++)
		batch->flights[tag].late = true;
	for (uint32_t i = 0; unheld && i < GIVE_UP_ROUNDS; i++)
		unheld = count_unheld(batch);
	if (unheld || batch->in_flight == 0 || !memory_renew(batch))
		return;
	for (uint32_t tag = 0; tag < URING_DEPTH; tag++) {
		if (!batch->flights[tag].io)
			continue;
		memory[tag] = batch->flights[tag].own;
		dev_set_hung(batch->flights[tag].io->dev);
		flight_end(batch, tag, ERR_IO);
	}
	uring_lose(batch->ring, memory, URING_DEPTH);
	batch->ring = NULL;
}

/* Wait until something came back, and deal with it; or until the limit is over. */
static void batch_wait(struct batch *batch)
{
	uint32_t tag = 0;
	int result = 0, rc = ERR_TIMEOUT;

	for (uint32_t i = 0; rc == ERR_TIMEOUT && i < WAITS; i++)
		rc = uring_wait(batch->ring, batch->limit_ns / WAITS, &tag, &result);
	if (rc == ERR_TIMEOUT)
		batch_give_up(batch);
	else if (rc)
		batch_abandon(batch);
	else if (batch->flights[tag].late)
		flight_land_late(batch, tag, result);
	else
		flight_land(batch, tag, result);
}

/* False, with nothing done, when there is no ring. */
static bool batch_run(struct io *ios, size_t count)
{
	struct batch batch = { .ring = uring_take(), .ios = ios, .count = count };

	if (!batch.ring)
		return false;
	batch_fill(&batch);
	run_waiting(ios, count);
	while (batch.ring && batch.in_flight) {
		batch_wait(&batch);
		/* Some at once: each start is a system call. */
		if (batch.ring && batch.in_flight <= URING_DEPTH / 2)
			batch_fill(&batch);
	}
	if (batch.ring)
		uring_give(batch.ring);
	else if (batch.next < count && !batch_run(ios, count))
		batch_run_blocking(ios, count);
	return true;
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
	void (*run_all)(struct io * ios, size_t count) = NULL;
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		ios[i].result = io_check(&ios[i]);
		if (ios[i].dev->ops->run_all)
			run_all = ios[i].dev->ops->run_all;
	}

	/* One operation alone gains nothing from a ring, except that its time can be limited. */
	if (run_all)
		run_all(ios, count);
	else if ((count <= 1 && !(count && dev_limit_ns(ios->dev))) || !direct_mark(ios, count) ||
		 !batch_run(ios, count))
		batch_run_blocking(ios, count);
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

uint8_t io_read_sectors(struct dev *dev, enum io_role role, uint64_t offset, void *block)
{
	const struct iovec iov = { .iov_base = block, .iov_len = BLOCK_SIZE };
	struct io io = {
		.dev = dev,
		.op = IO_READ,
		.role = role,
		.offset = offset,
		.size = BLOCK_SIZE,
		.iov = &iov,
		.iov_count = 1,
	};
	uint8_t bad = SECTORS_ALL;

	if (io_check(&io) == IO_WAITS && !dev_has_hung(dev))
		read_sectors(dev, &io, &bad);
	return bad;
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
