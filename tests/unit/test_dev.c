/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: image files do what was asked, wholly or with the right error, by system calls and by rings.
 * Method: real files in a directory of their own, read back past the device by pread; a file that
 * loses its tail; the limit of file sizes as a full disk; twenty tasks on one device.
 */
#include "core/base/mem.h"
#include "tests/unit/dev_help.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const enum dev_engine engines[] = { DEV_ENGINE_SYNC, DEV_ENGINE_AUTO };
#define ENGINE_COUNT (sizeof(engines) / sizeof(engines[0]))

/* ---- reading and writing */

static void batch_writes_and_reads_every_byte(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);
	struct rng rng = rng_seeded(seed);

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, 2 * MIB);
		struct dev *other = dev_of("b.img", DEV_ENGINE_SYNC, DEV_WRITE, MIB);

		assert_int_equal(dev_info(dev)->size, 2 * MIB);
		assert_int_equal(dev_info(dev)->preferred_io,
				 dev_info(dev)->is_direct ? MIB : MIB / 8);
		assert_string_equal(dev_name(dev), "a.img");
		batch_round(dev, other, "a.img", &rng);
		dev_close(dev);
		dev_close(other);
		assert_int_equal(unlink("a.img") | unlink("b.img"), 0);
	}
}

static void one_operation_with_the_most_pieces(void **state)
{
	struct iovec iov[IO_IOV_MAX];
	uint8_t *bytes = mem_pages((size_t)MIB), *back = mem_pages((size_t)MIB);

	(void)state;
	for (size_t i = 0; i < MIB; i++)
		bytes[i] = (uint8_t)(i >> 12 ^ i);
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, 3 * MIB);
		struct io io = {
			.dev = dev,
			.op = IO_READ,
			.offset = BLOCK_SIZE,
			.size = MIB,
			.iov = iov,
			.iov_count = IO_IOV_MAX,
		};

		for (size_t i = 0; i < IO_IOV_MAX; i++) {
			iov[i].iov_base = back + (IO_IOV_MAX - 1 - i) * BLOCK_SIZE;
			iov[i].iov_len = BLOCK_SIZE;
		}
		assert_int_equal(io_write(dev, IO_ROLE_DATA, BLOCK_SIZE, bytes, (size_t)MIB), 0);
		assert_int_equal(io_run(&io, 1), 0);
		for (size_t i = 0; i < IO_IOV_MAX; i++)
			assert_memory_equal(bytes + i * BLOCK_SIZE, iov[i].iov_base, BLOCK_SIZE);
		assert_int_equal(io_run(NULL, 0), 0);
		dev_close(dev);
		assert_int_equal(unlink("a.img"), 0);
	}
	mem_pages_free(bytes);
	mem_pages_free(back);
}

static void zero_reads_back_as_zeros(void **state)
{
	uint8_t *bytes = mem_pages((size_t)MIB);

	(void)state;
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, 4 * MIB);
		struct io zeros[2] = {
			{ .dev = dev, .op = IO_ZERO, .offset = BLOCK_SIZE, .size = BLOCK_SIZE },
			{ .dev = dev,
			  .op = IO_ZERO,
			  .offset = MIB - BLOCK_SIZE,
			  .size = 3 * MIB + BLOCK_SIZE },
		};

		memset(bytes, 0xa5, (size_t)MIB);
		for (uint64_t at = 0; at < 4 * MIB; at += MIB)
			assert_int_equal(io_write(dev, IO_ROLE_DATA, at, bytes, (size_t)MIB), 0);
		assert_int_equal(io_run(zeros, 2), 0);
		for (uint64_t at = 0; at < 4 * MIB; at += MIB) {
			assert_int_equal(io_read(dev, IO_ROLE_DATA, at, bytes, (size_t)MIB), 0);
			for (size_t i = 0; i < MIB; i += BLOCK_SIZE) {
				bool zero = at + i == BLOCK_SIZE || at + i >= MIB - BLOCK_SIZE;

				assert_int_equal(bytes_are_zero(bytes + i, BLOCK_SIZE), zero);
				assert_int_equal(bytes[i + BLOCK_SIZE - 1], zero ? 0 : 0xa5);
			}
		}
		struct stat facts;
		assert_int_equal(stat("a.img", &facts), 0);
		assert_int_equal(facts.st_size, 4 * MIB);
		dev_close(dev);
		assert_int_equal(unlink("a.img"), 0);
	}
	mem_pages_free(bytes);
}

struct stress {
	struct dev *dev;
	unsigned failures;
	struct env_lock lock;
};

/* Each task owns every tenth block. */
static void stress_one(void *arg, uint32_t index)
{
	struct stress *stress = arg;
	uint8_t *bytes = mem_pages(8 * BLOCK_SIZE);
	struct iovec iov[8];
	struct io ios[8];
	int rc = 0;

	for (unsigned round = 0; round < 30; round++) {
		for (size_t i = 0; i < 8; i++) {
			memset(bytes + i * BLOCK_SIZE, (int)(index * 8 + i + round), BLOCK_SIZE);
			iov[i].iov_base = bytes + i * BLOCK_SIZE;
			iov[i].iov_len = BLOCK_SIZE;
			ios[i] = (struct io){
				.dev = stress->dev,
				.op = IO_WRITE,
				.offset = (index + 20 * i) * BLOCK_SIZE,
				.size = BLOCK_SIZE,
				.iov = &iov[i],
				.iov_count = 1,
			};
		}
		rc |= io_run(ios, 8);
		memset(bytes, 0xff, 8 * BLOCK_SIZE);
		for (size_t i = 0; i < 8; i++)
			ios[i].op = IO_READ;
		rc |= io_run(ios, 8);
		for (size_t i = 0; i < 8; i++)
			rc |= bytes[i * BLOCK_SIZE + 77] != (uint8_t)(index * 8 + i + round);
	}
	mem_pages_free(bytes);
	env_lock(env_threads(), &stress->lock);
	stress->failures += rc != 0;
	env_unlock(env_threads(), &stress->lock);
}

static void many_tasks_share_a_device(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct stress stress = { .dev = dev_of("a.img", engines[e], DEV_WRITE, MIB) };

		env_lock_init(env_threads(), &stress.lock);
		env_parallel(env_threads(), 20, stress_one,
			     &stress); /* more than there are rings */
		assert_int_equal(stress.failures, 0);
		env_lock_reset(env_threads(), &stress.lock);
		dev_close(stress.dev);
		assert_int_equal(unlink("a.img"), 0);
	}
}

/*
 * Stand in for the C library's: while `hurdles` is set, calls are interrupted, move nothing whole, or
 * stop in the middle of a piece of memory, as a kernel may do it.
 */
static struct rng *hurdles;

static ssize_t moved_in_parts(long call, int fd, const struct iovec *iov, int count, off_t offset)
{
	static unsigned less_than_a_block; /* in a row: a kernel gets on at some time */
	struct iovec part = iov[0];

	if (!hurdles || rng_below(hurdles, 8) == 0)
		return syscall(call, fd, iov, count > 1 ? count / 2 : count, offset, 0);
	if (rng_below(hurdles, 4) == 0) {
		errno = EINTR;
		return -1;
	}
	if (less_than_a_block++ < 3)
		part.iov_len = 512;
	else
		part.iov_len = 512 * (8 + rng_below(hurdles, part.iov_len / 512 - 7));
	if (part.iov_len >= BLOCK_SIZE)
		less_than_a_block = 0;
	return syscall(call, fd, &part, 1, offset, 0);
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	return moved_in_parts(SYS_preadv, fd, iov, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return moved_in_parts(SYS_pwritev, fd, iov, count, offset);
}

/* Write from `bytes`, read into `back`, both over hurdles; in three pieces of memory. */
static void short_round(struct dev *dev, uint64_t offset, uint8_t *bytes, uint8_t *back,
			struct rng *rng)
{
	uint8_t *const memory[2] = { bytes, back };

	for (unsigned i = 0; i < 2; i++) {
		const struct iovec iov[3] = {
			{ .iov_base = memory[i], .iov_len = 20 * BLOCK_SIZE },
			{ .iov_base = memory[i] + 20 * BLOCK_SIZE, .iov_len = BLOCK_SIZE },
			{ .iov_base = memory[i] + 21 * BLOCK_SIZE, .iov_len = 9 * BLOCK_SIZE },
		};
		struct io io = {
			.dev = dev,
			.op = i == 0 ? IO_WRITE : IO_READ,
			.offset = offset,
			.size = 30 * BLOCK_SIZE,
			.iov = iov,
			.iov_count = 3,
		};

		hurdles = rng;
		int rc = io_run(&io, 1);
		hurdles = NULL;
		assert_int_equal(rc, 0);
	}
}

static void short_transfers_are_brought_to_the_end(void **state)
{
	enum { SIZE = 30 * BLOCK_SIZE };
	uint64_t seed = (uint64_t)time(NULL);
	struct rng rng = rng_seeded(seed);
	uint8_t *bytes = mem_pages(SIZE), *back = mem_pages(SIZE);

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, MIB);

		for (unsigned round = 0; round < 20; round++) {
			for (size_t i = 0; i < SIZE; i++)
				bytes[i] = (uint8_t)rng_next(&rng);
			short_round(dev, round * BLOCK_SIZE, bytes, back, &rng);
			assert_memory_equal(bytes, back, SIZE);
			memset(back, 0, SIZE);
			assert_int_equal(io_read(dev, IO_ROLE_DATA, round * BLOCK_SIZE, back, SIZE),
					 0);
			assert_memory_equal(bytes, back, SIZE);
		}
		dev_close(dev);
		assert_int_equal(unlink("a.img"), 0);
	}
	mem_pages_free(bytes);
	mem_pages_free(back);
}

/* ---- errors of operations */

static void ranges_past_the_end_are_truncated(void **state)
{
	uint8_t *bytes = mem_pages(2 * BLOCK_SIZE);

	(void)state;
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, 4 * BLOCK_SIZE + 100);

		assert_int_equal(dev_info(dev)->size, 4 * BLOCK_SIZE);
		assert_int_equal(dev_info(dev)->size_exact, 4 * BLOCK_SIZE + 100);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 3 * BLOCK_SIZE, bytes, BLOCK_SIZE), 0);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 3 * BLOCK_SIZE, bytes, 2 * BLOCK_SIZE),
				 ERR_TRUNCATED);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 4 * BLOCK_SIZE, bytes, BLOCK_SIZE),
				 ERR_TRUNCATED);
		assert_int_equal(io_write(dev, IO_ROLE_DATA, 3 * BLOCK_SIZE, bytes, 2 * BLOCK_SIZE),
				 ERR_TRUNCATED);
		struct stat facts;
		assert_int_equal(stat("a.img", &facts), 0);
		assert_int_equal(facts.st_size, 4 * BLOCK_SIZE + 100); /* nor did it grow */
		assert_int_equal(
			io_write(dev, IO_ROLE_DATA, UINT64_MAX - BLOCK_SIZE + 1, bytes, BLOCK_SIZE),
			ERR_TRUNCATED);
		dev_close(dev);
		assert_int_equal(unlink("a.img"), 0);
	}
	mem_pages_free(bytes);
}

/* The file loses its tail while it is open: reads behind the new end say so, the others work. */
static void file_that_shrinks_is_truncated(void **state)
{
	uint8_t *bytes = mem_pages(8 * BLOCK_SIZE);

	(void)state;
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, 64 * BLOCK_SIZE);
		struct iovec iov[4];
		struct io ios[4];

		assert_int_equal(truncate("a.img", 5 * BLOCK_SIZE + 700), 0);
		for (size_t i = 0; i < 4; i++) {
			iov[i].iov_base = bytes + 2 * i * BLOCK_SIZE;
			iov[i].iov_len = 2 * BLOCK_SIZE;
			ios[i] = (struct io){
				.dev = dev,
				.op = IO_READ,
				.offset = 2 * i * BLOCK_SIZE,
				.size = 2 * BLOCK_SIZE,
				.iov = &iov[i],
				.iov_count = 1,
			};
		}
		assert_int_equal(io_run(ios, 4), ERR_TRUNCATED);
		assert_int_equal(ios[0].result, 0);
		assert_int_equal(ios[1].result, 0);
		assert_int_equal(ios[2].result, ERR_TRUNCATED);
		assert_int_equal(ios[3].result, ERR_TRUNCATED);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 5 * BLOCK_SIZE, bytes, BLOCK_SIZE),
				 ERR_TRUNCATED);
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, 8 * BLOCK_SIZE),
				 ERR_TRUNCATED);
		dev_close(dev);
		assert_int_equal(unlink("a.img"), 0);
	}
	mem_pages_free(bytes);
}

/* The limit of file sizes stands in for a full disk: both end a write before it is whole. */
static void full_disk_is_no_space(void **state)
{
	uint8_t *bytes = mem_pages(8 * BLOCK_SIZE);
	struct rlimit before, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 3 * BLOCK_SIZE;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t e = 0; e < ENGINE_COUNT; e++) {
		struct dev *dev = dev_of("a.img", engines[e], DEV_WRITE, 64 * BLOCK_SIZE);
		struct iovec iov = { .iov_base = bytes, .iov_len = 8 * BLOCK_SIZE };
		struct io ios[2] = {
			{ .dev = dev, .op = IO_WRITE, .size = 8 * BLOCK_SIZE, .iov = &iov },
			{ .dev = dev, .op = IO_WRITE, .size = 8 * BLOCK_SIZE, .iov = &iov },
		};

		ios[0].iov_count = ios[1].iov_count = 1;
		ios[1].offset = 32 * BLOCK_SIZE;
		setrlimit(RLIMIT_FSIZE, &small);
		int one = io_write(dev, IO_ROLE_DATA, 0, bytes, 8 * BLOCK_SIZE);
		int both = io_run(ios, 2);
		setrlimit(RLIMIT_FSIZE, &before);
		assert_int_equal(one, ERR_NOSPACE);
		assert_int_equal(both, ERR_NOSPACE);
		assert_int_equal(ios[0].result, ERR_NOSPACE);
		assert_int_equal(ios[1].result, ERR_NOSPACE);
		dev_close(dev);
		assert_int_equal(unlink("a.img"), 0);
	}

	const struct dev_file_options create = { .access = DEV_WRITE, .create_size = MIB };
	setrlimit(RLIMIT_FSIZE, &small);
	refused("new.img", &create, ERR_NOSPACE, "large");
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(access("new.img", F_OK), -1);
	signal(SIGXFSZ, SIG_DFL);
	mem_pages_free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_writes_and_reads_every_byte),
		cmocka_unit_test(one_operation_with_the_most_pieces),
		cmocka_unit_test(zero_reads_back_as_zeros),
		cmocka_unit_test(many_tasks_share_a_device),
		cmocka_unit_test(short_transfers_are_brought_to_the_end),
		cmocka_unit_test(ranges_past_the_end_are_truncated),
		cmocka_unit_test(file_that_shrinks_is_truncated),
		cmocka_unit_test(full_disk_is_no_space),
	};

	return cmocka_run_group_tests_name("dev", tests, directory_make, directory_remove);
}
