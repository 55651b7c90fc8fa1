/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows of a device: aim is the promises of core/dev/windows.h. Method: random families of windows that interleave, as
 * those of a RAID-5 do, at origins of any sector, above a simulated disk; random batches are done on them and on an array
 * of bytes by a list that has the place of every single sector. Then the same disk with bad ranges, and a file that ends
 * within a block. PGCTL_TEST_SEED repeats a seed.
 */
#include "core/dev/windows.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/map_help.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECTOR 512u
#define SECTORS 8u /* of a block */
#define DISK_BLOCKS 250u
#define WINDOWS_MAX 12u
#define SPACE_BLOCKS 400u /* of addresses */
#define NOWHERE UINT32_MAX
#define BATCH_MAX 4u
#define ROUNDS 40u

/* The oracle: for each sector of addresses the sector of the disk, NOWHERE behind the end of a window. */
struct stage {
	struct rng rng;
	struct window windows[WINDOWS_MAX];
	uint32_t count;
	uint32_t places[SPACE_BLOCKS * SECTORS];
	bool held[SPACE_BLOCKS]; /* blocks of addresses that some window has */
	uint8_t *image;          /* what the disk should hold */
	struct dev *disk;        /* below, and owned by `dev` */
	struct dev *dev;
};

static uint32_t below(struct stage *stage, uint64_t limit)
{
	return (uint32_t)rng_below(&stage->rng, limit);
}

/* Window number `which` of `of` whose runs take turns; sectors from `origin` on. Returns the end of its addresses. */
static uint32_t window_put(struct stage *stage, uint32_t begin, uint32_t origin, uint32_t run,
			   uint32_t stride, uint32_t length)
{
	stage->windows[stage->count++] = (struct window){
		.begin = (uint64_t)begin * BLOCK_SIZE,
		.length = (uint64_t)length * SECTOR,
		.origin = (uint64_t)origin * SECTOR,
		.run = (uint64_t)run * SECTOR,
		.stride = (uint64_t)stride * SECTOR,
	};
	for (uint32_t i = 0; i < length; i++)
		stage->places[begin * SECTORS + i] = origin + i / run * stride + i % run;
	uint32_t blocks = (length + SECTORS - 1) / SECTORS;

	for (uint32_t i = 0; i < blocks; i++)
		stage->held[begin + i] = true;
	return begin + blocks;
}

/* A family behind sector *cursor of the disk; false when there is no room left. */
static bool family_put(struct stage *stage, uint32_t *begin, uint32_t *cursor)
{
	uint32_t many = 1 + below(stage, 3), run = SECTORS * (1 + below(stage, 3));
	uint32_t runs = 1 + below(stage, 6), gap = below(stage, 3) ? 0 : below(stage, 9);
	uint32_t stride = many * run + gap, origin = *cursor;
	uint32_t cut = below(stage, 2) ? below(stage, SECTORS) : 0;
	uint32_t length = runs * run - cut;

	origin += below(stage, 2) ? below(stage, 20) : SECTORS - *cursor % SECTORS;
	if (stage->count + many > WINDOWS_MAX || origin + stride * runs > DISK_BLOCKS * SECTORS ||
	    *begin + many * (runs * run / SECTORS + 2) > SPACE_BLOCKS)
		return false;
	for (uint32_t i = 0; i < many; i++) {
		*begin = window_put(stage, *begin, origin + i * run, run, stride, length);
		*begin += below(stage, 3) ? 0 : 1; /* some addresses between are nobody's */
	}
	*cursor = origin + stride * runs;
	return true;
}

static void stage_begin(struct stage *stage, uint64_t seed, bool faults)
{
	uint32_t begin = 0, cursor = 0;
	size_t size = (size_t)DISK_BLOCKS * BLOCK_SIZE;
	struct dev *top;

	memset(stage, 0, sizeof(*stage));
	stage->rng = rng_seeded(seed);
	for (uint32_t i = 0; i < SPACE_BLOCKS * SECTORS; i++)
		stage->places[i] = NOWHERE;
	while (family_put(stage, &begin, &cursor))
		;
	assert_int_equal(dev_sim_open(&stage->disk, env_threads(), "disk", size), 0);
	stage->image = mem_pages(size);
	assert_non_null(stage->image);
	for (size_t i = 0; i < size; i += 8)
		put_le64(stage->image + i, rng_next(&stage->rng));
	memcpy(dev_sim_bytes(stage->disk), stage->image, size);
	top = stage->disk;
	if (faults)
		assert_int_equal(dev_fault_open(&top, stage->disk), 0);
	assert_int_equal(dev_windows_open(&stage->dev, top, stage->windows, stage->count), 0);
}

static void stage_end(struct stage *stage)
{
	dev_close(stage->dev);
	mem_pages_free(stage->image);
}

/* One operation of a batch, with its memory in two pieces. */
struct
try {
	struct io io;
	struct iovec iov[2];
	uint8_t *bytes;
	uint32_t first, blocks; /* of addresses */
};

static void try_make(struct stage *stage, struct try *try, enum io_op op, uint32_t first,
		     uint32_t blocks)
{
	uint32_t cut = below(stage, blocks) + 1;

	try->first = first;
	try->blocks = blocks;
	try->bytes = mem_pages((size_t)blocks * BLOCK_SIZE);
	assert_non_null(try->bytes);
	for (uint32_t i = 0; i < blocks * BLOCK_SIZE; i += 8)
		put_le64(try->bytes + i, rng_next(&stage->rng));
	try->iov[0] = (struct iovec){ try->bytes, (size_t)cut * BLOCK_SIZE };
	try->iov[1] = (struct iovec){ try->bytes + (size_t)cut * BLOCK_SIZE,
				      (size_t)(blocks - cut) * BLOCK_SIZE };
	try->io = (struct io){ .dev = stage->dev,
			       .op = op,
			       .offset = (uint64_t)first * BLOCK_SIZE,
			       .size = (uint64_t)blocks * BLOCK_SIZE,
			       .iov = op == IO_ZERO ? NULL : try->iov,
			       .iov_count = op == IO_ZERO  ? 0
					    : cut < blocks ? 2
							   : 1 };
}

/* Do to the image what the operation does; false when an address of it is nobody's. */
static bool try_model(struct stage *stage, const struct try *try, uint8_t *expected)
{
	for (uint32_t i = 0; i < try->blocks; i++) {
		if (!stage->held[try->first + i])
			return false;
	}
	for (uint32_t i = 0; i < try->blocks * SECTORS; i++) {
		uint32_t place = stage->places[try->first * SECTORS + i];
		uint8_t *there = stage->image + (size_t)place * SECTOR;
		uint8_t *here = expected + (size_t)i * SECTOR;

		if (try->io.op == IO_READ && place == NOWHERE)
			memset(here, 0, SECTOR);
		else if (try->io.op == IO_READ)
			memcpy(here, there, SECTOR);
		else if (place != NOWHERE && try->io.op == IO_ZERO)
			memset(there, 0, SECTOR);
		else if (place != NOWHERE)
			memcpy(there, try->bytes + (size_t)i * SECTOR, SECTOR);
	}
	return true;
}

/* Random operations of one batch; those that write do not share addresses with others. */
static uint32_t batch_make(struct stage *stage, struct try tries[static BATCH_MAX])
{
	uint32_t end = (uint32_t)(dev_info(stage->dev)->size / BLOCK_SIZE), at = 0, count = 0;

	while (count < BATCH_MAX) {
		uint32_t first = at + below(stage, end / 3), blocks = 1 + below(stage, 12);

		if (first + blocks > end)
			break;
		try_make(stage, &tries[count++], (enum io_op)below(stage, 3), first, blocks);
		at = first + blocks;
	}
	return count;
}

static uint32_t batch_round_of(struct stage *stage)
{
	struct try tries[BATCH_MAX];
	struct io ios[BATCH_MAX];
	uint8_t *expected[BATCH_MAX];
	bool held[BATCH_MAX];
	uint32_t count = batch_make(stage, tries), done = 0;

	for (uint32_t i = 0; i < count; i++) {
		expected[i] = mem_pages((size_t)tries[i].blocks * BLOCK_SIZE);
		memcpy(expected[i], tries[i].bytes, (size_t)tries[i].blocks * BLOCK_SIZE);
		held[i] = try_model(stage, &tries[i], expected[i]);
		ios[i] = tries[i].io;
		if (ios[i].iov) /* the copy has moved */
			ios[i].iov = tries[i].iov;
	}
	int rc = io_run(ios, count);

	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(ios[i].result, held[i] ? 0 : ERR_TRUNCATED);
		rc = held[i] ? rc : 0;
		assert_int_equal(
			memcmp(tries[i].bytes, expected[i], (size_t)tries[i].blocks * BLOCK_SIZE),
			0);
		mem_pages_free(tries[i].bytes);
		mem_pages_free(expected[i]);
		done += held[i];
	}
	assert_int_equal(rc, 0);
	assert_int_equal(
		memcmp(dev_sim_bytes(stage->disk), stage->image, (size_t)DISK_BLOCKS * BLOCK_SIZE),
		0);
	return done;
}

static void oracle_and_outside(void **state)
{
	uint64_t seed = test_seed(20261121);
	uint32_t done = 0, windows = 0;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct stage stage;

		stage_begin(&stage, seed + i, false);
		for (uint32_t round = 0; round < ROUNDS; round++)
			done += batch_round_of(&stage);
		windows += stage.count;
		stage_end(&stage);
	}
	assert_true(done > 1000 && windows > 100);
}

/* Is a block that the operation reads below bad? */
static bool meets(const struct stage *stage, const struct try *try, const struct fault *fault)
{
	for (uint32_t i = 0; i < try->blocks * SECTORS; i++) {
		uint32_t place = stage->places[try->first * SECTORS + i];
		uint64_t block = (uint64_t)(place / SECTORS) * BLOCK_SIZE;

		if (place != NOWHERE && block < fault->offset + fault->size &&
		    fault->offset < block + BLOCK_SIZE)
			return true;
	}
	return false;
}

static void errors(void **state)
{
	uint64_t seed = test_seed(99);
	uint32_t failed = 0, passed = 0;

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		struct stage stage;
		struct fault fault = { .kind = FAULT_READ_ERROR };
		struct try tries[BATCH_MAX];
		struct io ios[BATCH_MAX];
		uint32_t count;

		stage_begin(&stage, seed + i, true);
		fault.offset = below(&stage, DISK_BLOCKS / 3) * (uint64_t)BLOCK_SIZE;
		fault.size = (1 + below(&stage, 20)) * (uint64_t)BLOCK_SIZE;
		assert_int_equal(dev_fault_add(stage.dev->below, &fault), 0);
		count = batch_make(&stage, tries);
		for (uint32_t t = 0; t < count; t++) {
			tries[t].io.op = IO_READ;
			tries[t].io.iov = tries[t].iov;
			tries[t].io.iov_count = tries[t].iov[1].iov_len ? 2 : 1;
			ios[t] = tries[t].io;
		}
		int rc = io_run(ios, count), first = 0;

		for (uint32_t t = 0; t < count; t++) {
			uint8_t *expected = mem_pages((size_t)tries[t].blocks * BLOCK_SIZE);
			int wanted = meets(&stage, &tries[t], &fault) ? ERR_IO : 0;

			if (!try_model(&stage, &tries[t], expected))
				wanted = ERR_TRUNCATED;
			assert_int_equal(ios[t].result, wanted);
			if (!wanted)
				assert_memory_equal(tries[t].bytes, expected,
						    (size_t)tries[t].blocks * BLOCK_SIZE);
			first = first ? first : wanted;
			failed += wanted == ERR_IO;
			passed += wanted == 0;
			mem_pages_free(expected);
			mem_pages_free(tries[t].bytes);
		}
		assert_int_equal(rc, first);
		stage_end(&stage);
	}
	assert_true(failed > 10 && passed > 10);
}

/* Counts what reaches the disk, and keeps one block from being read. */
struct counting_dev {
	struct dev dev;
	uint32_t count;
	uint64_t bad; /* a block */
};

static int counting_run(struct dev *dev, struct io *io)
{
	struct counting_dev *counting = (struct counting_dev *)(void *)dev;

	counting->count++;
	if (io->op == IO_READ && io->offset <= counting->bad &&
	    counting->bad - io->offset < io->size)
		return ERR_IO;
	return dev_run_below(dev, io);
}

static void counting_close(struct dev *dev)
{
	dev_reset(dev);
}

static const struct dev_ops counting_ops = {
	.name = "counting",
	.run = counting_run,
	.close = counting_close,
};

/*
 * Blocks of four windows in turn, as a volume is read: 64 reads of a block lie behind each other, and are one. Of three of
 * the windows they are one as well; then what is bad in a gap is nobody's business.
 */
static void joined(void **state)
{
	struct counting_dev counting = { .bad = UINT64_MAX };
	struct window windows[4];
	struct dev *disk = NULL, *dev = NULL;
	uint8_t *bytes = mem_pages(64 * (size_t)BLOCK_SIZE);
	struct iovec iovs[64];
	struct io ios[64];

	(void)state;
	assert_int_equal(dev_sim_open(&disk, env_threads(), "disk", UINT64_C(1) << 20), 0);
	for (uint32_t i = 0; i < 1u << 20; i++)
		dev_sim_bytes(disk)[i] = (uint8_t)(i / BLOCK_SIZE);
	assert_int_equal(dev_init_above(&counting.dev, &counting_ops, disk), 0);
	for (uint32_t i = 0; i < 4; i++)
		windows[i] =
			(struct window){ i * UINT64_C(16) * BLOCK_SIZE, UINT64_C(16) * BLOCK_SIZE,
					 (8 + i) * (uint64_t)BLOCK_SIZE, BLOCK_SIZE,
					 UINT64_C(4) * BLOCK_SIZE };
	assert_int_equal(dev_windows_open(&dev, &counting.dev, windows, 4), 0);
	for (uint32_t i = 0; i < 64; i++) {
		iovs[i] = (struct iovec){ bytes + (size_t)i * BLOCK_SIZE, BLOCK_SIZE };
		ios[i] = (struct io){ .dev = dev,
				      .op = IO_READ,
				      .offset = (i % 4 * 16 + i / 4) * (uint64_t)BLOCK_SIZE,
				      .size = BLOCK_SIZE,
				      .iov = &iovs[i],
				      .iov_count = 1 };
	}
	assert_int_equal(io_run(ios, 64), 0);
	assert_int_equal(counting.count, 1);
	for (uint32_t i = 0; i < 48; i++) /* without the last window */
		ios[i].offset = (i % 3 * 16 + i / 3) * (uint64_t)BLOCK_SIZE;
	counting.count = 0;
	assert_int_equal(io_run(ios, 48), 0);
	assert_int_equal(counting.count, 1);
	for (uint32_t i = 0; i < 48; i++)
		assert_int_equal(bytes[i * BLOCK_SIZE + 77], 8 + i / 3 * 4 + i % 3);
	counting.bad = 15 * BLOCK_SIZE; /* of the last window */
	assert_int_equal(io_run(ios, 48), 0);
	for (uint32_t i = 0; i < 64; i++)
		ios[i].offset = (i % 4 * 16 + i / 4) * (uint64_t)BLOCK_SIZE;
	counting.bad = UINT64_MAX;
	assert_int_equal(io_run(ios, 64), 0);
	counting.bad = 20 * BLOCK_SIZE; /* the 12th of them */
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			assert_int_equal(ios[i].result, round && i == 12 ? ERR_IO : 0);
			if (ios[i].result == 0)
				assert_int_equal(bytes[i * BLOCK_SIZE + 77], 8 + i);
		}
		memset(bytes, 0xee, 64 * (size_t)BLOCK_SIZE);
		assert_int_equal(io_run(ios, 64), ERR_IO);
	}
	dev_close(dev);
	mem_pages_free(bytes);
}

/* A file of two blocks and a part of a third; one window ends with it, the other a sector before. */
static void tail_round(enum dev_engine engine, uint32_t tail)
{
	const struct window window = { 0, 2 * BLOCK_SIZE + tail / SECTOR * SECTOR, 0,
				       2 * BLOCK_SIZE + tail / SECTOR * SECTOR,
				       2 * BLOCK_SIZE + tail / SECTOR * SECTOR };
	const struct dev_file_options options = { .access = DEV_WRITE, .engine = engine };
	uint8_t *bytes = mem_pages(3 * (size_t)BLOCK_SIZE), last[BLOCK_SIZE];
	struct dev *file = NULL, *dev = NULL;
	struct err err = { 0 };

	file_make("tail", 2 * BLOCK_SIZE + tail);
	assert_int_equal(dev_file_open(&file, env_threads(), "tail", &options, &err), 0);
	assert_int_equal(dev_info(file)->size, 2 * BLOCK_SIZE);
	assert_int_equal(io_read(file, IO_ROLE_DATA, 2 * BLOCK_SIZE, bytes, BLOCK_SIZE),
			 ERR_TRUNCATED);
	assert_int_equal(dev_windows_open(&dev, file, &window, 1), 0);
	assert_int_equal(dev_info(dev)->size, 3 * BLOCK_SIZE);
	memset(bytes, 0x5a, 3 * (size_t)BLOCK_SIZE);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 0, bytes, 3 * (size_t)BLOCK_SIZE), 0);
	memset(bytes, 0xff, 3 * (size_t)BLOCK_SIZE);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, BLOCK_SIZE, bytes, 2 * (size_t)BLOCK_SIZE), 0);
	for (uint32_t i = 0; i < 2 * BLOCK_SIZE; i++)
		assert_int_equal(bytes[i], i < BLOCK_SIZE + tail / SECTOR * SECTOR ? 0x5a : 0);
	/* the file is as long as it was, and what is behind the window as it was */
	int fd = open("tail", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 2 * BLOCK_SIZE + tail);
	assert_int_equal(pread(fd, last, sizeof(last), 2 * BLOCK_SIZE), tail);
	for (uint32_t i = 0; i < tail; i++)
		assert_int_equal(last[i], i < tail / SECTOR * SECTOR ? 0x5a : 0);
	close(fd);
	dev_close(dev);
	mem_pages_free(bytes);
	unlink("tail");
}

static void behind_the_end(void **state)
{
	static const uint32_t tails[] = { SECTOR, 7 * SECTOR, 3 * SECTOR + 100 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		tail_round(DEV_ENGINE_AUTO, tails[i]);
		tail_round(DEV_ENGINE_SYNC, tails[i]);
	}
}

/* Each allocation of a batch fails once: an error, and the next batch is well again. */
static void without_memory(void **state)
{
	int rc = ERR_NOMEM;
	unsigned tries = 0;

	(void)state;
	for (; rc; tries++) {
		struct stage stage;
		struct try try;
		unsigned left = tries;

		stage_begin(&stage, 5, false);
		try_make(&stage, &try, IO_READ, 0, 2);
		uint8_t *expected = mem_pages(2 * (size_t)BLOCK_SIZE);

		mem_set_hook(deny_nth, &left);
		rc = io_run(&try.io, 1);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		assert_int_equal(io_run(&try.io, 1), 0);
		assert_true(try_model(&stage, &try, expected));
		assert_memory_equal(try.bytes, expected, 2 * (size_t)BLOCK_SIZE);
		mem_pages_free(expected);
		mem_pages_free(try.bytes);
		stage_end(&stage);
	}
	assert_in_range(tries, 3, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oracle_and_outside),
		cmocka_unit_test(errors),
		cmocka_unit_test(joined),
		cmocka_unit_test(behind_the_end),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests_name("windows", tests, directory_make, directory_remove);
}
