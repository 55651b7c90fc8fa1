/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device: one open member, as bytes that are read, written, zeroed and flushed in whole blocks.
 *
 * Devices stack: a wrapper (trace, fault, overlay) holds the device below and owns it. Callers never
 * touch the ops table; io_run() and friends are the one checked frame around every operation:
 * everything is a multiple of BLOCK_SIZE, memory is aligned to it, and no write reaches a read-only
 * device (asserted); a range that leaves the device is ERR_TRUNCATED, because offsets come from
 * disks and members shrink; and afterwards every result is 0 or an ERR_ code.
 *
 * The unit of I/O is the batch: fill an array of `struct io`, io_run() issues all of them at once and
 * returns when all are done; look at every result. There are no callbacks. Operations of one batch
 * have no order among each other; a flush covers only writes that completed before it was issued,
 * so a flush never shares a batch with the writes it is to cover.
 *
 * A device may have a time limit. What is not done by then is given up: it is ERR_IO, and so is all that the device is
 * asked for from then on, none of which reaches it. What was given up may still happen, late: the device keeps for
 * itself what that needs (memory, descriptor, lock), never the caller's, and keeps it until the process ends.
 *
 * A device is safe for any number of tasks at once. It does not know arrays, formats or codes.
 */
#ifndef PG_DEV_DEV_H
#define PG_DEV_DEV_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/env/env.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct dev;

enum io_op { IO_READ, IO_WRITE, IO_ZERO, IO_FLUSH };

/* What the bytes are, for --trace, the simulator and tests; never changes what is done. */
enum io_role {
	IO_ROLE_DATA,
	IO_ROLE_PARITY,
	IO_ROLE_PURE,
	IO_ROLE_LOG,
	IO_ROLE_MAP,
	IO_ROLE_SUPER,
	IO_ROLE_SEAL,
	IO_ROLE_WITNESS,
	IO_ROLE_COUNT
};
const char *io_role_name(enum io_role role);
const char *io_op_name(enum io_op op);

/* One operation. `iov` is borrowed until the batch is done; its total is `size`. */
struct io {
	struct dev *dev;
	enum io_op op;
	enum io_role role;
	uint64_t offset; /* bytes, multiple of BLOCK_SIZE; 0 for a flush */
	uint64_t size;   /* bytes, multiple of BLOCK_SIZE; 0 for a flush */
	const struct iovec *iov;
	uint32_t iov_count;
	int result; /* out: 0 or ERR_IO, ERR_NOSPACE, ERR_TRUNCATED; of a layer that splits it, ERR_NOMEM */
};

/* It changes bytes; a flush does not. */
static inline bool io_is_write(const struct io *io)
{
	return io->op == IO_WRITE || io->op == IO_ZERO;
}

#define IO_IOV_MAX 256u /* of one operation; below IOV_MAX of every system */

/* Facts that do not change while the device is open. */
struct dev_info {
	uint64_t size;         /* bytes, rounded down to BLOCK_SIZE, or up after dev_show_tail() */
	uint64_t size_exact;   /* bytes as the system says */
	uint32_t preferred_io; /* bytes of a good sequential read: 128 KiB cached, 1 MiB direct */
	bool read_only;
	bool is_block;
	bool is_direct;       /* past the page cache, by io_uring: a batch runs in parallel */
	uint64_t identity[2]; /* equal for two devices when they are the same file or disk */
};

struct dev_ops {
	const char *name;
	/* Do one operation, blocking; returns its result. A wrapper calls dev_run_below() in it. */
	int (*run)(struct dev *dev, struct io *io);
	/*
	 * Do those operations of a batch whose result is not below 0, all at once, also those of other devices; leaves all
	 * results. For a layer on top of all others that makes several operations below of one; else NULL.
	 */
	void (*run_all)(struct io *ios, size_t count);
	/*
	 * Read one block as far as it can be; bit i of *bad_out is set where its sector i (of 512 bytes) is not what the
	 * device has. NULL: run() decides for all of them. A wrapper calls dev_sectors_below() in it.
	 */
	void (*read_sectors)(struct dev *dev, struct io *io, uint8_t *bad_out);
	/* At the bottom: a last block that the device has a part of can be shown (dev_show_tail()). */
	bool has_tail;
	/* Free this layer alone; dev_close() walks the stack. */
	void (*close)(struct dev *dev);
	/*
	 * The file descriptor that may do `io` as it stands, without run() of this layer or of one
	 * below; -1 when run() is needed. May be NULL: always run(). This is how a batch reaches the
	 * kernel all at once.
	 */
	int (*direct_fd)(struct dev *dev, const struct io *io);
	/*
	 * After an operation that went past run() by direct_fd(): may be NULL. Reading the clock costs as much as
	 * a small part of an operation: without `timed` the times are 0.
	 */
	bool timed;
	void (*seen)(struct dev *dev, const struct io *io, uint64_t begin_ns, uint64_t end_ns);
};

/* Devices embed this as their first field. */
struct dev {
	const struct dev_ops *ops;
	struct env *env;   /* borrowed */
	struct dev *below; /* owned; NULL at the bottom */
	struct dev_info info;
	char *name; /* owned: path or URI, as the operator named it, for messages */
	/* Of the device at the bottom; the others' are not looked at. */
	uint64_t limit_ns; /* of one operation; 0: none, or run() cannot give up */
	bool hung;         /* one was given up; atomic */
};

const struct dev_info *dev_info(const struct dev *dev);
const char *dev_name(const struct dev *dev);
bool dev_has_hung(const struct dev *dev); /* it gave no answer within its time limit */
void dev_close(struct dev *dev);          /* closes the stack; NULL is allowed */
/* Take the top layer away, which has one below; the stack below goes on and is returned. */
struct dev *dev_peel(struct dev *dev);

/*
 * From now on the size of the stack's devices is rounded up to blocks: behind the device's end its last block reads as
 * zeros, and what is written there is dropped. Before any operation. Where the device at the bottom cannot do that, or
 * ends with a whole block, nothing changes.
 */
void dev_show_tail(struct dev *dev);

/* Run all operations and wait for all. Returns 0 when every result is 0, else the first error. */
int io_run(struct io *ios, size_t count) MUST_CHECK;

/* One operation from or to plain memory; returns its result. */
int io_read(struct dev *dev, enum io_role role, uint64_t offset, void *bytes,
	    size_t size) MUST_CHECK;
int io_write(struct dev *dev, enum io_role role, uint64_t offset, const void *bytes,
	     size_t size) MUST_CHECK;
int io_flush(struct dev *dev) MUST_CHECK;

/*
 * One block, for when io_read() has failed: bit i of what is returned is set where sector i could not be read either, whose
 * bytes are then anything.
 */
uint8_t io_read_sectors(struct dev *dev, enum io_role role, uint64_t offset,
			void *block) MUST_CHECK;

/*
 * For those who implement a device. dev_init() and dev_init_above() fill the embedded struct and
 * copy the name (environment, facts and name from `below`, which is then owned); 0 or ERR_NOMEM, and
 * on failure nothing is owned. dev_reset() frees the name.
 */
int dev_init(struct dev *dev, const struct dev_ops *ops, struct env *env,
	     const char *name) MUST_CHECK;
int dev_init_above(struct dev *dev, const struct dev_ops *ops, struct dev *below) MUST_CHECK;
void dev_reset(struct dev *dev);
int dev_run_below(struct dev *dev, struct io *io) MUST_CHECK;
void dev_sectors_below(struct dev *dev, struct io *io, uint8_t *bad_out);
int dev_direct_fd(struct dev *dev, const struct io *io); /* -1 without one */
uint64_t dev_limit_ns(const struct dev *dev);            /* of the device at the bottom */
/* The limit is over. A run() that calls this uses no memory of its caller any more, and returns ERR_IO. */
void dev_set_hung(struct dev *dev);

/* ERR_NOSPACE for an errno that says "full", else ERR_IO. */
int dev_code_of_errno(int number);

#endif
