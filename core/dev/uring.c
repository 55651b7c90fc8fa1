/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/uring.h"

#include "core/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define NS_PER_S UINT64_C(1000000000)

struct uring {
	struct io_uring io;
	uint32_t added;            /* not yet taken by the kernel */
	uint32_t in_flight;        /* taken, not yet back */
	bool broken;               /* operations are stuck in it: not to be lent out again */
	void *memory[URING_DEPTH]; /* of a lost ring: what the kernel may still use */
	struct uring *next_lost;
};

/* Rings nobody uses. Taking is one exchange per place, so no lock is needed. */
static _Atomic(struct uring *) idle[URING_RINGS_MAX];
static atomic_uint ring_count; /* idle and lent out */

/* Rings that were given up: never freed, since their memory may be read and written for ever. */
static _Atomic(struct uring *) lost;

static void ring_free(struct uring *ring)
{
	io_uring_queue_exit(&ring->io);
	mem_free(ring);
	atomic_fetch_sub(&ring_count, 1);
}

static struct uring *ring_create(void)
{
	struct uring *ring;

	if (atomic_fetch_add(&ring_count, 1) >= URING_RINGS_MAX)
		goto out_count;
	ring = mem_calloc(1, sizeof(*ring));
	if (!ring)
		goto out_count;
	if (io_uring_queue_init(URING_DEPTH, &ring->io, 0) < 0)
		goto out_free;
	/* Without it (before Linux 5.11) a wait that ends in time costs an operation. */
	if (!(ring->io.features & IORING_FEAT_EXT_ARG))
		goto out_exit;
	return ring;

out_exit:
	io_uring_queue_exit(&ring->io);
out_free:
	mem_free(ring);
out_count:
	atomic_fetch_sub(&ring_count, 1);
	return NULL;
}

struct uring *uring_take(void)
{
	for (uint32_t i = 0; i < URING_RINGS_MAX; i++) {
		struct uring *ring = atomic_exchange(&idle[i], NULL);

		if (ring)
			return ring;
	}
	return ring_create();
}

void uring_give(struct uring *ring)
{
	assert(ring->in_flight == 0);
	assert(ring->added == 0 || ring->broken);

	for (uint32_t i = 0; i < URING_RINGS_MAX && !ring->broken; i++) {
		struct uring *none = NULL;

		if (atomic_compare_exchange_strong(&idle[i], &none, ring))
			return;
	}
	ring_free(ring);
}

void uring_lose(struct uring *ring, void *const *memory, uint32_t count)
{
	assert(count <= URING_DEPTH);
	for (uint32_t i = 0; i < count; i++)
		ring->memory[i] = memory[i];
	/* The kernel goes on with what is in flight, and begins nothing of it a second time. */
	io_uring_queue_exit(&ring->io);
	ring->next_lost = atomic_load(&lost);
	while (!atomic_compare_exchange_weak(&lost, &ring->next_lost, ring))
		;
	atomic_fetch_sub(&ring_count, 1);
}

bool uring_holds(struct uring *ring, uint32_t tag)
{
	struct io_uring_sync_cancel_reg what = { .addr = tag, .fd = -1 };

	return io_uring_register_sync_cancel(&ring->io, &what) == -ENOENT;
}

int uring_renew(const struct iovec *iov, uint32_t iov_count)
{
	for (uint32_t i = 0; i < iov_count; i++) {
		size_t size = iov[i].iov_len;
		void *fresh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		if (fresh == MAP_FAILED)
			return ERR_NOMEM;
		memcpy(fresh, iov[i].iov_base, size);
		if (mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, iov[i].iov_base) ==
		    MAP_FAILED) {
			munmap(fresh, size);
			return ERR_NOMEM;
		}
	}
	return 0;
}

bool uring_is_available(void)
{
	struct uring *ring = uring_take();

	if (!ring) /* all lent out means that there are some */
		return atomic_load(&ring_count) >= URING_RINGS_MAX;
	uring_give(ring);
	return true;
}

void uring_add(struct uring *ring, const struct uring_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->io);

	assert(sqe);
	assert(ring->added + ring->in_flight < URING_DEPTH);

	switch (op->kind) {
	case URING_READ:
		io_uring_prep_readv(sqe, op->fd, op->iov, op->iov_count, op->offset);
		break;
	case URING_WRITE:
		io_uring_prep_writev(sqe, op->fd, op->iov, op->iov_count, op->offset);
		break;
	case URING_SYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	}
	io_uring_sqe_set_data64(sqe, op->tag);
	ring->added++;
}

void uring_start(struct uring *ring)
{
	while (ring->added) {
		int taken = io_uring_submit(&ring->io);

		if (taken == -EINTR)
			continue;
		if (taken <= 0)
			return;
		assert((uint32_t)taken <= ring->added);
		ring->added -= (uint32_t)taken;
		ring->in_flight += (uint32_t)taken;
	}
}

/* The next operation that came back; -ETIME when none did. */
static int next_back(struct uring *ring, uint64_t wait_ns, struct io_uring_cqe **cqe_out)
{
	struct __kernel_timespec wait = {
		.tv_sec = (long long)(wait_ns / NS_PER_S),
		.tv_nsec = (long long)(wait_ns % NS_PER_S),
	};
	int rc;

	do {
		rc = io_uring_wait_cqe_timeout(&ring->io, cqe_out, wait_ns ? &wait : NULL);
	} while (rc == -EINTR || rc == -EAGAIN);
	/* A process that was stopped for long finds the time over, and what came back meanwhile. */
	return rc == -ETIME && io_uring_peek_cqe(&ring->io, cqe_out) == 0 ? 0 : rc;
}

int uring_wait(struct uring *ring, uint64_t wait_ns, uint32_t *tag_out, int *result_out)
{
	struct io_uring_cqe *cqe = NULL;
	int rc;

	uring_start(ring);
	if (ring->in_flight == 0) {
		assert(ring->added);
		ring->broken = true;
		return ERR_IO;
	}
	rc = next_back(ring, wait_ns, &cqe);
	if (rc == -ETIME)
		return ERR_TIMEOUT;
	assert(rc == 0); /* giving up here would free memory that the kernel still writes to */

	*tag_out = (uint32_t)io_uring_cqe_get_data64(cqe);
	*result_out = cqe->res;
	io_uring_cqe_seen(&ring->io, cqe);
	ring->in_flight--;
	return 0;
}
