/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: a device that does not answer within its time limit is given up, once and for all; the others of the batch are
 * not; and what comes late finds nothing that anybody uses (docs/WRITES.md section 6).
 * Method: a device whose descriptor is a pipe that is empty until the test fills it, late; pages in the hands of the
 * kernel by vmsplice(); a fault that hangs.
 */
#include "core/base/mem.h"
#include "core/dev/uring.h"
#include "tests/unit/dev_help.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_NS UINT64_C(40000000)
#define LONG_NS (UINT64_C(10000) * LIMIT_NS) /* a test that waits for it has failed */
#define SMALL BLOCK_SIZE
#define LARGE ((size_t)128 << 10)
#define TASKS 8u

struct pipe_dev {
	struct dev dev;
	int ends[2];
	unsigned runs;
};

static int pipe_run(struct dev *dev, struct io *io)
{
	(void)io;
	((struct pipe_dev *)(void *)dev)->runs++;
	return 0;
}

static int pipe_fd(struct dev *dev, const struct io *io)
{
	const struct pipe_dev *made = (struct pipe_dev *)(void *)dev;

	return io->op == IO_READ ? made->ends[0] : io->op == IO_WRITE ? made->ends[1] : -1;
}

static void pipe_close(struct dev *dev)
{
	dev_reset(dev);
}

static const struct dev_ops pipe_ops = {
	.name = "pipe",
	.run = pipe_run,
	.close = pipe_close,
	.direct_fd = pipe_fd,
};

static void pipe_make(struct pipe_dev *made)
{
	*made = (struct pipe_dev){ 0 };
	assert_int_equal(dev_init(&made->dev, &pipe_ops, env_threads(), "pipe"), 0);
	made->dev.info.size = made->dev.info.size_exact = MIB;
	made->dev.limit_ns = LIMIT_NS;
	assert_int_equal(pipe2(made->ends, O_CLOEXEC), 0);
}

static int waiting(const struct pipe_dev *made)
{
	int size = -1;

	assert_int_equal(ioctl(made->ends[0], FIONREAD, &size), 0);
	return size;
}

/* What was given up could be done now; nobody who is allowed to takes long for it. */
static void fill_late(struct pipe_dev *made)
{
	uint8_t *bytes = mem_pages(SMALL);

	memset(bytes, 0x55, SMALL);
	assert_int_equal(write(made->ends[1], bytes, SMALL), SMALL);
	for (unsigned i = 0; i < 10 && waiting(made); i++)
		env_sleep_ns(env_threads(), 1000000);
	mem_pages_free(bytes);
}

static void pipe_end(struct pipe_dev *made)
{
	close(made->ends[0]);
	close(made->ends[1]);
	dev_close(&made->dev);
}

/* Nothing reaches it any more, whatever it is asked for. */
static void assert_given_up(struct pipe_dev *made, void *bytes)
{
	unsigned runs = made->runs;
	uint64_t begin_ns = env_now_ns(env_threads());

	assert_true(dev_has_hung(&made->dev));
	assert_int_equal(io_read(&made->dev, IO_ROLE_DATA, 0, bytes, SMALL), ERR_IO);
	assert_int_equal(io_write(&made->dev, IO_ROLE_DATA, 0, bytes, SMALL), ERR_IO);
	assert_int_equal(io_flush(&made->dev), ERR_IO);
	assert_int_equal(made->runs, runs);
	assert_true(env_now_ns(env_threads()) - begin_ns < LIMIT_NS);
}

static void what_does_not_come_is_an_error_and_never_comes(void **state)
{
	static const size_t sizes[] = { SMALL, LARGE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t *bytes = mem_pages(sizes[i]);
		uint64_t begin_ns = env_now_ns(env_threads());
		struct pipe_dev made;

		pipe_make(&made);
		assert_int_equal(io_read(&made.dev, IO_ROLE_DATA, 0, bytes, sizes[i]), ERR_IO);
		assert_true(env_now_ns(env_threads()) - begin_ns >= LIMIT_NS);
		assert_given_up(&made, bytes);
		fill_late(&made);
		assert_true(bytes_are_zero(bytes, sizes[i]));
		mem_pages_free(bytes);
		pipe_end(&made);
	}
}

struct writing {
	struct pipe_dev made;
	uint8_t *bytes;
	int result;
};

static void write_one(void *arg)
{
	struct writing *writing = arg;

	writing->result = io_write(&writing->made.dev, IO_ROLE_DATA, 0, writing->bytes, SMALL);
}

/* The pipe takes one page. What is written to it while it is full comes from where it was when the write began. */
static void what_is_small_is_in_memory_of_the_device(void **state)
{
	struct writing writing = { .bytes = mem_pages(SMALL) };
	struct env_task *task;
	uint8_t got[SMALL];

	(void)state;
	pipe_make(&writing.made);
	writing.made.dev.limit_ns = LONG_NS;
	assert_int_equal(fcntl(writing.made.ends[1], F_SETPIPE_SZ, SMALL), SMALL);
	memset(got, 3, SMALL);
	assert_int_equal(write(writing.made.ends[1], got, SMALL), SMALL);
	memset(writing.bytes, 1, SMALL);
	task = env_spawn(env_threads(), write_one, &writing);
	assert_non_null(task);
	env_sleep_ns(env_threads(), LIMIT_NS);
	memset(writing.bytes, 2, SMALL);
	assert_int_equal(read(writing.made.ends[0], got, SMALL), SMALL);
	assert_int_equal(got[0], 3);
	env_join(env_threads(), task);
	assert_int_equal(writing.result, 0);
	assert_int_equal(read(writing.made.ends[0], got, SMALL), SMALL);
	for (size_t i = 0; i < SMALL; i++)
		assert_int_equal(got[i], 1);
	mem_pages_free(writing.bytes);
	pipe_end(&writing.made);
}

static void read_one(void *arg, uint32_t index)
{
	uint8_t *bytes = mem_pages(SMALL);

	(void)index;
	assert_int_equal(io_read(arg, IO_ROLE_DATA, 0, bytes, SMALL), ERR_IO);
	assert_true(bytes_are_zero(bytes, SMALL));
	mem_pages_free(bytes);
}

/* Each leaves a ring behind, more of them than there may be at a time: there are always others. */
static void tasks_that_give_up_at_once_leave_a_ring_each(void **state)
{
	struct pipe_dev made[2 * URING_RINGS_MAX / TASKS];
	uint64_t begin_ns = env_now_ns(env_threads());

	(void)state;
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
		pipe_make(&made[i]);
		made[i].dev.limit_ns = LIMIT_NS / 10;
		env_parallel(env_threads(), TASKS, read_one, &made[i].dev);
		assert_true(dev_has_hung(&made[i].dev));
		assert_int_equal(made[i].runs, 0);
	}
	assert_true(env_now_ns(env_threads()) - begin_ns < LONG_NS);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		pipe_end(&made[i]);
}

static void what_comes_in_time_is_what_was_asked_for(void **state)
{
	uint8_t *bytes = mem_pages(2 * SMALL);
	const struct iovec iov[2] = { { bytes + SMALL, SMALL }, { bytes, SMALL } };
	struct pipe_dev made;
	uint8_t sent[2 * SMALL];

	(void)state;
	pipe_make(&made);
	struct io io = {
		.dev = &made.dev, .op = IO_READ, .size = 2 * SMALL, .iov = iov, .iov_count = 2
	};
	memset(sent, 1, SMALL);
	memset(sent + SMALL, 2, SMALL);
	assert_int_equal(write(made.ends[1], sent, sizeof(sent)), sizeof(sent));
	assert_int_equal(io_run(&io, 1), 0);
	assert_memory_equal(bytes, sent + SMALL, SMALL);
	assert_memory_equal(bytes + SMALL, sent, SMALL);
	assert_false(dev_has_hung(&made.dev));
	mem_pages_free(bytes);
	pipe_end(&made);
}

static void the_others_of_the_batch_are_done(void **state)
{
	struct dev *file = dev_of("file.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB);
	uint8_t *bytes = mem_pages(4 * SMALL);
	struct pipe_dev made;
	struct iovec iov[4];
	struct io ios[4];

	(void)state;
	pipe_make(&made);
	for (size_t i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ bytes + i * SMALL, SMALL };
		ios[i] = (struct io){ .dev = i % 2 ? file : &made.dev,
				      .op = i % 2 ? IO_WRITE : IO_READ,
				      .offset = i * SMALL,
				      .size = SMALL,
				      .iov = &iov[i],
				      .iov_count = 1 };
	}
	file->limit_ns = made.dev.limit_ns = 25 * LIMIT_NS; /* also on a busy machine */
	memset(bytes + SMALL, 7, SMALL);
	assert_int_equal(io_run(ios, 4), ERR_IO);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(ios[i].result, i % 2 ? 0 : ERR_IO);
	assert_given_up(&made, bytes);
	assert_false(dev_has_hung(file));
	assert_int_equal(io_read(file, IO_ROLE_DATA, SMALL, bytes + 3 * SMALL, SMALL), 0);
	assert_memory_equal(bytes + 3 * SMALL, bytes + SMALL, SMALL);
	mem_pages_free(bytes);
	dev_close(file);
	assert_int_equal(unlink("file.img"), 0);
	pipe_end(&made);
}

/* The pages in the pipe are those of the buffer, as a device has them that was told to read from or write to it. */
static void pages_in_the_hands_of_the_kernel_are_nobody_elses(void **state)
{
	uint8_t *bytes = mem_pages(2 * SMALL), got[SMALL];
	const struct iovec iov = { bytes, SMALL };
	int ends[2];

	(void)state;
	memset(bytes, 1, 2 * SMALL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(vmsplice(ends[1], &iov, 1, 0), SMALL);
	assert_int_equal(uring_renew(&iov, 1), 0);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[SMALL - 1], 1);
	memset(bytes, 2, SMALL);
	assert_int_equal(read(ends[0], got, SMALL), SMALL);
	for (size_t i = 0; i < SMALL; i++)
		assert_int_equal(got[i], 1);
	assert_int_equal(bytes[SMALL], 1);
	close(ends[0]);
	close(ends[1]);
	mem_pages_free(bytes);
}

static void a_fault_that_hangs_meets_the_limit(void **state)
{
	struct fault fault = { .kind = FAULT_HANG, .size = MIB, .delay_ns = LONG_NS, .skip = 1 };
	struct dev *file = dev_of("file.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB), *dev;
	uint8_t *bytes = mem_pages(SMALL);
	uint64_t begin_ns;

	(void)state;
	file->limit_ns = LIMIT_NS;
	assert_int_equal(dev_fault_open(&dev, file), 0);
	assert_int_equal(dev_fault_add(dev, &fault), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, SMALL), 0);
	begin_ns = env_now_ns(env_threads());
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, SMALL), ERR_IO);
	assert_true(dev_has_hung(dev) && dev_has_hung(file));
	assert_true(env_now_ns(env_threads()) - begin_ns < 10 * LIMIT_NS);
	dev_close(dev);

	/* Its lock stays with what may come late: nobody else may write here before. */
	refused("file.img", &for_writing, ERR_BUSY, "this process");
	assert_int_equal(unlink("file.img"), 0);
	mem_pages_free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_come_is_an_error_and_never_comes),
		cmocka_unit_test(what_is_small_is_in_memory_of_the_device),
		cmocka_unit_test(tasks_that_give_up_at_once_leave_a_ring_each),
		cmocka_unit_test(what_comes_in_time_is_what_was_asked_for),
		cmocka_unit_test(the_others_of_the_batch_are_done),
		cmocka_unit_test(pages_in_the_hands_of_the_kernel_are_nobody_elses),
		cmocka_unit_test(a_fault_that_hangs_meets_the_limit),
	};

	if (!uring_is_available()) /* there is no limit without */
		return 0;
	return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
