/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the simulated disk loses what a real one may lose at a power loss and keeps what it must keep;
 * and does so again for the same seed.
 * Method: many seeds over short scripts of writes and flushes; every sector afterwards must be one of
 * the values it may have, and over all seeds each of them must have occurred.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/dev/devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 8u
#define SECTOR 512u
#define SEEDS 300u

static struct dev *sim_of(struct env *env)
{
	struct dev *dev = NULL;

	assert_int_equal(dev_sim_open(&dev, env, "sim", BLOCKS * BLOCK_SIZE), 0);
	return dev;
}

static int put(struct dev *dev, uint64_t block, size_t count, int value)
{
	uint8_t *bytes = mem_pages(count * BLOCK_SIZE);
	int rc;

	memset(bytes, value, count * BLOCK_SIZE);
	rc = io_write(dev, IO_ROLE_DATA, block * BLOCK_SIZE, bytes, count * BLOCK_SIZE);
	mem_pages_free(bytes);
	return rc;
}

static void reads_see_writes_before_any_flush(void **state)
{
	uint8_t *bytes = mem_pages(BLOCKS * BLOCK_SIZE);
	struct dev *dev = sim_of(env_threads()), *other = sim_of(env_threads());
	struct io zero = { .dev = dev, .op = IO_ZERO, .offset = BLOCK_SIZE, .size = BLOCK_SIZE };

	(void)state;
	assert_int_equal(put(dev, 0, 3, 5), 0);
	assert_int_equal(io_run(&zero, 1), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, BLOCKS * BLOCK_SIZE), 0);
	for (size_t i = 0; i < BLOCKS * BLOCK_SIZE; i++)
		assert_int_equal(bytes[i], i < BLOCK_SIZE || i / BLOCK_SIZE == 2 ? 5 : 0);
	assert_memory_equal(bytes, dev_sim_bytes(dev), BLOCKS * BLOCK_SIZE);
	assert_int_equal(dev_sim_writes(dev), 2);
	assert_int_equal(io_flush(dev), 0);
	assert_int_equal(dev_sim_writes(dev), 3);
	assert_memory_not_equal(dev_info(dev)->identity, dev_info(other)->identity, 16);
	dev_close(dev);
	dev_close(other);
	mem_pages_free(bytes);
}

static void crash_keeps_all_that_was_flushed(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct dev *dev = sim_of(env_threads());
		struct rng rng = rng_seeded(seed);

		assert_int_equal(put(dev, 0, BLOCKS, 1), 0);
		assert_int_equal(put(dev, 2, 2, 2), 0);
		assert_int_equal(io_flush(dev), 0);
		dev_sim_crash(dev, &rng);
		for (size_t i = 0; i < BLOCKS * BLOCK_SIZE; i++)
			assert_int_equal(dev_sim_bytes(dev)[i],
					 i / BLOCK_SIZE == 2 || i / BLOCK_SIZE == 3 ? 2 : 1);
		dev_close(dev);
	}
}

/* Block 0: flushed 1, then 2 and 3 unflushed. Block 1: flushed 1, then zeroed unflushed. */
static void crash_keeps_drops_or_tears_each_write(void **state)
{
	unsigned whole[4] = { 0 }, torn = 0, zeroed = 0, zero_torn = 0, reordered = 0;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct dev *dev = sim_of(env_threads());
		struct rng rng = rng_seeded(seed);
		struct io zero = {
			.dev = dev,
			.op = IO_ZERO,
			.offset = BLOCK_SIZE,
			.size = BLOCK_SIZE,
		};
		unsigned counts[4] = { 0 }, zeros = 0;

		assert_int_equal(put(dev, 0, BLOCKS, 1), 0);
		assert_int_equal(io_flush(dev), 0);
		assert_int_equal(put(dev, 0, 1, 2), 0);
		assert_int_equal(put(dev, 0, 1, 3), 0);
		assert_int_equal(io_run(&zero, 1), 0);
		dev_sim_crash(dev, &rng);

		const uint8_t *bytes = dev_sim_bytes(dev);
		for (size_t at = 0; at < 2 * BLOCK_SIZE; at += SECTOR) {
			for (size_t i = 1; i < SECTOR; i++) /* a sector is never torn */
				assert_int_equal(bytes[at + i], bytes[at]);
			if (at < BLOCK_SIZE) {
				assert_in_range(bytes[at], 1, 3);
				counts[bytes[at]]++;
			} else {
				assert_in_range(bytes[at], 0, 1);
				zeros += bytes[at] == 0;
			}
		}
		for (size_t i = 2 * BLOCK_SIZE; i < BLOCKS * BLOCK_SIZE; i++)
			assert_int_equal(bytes[i], 1);
		for (int value = 1; value <= 3; value++)
			whole[value] += counts[value] == BLOCK_SIZE / SECTOR;
		torn += (counts[1] > 0) + (counts[2] > 0) + (counts[3] > 0) > 1;
		zeroed += zeros == BLOCK_SIZE / SECTOR;
		zero_torn += zeros > 0 && zeros < BLOCK_SIZE / SECTOR;
		reordered += counts[3] > 0 && counts[2] == 0 && counts[1] > 0;
		dev_close(dev);
	}
	assert_true(whole[1] > 10 && whole[2] > 10 && whole[3] > 10);
	assert_true(torn > 50 && zeroed > 50 && zero_torn > 50 && reordered > 5);
}

/* A flush in one batch with the write it should cover: some seed must show that it does not. */
static void flush_does_not_cover_writes_of_its_batch(void **state)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	unsigned lost = 0;

	(void)state;
	memset(bytes, 9, BLOCK_SIZE);
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct iovec iov = { .iov_base = bytes, .iov_len = BLOCK_SIZE };
		struct dev *dev = sim_of(env_threads());
		struct io ios[2] = {
			{ .dev = dev, .op = IO_WRITE, .size = BLOCK_SIZE, .iov = &iov },
			{ .dev = dev, .op = IO_FLUSH },
		};
		struct rng rng = rng_seeded(seed);

		ios[0].iov_count = 1;
		assert_int_equal(io_run(ios, 2), 0);
		dev_sim_crash(dev, &rng);
		lost += dev_sim_bytes(dev)[0] == 0;
		dev_close(dev);
	}
	assert_true(lost > 0);
	mem_pages_free(bytes);
}

static void crash_replays_its_seed(void **state)
{
	uint8_t first[BLOCKS * BLOCK_SIZE];
	unsigned different = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		for (uint64_t run = 0; run < 3; run++) {
			struct dev *dev = sim_of(env_threads());
			struct rng rng = rng_seeded(run < 2 ? seed : seed + 1);

			for (unsigned i = 0; i < 20; i++)
				assert_int_equal(put(dev, i * 3 % 7, 2, (int)i + 1), 0);
			dev_sim_crash(dev, &rng);
			if (run == 0)
				memcpy(first, dev_sim_bytes(dev), sizeof(first));
			else if (run == 1)
				assert_memory_equal(first, dev_sim_bytes(dev), sizeof(first));
			else
				different += memcmp(first, dev_sim_bytes(dev), sizeof(first)) != 0;
			dev_close(dev);
		}
	}
	assert_int_equal(different, 40);
}

/* For every number of writes: exactly so many happen, then nothing works until the crash. */
static void stop_after_cuts_at_every_write(void **state)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);

	(void)state;
	for (uint64_t stop = 0; stop <= 7; stop++) {
		struct dev *dev = sim_of(env_threads());
		struct rng rng = rng_seeded(stop);

		dev_sim_stop_after(dev, stop);
		for (uint64_t i = 0; i < 3; i++) {
			assert_int_equal(put(dev, i, 1, 7), 2 * i < stop ? 0 : ERR_IO);
			assert_int_equal(io_flush(dev), 2 * i + 1 < stop ? 0 : ERR_IO);
		}
		assert_int_equal(dev_sim_writes(dev), stop < 6 ? stop : 6);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE),
				 stop <= 6 ? ERR_IO : 0);
		dev_sim_crash(dev, &rng);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), 0);
		for (uint64_t i = 0; i < 3; i++) {
			if (2 * i + 1 < stop) /* the flush behind it happened */
				assert_int_equal(dev_sim_bytes(dev)[i * BLOCK_SIZE + 99], 7);
			else if (2 * i >= stop)
				assert_true(bytes_are_zero(dev_sim_bytes(dev) + i * BLOCK_SIZE,
							   BLOCK_SIZE));
		}
		assert_int_equal(put(dev, 0, 1, 1), 0);
		dev_close(dev);
	}
	mem_pages_free(bytes);
}

struct many {
	struct env *env;
	struct dev *dev;
};

static void write_own_block(void *arg, uint32_t index)
{
	struct many *many = arg;

	for (int i = 1; i <= 20; i++) {
		assert_int_equal(put(many->dev, index, 1, i), 0);
		assert_int_equal(io_flush(many->dev), 0);
	}
}

static void many_run(void *arg)
{
	struct many *many = arg;

	many->dev = sim_of(many->env);
	env_parallel(many->env, BLOCKS, write_own_block, many);
}

/* A task's own flush covers its own writes, whatever the others do: on threads and simulated. */
static void tasks_find_their_flushed_writes(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct many many = { .env = seed ? env_sim_create(seed) : env_threads() };
		struct rng rng = rng_seeded(seed);

		assert_non_null(many.env);
		if (seed)
			env_sim_run(many.env, many_run, &many);
		else
			many_run(&many);
		dev_sim_crash(many.dev, &rng);
		for (size_t i = 0; i < BLOCKS * BLOCK_SIZE; i++)
			assert_int_equal(dev_sim_bytes(many.dev)[i], 20);
		assert_int_equal(dev_sim_writes(many.dev), 2 * 20 * BLOCKS);
		dev_close(many.dev);
		if (seed)
			env_sim_free(many.env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_see_writes_before_any_flush),
		cmocka_unit_test(crash_keeps_all_that_was_flushed),
		cmocka_unit_test(crash_keeps_drops_or_tears_each_write),
		cmocka_unit_test(flush_does_not_cover_writes_of_its_batch),
		cmocka_unit_test(crash_replays_its_seed),
		cmocka_unit_test(stop_after_cuts_at_every_write),
		cmocka_unit_test(tasks_find_their_flushed_writes),
	};

	return cmocka_run_group_tests_name("dev_sim", tests, NULL, NULL);
}
