/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simulated disk: `bytes` is what a reader sees; of each write since the last flush, in order, there is
 * what it wrote and what was there before. What is sure to outlive a power loss is `bytes` with all of them
 * undone: so a disk costs its size once, and a flush or a crash what was written.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/vec.h"
#include "core/dev/devices.h"

#include <assert.h>

#define TEAR_SIZE 512u /* what a disk writes whole or not at all */

struct pending {
	uint64_t offset;
	uint64_t size;
	uint8_t *before; /* owned; what it was written over */
	uint8_t *bytes;  /* behind `before`; NULL: zeros */
};

VEC_DEFINE(pending_vec, struct pending);

struct sim_dev {
	struct dev dev;
	struct env_lock lock;
	uint8_t *bytes;
	struct pending_vec pending;
	uint64_t writes;
	uint64_t writes_left; /* until everything fails; UINT64_MAX: never */
};

static const struct dev_ops sim_ops;

static struct sim_dev *sim_of(struct dev *dev)
{
	assert(dev->ops == &sim_ops);
	return (struct sim_dev *)(void *)dev;
}

static void pending_apply(uint8_t *image, const struct pending *write)
{
	if (write->bytes)
		memcpy(image + write->offset, write->bytes, write->size);
	else
		memset(image + write->offset, 0, write->size);
}

static void pending_clear(struct sim_dev *sim)
{
	for (size_t i = 0; i < sim->pending.count; i++)
		mem_free(sim->pending.at[i].before);
	sim->pending.count = 0;
}

static void sim_read(const struct sim_dev *sim, const struct io *io)
{
	const uint8_t *from = sim->bytes + io->offset;

	for (uint32_t i = 0; i < io->iov_count; i++) {
		memcpy(io->iov[i].iov_base, from, io->iov[i].iov_len);
		from += io->iov[i].iov_len;
	}
}

static int sim_write(struct sim_dev *sim, const struct io *io)
{
	struct pending write = { .offset = io->offset, .size = io->size };
	size_t done = 0;

	write.before = mem_calloc(io->op == IO_WRITE ? 2 : 1, io->size);
	if (!write.before)
		return ERR_IO;
	memcpy(write.before, sim->bytes + io->offset, io->size);
	if (io->op == IO_WRITE) {
		write.bytes = write.before + io->size;
		for (uint32_t i = 0; i < io->iov_count; i++) {
			memcpy(write.bytes + done, io->iov[i].iov_base, io->iov[i].iov_len);
			done += io->iov[i].iov_len;
		}
	}
	if (pending_vec_push(&sim->pending, write)) {
		mem_free(write.before);
		return ERR_IO;
	}
	pending_apply(sim->bytes, &write);
	return 0;
}

/* One operation in one step: what happens between two tasks is decided by who takes the lock. */
static int sim_do(struct sim_dev *sim, const struct io *io)
{
	if (sim->writes_left == 0)
		return ERR_IO;
	if (io->op != IO_READ) {
		sim->writes++;
		if (sim->writes_left != UINT64_MAX)
			sim->writes_left--;
	}
	switch (io->op) {
	case IO_READ:
		sim_read(sim, io);
		return 0;
	case IO_WRITE:
	case IO_ZERO:
		return sim_write(sim, io);
	case IO_FLUSH:
		pending_clear(sim);
		return 0;
	}
	return ERR_IO;
}

static int sim_run(struct dev *dev, struct io *io)
{
	struct sim_dev *sim = sim_of(dev);
	int rc;

	env_lock(dev->env, &sim->lock);
	rc = sim_do(sim, io);
	env_unlock(dev->env, &sim->lock);
	return rc;
}

static void sim_close(struct dev *dev)
{
	struct sim_dev *sim = sim_of(dev);

	env_lock_reset(dev->env, &sim->lock);
	pending_clear(sim);
	pending_vec_reset(&sim->pending);
	mem_free(sim->bytes);
	dev_reset(dev);
	mem_free(sim);
}

static const struct dev_ops sim_ops = {
	.name = "sim",
	.run = sim_run,
	.close = sim_close,
};

/* Some sectors of a write, each by the toss of a coin. */
static void pending_tear(struct sim_dev *sim, const struct pending *write, struct rng *rng)
{
	for (uint64_t at = 0; at < write->size; at += TEAR_SIZE) {
		const struct pending sector = {
			.offset = write->offset + at,
			.size = TEAR_SIZE,
			.bytes = write->bytes ? write->bytes + at : NULL,
		};

		if (rng_below(rng, 2))
			pending_apply(sim->bytes, &sector);
	}
}

void dev_sim_crash(struct dev *dev, struct rng *rng)
{
	enum { KEEP, DROP, TEAR, FATES };
	struct sim_dev *sim = sim_of(dev);

	env_lock(dev->env, &sim->lock);
	for (size_t i = sim->pending.count; i > 0; i--) {
		const struct pending *write = &sim->pending.at[i - 1];

		memcpy(sim->bytes + write->offset, write->before, write->size);
	}
	for (size_t i = 0; i < sim->pending.count; i++) {
		const struct pending *write = &sim->pending.at[i];
		uint64_t fate = rng_below(rng, FATES);

		if (fate == KEEP)
			pending_apply(sim->bytes, write);
		else if (fate == TEAR)
			pending_tear(sim, write, rng);
	}
	pending_clear(sim);
	sim->writes_left = UINT64_MAX;
	env_unlock(dev->env, &sim->lock);
}

uint8_t *dev_sim_bytes(struct dev *dev)
{
	return sim_of(dev)->bytes;
}

uint64_t dev_sim_writes(const struct dev *dev)
{
	assert(dev->ops == &sim_ops);
	return ((const struct sim_dev *)(const void *)dev)->writes;
}

void dev_sim_stop_after(struct dev *dev, uint64_t writes)
{
	struct sim_dev *sim = sim_of(dev);

	env_lock(dev->env, &sim->lock);
	sim->writes_left = writes;
	env_unlock(dev->env, &sim->lock);
}

int dev_sim_open(struct dev **dev_out, struct env *env, const char *name, uint64_t size)
{
	struct sim_dev *sim = mem_calloc(1, sizeof(*sim));

	assert(size > 0 && size % BLOCK_SIZE == 0);
	if (!sim)
		return ERR_NOMEM;
	if (dev_init(&sim->dev, &sim_ops, env, name))
		goto out_free;
	sim->bytes = mem_calloc(size, 1);
	if (!sim->bytes)
		goto out_reset;
	env_lock_init(env, &sim->lock);
	sim->writes_left = UINT64_MAX;
	sim->dev.info = (struct dev_info){
		.size = size,
		.size_exact = size,
		.preferred_io = 128u << 10,
		/* no file or disk has this number: every simulated disk is itself alone */
		.identity = { UINT64_MAX, (uint64_t)(uintptr_t)sim },
	};
	*dev_out = &sim->dev;
	return 0;

out_reset:
	dev_reset(&sim->dev);
out_free:
	mem_free(sim);
	return ERR_NOMEM;
}
