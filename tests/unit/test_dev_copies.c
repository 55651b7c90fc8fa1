/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the promises of core/dev/copies.h. Method: two simulated disks with the same bytes but in their own holes, under
 * random holes; every block and random longer reads, held against the list of sectors that either has.
 */
#include "core/dev/copies.h"

#include "core/base/mem.h"
#include "core/dev/holes.h"
#include "tests/unit/dev_help.h"

#include <string.h>

#include <cmocka.h>

#define BLOCKS 12u
#define SECTORS (BLOCKS * 8)
#define DISK_SIZE ((uint64_t)BLOCKS * BLOCK_SIZE)

/* A disk that has `bytes` but where it is bad: there it has other bytes, which must never be seen. */
static struct dev *image_of(const uint8_t *bytes, const bool *bad, struct dev **disk_out)
{
	struct hole holes[SECTORS];
	struct dev *disk = NULL, *dev = NULL;
	size_t count = 0;

	assert_int_equal(dev_sim_open(&disk, env_threads(), "image", DISK_SIZE), 0);
	memcpy(dev_sim_bytes(disk), bytes, DISK_SIZE);
	for (uint32_t s = 0; s < SECTORS; s++) {
		if (!bad[s])
			continue;
		holes[count++] = (struct hole){ (uint64_t)s * HOLE_UNIT, HOLE_UNIT };
		memset(dev_sim_bytes(disk) + (size_t)s * HOLE_UNIT, 0xee, HOLE_UNIT);
	}
	assert_int_equal(dev_holes_open(&dev, disk, holes, count), 0);
	*disk_out = disk;
	return dev;
}

static void read_compare(struct dev *dev, const uint8_t *bytes, const bool *both, uint32_t first,
			 uint32_t count, uint32_t cut)
{
	uint8_t *got = mem_pages((size_t)count * BLOCK_SIZE);
	const struct iovec iov[2] = {
		{ got, (size_t)cut * BLOCK_SIZE },
		{ got + (size_t)cut * BLOCK_SIZE, (size_t)(count - cut) * BLOCK_SIZE },
	};
	struct io io = { .dev = dev,
			 .op = IO_READ,
			 .offset = (uint64_t)first * BLOCK_SIZE,
			 .size = (uint64_t)count * BLOCK_SIZE,
			 .iov = iov,
			 .iov_count = cut < count ? 2 : 1 };
	bool bad = false;

	for (uint32_t s = first * 8; s < (first + count) * 8; s++)
		bad |= both[s];
	assert_int_equal(io_run(&io, 1), bad ? ERR_IO : 0);
	if (!bad)
		assert_memory_equal(got, bytes + (size_t)first * BLOCK_SIZE,
				    (size_t)count * BLOCK_SIZE);
	mem_pages_free(got);
}

static void sectors_compare(struct dev *dev, const uint8_t *bytes, const bool *both)
{
	uint8_t *got = mem_pages(BLOCK_SIZE);

	for (uint32_t b = 0; b < BLOCKS; b++) {
		uint8_t bad = io_read_sectors(dev, IO_ROLE_DATA, (uint64_t)b * BLOCK_SIZE, got);

		for (uint32_t s = 0; s < 8; s++) {
			assert_int_equal(bad >> s & 1, both[b * 8 + s]);
			if (!both[b * 8 + s])
				assert_memory_equal(got + (size_t)s * HOLE_UNIT,
						    bytes + (size_t)b * BLOCK_SIZE +
							    (size_t)s * HOLE_UNIT,
						    HOLE_UNIT);
		}
	}
	mem_pages_free(got);
}

static void either_neither(void **state)
{
	struct rng rng = rng_seeded(31);
	uint8_t *bytes = mem_pages(DISK_SIZE);

	(void)state;
	print_message("seed 31\n");
	for (uint64_t i = 0; i < DISK_SIZE; i++)
		bytes[i] = (uint8_t)rng_next(&rng);
	for (uint32_t round = 0; round < 100; round++) {
		bool bad[2][SECTORS], both[SECTORS];
		struct dev *disks[2], *first, *second, *dev = NULL;

		for (uint32_t s = 0; s < SECTORS; s++) {
			bad[0][s] = rng_below(&rng, 10) == 0;
			bad[1][s] = rng_below(&rng, 4) == 0;
			both[s] = bad[0][s] && bad[1][s];
		}
		first = image_of(bytes, bad[0], &disks[0]);
		second = image_of(bytes, bad[1], &disks[1]);
		assert_int_equal(dev_copies_open(&dev, first, second), 0);
		assert_true(dev_info(dev)->read_only);
		sectors_compare(dev, bytes, both);
		for (uint32_t i = 0; i < 30; i++) {
			uint32_t at = (uint32_t)rng_below(&rng, BLOCKS);
			uint32_t count = 1 + (uint32_t)rng_below(&rng, BLOCKS - at);

			read_compare(dev, bytes, both, at, count,
				     1 + (uint32_t)rng_below(&rng, count));
		}
		dev_close(dev);
	}
	mem_pages_free(bytes);
}

/* The two differ, although nothing is bad: the first one's bytes are what is read. */
static void first(void **state)
{
	const bool good[SECTORS] = { false };
	uint8_t *bytes = mem_pages(DISK_SIZE), *got = mem_pages(DISK_SIZE);
	struct dev *disks[2], *one, *other, *dev = NULL;

	(void)state;
	memset(bytes, 1, DISK_SIZE);
	one = image_of(bytes, good, &disks[0]);
	other = image_of(bytes, good, &disks[1]);
	memset(dev_sim_bytes(disks[1]), 2, DISK_SIZE);
	assert_int_equal(dev_copies_open(&dev, one, other), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, got, DISK_SIZE), 0);
	assert_memory_equal(got, bytes, DISK_SIZE);
	assert_int_equal(io_read_sectors(dev, IO_ROLE_DATA, 0, got), 0);
	assert_int_equal(got[0], 1);
	dev_close(dev);
	mem_pages_free(bytes);
	mem_pages_free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_neither),
		cmocka_unit_test(first),
	};

	return cmocka_run_group_tests_name("dev_copies", tests, NULL, NULL);
}
