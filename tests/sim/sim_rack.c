/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sim_rack.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTOR 512u

struct rack_dev {
	struct dev dev;
	struct rack *rack;
	uint32_t disk;
	uint8_t *late; /* owned: what a write that was given up is going to put at `late_offset` */
	uint64_t late_offset, late_size;
};

/* ---- recording */

void recording_reset(struct recording *recording)
{
	free(recording->events);
	free(recording->bytes);
	*recording = (struct recording){ 0 };
}

static struct event *add_event(struct recording *recording, enum event_kind kind)
{
	if (recording->count == recording->capacity) {
		recording->capacity = recording->capacity ? recording->capacity * 2 : 256;
		recording->events = realloc(recording->events,
					    recording->capacity * sizeof(*recording->events));
		if (!recording->events)
			abort();
	}
	struct event *event = &recording->events[recording->count++];
	*event = (struct event){ .kind = kind, .completed = NOT_YET };
	return event;
}

void recording_mark(struct recording *recording, uint32_t mark)
{
	add_event(recording, EVENT_MARK)->mark = mark;
}

void recording_settle(struct recording *recording, uint32_t disks)
{
	size_t count = recording->count;

	for (size_t i = 0; i < count; i++) {
		if (recording->events[i].completed == NOT_YET)
			recording->events[i].completed = count;
	}
	for (uint32_t disk = 0; disk < disks; disk++) {
		struct event *flush = add_event(recording, EVENT_FLUSH);

		flush->disk = disk;
		flush->submitted = count;
	}
}

static uint8_t *add_bytes(struct recording *recording, uint64_t size)
{
	while (recording->size + size > recording->room) {
		recording->room = recording->room ? recording->room * 2 : 1u << 20;
		recording->bytes = realloc(recording->bytes, recording->room);
		if (!recording->bytes)
			abort();
	}
	recording->size += size;
	return recording->bytes + recording->size - size;
}

/* ---- faults */

const char *disk_fault_name(enum disk_fault_kind kind)
{
	static const char *const names[] = {
		[DISK_READ_ERROR] = "read error",
		[DISK_WRITE_ERROR] = "write error",
		[DISK_FLUSH_ERROR] = "flush error",
		[DISK_NO_SPACE] = "no space",
		[DISK_GONE] = "gone",
		[DISK_FLIP_READ] = "flipped on the wire",
		[DISK_FLIP_WRITE] = "flipped when stored",
		[DISK_LOST_WRITE] = "lost write",
		[DISK_TORN_WRITE] = "torn write",
		[DISK_MISDIRECTED_WRITE] = "misdirected write",
		[DISK_MISDIRECTED_READ] = "misdirected read",
		[DISK_LYING_FLUSH] = "lying flush",
		[DISK_SHORT] = "short transfer",
		[DISK_STALE_READ] = "stale read",
		[DISK_SLOW] = "slow",
		[DISK_HANG] = "hang",
	};

	return names[kind];
}

bool disk_fault_strikes(enum disk_fault_kind kind, enum io_op op)
{
	switch (kind) {
	case DISK_READ_ERROR:
	case DISK_FLIP_READ:
	case DISK_MISDIRECTED_READ:
	case DISK_STALE_READ:
		return op == IO_READ;
	case DISK_SHORT:
		return op != IO_FLUSH;
	case DISK_WRITE_ERROR:
	case DISK_NO_SPACE:
	case DISK_FLIP_WRITE:
	case DISK_LOST_WRITE:
	case DISK_TORN_WRITE:
	case DISK_MISDIRECTED_WRITE:
		return op == IO_WRITE || op == IO_ZERO;
	case DISK_FLUSH_ERROR:
	case DISK_LYING_FLUSH:
		return op == IO_FLUSH;
	case DISK_GONE:
	case DISK_SLOW:
	case DISK_HANG:
		return true;
	case DISK_FAULT_KINDS:
		break;
	}
	return false;
}

/* The fault that strikes this operation; DISK_FAULT_KINDS when none does. */
static enum disk_fault_kind fault_of(struct rack *rack, uint32_t disk, const struct io *io,
				     uint64_t number)
{
	for (uint32_t i = 0; i < rack->fault_count; i++) {
		const struct disk_fault *fault = &rack->faults[i];

		if (fault->roles && !(fault->roles >> io->role & 1))
			continue;
		if (fault->kind == DISK_NO_SPACE && rack->struck >= RACK_FULL_STRIKES)
			continue; /* somebody made room: until then writers wait */
		if (fault->disk == disk && disk_fault_strikes(fault->kind, io->op) &&
		    (fault->forever ? number >= fault->at : number == fault->at)) {
			rack->struck++;
			return fault->kind;
		}
	}
	return DISK_FAULT_KINDS;
}

/* ---- operations */

static void gather(uint8_t *bytes, const struct io *io)
{
	for (uint32_t i = 0; i < io->iov_count; i++) {
		memcpy(bytes, io->iov[i].iov_base, io->iov[i].iov_len);
		bytes += io->iov[i].iov_len;
	}
}

static uint64_t shifted(const struct rack *rack, const struct io *io)
{
	uint64_t size = media_size(rack->media);

	return io->offset + BLOCK_SIZE + io->size <= size ? io->offset + BLOCK_SIZE
							  : io->offset - BLOCK_SIZE;
}

static int run_read(struct rack *rack, uint32_t disk, const struct io *io,
		    enum disk_fault_kind fault)
{
	const uint8_t *from =
		fault == DISK_STALE_READ ? rack->before : media_bytes(rack->media, disk);
	uint64_t at = fault == DISK_MISDIRECTED_READ ? shifted(rack, io) : io->offset;

	if (fault == DISK_READ_ERROR || fault == DISK_SHORT)
		return ERR_IO; /* what is in the buffer then is nobody's business */
	for (uint32_t i = 0; i < io->iov_count; i++) {
		memcpy(io->iov[i].iov_base, from + at, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
	if (fault == DISK_FLIP_READ)
		*(uint8_t *)io->iov[0].iov_base ^= 0x10;
	return 0;
}

/* Put a write on the medium; noted when it begins, visible when it ends. */
static void store(struct rack *rack, uint32_t disk, const struct io *io, uint64_t offset,
		  const uint8_t *bytes, uint64_t size)
{
	struct recording *recording = rack->recording;
	size_t number = 0;

	if (recording) {
		struct event *event = add_event(recording, EVENT_WRITE);

		number = recording->count;
		event->role = io->role;
		event->disk = disk;
		event->offset = offset;
		event->size = size;
		event->bytes = recording->size;
		memcpy(add_bytes(recording, size), bytes, size);
	}
	env_yield(rack->env);
	media_write(rack->media, disk, offset, bytes, size);
	if (recording)
		recording->events[number - 1].completed = recording->count;
}

/* Where a volume of a rig has its name: a letter and a digit. `size` when there is none. */
static uint64_t find_name(const uint8_t *bytes, uint64_t size)
{
	for (uint64_t i = 1; i + 1 < size; i++) {
		if (bytes[i - 1] == 2 && bytes[i] >= 'a' && bytes[i] <= 'z' &&
		    bytes[i + 1] >= '0' && bytes[i + 1] <= '9')
			return i;
	}
	return size;
}

/*
 * Anywhere, and every other time near the beginning, where records have their fields. In the map every other time in
 * a name: what else changes there makes no map, so that only this needs the checksum of the record.
 */
static uint64_t flip_at(const struct rack *rack, const struct io *io, const uint8_t *bytes,
			uint64_t size)
{
	uint64_t number = rack->ios * 37;
	uint64_t name = io->role == IO_ROLE_MAP ? find_name(bytes, size) : size;

	if (name < size && rack->ios % 2 == 0)
		return name;
	return rack->ios % 2 ? number % size : number % 256;
}

static int run_write(struct rack *rack, uint32_t disk, const struct io *io,
		     enum disk_fault_kind fault)
{
	uint64_t size = io->size, offset = io->offset;
	uint8_t *bytes;

	if (fault == DISK_WRITE_ERROR)
		return ERR_IO;
	if (fault == DISK_NO_SPACE)
		return ERR_NOSPACE;
	if (fault == DISK_LOST_WRITE)
		return 0;
	bytes = calloc(1, size);
	if (!bytes)
		abort();
	if (io->op == IO_WRITE)
		gather(bytes, io);
	if (fault == DISK_FLIP_WRITE)
		bytes[flip_at(rack, io, bytes, size)] ^= 0x10;
	if (fault == DISK_TORN_WRITE || fault == DISK_SHORT)
		size = size > SECTOR * 2 ? size / 2 / SECTOR * SECTOR : SECTOR;
	if (fault == DISK_MISDIRECTED_WRITE)
		offset = shifted(rack, io);
	store(rack, disk, io, offset, bytes, size);
	free(bytes);
	return fault == DISK_SHORT ? ERR_IO : 0;
}

static int run_flush(struct rack *rack, uint32_t disk, enum disk_fault_kind fault)
{
	struct recording *recording = rack->recording;

	if (fault == DISK_FLUSH_ERROR)
		return ERR_IO;
	if (!recording || fault == DISK_LYING_FLUSH)
		return 0;
	size_t submitted = recording->count;
	env_yield(rack->env);
	struct event *event = add_event(recording, EVENT_FLUSH);
	event->disk = disk;
	event->submitted = submitted;
	return 0;
}

/*
 * The disk does not answer: what it was asked for is given up, and what a write brings is kept, for it may come yet. Its
 * lock stays until then (devices.h), so nobody opens the disk before.
 */
static int run_hanging(struct rack_dev *mine, const struct io *io)
{
	env_sleep_ns(mine->rack->env, mine->dev.limit_ns);
	if (io->op == IO_WRITE && mine->rack->ios % 2) {
		free(mine->late);
		mine->late = malloc(io->size);
		if (!mine->late)
			abort();
		gather(mine->late, io);
		mine->late_offset = io->offset;
		mine->late_size = io->size;
	}
	dev_set_hung(&mine->dev);
	return ERR_IO;
}

static int rack_run(struct dev *dev, struct io *io)
{
	struct rack_dev *mine = (struct rack_dev *)(void *)dev;
	struct rack *rack = mine->rack;
	uint64_t number = rack->ios++;

	if (rack->log && number < rack->log_max)
		rack->log[number] = (struct rack_io){ mine->disk, io->op };
	if (io->op != IO_READ)
		rack->writes++;
	if (rack->power_until && rack->writes > rack->power_until)
		return ERR_IO;
	if (number >= rack->ios_max || (rack->gone >> mine->disk & 1))
		return ERR_IO;
	enum disk_fault_kind fault = fault_of(rack, mine->disk, io, number);
	rack->struck_log += fault != DISK_FAULT_KINDS && io->role == IO_ROLE_LOG;
	if (fault == DISK_HANG)
		return run_hanging(mine, io);
	if (fault == DISK_SLOW)
		env_sleep_ns(rack->env, RACK_SLOW_NS);
	if (fault == DISK_GONE)
		return ERR_IO;
	switch (io->op) {
	case IO_READ:
		env_yield(rack->env);
		return run_read(rack, mine->disk, io, fault);
	case IO_WRITE:
	case IO_ZERO:
		return run_write(rack, mine->disk, io, fault);
	case IO_FLUSH:
		break;
	}
	return run_flush(rack, mine->disk, fault);
}

static void rack_dev_close(struct dev *dev)
{
	struct rack_dev *mine = (struct rack_dev *)(void *)dev;

	if (mine->late && !mine->rack->recording) /* a recording would not know of it */
		media_write(mine->rack->media, mine->disk, mine->late_offset, mine->late,
			    mine->late_size);
	free(mine->late);
	dev_reset(dev);
	mem_free(dev);
}

static const struct dev_ops rack_ops = {
	.name = "rack",
	.run = rack_run,
	.close = rack_dev_close,
};

struct dev *rack_dev_open(struct rack *rack, uint32_t disk)
{
	struct rack_dev *mine = mem_calloc(1, sizeof(*mine));
	char name[16];

	assert(disk < media_disks(rack->media));
	if (!mine)
		return NULL;
	snprintf(name, sizeof(name), "disk%u", disk);
	if (dev_init(&mine->dev, &rack_ops, rack->env, name)) {
		mem_free(mine);
		return NULL;
	}
	mine->dev.info = (struct dev_info){
		.size = media_size(rack->media),
		.size_exact = media_size(rack->media),
		.preferred_io = 128u << 10,
		.identity = { UINT64_MAX, disk },
	};
	mine->dev.limit_ns = RACK_LIMIT_NS;
	mine->rack = rack;
	mine->disk = disk;
	return &mine->dev;
}

uint32_t rack_disk_of(const struct dev *dev)
{
	return (uint32_t)dev_info(dev)->identity[1];
}
