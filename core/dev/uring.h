/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * io_uring: many operations on file descriptors in flight at once, for one task at a time.
 *
 * Making a ring is too slow to do for each batch, so they are kept and lent out:
 *
 *	uring_take()	a ring of its own for the caller, NULL when none is to be had
 *	uring_add()	up to URING_DEPTH operations
 *	uring_wait()	starts what was added, returns one that ended; until nothing is in flight
 *	uring_give()	back
 *	uring_lose()	instead: what is in flight may never end, so the ring serves nobody any more
 *
 * Knows file descriptors, not devices. A process that forks may go on with rings on one side only.
 */
#ifndef PG_DEV_URING_H
#define PG_DEV_URING_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define URING_DEPTH 64u /* in flight per ring: a full batch of 64 members */
#define URING_RINGS_MAX                                                                            \
	64u /* tasks that do I/O at once, ENV_PARALLEL_MAX; the next ones do without */

enum uring_kind { URING_READ, URING_WRITE, URING_SYNC };

struct uring_op {
	enum uring_kind kind;
	int fd;
	const struct iovec *iov; /* borrowed until the operation ended */
	uint32_t iov_count;
	uint64_t offset;
	uint32_t tag; /* comes back from uring_wait() */
};

struct uring; /* opaque */

/* True when this system lets us have a ring at all. */
bool uring_is_available(void);

struct uring *uring_take(void);
void uring_give(struct uring *ring); /* nothing may be in flight */

/*
 * Give up a ring with operations in flight: it is closed, and they go on. Until the process ends stays `memory`, pages that some
 * of them may still read or write: `count` of them, at most URING_DEPTH; NULL ones are passed over.
 */
void uring_lose(struct uring *ring, void *const *memory, uint32_t count);

/*
 * Has the kernel the pages of this operation's memory in its hands, so that it does not look at their addresses any more?
 * One that was not begun is taken back, and comes back with an error; so does one that can be interrupted. False for
 * those, for one that is on its way to the device, and where the kernel cannot say (before Linux 6.0).
 */
bool uring_holds(struct uring *ring, uint32_t tag);

/*
 * Let go of memory that uring_holds(): its addresses get other pages with the same content, at once for all tasks; the old
 * pages are nobody else's than the kernel's from then on. Of memory that is not shared with another process. Returns 0 or
 * ERR_NOMEM, and then part of it may have new pages, which changes nothing.
 */
int uring_renew(const struct iovec *iov, uint32_t iov_count) MUST_CHECK;

/* Fewer than URING_DEPTH operations may be in flight. */
void uring_add(struct uring *ring, const struct uring_op *op);

/* Start what was added, without waiting; what the kernel does not take now, uring_wait() tries. */
void uring_start(struct uring *ring);

/*
 * Wait for one operation: its tag, and what the system call would have returned (a negative errno
 * on failure). Returns 0; ERR_TIMEOUT when `wait_ns` passed and none came back, 0: wait for ever; or
 * ERR_IO when the kernel takes no more operations and none is in flight: then those that did not come back
 * were never begun.
 */
int uring_wait(struct uring *ring, uint64_t wait_ns, uint32_t *tag_out, int *result_out) MUST_CHECK;

#endif
