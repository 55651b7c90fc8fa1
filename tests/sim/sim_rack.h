/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rack of simulated disks: devices over the bytes of `struct media`, with a table of faults, and with a
 * recording of everything that a power loss could take back.
 *
 * A recording is made once per operation. What a disk is sure to hold at a moment, and which writes may
 * or may not have reached it, follows from the recording alone (crash.h), so that a crash costs no new
 * run of the operation. A write counts as begun when it is submitted, so tasks may be in flight at
 * the crash; a flush covers only what was completed before it was submitted.
 */
#ifndef PG_TESTS_SIM_RACK_H
#define PG_TESTS_SIM_RACK_H

#include "core/dev/dev.h"
#include "tests/sim/sim_media.h"

#define RACK_DISKS_MAX 10u
#define RACK_FAULTS_MAX 8u
#define NOT_YET SIZE_MAX
#define RACK_FULL_STRIKES 100u /* a full disk has room again when so many writes found none */
#define RACK_SLOW_NS UINT64_C(200000000)
#define RACK_LIMIT_NS UINT64_C(30000000000) /* of an operation, as --member-timeout */

enum event_kind {
	EVENT_WRITE,
	EVENT_FLUSH,
	EVENT_MARK, /* put in by whoever runs the operation: `mark` is theirs */
};

struct event {
	enum event_kind kind;
	enum io_role role;
	uint32_t disk;
	uint32_t mark;
	uint64_t offset, size;
	size_t bytes;     /* of a write: index in the recording's bytes */
	size_t completed; /* write: number of events when it was done, or NOT_YET */
	size_t submitted; /* flush: number of events when it was submitted */
};

struct recording {
	struct event *events;
	size_t count, capacity;
	uint8_t *bytes;
	size_t size, room;
};
void recording_reset(struct recording *recording);
void recording_mark(struct recording *recording, uint32_t mark);
/* A power cut within the run: what it left on the disks stays there. */
void recording_settle(struct recording *recording, uint32_t disks);

enum disk_fault_kind {
	DISK_READ_ERROR,
	DISK_WRITE_ERROR,
	DISK_FLUSH_ERROR,
	DISK_NO_SPACE,
	DISK_GONE,       /* whatever the operation is, it fails */
	DISK_FLIP_READ,  /* a bit changes on the wire */
	DISK_FLIP_WRITE, /* a bit changes in what is stored */
	DISK_LOST_WRITE,
	DISK_TORN_WRITE, /* the first sectors only, and acknowledged */
	DISK_MISDIRECTED_WRITE,
	DISK_MISDIRECTED_READ,
	DISK_LYING_FLUSH,
	DISK_SHORT,      /* half of a read or write is done, then it fails */
	DISK_STALE_READ, /* what the disk held when the fault was set */
	DISK_SLOW,       /* each operation takes RACK_SLOW_NS longer */
	DISK_HANG,       /* no answer: the time limit strikes. A write may still land, at the latest
			  * when its device is closed */
	DISK_FAULT_KINDS
};
const char *disk_fault_name(enum disk_fault_kind kind);
/* Is there anything that this kind does to such an operation? */
bool disk_fault_strikes(enum disk_fault_kind kind, enum io_op op);

struct disk_fault {
	enum disk_fault_kind kind;
	uint32_t disk;
	uint64_t at;    /* strikes the rack's operation of this number ... */
	bool forever;   /* ... and all later ones of this disk */
	uint32_t roles; /* only operations of these roles, a bit each; 0: all */
};

/* What an operation of the rack was, for fault sweeps: made when `log` is set. */
struct rack_io {
	uint32_t disk;
	enum io_op op;
};

struct rack {
	struct env *env;
	struct media *media;         /* borrowed */
	struct recording *recording; /* NULL: nothing is noted */
	uint64_t ios;                /* operations so far */
	uint64_t ios_max;            /* more than these end in errors: nothing may run for ever */
	uint64_t writes;             /* of them, writes and flushes */
	uint32_t may_be_blank;       /* disks that need not be members, a bit each */
	bool leave_log;              /* arrays are opened without recovery */
	uint32_t gone;               /* disks that answer nothing, a bit each */
	uint32_t fault_count;
	uint32_t struck;     /* how often a fault did something */
	uint32_t struck_log; /* of them, to records of the intent log */
	struct disk_fault faults[RACK_FAULTS_MAX];
	const uint8_t *before; /* of DISK_STALE_READ: all bytes of its disk; borrowed */
	uint64_t power_until;  /* so many writes and flushes, then none is done; 0: no end */
	struct rack_io *log;   /* borrowed, log_max of them */
	size_t log_max;
};

/* A device on a disk, for an array to own. NULL without memory. */
struct dev *rack_dev_open(struct rack *rack, uint32_t disk);
uint32_t rack_disk_of(const struct dev *dev);

#endif
