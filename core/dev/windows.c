/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/windows.h"

#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <string.h>

#define JOIN_SIZE_MAX (UINT64_C(1) << 20) /* from here on disks are as fast as they get */
#define GAP_SIZE_MAX                                                                               \
	(64u                                                                                       \
	 << 10) /* is read as well: parity between chunks; less than what another operation costs */
#define TAILS_MAX 64u /* devices of a batch whose last operation is known */

struct windows_dev {
	struct dev dev;
	struct env_lock
		table; /* guards the next two: others may come while what they have in common is read and written */
	struct window *windows; /* owned */
	uint32_t count;
	struct env_lock edges; /* held by who changes a part of a block */
};

/* So many bytes of one operation, in a row below; without `place` they are behind the end of a window. */
struct piece {
	uint64_t at; /* byte of the operation */
	uint64_t size;
	uint64_t place;
	bool exists;
};

/* A piece on its way down. */
struct part {
	struct io *of; /* whose it is */
	struct piece piece;
	uint8_t *page; /* NULL: straight from or to the memory of the operation. Owned. */
	struct iovec page_iov;
	size_t joined; /* which operation it became a piece of */
};

struct parts {
	struct part *parts;
	struct io *ios; /* of the devices below, one a part */
	struct iovec *iovs;
	size_t room;       /* of parts and operations */
	size_t count;      /* of one batch, from the front on */
	size_t edge_count; /* one after the other, from the back */
	size_t iov_count;
};

static struct windows_dev *windows_of(const struct dev *dev)
{
	return (struct windows_dev *)(uintptr_t)dev;
}

/* ---- an operation in pieces */

/* The piece that begins at byte `at` of the operation; false when no window has that address. Holds `table`. */
static bool piece_at(struct piece *piece_out, const struct io *io, uint64_t at)
{
	const struct windows_dev *windows = windows_of(io->dev);
	uint64_t address = io->offset + at, left = io->size - at, run;
	const struct window *window = window_find(windows->windows, windows->count, address);

	if (!window)
		return false;
	uint64_t within = address - window->begin;
	struct piece piece = { .at = at, .exists = within < window->length };

	if (piece.exists)
		piece.place = window_place(window, within, &run);
	else
		run = window_end(window) - address;
	piece.size = size_min(run, left);
	*piece_out = piece;
	return true;
}

static const struct dev_ops windows_ops;

static bool is_split(const struct io *io)
{
	return io->dev->ops == &windows_ops && io->op != IO_FLUSH;
}

/* How many pieces it has; 0: an address of it lies in no window. */
static size_t count_pieces(const struct io *io)
{
	struct windows_dev *windows = windows_of(io->dev);
	struct piece piece;
	size_t count = 0;
	bool found = true;

	env_lock(windows->dev.env, &windows->table);
	for (uint64_t at = 0; found && at < io->size; at += piece.size) {
		found = piece_at(&piece, io, at);
		if (!found)
			break;
		count += piece.exists;
	}
	env_unlock(windows->dev.env, &windows->table);
	return found ? count : 0;
}

static bool is_whole(const struct piece *piece)
{
	return piece->place % BLOCK_SIZE == 0 && piece->size % BLOCK_SIZE == 0;
}

/* ---- memory of an operation */

/* Where byte `at` of the operation is in memory, and how many bytes follow it there. */
static uint8_t *memory_at(const struct io *io, uint64_t at, uint64_t *left_out)
{
	const struct iovec *iov = io->iov;

	assert(at < io->size);
	for (; at >= iov->iov_len; iov++)
		at -= iov->iov_len;
	*left_out = iov->iov_len - at;
	return (uint8_t *)iov->iov_base + at;
}

/* Between the memory of the operation and `bytes`; a read writes the former. */
static void copy_memory(const struct io *io, const struct piece *piece, uint8_t *bytes)
{
	for (uint64_t done = 0, size; done < piece->size; done += size) {
		uint8_t *memory = memory_at(io, piece->at + done, &size);

		size = size_min(size, piece->size - done);
		if (io->op == IO_READ)
			memcpy(memory, bytes + done, size);
		else
			memcpy(bytes + done, memory, size);
	}
}

static void clear_memory(const struct io *io, const struct piece *piece)
{
	for (uint64_t done = 0, size; done < piece->size; done += size) {
		uint8_t *memory = memory_at(io, piece->at + done, &size);

		size = size_min(size, piece->size - done);
		memset(memory, 0, size);
	}
}

/* ---- a batch of parts */

/* The memory of the operation that is the piece's. */
static void part_share(struct parts *parts, struct io *below, const struct part *part)
{
	below->iov = &parts->iovs[parts->iov_count];
	for (uint64_t done = 0, size; done < part->piece.size; done += size) {
		struct iovec *iov = &parts->iovs[parts->iov_count++];

		iov->iov_base = memory_at(part->of, part->piece.at + done, &size);
		size = size_min(size, part->piece.size - done);
		iov->iov_len = size;
		below->iov_count++;
	}
}

/* Whole blocks around the piece, in memory of its own; read first, whatever is to be done. */
static int part_bounce(struct io *below, struct part *part)
{
	uint64_t end = size_round_up(part->piece.place + part->piece.size, BLOCK_SIZE);

	below->offset -= below->offset % BLOCK_SIZE;
	below->size = end - below->offset;
	part->page = mem_pages_raw(below->size);
	if (!part->page)
		return ERR_NOMEM;
	part->page_iov = (struct iovec){ .iov_base = part->page, .iov_len = below->size };
	below->op = IO_READ;
	below->iov = &part->page_iov;
	below->iov_count = 1;
	return 0;
}

static uint8_t *page_bytes(const struct part *part)
{
	return part->page + part->piece.place % BLOCK_SIZE;
}

static int part_add(struct parts *parts, struct io *of, const struct piece *piece)
{
	bool edge = of->op != IO_READ && !is_whole(piece);
	size_t at = edge ? parts->room - 1 - parts->edge_count : parts->count;
	struct part *part = &parts->parts[at];
	struct io *below = &parts->ios[at];
	int rc = 0;

	*part = (struct part){ .of = of, .piece = *piece };
	*below = (struct io){ .dev = of->dev->below,
			      .op = of->op,
			      .role = of->role,
			      .offset = piece->place,
			      .size = piece->size };
	if (!is_whole(piece))
		rc = part_bounce(below, part);
	else if (of->op != IO_ZERO)
		part_share(parts, below, part);
	if (rc)
		return rc;
	if (edge)
		parts->edge_count++;
	else
		parts->count++;
	return 0;
}

/* Flushes, and what is of other devices, go as they are. */
static void part_add_whole(struct parts *parts, struct io *of)
{
	parts->parts[parts->count] = (struct part){ .of = of };
	parts->ios[parts->count] = *of;
	if (of->dev->ops == &windows_ops)
		parts->ios[parts->count].dev = of->dev->below;
	parts->count++;
}

static void parts_add(struct parts *parts, struct io *io)
{
	struct piece piece;

	if (!is_split(io)) {
		part_add_whole(parts, io);
		return;
	}
	struct windows_dev *windows = windows_of(io->dev);

	env_lock(windows->dev.env, &windows->table);
	for (uint64_t at = 0; at < io->size; at += piece.size) {
		bool found = piece_at(&piece, io, at);
		int rc = 0;

		assert(found); /* as they were counted */
		if (piece.exists)
			rc = part_add(parts, io, &piece);
		else if (io->op == IO_READ)
			clear_memory(io, &piece);
		if (rc)
			io->result = rc;
	}
	env_unlock(windows->dev.env, &windows->table);
}

/* What shares a block with others is read, changed and written, while no other task does so on this device. */
static int edge_write(struct part *part, struct io *below)
{
	struct windows_dev *windows = windows_of(part->of->dev);

	env_lock(windows->dev.env, &windows->edges);
	int rc = io_run(below, 1);

	if (!rc) {
		if (part->of->op == IO_ZERO)
			memset(page_bytes(part), 0, part->piece.size);
		else
			copy_memory(part->of, &part->piece, page_bytes(part));
		below->op = IO_WRITE;
		rc = io_run(below, 1);
	}
	env_unlock(windows->dev.env, &windows->edges);
	return rc;
}

static void part_end(struct part *part, int result)
{
	struct io *io = part->of;

	if (io->result == 0)
		io->result = result;
	if (part->page && io->op == IO_READ)
		copy_memory(io, &part->piece, page_bytes(part));
	mem_pages_free(part->page);
}

/* ---- parts that lie behind each other below, as one operation: chunks of one row after the other */

struct join {
	uint32_t parts;
	uint64_t wanted; /* bytes; the rest lies in gaps */
};

struct joined {
	struct io *ios;
	struct join *joins; /* one an operation */
	struct iovec *iovs;
	uint8_t *gap; /* where goes what nobody asked for */
	size_t count;
	const struct dev *devs[TAILS_MAX]; /* whose last operation is `tails` */
	size_t tails[TAILS_MAX];
	uint32_t tail_count;
};

/* At most a third of what is read may lie in gaps: else a scrub, group by group, would read all of them each time. */
static bool adjoins(const struct io *before, uint64_t wanted, const struct io *io)
{
	uint64_t end = before->offset + before->size;

	return before->op == io->op && before->role == io->role && io->offset >= end &&
	       io->offset - end <= GAP_SIZE_MAX &&
	       2 * (io->offset - before->offset - wanted) <= wanted &&
	       io->offset + io->size - before->offset <= JOIN_SIZE_MAX &&
	       before->iov_count + 1 + io->iov_count <= IO_IOV_MAX;
}

static void join_one(struct joined *joined, struct part *part, const struct io *io)
{
	uint32_t tail = 0;
	size_t last = 0;

	while (tail < joined->tail_count && joined->devs[tail] != io->dev)
		tail++;
	bool known = tail < joined->tail_count && io->op == IO_READ && !part->page;

	if (known)
		last = joined->tails[tail];
	if (known && adjoins(&joined->ios[last], joined->joins[last].wanted, io)) {
		struct io *before = &joined->ios[last];

		before->iov_count += io->iov_count + (io->offset > before->offset + before->size);
		before->size = io->offset + io->size - before->offset;
		part->joined = last;
	} else {
		part->joined = joined->count++;
		joined->ios[part->joined] = *io;
	}
	joined->joins[part->joined].parts++;
	joined->joins[part->joined].wanted += io->size;
	if (tail == TAILS_MAX || part->page)
		return;
	joined->devs[tail] = io->dev;
	joined->tails[tail] = part->joined;
	joined->tail_count = (uint32_t)size_max(joined->tail_count, tail + 1);
}

/* The memory of its parts one after the other, in their order. */
static void join_memory(struct joined *joined, const struct parts *parts)
{
	size_t used = 0;

	for (size_t i = 0; i < joined->count; i++) {
		if (joined->joins[i].parts == 1)
			continue;
		joined->ios[i].iov = &joined->iovs[used];
		used += joined->ios[i].iov_count;
		joined->ios[i].iov_count = 0;
		joined->ios[i].size = 0;
	}
	for (size_t i = 0; i < parts->count; i++) {
		struct io *io = &joined->ios[parts->parts[i].joined];
		const struct io *part = &parts->ios[i];

		if (joined->joins[parts->parts[i].joined].parts == 1)
			continue;
		struct iovec *iov = &joined->iovs[io->iov - joined->iovs + io->iov_count];
		uint64_t gap = part->offset - (io->offset + io->size);

		if (gap)
			*iov++ = (struct iovec){ joined->gap, gap };
		memcpy(iov, part->iov, part->iov_count * sizeof(*part->iov));
		io->iov_count += part->iov_count + (gap > 0);
		io->size += gap + part->size;
	}
}

/* False, with nothing done, when no two of them adjoin, or there is no memory to join them. */
static bool run_joined(struct parts *parts)
{
	struct joined joined = {
		.ios = mem_calloc(parts->count, sizeof(*joined.ios)),
		.joins = mem_calloc(parts->count, sizeof(*joined.joins)),
		.iovs = mem_calloc(parts->iov_count + parts->count, sizeof(*joined.iovs)),
		.gap = mem_pages_raw(GAP_SIZE_MAX),
	};
	bool joins = joined.ios && joined.joins && joined.iovs && joined.gap;

	for (size_t i = 0; joins && i < parts->count; i++)
		join_one(&joined, &parts->parts[i], &parts->ios[i]);
	joins &= joined.count < parts->count;
	if (joins) {
		join_memory(&joined, parts);
		int rc = io_run(joined.ios, joined.count);

		(void)rc; /* each has its own */
	}
	for (size_t i = 0; joins && i < parts->count; i++) {
		size_t number = parts->parts[i].joined;

		parts->ios[i].result = joined.ios[number].result;
		/* Which of them failed is told by each alone. */
		if (parts->ios[i].result && joined.joins[number].parts > 1)
			parts->ios[i].result = io_run(&parts->ios[i], 1);
	}
	mem_free(joined.ios);
	mem_free(joined.joins);
	mem_free(joined.iovs);
	mem_pages_free(joined.gap);
	return joins;
}

static void parts_run(struct parts *parts)
{
	if (parts->count < 2 || !run_joined(parts)) {
		int rc = io_run(parts->ios, parts->count);

		(void)rc; /* each has its own */
	}
	for (size_t i = 0; i < parts->count; i++)
		part_end(&parts->parts[i], parts->ios[i].result);
	for (size_t i = parts->room - parts->edge_count; i < parts->room; i++)
		part_end(&parts->parts[i], edge_write(&parts->parts[i], &parts->ios[i]));
}

/* Room for all parts that operations without an error will have. */
static bool parts_make(struct parts *parts, struct io *ios, size_t count)
{
	size_t iov_count = 0;

	for (size_t i = 0; i < count; i++) {
		size_t pieces = 1;

		if (ios[i].result)
			continue;
		if (is_split(&ios[i]))
			pieces = count_pieces(&ios[i]);
		if (pieces == 0)
			ios[i].result = ERR_TRUNCATED;
		parts->room += pieces;
		iov_count += pieces + ios[i].iov_count;
	}
	parts->parts = mem_calloc(parts->room, sizeof(*parts->parts));
	parts->ios = mem_calloc(parts->room, sizeof(*parts->ios));
	parts->iovs = mem_calloc(iov_count, sizeof(*parts->iovs));
	return parts->parts && parts->ios && parts->iovs;
}

static void windows_run_all(struct io *ios, size_t count)
{
	struct parts parts = { 0 };

	for (size_t i = 0; i < count; i++)
		ios[i].result = ios[i].result < 0 ? ios[i].result : 0;
	bool made = parts_make(&parts, ios, count);

	for (size_t i = 0; i < count; i++) {
		if (ios[i].result)
			continue;
		if (made)
			parts_add(&parts, &ios[i]);
		else
			ios[i].result = ERR_NOMEM;
	}
	parts_run(&parts);
	mem_free(parts.parts);
	mem_free(parts.ios);
	mem_free(parts.iovs);
}

static int windows_run(struct dev *dev, struct io *io)
{
	struct io own = *io; /* of a layer above, maybe */

	own.dev = dev;
	own.result = 0;
	windows_run_all(&own, 1);
	return own.result;
}

static void windows_close(struct dev *dev)
{
	struct windows_dev *windows = windows_of(dev);

	env_lock_reset(dev->env, &windows->edges);
	env_lock_reset(dev->env, &windows->table);
	mem_free(windows->windows);
	dev_reset(dev);
	mem_free(windows);
}

static const struct dev_ops windows_ops = {
	.name = "windows",
	.run = windows_run,
	.run_all = windows_run_all,
	.close = windows_close,
};

int dev_windows_set(struct dev *dev, const struct window *windows, uint32_t count)
{
	struct windows_dev *there = windows_of(dev);
	struct window *copy = mem_calloc(count, sizeof(*copy));

	assert(dev->ops == &windows_ops);
	if (!copy)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < count; i++) {
		assert(window_is_sound(&windows[i]));
		assert(i == 0 || windows[i].begin >= window_end(&windows[i - 1]));
		copy[i] = windows[i];
	}
	env_lock(dev->env, &there->table);
	struct window *old = there->windows;

	there->windows = copy;
	there->count = count;
	/* It may be looked at without the lock, so it does not fall. */
	if (count && window_end(&windows[count - 1]) > dev->info.size)
		dev->info.size = dev->info.size_exact = window_end(&windows[count - 1]);
	env_unlock(dev->env, &there->table);
	mem_free(old);
	return 0;
}

int dev_windows_open(struct dev **dev_out, struct dev *below, const struct window *windows,
		     uint32_t count)
{
	struct windows_dev *dev = mem_calloc(1, sizeof(*dev));

	if (!dev)
		return ERR_NOMEM;
	if (dev_init_above(&dev->dev, &windows_ops, below)) {
		mem_free(dev);
		return ERR_NOMEM;
	}
	env_lock_init(dev->dev.env, &dev->table);
	dev->dev.info.size = dev->dev.info.size_exact = 0;
	if (dev_windows_set(&dev->dev, windows, count)) {
		env_lock_reset(dev->dev.env, &dev->table);
		dev_reset(&dev->dev);
		mem_free(dev);
		return ERR_NOMEM;
	}
	dev_show_tail(below);
	env_lock_init(dev->dev.env, &dev->edges);
	*dev_out = &dev->dev;
	return 0;
}
