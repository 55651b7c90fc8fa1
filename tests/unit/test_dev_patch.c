/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: what is written to a patched device is read back from it, and the device below never sees a write.
 * Method: random batches on a patch and on a plain array of bytes, compared after each; the disk below is
 * simulated and counts its writes.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tests/unit/array_help.h"
#include "tests/unit/dev_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 64u

static struct dev *disk_of(uint64_t seed)
{
	struct rng rng = rng_seeded(seed);
	struct dev *disk = NULL;

	assert_int_equal(dev_sim_open(&disk, env_threads(), "disk", (uint64_t)BLOCKS * BLOCK_SIZE),
			 0);
	for (uint64_t i = 0; i < (uint64_t)BLOCKS * BLOCK_SIZE; i++)
		dev_sim_bytes(disk)[i] = (uint8_t)rng_next(&rng);
	return disk;
}

static void a_patch_reads_what_was_written_and_writes_nothing_below(void **state)
{
	struct rng rng = rng_seeded(7);
	struct dev *disk = disk_of(1), *patch = NULL;
	uint8_t *expected = mem_pages((size_t)BLOCKS * BLOCK_SIZE);
	uint8_t *before = mem_pages((size_t)BLOCKS * BLOCK_SIZE);
	uint8_t *bytes = mem_pages((size_t)BLOCKS * BLOCK_SIZE);

	(void)state;
	print_message("seed 7\n");
	memcpy(expected, dev_sim_bytes(disk), (size_t)BLOCKS * BLOCK_SIZE);
	memcpy(before, expected, (size_t)BLOCKS * BLOCK_SIZE);
	assert_int_equal(dev_patch_open(&patch, disk, (uint64_t)BLOCKS * BLOCK_SIZE), 0);
	assert_string_equal(dev_name(patch), "disk");
	assert_int_equal(dev_info(patch)->size, dev_info(disk)->size);
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t first = (uint32_t)rng_below(&rng, BLOCKS);
		uint32_t count = 1 + (uint32_t)rng_below(&rng, BLOCKS - first);
		uint32_t cut = (uint32_t)rng_below(&rng, count) + 1;
		struct iovec iov[2] = {
			{ bytes, (size_t)cut * BLOCK_SIZE },
			{ bytes + (size_t)cut * BLOCK_SIZE, (size_t)(count - cut) * BLOCK_SIZE },
		};
		struct io io = { .dev = patch,
				 .op = (enum io_op)rng_below(&rng, 3),
				 .offset = (uint64_t)first * BLOCK_SIZE,
				 .size = (uint64_t)count * BLOCK_SIZE,
				 .iov = iov,
				 .iov_count = cut < count ? 2 : 1 };
		uint8_t *at = expected + io.offset;

		if (io.op == IO_ZERO) {
			io.iov = NULL;
			io.iov_count = 0;
			memset(at, 0, io.size);
		} else if (io.op == IO_WRITE) {
			memset(bytes, (int)rng_below(&rng, 256), io.size);
			memcpy(at, bytes, io.size);
		}
		assert_int_equal(io_run(&io, 1), 0);
		if (io.op == IO_READ)
			assert_memory_equal(bytes, at, io.size);
		assert_int_equal(io_flush(patch), 0);
	}
	assert_int_equal(dev_sim_writes(disk), 0);
	assert_memory_equal(dev_sim_bytes(disk), before, (size_t)BLOCKS * BLOCK_SIZE);
	dev_close(patch);
	mem_pages_free(expected);
	mem_pages_free(before);
	mem_pages_free(bytes);
}

static void a_patch_is_bounded_and_keeps_what_it_has(void **state)
{
	struct dev *disk = disk_of(2), *patch = NULL;
	uint8_t *bytes = mem_pages(4 * BLOCK_SIZE);

	(void)state;
	assert_int_equal(dev_patch_open(&patch, disk, 3 * BLOCK_SIZE), 0);
	memset(bytes, 1, 4 * BLOCK_SIZE);
	assert_int_equal(io_write(patch, IO_ROLE_DATA, 0, bytes, 3 * BLOCK_SIZE), 0);
	assert_int_equal(io_write(patch, IO_ROLE_DATA, 3 * BLOCK_SIZE, bytes, BLOCK_SIZE),
			 ERR_NOSPACE);
	memset(bytes, 2, 4 * BLOCK_SIZE);
	assert_int_equal(io_write(patch, IO_ROLE_DATA, BLOCK_SIZE, bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_read(patch, IO_ROLE_DATA, 0, bytes, 4 * BLOCK_SIZE), 0);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[BLOCK_SIZE], 2);
	assert_int_equal(bytes[2 * BLOCK_SIZE], 1);
	assert_memory_equal(bytes + 3 * BLOCK_SIZE, dev_sim_bytes(disk) + 3 * BLOCK_SIZE,
			    BLOCK_SIZE);
	dev_close(patch);
	mem_pages_free(bytes);
}

static void a_block_that_cannot_be_read_below_reads_after_it_was_written(void **state)
{
	const struct fault fault = { .kind = FAULT_READ_ERROR, .offset = 0, .size = BLOCK_SIZE };
	struct dev *faulty = NULL, *patch = NULL;
	uint8_t *bytes = mem_pages(BLOCK_SIZE);

	(void)state;
	assert_int_equal(dev_fault_open(&faulty, disk_of(3)), 0);
	assert_int_equal(dev_fault_add(faulty, &fault), 0);
	assert_int_equal(dev_patch_open(&patch, faulty, MIB), 0);
	assert_int_equal(io_read(patch, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), ERR_IO);
	memset(bytes, 5, BLOCK_SIZE);
	assert_int_equal(io_write(patch, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), 0);
	memset(bytes, 0, BLOCK_SIZE);
	assert_int_equal(io_read(patch, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), 0);
	assert_int_equal(bytes[BLOCK_SIZE - 1], 5);
	dev_close(patch);
	mem_pages_free(bytes);
}

static void without_memory_a_patch_is_not_opened_and_the_device_stays(void **state)
{
	struct dev *disk = disk_of(4), *patch = NULL;
	unsigned nth = 0;
	int rc = ERR_NOMEM;

	(void)state;
	for (; rc; nth++) {
		unsigned left = nth;

		mem_set_hook(deny_nth, &left);
		rc = dev_patch_open(&patch, disk, MIB);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	assert_true(nth > 2);
	dev_close(patch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_patch_reads_what_was_written_and_writes_nothing_below),
		cmocka_unit_test(a_patch_is_bounded_and_keeps_what_it_has),
		cmocka_unit_test(a_block_that_cannot_be_read_below_reads_after_it_was_written),
		cmocka_unit_test(without_memory_a_patch_is_not_opened_and_the_device_stays),
	};

	return cmocka_run_group_tests_name("dev_patch", tests, NULL, NULL);
}
