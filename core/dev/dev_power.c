/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Death at a chosen write, on real files.
 *
 * Without `cut` and lies an operation passes at once; only its number counts. With them what is written is
 * held back, block by block in a table, until a flush, and reads see what is held.
 *
 * Everything that changes is under the power's one lock, I/O too: this is for tests, and the number of an
 * operation is to mean the same in every run of one task.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/dev/block_table.h"
#include "core/dev/devices.h"

#include <assert.h>
#include <string.h>

#define SECTOR_SIZE 512u

struct power_dev {
	struct dev dev;
	struct power *power;
	struct power_dev *next; /* of the same power */
	uint64_t lie_from;
	uint64_t flushes;
	bool holds;               /* back what is written, until a flush */
	struct block_table table; /* what is held back */
};

struct power {
	struct env *env;
	struct env_lock lock;
	struct power_config config;
	uint64_t seen; /* writes and flushes so far */
	bool dead;
	struct power_dev *devs;
};

static struct power_dev *power_of(struct dev *dev)
{
	return (struct power_dev *)(void *)dev;
}

/* ---- blocks held back */

static int run_block(struct power_dev *dev, enum io_op op, uint64_t number, uint8_t *bytes)
{
	const struct iovec iov = { .iov_base = bytes, .iov_len = BLOCK_SIZE };
	struct io io = {
		.dev = &dev->dev,
		.op = op,
		.offset = number * BLOCK_SIZE,
		.size = BLOCK_SIZE,
		.iov = &iov,
		.iov_count = 1,
	};

	return dev_run_below(&dev->dev, &io);
}

/* The bytes of `io` that lie at `offset` on the device; iovecs are whole blocks. */
static uint8_t *bytes_at(const struct io *io, uint64_t offset)
{
	const struct iovec *iov = io->iov;
	uint64_t left = offset - io->offset;

	for (; left >= iov->iov_len; iov++)
		left -= iov->iov_len;
	return (uint8_t *)iov->iov_base + left;
}

static int hold(struct power_dev *dev, const struct io *io, uint64_t size)
{
	return block_table_keep(&dev->table, io, size) ? ERR_IO : 0;
}

/* Which sectors of a block reach the medium when the power goes: all, none, or any. */
static uint64_t sectors_choose(struct rng *rng)
{
	uint64_t kind = rng_below(rng, 3);

	return kind == 0 ? 0 : kind == 1 ? UINT64_MAX : rng_next(rng);
}

/* Land these sectors of a block, a bit each; `block` is for the others. */
static int land_block(struct power_dev *dev, const struct kept_block *held, uint64_t sectors,
		      uint8_t *block)
{
	int rc = run_block(dev, IO_READ, held->number, block);

	for (uint32_t s = 0; s < BLOCK_SIZE / SECTOR_SIZE; s++) {
		if (sectors >> s & 1)
			memcpy(block + (size_t)s * SECTOR_SIZE,
			       held->bytes + (size_t)s * SECTOR_SIZE, SECTOR_SIZE);
	}
	return rc ? rc : run_block(dev, IO_WRITE, held->number, block);
}

/* Land what is held: all of it, or with `rng` what it chooses. */
static int land(struct power_dev *dev, struct rng *rng)
{
	uint8_t *block = mem_pages(BLOCK_SIZE);
	int rc = block ? 0 : ERR_IO;

	for (uint64_t i = 0; rc == 0 && i < dev->table.capacity; i++) {
		const struct kept_block *held = &dev->table.at[i];

		if (held->bytes)
			rc = land_block(dev, held, rng ? sectors_choose(rng) : UINT64_MAX, block);
	}
	mem_pages_free(block);
	if (rc == 0)
		block_table_clear(&dev->table);
	return rc;
}

/* ---- the operations */

/* The first half of the write whose number came up, down to a sector in the middle of its block. */
static void tear(struct power_dev *dev, struct io *io)
{
	uint64_t half = io->size / 2;
	uint64_t whole = half - half % BLOCK_SIZE;
	uint64_t number = (io->offset + whole) / BLOCK_SIZE;
	uint8_t *block = mem_pages(BLOCK_SIZE);

	if (block && run_block(dev, IO_READ, number, block) == 0) {
		for (uint64_t done = 0; done < whole; done += BLOCK_SIZE)
			(void)!run_block(dev, IO_WRITE, (io->offset + done) / BLOCK_SIZE,
					 bytes_at(io, io->offset + done));
		if (half % BLOCK_SIZE) {
			memcpy(block, bytes_at(io, io->offset + whole), half % BLOCK_SIZE);
			(void)!run_block(dev, IO_WRITE, number, block);
		}
	}
	mem_pages_free(block);
}

/* The power goes. With a table in front the torn write is one more that was held back. */
static void end_all(struct power_dev *dev, struct io *io)
{
	struct power *power = dev->power;
	struct rng rng = rng_seeded(power->config.seed);

	power->dead = true;
	if (power->config.torn && io->op == IO_WRITE && !power->config.cut)
		tear(dev, io);
	if (power->config.torn && io_is_write(io) && power->config.cut)
		(void)!hold(dev, io, io->size);
	for (struct power_dev *one = power->devs; one && power->config.cut; one = one->next) {
		if (one->lie_from == UINT64_MAX)
			(void)!land(one, &rng);
	}
	power->config.die(power->config.arg);
}

static int flush(struct power_dev *dev, struct io *io)
{
	dev->flushes++;
	if (dev->flushes >= dev->lie_from)
		return 0;
	int rc = dev->holds ? land(dev, NULL) : 0;

	return rc ? rc : dev_run_below(&dev->dev, io);
}

static int read_over(struct power_dev *dev, struct io *io)
{
	int rc = dev_run_below(&dev->dev, io);

	if (rc == 0)
		block_table_cover(&dev->table, io);
	return rc;
}

static int run_locked(struct power_dev *dev, struct io *io)
{
	struct power *power = dev->power;

	if (!power->dead && io->op != IO_READ && ++power->seen == power->config.at)
		end_all(dev, io);
	if (power->dead)
		return ERR_IO;
	if (io->op == IO_READ)
		return read_over(dev, io);
	if (io->op == IO_FLUSH)
		return flush(dev, io);
	return dev->holds ? hold(dev, io, io->size) : dev_run_below(&dev->dev, io);
}

static int power_run(struct dev *base, struct io *io)
{
	struct power_dev *dev = power_of(base);
	int rc;

	env_lock(base->env, &dev->power->lock);
	rc = run_locked(dev, io);
	env_unlock(base->env, &dev->power->lock);
	return rc;
}

/* What a lying disk still holds is lost; an honest one brings it to the medium in its own time. */
static void power_close(struct dev *base)
{
	struct power_dev *dev = power_of(base);
	struct power_dev **link = &dev->power->devs;

	if (dev->holds && dev->lie_from == UINT64_MAX && !dev->power->dead)
		(void)!land(dev, NULL);
	env_lock(base->env, &dev->power->lock);
	while (*link != dev)
		link = &(*link)->next;
	*link = dev->next;
	env_unlock(base->env, &dev->power->lock);
	block_table_reset(&dev->table);
	dev_reset(base);
	mem_free(dev);
}

static const struct dev_ops power_ops = {
	.name = "power",
	.run = power_run,
	.close = power_close,
};

int dev_power_open(struct dev **dev_out, struct dev *below, struct power *power, uint64_t lie_from)
{
	struct power_dev *dev = mem_calloc(1, sizeof(*dev));

	if (!dev)
		return ERR_NOMEM;
	dev->power = power;
	dev->lie_from = lie_from;
	dev->holds = power->config.cut || lie_from != UINT64_MAX;
	if ((dev->holds && block_table_init(&dev->table, UINT64_MAX)) ||
	    dev_init_above(&dev->dev, &power_ops, below)) {
		block_table_reset(&dev->table);
		mem_free(dev);
		return ERR_NOMEM;
	}
	env_lock(power->env, &power->lock);
	dev->next = power->devs;
	power->devs = dev;
	env_unlock(power->env, &power->lock);
	*dev_out = &dev->dev;
	return 0;
}

struct power *power_create(struct env *env, const struct power_config *config)
{
	struct power *power = mem_calloc(1, sizeof(*power));

	if (!power)
		return NULL;
	assert(config->at == UINT64_MAX || config->die);
	power->env = env;
	power->config = *config;
	env_lock_init(env, &power->lock);
	return power;
}

void power_free(struct power *power)
{
	if (!power)
		return;
	assert(!power->devs);
	env_lock_reset(power->env, &power->lock);
	mem_free(power);
}
