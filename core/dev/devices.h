/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kinds of device: each constructor returns 0 and an open device in *dev_out, or an ERR_ code
 * with a text that names the path, the fact and the next step; then nothing is left open.
 * A wrapper owns `below` from success on; on failure the caller still owns it.
 */
#ifndef PG_DEV_DEVICES_H
#define PG_DEV_DEVICES_H

#include "core/dev/dev.h"

enum dev_access {
	DEV_READ,  /* read-only, takes no lock */
	DEV_WRITE, /* takes the writer's lock; ERR_BUSY names the pid that holds it */
};

/* How file devices do their I/O. */
enum dev_engine {
	DEV_ENGINE_AUTO,   /* O_DIRECT with io_uring where both work, else pread/pwrite */
	DEV_ENGINE_SYNC,   /* plain system calls only */
	DEV_ENGINE_URING,  /* io_uring or fail */
	DEV_ENGINE_CACHED, /* through the page cache, with io_uring where it works: for a look */
};

struct dev_file_options {
	enum dev_access access;
	enum dev_engine engine;
	uint64_t create_size; /* > 0: create a new sparse file of that size, which must not exist */
	bool exclusive;       /* block device: O_EXCL, so that a mounted or held one is refused */
	/*
	 * What an operation may take, 0: as long as the system lets it. Kept where the
	 * device is read and written by io_uring, that is past the page cache or by DEV_ENGINE_CACHED; after it has struck the descriptor, and the lock with it, stay until the process ends, and in the
	 * kernel until what was given up has ended. ERR_TIMEOUT when already opening takes longer.
	 */
	uint64_t limit_ns;
};

/* Image file or block device. Refuses directories, FIFOs, sockets and character devices: ERR_KIND. */
int dev_file_open(struct dev **dev_out, struct env *env, const char *path,
		  const struct dev_file_options *options, struct err *err) MUST_CHECK;

/* The absent member: size 0, every operation is ERR_IO. */
int dev_missing_open(struct dev **dev_out, struct env *env, const char *name) MUST_CHECK;

/*
 * Report every operation that reached `below`, with its result, as one JSON line:
 *
 *	{"t":NS,"took":NS,"member":SLOT,"op":"read","role":"data","offset":N,"length":N,"result":0}
 *
 * `t` counts from the opening of the sink; `member` is null until trace_sink_set_member(). One sink
 * serves many devices and outlives them. Lines are gathered in a bounded buffer. A file that holds
 * something other than a trace is refused with ERR_IN_USE.
 */
struct trace_sink;
int trace_sink_open(struct trace_sink **sink_out, struct env *env, const char *path,
		    struct err *err) MUST_CHECK;
int trace_sink_close(struct trace_sink *sink, struct err *err); /* flushes; reports write errors */
void trace_sink_set_member(struct dev *dev, uint32_t slot);     /* what "member" the lines say */
int dev_trace_open(struct dev **dev_out, struct dev *below, struct trace_sink *sink) MUST_CHECK;

/*
 * Faults above pristine bytes. Each fault names a byte range, and how often it strikes. Of several
 * that match an operation the first one added strikes; all of them count it towards `skip`.
 */
enum fault_kind {
	FAULT_READ_ERROR,  /* reads that touch the range fail with ERR_IO until it is written */
	FAULT_WRITE_ERROR, /* writes that touch the range fail with ERR_IO */
	FAULT_FLUSH_ERROR, /* flushes fail with ERR_IO */
	FAULT_FLIP,        /* reads return one bit flipped at `offset` */
	FAULT_LOST_WRITE,  /* writes that touch the range are acknowledged and dropped */
	FAULT_MISDIRECT,   /* writes that begin in the range land `shift` bytes further on; those
			    * that would pass the end are lost */
	FAULT_TORN,        /* only the first half of a write that touches the range lands; it
			    * is acknowledged. Torn between 512-byte sectors, also in a block */
	FAULT_NO_SPACE,    /* writes that touch the range fail with ERR_NOSPACE */
	FAULT_SHORT,       /* half of a read or write is done, then it fails with ERR_IO */
	FAULT_LATENCY,     /* any operation takes `delay_ns` longer */
	FAULT_HANG,        /* any operation gives nothing for `delay_ns`, or for the device's time
			    * limit, which then strikes; then fails with ERR_IO */
	FAULT_DISCONNECT,  /* from here on every operation fails with ERR_IO; `count` is not used */
	FAULT_FLIP_READ,   /* reads that touch the range return one bit flipped, which by `seed` */
	FAULT_FLIP_WRITE, /* writes that touch the range land with one bit flipped, which by `seed` */
	FAULT_STALE_READ, /* reads that touch the range return what was there before it was written
			    * through this device; at most FAULT_STALE_BLOCKS_MAX blocks are kept */
	FAULT_MISREAD,    /* reads that touch the range return what lies `shift` bytes further on,
			    * or before where that would pass the end */
};
#define FAULT_STALE_BLOCKS_MAX 4096u

struct fault {
	enum fault_kind kind;
	uint64_t offset;
	uint64_t size;     /* FAULT_FLIP and FAULT_FLUSH_ERROR do not look at it */
	uint64_t shift;    /* FAULT_MISDIRECT, FAULT_MISREAD; a multiple of BLOCK_SIZE, above 0 */
	uint64_t delay_ns; /* FAULT_LATENCY, FAULT_HANG */
	uint64_t seed;     /* FAULT_FLIP_READ, FAULT_FLIP_WRITE */
	uint32_t skip;     /* let this many matching operations pass first */
	uint32_t count;    /* strike this often; 0 is for ever */
};
int dev_fault_open(struct dev **dev_out, struct dev *below) MUST_CHECK;
int dev_fault_add(struct dev *fault_dev, const struct fault *fault) MUST_CHECK;
void dev_fault_clear(struct dev *fault_dev);

/*
 * Writes kept in memory above a device that is only read: later reads see them, the device below never does.
 * What recovery does for an array that is opened for reading. Bounded by `bytes_max`: ERR_NOSPACE.
 */
int dev_patch_open(struct dev **dev_out, struct dev *below, uint64_t bytes_max) MUST_CHECK;

/*
 * Death at a chosen write, for the real program on real files. All devices opened on one `power` count
 * their writes and flushes together; the one of number `at` does not happen, die() is called instead.
 *
 * With `torn` its first half lands before, if it is a write. With `cut` the devices have a volatile cache, as
 * after a power loss: what was written since a device's last flush is in memory only, and when the power
 * goes each 512-byte sector of it lands or is lost, by `seed`.
 *
 * lie_from: from this flush of the device on (1 is the first; UINT64_MAX: none) flushes are acknowledged and
 * not done. What was not flushed honestly is lost when the device is closed.
 */
struct power;
struct power_config {
	uint64_t at; /* 1 is the first; UINT64_MAX: never */
	bool torn;
	bool cut;
	uint64_t seed;
	void (*die)(
		void *arg); /* ends the process; if it returns, every operation fails with ERR_IO */
	void *arg;
};
struct power *power_create(struct env *env,
			   const struct power_config *config); /* NULL: no memory */
void power_free(struct power *power); /* after its devices; NULL is allowed */
int dev_power_open(struct dev **dev_out, struct dev *below, struct power *power,
		   uint64_t lie_from) MUST_CHECK;

/*
 * A simulated disk for tests: bytes in memory under a volatile cache. Unflushed writes are kept in
 * order; dev_sim_crash() keeps, drops or tears each of them by `rng`, as a power loss would. A torn
 * write keeps any of its 512-byte sectors. After the crash the disk works again: stop_after is off.
 */
struct rng;
int dev_sim_open(struct dev **dev_out, struct env *env, const char *name, uint64_t size) MUST_CHECK;
void dev_sim_crash(struct dev *dev, struct rng *rng);
uint8_t *dev_sim_bytes(struct dev *dev);        /* what a reader sees now; `size` bytes, borrowed */
uint64_t dev_sim_writes(const struct dev *dev); /* operations so far that were writes or flushes */
/* After `writes` more writes or flushes every operation fails with ERR_IO; UINT64_MAX: never. */
void dev_sim_stop_after(struct dev *dev, uint64_t writes);

#endif
