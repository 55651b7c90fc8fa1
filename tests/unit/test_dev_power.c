/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the process dies at exactly the write or flush that was asked for, and the medium then holds what a
 * kill, a torn write or a power cut would have left; and the fault kinds that --fault has beyond those of
 * test_dev_wrap.c strike where, when and as often as told.
 * Method: scripted operations on simulated disks; what die() would have ended is looked at afterwards.
 */
#include "core/base/mem.h"
#include "tests/unit/dev_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 64u
#define SIZE (BLOCKS * (uint64_t)BLOCK_SIZE)
#define SECTOR 512u

static void note_death(void *deaths)
{
	++*(unsigned *)deaths;
}

static struct dev *disk_open(void)
{
	struct dev *dev = NULL;

	assert_int_equal(dev_sim_open(&dev, env_threads(), "disk", SIZE), 0);
	return dev;
}

static struct dev *power_open(struct dev *disk, struct power *power, uint64_t lie_from)
{
	struct dev *dev = NULL;

	assert_int_equal(dev_power_open(&dev, disk, power, lie_from), 0);
	return dev;
}

/* `count` blocks of the value, at block `at`; returns the result. */
static int put(struct dev *dev, uint32_t at, uint32_t count, uint8_t value)
{
	uint8_t *bytes = mem_pages((size_t)count * BLOCK_SIZE);
	int rc;

	memset(bytes, value, (size_t)count * BLOCK_SIZE);
	rc = io_write(dev, IO_ROLE_DATA, (uint64_t)at * BLOCK_SIZE, bytes,
		      (size_t)count * BLOCK_SIZE);
	mem_pages_free(bytes);
	return rc;
}

/* Is every byte of the block the value? */
static bool holds(const uint8_t *bytes, uint32_t at, uint8_t value)
{
	bytes += (size_t)at * BLOCK_SIZE;
	return bytes[0] == value && memcmp(bytes, bytes + 1, BLOCK_SIZE - 1) == 0;
}

static bool reads(struct dev *dev, uint32_t at, uint8_t value)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	int rc = io_read(dev, IO_ROLE_DATA, (uint64_t)at * BLOCK_SIZE, bytes, BLOCK_SIZE);
	bool right = rc == 0 && holds(bytes, 0, value);

	mem_pages_free(bytes);
	return right;
}

static void crash_is_in_place_of_the_nth_write_or_flush_of_all_devices(void **state)
{
	(void)state;
	for (unsigned at = 1; at <= 5; at++) {
		unsigned deaths = 0;
		const struct power_config config = { .at = at, .die = note_death, .arg = &deaths };
		struct power *power = power_create(env_threads(), &config);
		struct dev *disks[2] = { disk_open(), disk_open() };
		struct dev *a = power_open(disks[0], power, UINT64_MAX);
		struct dev *b = power_open(disks[1], power, UINT64_MAX);

		assert_int_equal(put(a, 1, 1, 7), at == 1 ? ERR_IO : 0);
		assert_int_equal(put(b, 2, 1, 8), at <= 2 ? ERR_IO : 0);
		assert_true(reads(a, 0, 0) == (at > 2)); /* reads do not count, but fail after it */
		assert_int_equal(io_flush(a), at <= 3 ? ERR_IO : 0);
		assert_int_equal(put(a, 3, 2, 9), at <= 4 ? ERR_IO : 0);
		assert_int_equal(put(b, 5, 1, 10), ERR_IO);
		assert_int_equal(deaths, 1);
		assert_true(holds(dev_sim_bytes(disks[0]), 1, at > 1 ? 7 : 0));
		assert_true(holds(dev_sim_bytes(disks[1]), 2, at > 2 ? 8 : 0));
		assert_true(holds(dev_sim_bytes(disks[0]), 4, at > 4 ? 9 : 0));
		assert_true(holds(dev_sim_bytes(disks[1]), 5, 0));
		dev_close(a);
		dev_close(b);
		power_free(power);
	}
}

static void a_torn_write_lands_its_first_half_down_to_the_sector(void **state)
{
	unsigned deaths = 0;
	const struct power_config config = {
		.at = 2, .torn = true, .die = note_death, .arg = &deaths
	};
	struct power *power = power_create(env_threads(), &config);
	struct dev *disk = disk_open(), *dev = power_open(disk, power, UINT64_MAX);
	uint8_t *bytes = dev_sim_bytes(disk);

	(void)state;
	assert_int_equal(put(dev, 0, 8, 1), 0);
	assert_int_equal(put(dev, 2, 3, 2), ERR_IO); /* half of three blocks: one and a half */
	assert_true(holds(bytes, 1, 1));
	assert_true(holds(bytes, 2, 2));
	assert_int_equal(bytes[3 * BLOCK_SIZE + BLOCK_SIZE / 2 - 1], 2);
	assert_int_equal(bytes[3 * BLOCK_SIZE + BLOCK_SIZE / 2], 1);
	assert_true(holds(bytes, 4, 1));
	dev_close(dev);
	power_free(power);
}

/* Blocks 0..15 flushed as 1, then 0..15 written as 2 and not flushed, then the power goes. */
static void cut(uint8_t *after, uint64_t seed)
{
	unsigned deaths = 0;
	const struct power_config config = {
		.at = 4, .cut = true, .seed = seed, .die = note_death, .arg = &deaths
	};
	struct power *power = power_create(env_threads(), &config);
	struct dev *disk = disk_open(), *dev = power_open(disk, power, UINT64_MAX);

	assert_int_equal(put(dev, 0, 16, 1), 0);
	assert_true(holds(dev_sim_bytes(disk), 3, 0)); /* held back */
	assert_true(reads(dev, 3, 1));
	assert_int_equal(io_flush(dev), 0);
	assert_true(holds(dev_sim_bytes(disk), 3, 1));
	assert_int_equal(put(dev, 0, 16, 2), 0);
	assert_int_equal(put(dev, 20, 1, 3), ERR_IO);
	assert_int_equal(deaths, 1);
	memcpy(after, dev_sim_bytes(disk), SIZE);
	dev_close(dev);
	power_free(power);
}

static void a_power_cut_keeps_what_was_flushed_and_any_sector_of_the_rest(void **state)
{
	uint8_t *after = mem_calloc(2, SIZE);
	unsigned old = 0, fresh = 0, torn = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		cut(after, seed);
		for (uint32_t block = 0; block < 16; block++) {
			old += holds(after, block, 1);
			fresh += holds(after, block, 2);
			torn += !holds(after, block, 1) && !holds(after, block, 2);
			for (uint32_t at = 0; at < BLOCK_SIZE; at++) {
				const uint8_t *byte = after + (size_t)block * BLOCK_SIZE + at;

				assert_true(*byte == 1 || *byte == 2);
				assert_true(at % SECTOR == 0 || byte[0] == byte[-1]);
			}
		}
		assert_true(holds(after, 20, 0)); /* the write that never happened */
		cut(after + SIZE, seed);
		assert_memory_equal(after, after + SIZE, SIZE);
	}
	assert_true(old > 40 && fresh > 40 && torn > 40);
	mem_free(after);
}

static void a_lying_flush_is_acknowledged_and_what_follows_is_gone_at_the_end(void **state)
{
	const struct power_config config = { .at = UINT64_MAX };
	struct power *power = power_create(env_threads(), &config);
	struct dev *disk = disk_open(), *dev = power_open(disk, power, 2);

	(void)state;
	assert_int_equal(put(dev, 1, 1, 1), 0);
	assert_int_equal(io_flush(dev), 0);
	assert_int_equal(put(dev, 1, 2, 2), 0);
	assert_int_equal(io_flush(dev), 0); /* the lie */
	assert_true(reads(dev, 1, 2));
	assert_true(holds(dev_sim_bytes(disk), 1, 1));
	assert_true(holds(dev_sim_bytes(disk), 2, 0));
	dev_close(dev);
	power_free(power);
}

/* ---- kinds of the fault device that only --fault uses */

static struct dev *faulty(struct dev *disk, const struct fault *fault)
{
	struct dev *dev = NULL;

	assert_int_equal(dev_fault_open(&dev, disk), 0);
	assert_int_equal(dev_fault_add(dev, fault), 0);
	return dev;
}

static void disconnect_lasts(void **state)
{
	const struct fault fault = {
		.kind = FAULT_DISCONNECT, .size = SIZE, .skip = 1, .count = 1
	};
	struct dev *dev = faulty(disk_open(), &fault);

	(void)state;
	assert_int_equal(put(dev, 0, 1, 1), 0);
	assert_int_equal(put(dev, 1, 1, 1), ERR_IO);
	assert_int_equal(put(dev, 2, 1, 1), ERR_IO);
	assert_int_equal(io_flush(dev), ERR_IO);
	assert_false(reads(dev, 0, 1));
	dev_fault_clear(dev);
	assert_true(reads(dev, 0, 1));
	dev_close(dev);
}

static void short_is_half_of_a_write_and_an_error(void **state)
{
	const struct fault fault = { .kind = FAULT_SHORT, .size = SIZE, .count = 1 };
	struct dev *disk = disk_open(), *dev = faulty(disk, &fault);

	(void)state;
	assert_int_equal(put(dev, 0, 4, 1), ERR_IO);
	assert_true(holds(dev_sim_bytes(disk), 1, 1));
	assert_true(holds(dev_sim_bytes(disk), 2, 0));
	assert_int_equal(put(dev, 0, 4, 1), 0);
	assert_true(holds(dev_sim_bytes(disk), 3, 1));
	dev_close(dev);
}

static void hang_waits_and_fails_and_latency_only_waits(void **state)
{
	const uint64_t delay_ns = 30000000;
	struct fault fault = { .kind = FAULT_HANG, .size = SIZE, .count = 1, .delay_ns = delay_ns };
	struct dev *dev = faulty(disk_open(), &fault);
	uint64_t begin = env_now_ns(dev->env);

	(void)state;
	assert_int_equal(put(dev, 0, 1, 1), ERR_IO);
	assert_true(env_now_ns(dev->env) - begin >= delay_ns);
	fault.kind = FAULT_LATENCY;
	assert_int_equal(dev_fault_add(dev, &fault), 0);
	begin = env_now_ns(dev->env);
	assert_int_equal(io_flush(dev), 0);
	assert_true(env_now_ns(dev->env) - begin >= delay_ns);
	dev_close(dev);
}

static unsigned bits_that_differ(const uint8_t *bytes, uint32_t blocks, uint8_t value)
{
	unsigned count = 0;

	for (size_t i = 0; i < (size_t)blocks * BLOCK_SIZE; i++)
		count += (unsigned)__builtin_popcount(bytes[i] ^ value);
	return count;
}

static void flips_are_one_bit_in_what_is_read_or_on_the_medium(void **state)
{
	struct fault fault = { .kind = FAULT_FLIP_WRITE, .size = SIZE, .count = 1, .seed = 3 };
	struct dev *disk = disk_open(), *dev = faulty(disk, &fault);
	uint8_t *bytes = mem_pages(4 * (size_t)BLOCK_SIZE);

	(void)state;
	assert_int_equal(put(dev, 0, 4, 0x55), 0);
	assert_int_equal(bits_that_differ(dev_sim_bytes(disk), 4, 0x55), 1);
	assert_int_equal(put(dev, 0, 4, 0x55), 0);
	assert_int_equal(bits_that_differ(dev_sim_bytes(disk), 4, 0x55), 0);
	fault.kind = FAULT_FLIP_READ;
	assert_int_equal(dev_fault_add(dev, &fault), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, 4 * (size_t)BLOCK_SIZE), 0);
	assert_int_equal(bits_that_differ(bytes, 4, 0x55), 1);
	assert_int_equal(bits_that_differ(dev_sim_bytes(disk), 4, 0x55), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, 4 * (size_t)BLOCK_SIZE), 0);
	assert_int_equal(bits_that_differ(bytes, 4, 0x55), 0);
	mem_pages_free(bytes);
	dev_close(dev);
}

static void a_stale_read_gives_what_was_there_before(void **state)
{
	const struct fault fault = {
		.kind = FAULT_STALE_READ, .offset = BLOCK_SIZE, .size = 2 * BLOCK_SIZE, .count = 2
	};
	struct dev *disk = disk_open(), *dev;

	(void)state;
	assert_int_equal(put(disk, 0, 8, 1), 0);
	dev = faulty(disk, &fault);
	assert_int_equal(put(dev, 0, 8, 2), 0);
	assert_int_equal(put(dev, 2, 1, 3), 0);
	assert_true(reads(dev, 5, 2)); /* outside */
	assert_true(reads(dev, 1, 1));
	assert_true(reads(dev, 2, 1));
	assert_true(reads(dev, 2, 3)); /* twice was asked for */
	assert_true(holds(dev_sim_bytes(disk), 1, 2));
	dev_close(dev);
}

static void a_misdirected_read_gives_what_lies_beside(void **state)
{
	const struct fault fault = {
		.kind = FAULT_MISREAD, .size = SIZE, .shift = 2 * BLOCK_SIZE, .skip = 1, .count = 2
	};
	struct dev *disk = disk_open(), *dev;

	(void)state;
	for (uint32_t block = 0; block < BLOCKS; block++)
		assert_int_equal(put(disk, block, 1, (uint8_t)block), 0);
	dev = faulty(disk, &fault);
	assert_true(reads(dev, 4, 4));
	assert_true(reads(dev, 4, 6));
	assert_true(reads(dev, BLOCKS - 1, BLOCKS - 3));
	assert_true(reads(dev, 4, 4));
	dev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crash_is_in_place_of_the_nth_write_or_flush_of_all_devices),
		cmocka_unit_test(a_torn_write_lands_its_first_half_down_to_the_sector),
		cmocka_unit_test(a_power_cut_keeps_what_was_flushed_and_any_sector_of_the_rest),
		cmocka_unit_test(a_lying_flush_is_acknowledged_and_what_follows_is_gone_at_the_end),
		cmocka_unit_test(disconnect_lasts),
		cmocka_unit_test(short_is_half_of_a_write_and_an_error),
		cmocka_unit_test(hang_waits_and_fails_and_latency_only_waits),
		cmocka_unit_test(flips_are_one_bit_in_what_is_read_or_on_the_medium),
		cmocka_unit_test(a_stale_read_gives_what_was_there_before),
		cmocka_unit_test(a_misdirected_read_gives_what_lies_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
