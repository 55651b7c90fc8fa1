/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: behind dev_holes_open() a hole is a read error and nothing else changes, at every boundary.
 * Method: a simulated disk of a few blocks under random lists of holes, every aligned read tried and compared with the
 * list sector by sector; then files, for what goes to the kernel as a batch.
 */
#include "core/dev/holes.h"

#include "core/base/mem.h"
#include "tests/unit/dev_help.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 16u
#define SECTORS (BLOCKS * 8)
#define DISK_SIZE ((uint64_t)BLOCKS * BLOCK_SIZE)

static struct dev *disk_of_bytes(uint64_t seed)
{
	struct rng rng = rng_seeded(seed);
	struct dev *disk = NULL;

	assert_int_equal(dev_sim_open(&disk, env_threads(), "disk", DISK_SIZE), 0);
	for (uint64_t i = 0; i < DISK_SIZE; i++)
		dev_sim_bytes(disk)[i] = (uint8_t)rng_next(&rng);
	return disk;
}

/* Random holes, as a list and as one flag a sector; some touch, some reach past the end. */
static size_t holes_make(struct hole *holes, bool *bad, struct rng *rng)
{
	uint64_t sector = rng_below(rng, 12);
	size_t count = 0;

	memset(bad, 0, SECTORS * sizeof(*bad));
	while (sector < SECTORS) {
		uint64_t size = 1 + rng_below(rng, 20);

		holes[count++] = (struct hole){ sector * HOLE_UNIT, size * HOLE_UNIT };
		for (uint64_t i = sector; i < sector + size && i < SECTORS; i++)
			bad[i] = true;
		sector += size + rng_below(rng, 30);
	}
	return count;
}

static uint32_t bad_count(const bool *bad, uint64_t offset, uint64_t size)
{
	uint32_t count = 0;

	for (uint64_t i = offset / HOLE_UNIT; i < (offset + size) / HOLE_UNIT; i++)
		count += bad[i];
	return count;
}

/* Promise "sectors". */
static void sectors_tried(struct dev *dev, const uint8_t *expected, const bool *bad,
			  uint64_t offset, uint8_t *bytes)
{
	uint8_t sectors;

	memset(bytes, 0, BLOCK_SIZE);
	sectors = io_read_sectors(dev, IO_ROLE_DATA, offset, bytes);
	for (uint32_t i = 0; i < 8; i++) {
		size_t at = (size_t)i * HOLE_UNIT;

		assert_int_equal(sectors >> i & 1, bad[offset / HOLE_UNIT + i]);
		if (!(sectors >> i & 1))
			assert_memory_equal(bytes + at, expected + offset + at, HOLE_UNIT);
	}
}

static void every_read_tried(struct dev *dev, const uint8_t *expected, const bool *bad)
{
	uint8_t *bytes = mem_pages(DISK_SIZE);

	for (uint64_t offset = 0; offset < DISK_SIZE; offset += BLOCK_SIZE) {
		sectors_tried(dev, expected, bad, offset, bytes);
		for (uint64_t size = BLOCK_SIZE; size <= DISK_SIZE - offset; size += BLOCK_SIZE) {
			int rc = io_read(dev, IO_ROLE_DATA, offset, bytes, size);

			assert_int_equal(rc, bad_count(bad, offset, size) ? ERR_IO : 0);
			if (rc == 0)
				assert_memory_equal(bytes, expected + offset, size);
		}
	}
	mem_pages_free(bytes);
}

static void hole(void **state)
{
	struct rng rng = rng_seeded(11);
	struct hole holes[SECTORS];
	bool bad[SECTORS];

	(void)state;
	print_message("seed 11\n");
	for (uint32_t round = 0; round < 200; round++) {
		struct dev *disk = disk_of_bytes(round), *dev = NULL;
		size_t count = holes_make(holes, bad, &rng);

		assert_int_equal(dev_holes_open(&dev, disk, holes, count), 0);
		memset(holes, 0xff, sizeof(holes)); /* the list was copied */
		assert_string_equal(dev_name(dev), "disk");
		assert_int_equal(dev_info(dev)->size, DISK_SIZE);
		every_read_tried(dev, dev_sim_bytes(disk), bad);
		dev_close(dev);
	}
}

/* A batch on a file, where reads go to the kernel by descriptor: those that touch the hole fail, the others are right. */
static void rest(void **state)
{
	const struct hole holes[] = { { 5 * BLOCK_SIZE + 3 * HOLE_UNIT, HOLE_UNIT } };
	struct dev *file = NULL, *dev = NULL;
	uint8_t *bytes = mem_pages(DISK_SIZE), *expected = mem_pages(DISK_SIZE);
	struct iovec iov[BLOCKS];
	struct io ios[BLOCKS];

	(void)state;
	memset(expected, 0x5a, DISK_SIZE);
	file = dev_of("member", DEV_ENGINE_AUTO, DEV_WRITE, DISK_SIZE);
	assert_int_equal(dev_holes_open(&dev, file, holes, 1), 0);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 0, expected, DISK_SIZE), 0);
	assert_int_equal(io_flush(dev), 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		iov[i] = (struct iovec){ bytes + (size_t)i * BLOCK_SIZE, BLOCK_SIZE };
		ios[i] = (struct io){ .dev = dev,
				      .op = IO_READ,
				      .offset = (uint64_t)i * BLOCK_SIZE,
				      .size = BLOCK_SIZE,
				      .iov = &iov[i],
				      .iov_count = 1 };
		assert_int_equal(dev_direct_fd(dev, &ios[i]) >= 0,
				 i != 5 && dev_direct_fd(file, &ios[i]) >= 0);
	}
	assert_int_equal(io_run(ios, BLOCKS), ERR_IO);
	for (uint32_t i = 0; i < BLOCKS; i++)
		assert_int_equal(ios[i].result, i == 5 ? ERR_IO : 0);
	assert_memory_equal(bytes, expected, (size_t)5 * BLOCK_SIZE);
	assert_memory_equal(bytes + (size_t)6 * BLOCK_SIZE, expected, (size_t)10 * BLOCK_SIZE);
	dev_close(dev);
	assert_int_equal(remove("member"), 0);
	mem_pages_free(bytes);
	mem_pages_free(expected);
}

static void write(void **state)
{
	const struct hole holes[] = { { BLOCK_SIZE, 2 * BLOCK_SIZE } };
	struct dev *disk = disk_of_bytes(3), *dev = NULL;
	uint8_t *bytes = mem_pages(4 * BLOCK_SIZE);

	(void)state;
	assert_int_equal(dev_holes_open(&dev, disk, holes, 1), 0);
	memset(bytes, 7, 4 * BLOCK_SIZE);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 0, bytes, 4 * BLOCK_SIZE), 0);
	assert_memory_equal(dev_sim_bytes(disk), bytes, 4 * BLOCK_SIZE);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, BLOCK_SIZE, bytes, BLOCK_SIZE), ERR_IO);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 3 * BLOCK_SIZE, bytes, BLOCK_SIZE), 0);
	dev_close(dev);
	mem_pages_free(bytes);
}

static void without_memory_nothing_is_opened_and_the_device_stays(void **state)
{
	struct dev *disk = disk_of_bytes(4), *dev = NULL;
	unsigned nth = 0;
	int rc = ERR_NOMEM;

	(void)state;
	for (; rc; nth++) {
		unsigned left = nth;

		mem_set_hook(deny_nth, &left);
		rc = dev_holes_open(&dev, disk, NULL, 0);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	assert_int_equal(nth, 4);
	dev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hole),
		cmocka_unit_test(rest),
		cmocka_unit_test(write),
		cmocka_unit_test(without_memory_nothing_is_opened_and_the_device_stays),
	};

	return cmocka_run_group_tests_name("dev_holes", tests, directory_make, directory_remove);
}
