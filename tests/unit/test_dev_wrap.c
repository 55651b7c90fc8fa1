/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: wrappers change what they say and nothing else: the trace has one true line per operation,
 * also for those that go through a ring; each kind of fault strikes where, when and as often as told.
 * Method: the same scripted operations through a wrapper and beside it, compared byte by byte.
 */
#include "core/base/mem.h"
#include "tests/unit/dev_help.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCKS 16u

/* ---- missing */

static void missing_fails_everything_and_is_no_error_to_have(void **state)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	struct dev *dev = NULL;

	(void)state;
	assert_int_equal(dev_missing_open(&dev, env_threads(), "gone.img"), 0);
	assert_string_equal(dev_name(dev), "gone.img");
	assert_int_equal(dev_info(dev)->size, 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), ERR_IO);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 8 * BLOCK_SIZE, bytes, BLOCK_SIZE), ERR_IO);
	assert_int_equal(io_flush(dev), ERR_IO);
	dev_close(dev);
	dev_close(NULL);
	mem_pages_free(bytes);
}

/* ---- trace */

struct line {
	unsigned long long t, took, offset, length;
	char member[16], op[16], role[16];
	int result;
};

/* Every line of the trace, each exactly of the promised form; returns how many. */
static size_t trace_parse(struct line *lines, size_t max)
{
	FILE *file = fopen("trace.json", "r");
	char text[300], again[300];
	size_t count = 0;

	assert_non_null(file);
	while (fgets(text, sizeof(text), file)) {
		struct line *line = &lines[count];

		assert_true(count++ < max);
		assert_int_equal(
			sscanf(text,
			       "{\"t\":%llu,\"took\":%llu,\"member\":%15[^,],\"op\":\"%15[^\"]\","
			       "\"role\":\"%15[^\"]\",\"offset\":%llu,\"length\":%llu,"
			       "\"result\":%d}",
			       &line->t, &line->took, line->member, line->op, line->role,
			       &line->offset, &line->length, &line->result),
			8);
		snprintf(again, sizeof(again),
			 "{\"t\":%llu,\"took\":%llu,\"member\":%s,\"op\":\"%s\",\"role\":\"%s\","
			 "\"offset\":%llu,\"length\":%llu,\"result\":%d}\n",
			 line->t, line->took, line->member, line->op, line->role, line->offset,
			 line->length, line->result);
		assert_string_equal(text, again);
	}
	fclose(file);
	return count;
}

static struct trace_sink *sink_of(const char *path)
{
	struct trace_sink *sink = NULL;
	struct err err = { 0 };

	if (trace_sink_open(&sink, env_threads(), path, &err))
		fail_msg("%s", err.text);
	return sink;
}

static struct dev *traced(const char *path, enum dev_engine engine, struct trace_sink *sink)
{
	struct dev *dev = NULL;

	assert_int_equal(dev_trace_open(&dev, dev_of(path, engine, DEV_WRITE, 2 * MIB), sink), 0);
	return dev;
}

static void trace_has_a_true_line_for_each_operation(void **state)
{
	static const enum dev_engine engines[] = { DEV_ENGINE_SYNC, DEV_ENGINE_AUTO };
	static struct line lines[100];
	uint8_t *bytes = mem_pages(BLOCKS * BLOCK_SIZE);
	struct err err = { 0 };

	(void)state;
	for (size_t e = 0; e < 2; e++) {
		struct trace_sink *sink = sink_of("trace.json");
		struct dev *a = traced("a.img", engines[e], sink);
		struct dev *b = traced("b.img", engines[e], sink);
		struct iovec iov[BLOCKS];
		struct io ios[BLOCKS];
		unsigned seen = 0;

		assert_string_equal(dev_name(a), "a.img");
		assert_int_equal(dev_info(a)->is_direct, dev_info(a->below)->is_direct);
		trace_sink_set_member(a, 7);
		for (size_t i = 0; i < BLOCKS; i++) {
			iov[i].iov_base = bytes + i * BLOCK_SIZE;
			iov[i].iov_len = BLOCK_SIZE;
			ios[i] = (struct io){
				.dev = i % 2 ? b : a,
				.op = IO_WRITE,
				.role = (enum io_role)(i % IO_ROLE_COUNT),
				.offset = i * BLOCK_SIZE,
				.size = BLOCK_SIZE,
				.iov = &iov[i],
				.iov_count = 1,
			};
		}
		ios[3].offset = 4 * MIB; /* never reaches a device */
		assert_int_equal(io_run(ios, BLOCKS), ERR_TRUNCATED);
		ios[0] = (struct io){ .dev = a, .op = IO_ZERO, .size = BLOCK_SIZE };
		assert_int_equal(io_run(ios, 1), 0);
		assert_int_equal(io_flush(b), 0);
		assert_int_equal(truncate("a.img", 0), 0);
		assert_int_equal(io_read(a, IO_ROLE_SUPER, 0, bytes, BLOCK_SIZE), ERR_TRUNCATED);
		dev_close(a);
		dev_close(b);
		assert_int_equal(trace_sink_close(sink, &err), 0);

		assert_int_equal(trace_parse(lines, 100), BLOCKS - 1 + 3);
		for (size_t i = 0; i < BLOCKS - 1; i++) {
			size_t block = lines[i].offset / BLOCK_SIZE;

			assert_true(block < BLOCKS && block != 3);
			seen |= 1u << block;
			assert_string_equal(lines[i].op, "write");
			assert_string_equal(lines[i].role,
					    io_role_name((enum io_role)(block % IO_ROLE_COUNT)));
			assert_string_equal(lines[i].member, block % 2 ? "null" : "7");
			assert_int_equal(lines[i].length, BLOCK_SIZE);
			assert_int_equal(lines[i].result, 0);
		}
		assert_int_equal(seen, 0xffff & ~(1u << 3));
		assert_string_equal(lines[BLOCKS - 1].op, "zero");
		assert_string_equal(lines[BLOCKS].op, "flush");
		assert_int_equal(lines[BLOCKS].length, 0);
		assert_string_equal(lines[BLOCKS + 1].op, "read");
		assert_string_equal(lines[BLOCKS + 1].role, "super");
		assert_int_equal(lines[BLOCKS + 1].result, ERR_TRUNCATED);
		assert_true(lines[BLOCKS + 1].t >= lines[BLOCKS].t);
		assert_int_equal(unlink("a.img") | unlink("b.img"), 0);
	}
	assert_int_equal(unlink("trace.json"), 0);
	mem_pages_free(bytes);
}

static void trace_many(void *arg, uint32_t index)
{
	struct dev *dev = arg;
	uint8_t *bytes = mem_pages(BLOCK_SIZE);

	for (uint64_t i = 0; i < 300; i++) {
		int rc = io_read(dev, IO_ROLE_DATA, (index * 30 + i % 30) * BLOCK_SIZE, bytes,
				 BLOCK_SIZE);
		assert_int_equal(rc, 0);
	}
	mem_pages_free(bytes);
}

static void trace_of_many_tasks_has_whole_lines(void **state)
{
	static struct line lines[1200];
	struct trace_sink *sink = sink_of("trace.json");
	struct dev *dev = traced("a.img", DEV_ENGINE_SYNC, sink);
	struct err err = { 0 };

	(void)state;
	env_parallel(env_threads(), 4, trace_many, dev);
	dev_close(dev);
	assert_int_equal(trace_sink_close(sink, &err), 0);
	assert_int_equal(trace_parse(lines, 1200), 1200);
	assert_int_equal(unlink("a.img") | unlink("trace.json"), 0);
}

static void trace_refused(const char *path, int code, const char *fact)
{
	struct trace_sink *sink = NULL;
	struct err err = { 0 };

	assert_int_equal(trace_sink_open(&sink, env_threads(), path, &err), code);
	assert_null(sink);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, fact));
}

static void trace_writes_over_nothing_but_a_trace(void **state)
{
	struct err err = { 0 };
	struct stat facts;

	(void)state;
	file_make("a.img", MIB);
	trace_refused("a.img", ERR_IN_USE, "not a trace");
	assert_int_equal(stat("a.img", &facts), 0);
	assert_int_equal(facts.st_size, MIB);
	assert_int_equal(symlink("trace.json", "link"), 0);
	trace_refused("link", ERR_ACCESS, "symbolic");
	trace_refused(".", ERR_KIND, "directory");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	trace_refused("fifo", ERR_KIND, "regular");
	assert_int_equal(unlink("a.img") | unlink("link") | unlink("fifo"), 0);

	for (unsigned i = 0; i < 2; i++) { /* the second time over a trace */
		static struct line lines[1];
		struct trace_sink *sink = sink_of("trace.json");
		struct dev *dev = traced("a.img", DEV_ENGINE_SYNC, sink);

		assert_int_equal(io_flush(dev), 0);
		dev_close(dev);
		assert_int_equal(trace_sink_close(sink, &err), 0);
		assert_int_equal(trace_parse(lines, 1), 1);
		assert_int_equal(unlink("a.img"), 0);
	}
	assert_int_equal(unlink("trace.json"), 0);
	assert_int_equal(trace_sink_close(NULL, &err), 0);
}

static void trace_that_cannot_be_written_says_so_at_the_end(void **state)
{
	struct trace_sink *sink = sink_of("trace.json");
	struct dev *dev = traced("a.img", DEV_ENGINE_SYNC, sink);
	struct rlimit before, small;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(io_flush(dev), 0); /* the array goes on */
	dev_close(dev);
	int rc = trace_sink_close(sink, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, ERR_NOSPACE);
	assert_non_null(strstr(err.text, "not complete"));
	assert_int_equal(unlink("a.img") | unlink("trace.json"), 0);
}

/* ---- faults */

/* A fault device on a simulated disk whose block i is full of i + 1. */
struct bench {
	struct dev *dev;
	struct dev *sim;
	uint8_t *bytes; /* BLOCKS blocks to read into and write from */
};

static void bench_make(struct bench *bench, const struct fault *fault)
{
	assert_int_equal(dev_sim_open(&bench->sim, env_threads(), "sim", BLOCKS * BLOCK_SIZE), 0);
	assert_int_equal(dev_fault_open(&bench->dev, bench->sim), 0);
	bench->bytes = mem_pages(BLOCKS * BLOCK_SIZE);
	assert_non_null(bench->bytes);
	for (unsigned i = 0; i < BLOCKS; i++)
		memset(dev_sim_bytes(bench->sim) + i * BLOCK_SIZE, (int)i + 1, BLOCK_SIZE);
	if (fault)
		assert_int_equal(dev_fault_add(bench->dev, fault), 0);
}

static void bench_reset(struct bench *bench)
{
	dev_close(bench->dev);
	mem_pages_free(bench->bytes);
}

static int read_blocks(struct bench *bench, uint64_t first, uint64_t count)
{
	return io_read(bench->dev, IO_ROLE_DATA, first * BLOCK_SIZE, bench->bytes,
		       (size_t)count * BLOCK_SIZE);
}

static int write_blocks(struct bench *bench, uint64_t first, uint64_t count, int value)
{
	memset(bench->bytes, value, (size_t)count * BLOCK_SIZE);
	return io_write(bench->dev, IO_ROLE_DATA, first * BLOCK_SIZE, bench->bytes,
			(size_t)count * BLOCK_SIZE);
}

/* The sim's bytes are the first ones, but for `count` bytes of `value` from `offset` on. */
static void only_changed(struct bench *bench, uint64_t offset, uint64_t count, int value)
{
	const uint8_t *bytes = dev_sim_bytes(bench->sim);

	for (uint64_t i = 0; i < BLOCKS * BLOCK_SIZE; i++) {
		bool changed = i >= offset && i < offset + count;

		if (bytes[i] != (changed ? value : (int)(i / BLOCK_SIZE) + 1))
			fail_msg("byte %llu is %d", (unsigned long long)i, bytes[i]);
	}
}

static void fault_read_error_heals_where_written(void **state)
{
	const struct fault fault = {
		.kind = FAULT_READ_ERROR,
		.offset = 4 * BLOCK_SIZE + 5,
		.size = 5 * BLOCK_SIZE, /* touches blocks 4 to 9 */
	};
	struct bench bench;

	(void)state;
	bench_make(&bench, &fault);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(read_blocks(&bench, i, 1), i >= 4 && i <= 9 ? ERR_IO : 0);
	assert_int_equal(read_blocks(&bench, 0, BLOCKS), ERR_IO);
	assert_int_equal(write_blocks(&bench, 6, 2, 0x77), 0); /* in the middle: two faults now */
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(read_blocks(&bench, i, 1),
				 i == 4 || i == 5 || i == 8 || i == 9 ? ERR_IO : 0);
	only_changed(&bench, 6 * BLOCK_SIZE, 2 * BLOCK_SIZE, 0x77);
	assert_int_equal(write_blocks(&bench, 3, 2, 0x77), 0);
	assert_int_equal(write_blocks(&bench, 9, 2, 0x77), 0);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(read_blocks(&bench, i, 1), i == 5 || i == 8 ? ERR_IO : 0);
	assert_int_equal(write_blocks(&bench, 0, BLOCKS, 0x55), 0);
	assert_int_equal(read_blocks(&bench, 0, BLOCKS), 0);
	bench_reset(&bench);
}

static void fault_skips_and_counts_what_matches(void **state)
{
	const struct fault fault = {
		.kind = FAULT_WRITE_ERROR,
		.offset = 3 * BLOCK_SIZE,
		.size = BLOCK_SIZE,
		.skip = 2,
		.count = 3,
	};
	struct bench bench;

	(void)state;
	bench_make(&bench, &fault);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(write_blocks(&bench, 2, 1, 3), 0); /* does not match */
		assert_int_equal(read_blocks(&bench, 3, 1), 0);
		assert_int_equal(write_blocks(&bench, 2, 3, 3), i >= 2 && i < 5 ? ERR_IO : 0);
	}
	bench_reset(&bench);
}

static void fault_flush_and_space(void **state)
{
	const struct fault flush = { .kind = FAULT_FLUSH_ERROR, .count = 1 };
	const struct fault full = {
		.kind = FAULT_NO_SPACE,
		.offset = 8 * BLOCK_SIZE,
		.size = 8 * BLOCK_SIZE,
	};
	struct bench bench;

	(void)state;
	bench_make(&bench, &flush);
	assert_int_equal(dev_fault_add(bench.dev, &full), 0);
	assert_int_equal(io_flush(bench.dev), ERR_IO);
	assert_int_equal(io_flush(bench.dev), 0);
	assert_int_equal(write_blocks(&bench, 7, 2, 9), ERR_NOSPACE);
	only_changed(&bench, 0, 0, 0);
	assert_int_equal(write_blocks(&bench, 7, 1, 9), 0);
	dev_fault_clear(bench.dev);
	assert_int_equal(write_blocks(&bench, 8, 1, 9), 0);
	bench_reset(&bench);
}

static void fault_flip_changes_one_bit_of_what_is_read(void **state)
{
	const struct fault fault = { .kind = FAULT_FLIP, .offset = 5 * BLOCK_SIZE + 123 };
	struct bench bench;

	(void)state;
	bench_make(&bench, &fault);
	assert_int_equal(read_blocks(&bench, 2, 10), 0);
	for (size_t i = 0; i < 10 * BLOCK_SIZE; i++) {
		int good = (int)(i / BLOCK_SIZE) + 3;

		assert_int_equal(bench.bytes[i], i == 3 * BLOCK_SIZE + 123 ? good ^ 1 : good);
	}
	only_changed(&bench, 0, 0, 0);
	bench_reset(&bench);
}

static void fault_lost_write_is_acknowledged(void **state)
{
	const struct fault fault = {
		.kind = FAULT_LOST_WRITE,
		.offset = 5 * BLOCK_SIZE,
		.size = 1,
		.count = 1,
	};
	struct bench bench;

	(void)state;
	bench_make(&bench, &fault);
	assert_int_equal(write_blocks(&bench, 4, 3, 0x99), 0);
	only_changed(&bench, 0, 0, 0);
	assert_int_equal(write_blocks(&bench, 4, 3, 0x99), 0);
	only_changed(&bench, 4 * BLOCK_SIZE, 3 * BLOCK_SIZE, 0x99);
	bench_reset(&bench);
}

static void fault_misdirected_write_lands_elsewhere(void **state)
{
	const struct fault fault = {
		.kind = FAULT_MISDIRECT,
		.offset = 0,
		.size = BLOCKS * BLOCK_SIZE,
		.shift = 3 * BLOCK_SIZE,
	};
	struct bench bench;

	(void)state;
	bench_make(&bench, &fault);
	assert_int_equal(write_blocks(&bench, 12, 2, 0x99), 0); /* past the end: lost */
	only_changed(&bench, 0, 0, 0);
	assert_int_equal(write_blocks(&bench, 11, 2, 0x99), 0);
	only_changed(&bench, 14 * BLOCK_SIZE, 2 * BLOCK_SIZE, 0x99);
	bench_reset(&bench);
}

static void fault_torn_write_lands_by_half(void **state)
{
	const struct fault fault = {
		.kind = FAULT_TORN,
		.offset = 0,
		.size = BLOCKS * BLOCK_SIZE,
	};

	(void)state;
	for (uint64_t count = 1; count <= 4; count++) {
		struct bench bench;
		struct io zero = {
			.op = IO_ZERO,
			.offset = 6 * BLOCK_SIZE,
			.size = count * BLOCK_SIZE,
		};

		bench_make(&bench, &fault);
		assert_int_equal(write_blocks(&bench, 6, count, 0x99), 0);
		only_changed(&bench, 6 * BLOCK_SIZE, count * BLOCK_SIZE / 2, 0x99);
		zero.dev = bench.dev;
		assert_int_equal(io_run(&zero, 1), 0);
		only_changed(&bench, 6 * BLOCK_SIZE, count * BLOCK_SIZE / 2, 0);
		bench_reset(&bench);
	}
}

/* The first fault added strikes; one that did not yet may strike the next time. */
static void fault_order_is_the_order_of_adding(void **state)
{
	const struct fault first = {
		.kind = FAULT_WRITE_ERROR,
		.size = BLOCK_SIZE,
		.count = 1,
	};
	const struct fault second = {
		.kind = FAULT_NO_SPACE,
		.size = BLOCK_SIZE,
		.count = 1,
	};
	struct bench bench;

	(void)state;
	bench_make(&bench, &first);
	assert_int_equal(dev_fault_add(bench.dev, &second), 0);
	assert_int_equal(write_blocks(&bench, 0, 1, 1), ERR_IO);
	assert_int_equal(write_blocks(&bench, 0, 1, 1), ERR_NOSPACE);
	assert_int_equal(write_blocks(&bench, 0, 1, 1), 0);
	bench_reset(&bench);
}

/* Above a file that goes through rings, faults strike the operations they name and no others. */
static void fault_meets_operations_of_a_batch(void **state)
{
	const struct fault bad = {
		.kind = FAULT_READ_ERROR,
		.offset = 3 * BLOCK_SIZE,
		.size = 2 * BLOCK_SIZE,
	};
	struct dev *dev = NULL;
	uint8_t *bytes = mem_pages(BLOCKS * BLOCK_SIZE);
	struct iovec iov[BLOCKS];
	struct io ios[BLOCKS];

	(void)state;
	assert_int_equal(dev_fault_open(&dev, dev_of("a.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB)), 0);
	assert_int_equal(dev_fault_add(dev, &bad), 0);
	for (size_t i = 0; i < BLOCKS; i++) {
		iov[i].iov_base = bytes + i * BLOCK_SIZE;
		iov[i].iov_len = BLOCK_SIZE;
		ios[i] = (struct io){
			.dev = dev,
			.op = IO_READ,
			.offset = i * BLOCK_SIZE,
			.size = BLOCK_SIZE,
			.iov = &iov[i],
			.iov_count = 1,
		};
	}
	assert_int_equal(io_run(ios, BLOCKS), ERR_IO);
	for (size_t i = 0; i < BLOCKS; i++)
		assert_int_equal(ios[i].result, i == 3 || i == 4 ? ERR_IO : 0);
	for (size_t i = 0; i < BLOCKS; i++) {
		ios[i].op = IO_WRITE;
		memset(iov[i].iov_base, (int)i, BLOCK_SIZE);
	}
	assert_int_equal(io_run(&ios[4], BLOCKS - 4), 0); /* heals block 4 */
	for (size_t i = 0; i < BLOCKS; i++)
		ios[i].op = IO_READ;
	assert_int_equal(io_run(ios, BLOCKS), ERR_IO);
	for (size_t i = 0; i < BLOCKS; i++)
		assert_int_equal(ios[i].result, i == 3 ? ERR_IO : 0);
	assert_int_equal(bytes[5 * BLOCK_SIZE], 5);
	dev_close(dev);
	assert_int_equal(unlink("a.img"), 0);
	mem_pages_free(bytes);
}

static void wrappers_without_memory_leave_what_is_below(void **state)
{
	struct dev *sim = NULL, *dev = NULL;
	struct trace_sink *sink = sink_of("trace.json"), *none = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dev_sim_open(&sim, env_threads(), "sim", BLOCK_SIZE), 0);
	for (unsigned nth = 0; nth < 2; nth++) {
		unsigned left = nth;

		mem_set_hook(deny_nth, &left);
		assert_int_equal(dev_trace_open(&dev, sim, sink), ERR_NOMEM);
		left = nth;
		assert_int_equal(dev_fault_open(&dev, sim), ERR_NOMEM);
		left = nth;
		assert_int_equal(dev_missing_open(&dev, env_threads(), "x"), ERR_NOMEM);
		left = nth;
		assert_int_equal(trace_sink_open(&none, env_threads(), "x.json", &err), ERR_NOMEM);
		mem_set_hook(NULL, NULL);
	}
	for (unsigned nth = 0; nth < 3; nth++) {
		unsigned left = nth;

		mem_set_hook(deny_nth, &left);
		assert_int_equal(dev_sim_open(&dev, env_threads(), "x", BLOCK_SIZE), ERR_NOMEM);
		mem_set_hook(NULL, NULL);
	}
	assert_null(dev);
	assert_int_equal(io_flush(sim), 0);
	dev_close(sim);
	assert_int_equal(trace_sink_close(sink, &err), 0);
	assert_int_equal(unlink("trace.json"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_fails_everything_and_is_no_error_to_have),
		cmocka_unit_test(trace_has_a_true_line_for_each_operation),
		cmocka_unit_test(trace_of_many_tasks_has_whole_lines),
		cmocka_unit_test(trace_writes_over_nothing_but_a_trace),
		cmocka_unit_test(trace_that_cannot_be_written_says_so_at_the_end),
		cmocka_unit_test(fault_read_error_heals_where_written),
		cmocka_unit_test(fault_skips_and_counts_what_matches),
		cmocka_unit_test(fault_flush_and_space),
		cmocka_unit_test(fault_flip_changes_one_bit_of_what_is_read),
		cmocka_unit_test(fault_lost_write_is_acknowledged),
		cmocka_unit_test(fault_misdirected_write_lands_elsewhere),
		cmocka_unit_test(fault_torn_write_lands_by_half),
		cmocka_unit_test(fault_order_is_the_order_of_adding),
		cmocka_unit_test(fault_meets_operations_of_a_batch),
		cmocka_unit_test(wrappers_without_memory_leave_what_is_below),
	};

	return cmocka_run_group_tests_name("dev_wrap", tests, directory_make, directory_remove);
}
