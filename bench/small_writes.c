/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small writes: so many tasks write single blocks at random places, each durable before the next. And what is
 * left of them after a crash.
 *
 *	array MEMBER…		into the first volume of an array, by array_write()
 *	fdatasync FILE		into a file that exists, by pwrite() and fdatasync(): what the machine can do
 *	cells FILE…		the cells of an update of single parity and nothing else: of two files that exist,
 *				read a block each, then write it each; no log, no flush, nothing durable
 *	crash MEMBER…		as array, then end without settling: the log names what was written last
 *	fill MEMBER…		the same while no cell can be written, until the log is full of contents
 *	recover MEMBER…		open the array, which recovers what the log names, and close it
 *
 * After --warm seconds, in which files grow and seals are read, it counts for --seconds. Prints one JSON object:
 * writes, seconds, writes_s, and for an array the records of the intent log, how many asks they served, and
 * what all members did, by what it was for: cells (data and checks), seals, the log, anything else.
 * crash and fill say how large the last record is; recover says what it did, and the bytes that it moved.
 */
#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/dev/devices.h"
#include "core/store/intent_log.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define LOG_DELAY_NS UINT64_C(4000000)
#define FILL_STALL_NS                                                                              \
	(UINT64_C(3) * NS_PER_S) /* it takes no more: rows around what failed are refused */
#define WRITE_MAX (UINT64_C(64) << 10)

enum purpose { FOR_CELLS, FOR_SEALS, FOR_LOG, FOR_ELSE, PURPOSES };

/* What all members do together. */
struct counts {
	atomic_uint_fast64_t reads[PURPOSES], writes[PURPOSES], flushes[PURPOSES];
	atomic_uint_fast64_t read_bytes[PURPOSES], written_bytes[PURPOSES];
	bool refuses_cells; /* as if there were no space; and the log is slow, so that many share a record */
};

struct count_dev {
	struct dev dev;
	struct counts *counts;
};

struct work {
	struct env *env;
	uint32_t writers;
	uint64_t warm_ns, seconds_ns;
	uint64_t until_ns;
	uint64_t blocks; /* of `size` bytes */
	uint64_t size;
	uint64_t round; /* so that no two write the same blocks in the same order */
	atomic_uint_fast64_t done, warm_done;
	atomic_int failed;
	atomic_uint_fast64_t fill_bytes, fill_ns; /* the log when it grew last */
	struct array *array;                      /* NULL: write to fd */
	const struct volume *volume;
	struct counts counts; /* of all members */
	struct dev *files[MEMBERS_MAX];
	uint32_t file_count;
	int fd;
};

__attribute__((noreturn)) static void fail(const char *what, const char *why)
{
	fprintf(stderr, "small_writes: %s: %s\n", what, why);
	exit(1);
}

/* ---- counting */

static enum purpose purpose_of(enum io_role role)
{
	switch (role) {
	case IO_ROLE_DATA:
	case IO_ROLE_PARITY:
	case IO_ROLE_PURE:
		return FOR_CELLS;
	case IO_ROLE_SEAL:
	case IO_ROLE_WITNESS:
		return FOR_SEALS;
	case IO_ROLE_LOG:
		return FOR_LOG;
	case IO_ROLE_MAP:
	case IO_ROLE_SUPER:
	case IO_ROLE_COUNT:
		break;
	}
	return FOR_ELSE;
}

static void count(struct counts *counts, const struct io *io)
{
	enum purpose purpose = purpose_of(io->role);

	if (io->op == IO_READ) {
		counts->reads[purpose]++;
		counts->read_bytes[purpose] += io->size;
	} else if (io->op == IO_FLUSH) {
		counts->flushes[purpose]++;
	} else {
		counts->writes[purpose]++;
		counts->written_bytes[purpose] += io->size;
	}
}

static struct counts *counts_of(struct dev *dev)
{
	return ((struct count_dev *)(void *)dev)->counts;
}

static bool is_special(const struct counts *counts, const struct io *io)
{
	return counts->refuses_cells && io->op == IO_WRITE;
}

static int count_run(struct dev *dev, struct io *io)
{
	struct counts *counts = counts_of(dev);

	count(counts, io);
	if (is_special(counts, io) && purpose_of(io->role) == FOR_CELLS)
		return ERR_NOSPACE;
	if (is_special(counts, io) && purpose_of(io->role) == FOR_LOG)
		env_sleep_ns(dev->env, LOG_DELAY_NS);
	return dev_run_below(dev, io);
}

static int count_direct_fd(struct dev *dev, const struct io *io)
{
	return is_special(counts_of(dev), io) ? -1 : dev_direct_fd(dev->below, io);
}

static void count_seen(struct dev *dev, const struct io *io, uint64_t begin_ns, uint64_t end_ns)
{
	(void)begin_ns;
	(void)end_ns;
	count(counts_of(dev), io);
}

static void count_close(struct dev *dev)
{
	dev_reset(dev);
	free(dev);
}

static const struct dev_ops count_ops = {
	.name = "count",
	.run = count_run,
	.close = count_close,
	.direct_fd = count_direct_fd,
	.seen = count_seen,
};

static struct dev *member_open(struct env *env, const char *path, struct counts *counts)
{
	const struct dev_file_options options = { .access = DEV_WRITE, .limit_ns = 60 * NS_PER_S };
	struct count_dev *dev = calloc(1, sizeof(*dev));
	struct dev *below;
	struct err err = { 0 };

	if (!dev || dev_file_open(&below, env, path, &options, &err))
		fail(path, err.text);
	if (dev_init_above(&dev->dev, &count_ops, below))
		fail(path, "no memory");
	dev->counts = counts;
	return &dev->dev;
}

/* ---- writing */

/* As far as writers may fill it, but for a few: not each of them finds room any more; or it grows no more. */
static bool log_is_full(struct work *work)
{
	uint64_t now = env_now_ns(work->env);
	struct intent_log_state state;

	intent_log_state(work->array->log, &state);
	if (state.bytes > work->fill_bytes) {
		work->fill_bytes = state.bytes;
		work->fill_ns = now;
	} else if (now > work->fill_ns + FILL_STALL_NS) {
		return true;
	}
	return state.bytes + state.bytes_max / 64 > state.bytes_max / 4 * 3;
}

static int write_block(struct work *work, uint64_t block, const void *bytes)
{
	struct array_write_result result = { 0 };
	struct err err = { 0 };
	int rc;

	if (!work->array) {
		off_t offset = (off_t)(block * work->size);

		return pwrite(work->fd, bytes, work->size, offset) == (ssize_t)work->size
			       ? fdatasync(work->fd)
			       : -1;
	}
	rc = array_write(work->array, work->volume, block * work->size, bytes, work->size, &result,
			 &err);
	if (rc == ERR_NOSPACE && work->counts.refuses_cells)
		return log_is_full(work) ? rc : 0;
	if (rc)
		fprintf(stderr, "small_writes: %s\n", err.text);
	return rc;
}

/* A block each of two files, as the data and the parity of a row. */
static int move_cells(const struct work *work, enum io_op op, uint32_t first, uint64_t block,
		      uint8_t *pages)
{
	struct iovec iovs[2];
	struct io ios[2];

	for (uint32_t i = 0; i < 2; i++) {
		iovs[i] = (struct iovec){ pages + i * BLOCK_SIZE, BLOCK_SIZE };
		ios[i] = (struct io){ .dev = work->files[(first + i) % work->file_count],
				      .op = op,
				      .offset = block * BLOCK_SIZE,
				      .size = BLOCK_SIZE,
				      .iov = &iovs[i],
				      .iov_count = 1 };
	}
	return io_run(ios, 2);
}

static void cell_writer(void *arg, uint32_t index)
{
	struct work *work = arg;
	struct rng rng = rng_seeded(work->round * ENV_PARALLEL_MAX + index + UINT64_C(1));
	uint8_t *pages = mem_pages(2 * (size_t)BLOCK_SIZE);

	work->failed |= pages == NULL;
	while (env_now_ns(work->env) < work->until_ns && !work->failed) {
		uint32_t first = (uint32_t)rng_below(&rng, work->file_count);
		uint64_t block = rng_below(&rng, work->blocks);

		if (move_cells(work, IO_READ, first, block, pages) ||
		    move_cells(work, IO_WRITE, first, block, pages))
			work->failed = 1;
		work->done++;
	}
	mem_pages_free(pages);
}

static void writer(void *arg, uint32_t index)
{
	struct work *work = arg;
	struct rng rng = rng_seeded(work->round * ENV_PARALLEL_MAX + index + UINT64_C(1));
	uint64_t bytes[WRITE_MAX / sizeof(uint64_t)];

	while (env_now_ns(work->env) < work->until_ns && !work->failed) {
		for (size_t i = 0; i < work->size / sizeof(uint64_t); i++)
			bytes[i] = rng_next(&rng);
		if (write_block(work, rng_below(&rng, work->blocks), bytes))
			work->failed = 1;
		work->done++;
	}
}

/* All writers until the time is over; returns the seconds. */
static double run(struct work *work, uint64_t time_ns)
{
	uint64_t begin = env_now_ns(work->env);

	work->until_ns = begin + time_ns;
	work->warm_done = (uint64_t)work->done;
	work->done = 0;
	work->round++;
	env_parallel(work->env, work->writers, work->file_count ? cell_writer : writer, work);
	if (work->failed && !work->counts.refuses_cells)
		fail("a write failed", "see above");
	return (double)(env_now_ns(work->env) - begin) / (double)NS_PER_S;
}

static void print_rate(const struct work *work, double took)
{
	printf("{\"writers\":%u,\"writes\":%" PRIu64 ",\"seconds\":%.3f,\"writes_s\":%.1f}\n",
	       work->writers, (uint64_t)work->done, took, (double)work->done / took);
}

static void run_file(struct work *work, const char *path)
{
	struct stat facts;

	work->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (work->fd < 0 || fstat(work->fd, &facts))
		fail(path, "cannot be opened");
	work->blocks = (uint64_t)facts.st_size / work->size;
	run(work, work->warm_ns);
	print_rate(work, run(work, work->seconds_ns));
	close(work->fd);
}

static void run_cells(struct work *work, char **paths, uint32_t path_count)
{
	for (uint32_t i = 0; i < path_count; i++)
		work->files[i] = member_open(work->env, paths[i], &work->counts);
	work->file_count = path_count;
	work->blocks = dev_info(work->files[0])->size / BLOCK_SIZE;
	run(work, work->warm_ns);
	print_rate(work, run(work, work->seconds_ns));
	for (uint32_t i = 0; i < path_count; i++)
		dev_close(work->files[i]);
}

static uint64_t sum(const atomic_uint_fast64_t counts[PURPOSES])
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < PURPOSES; i++)
		total += counts[i];
	return total;
}

static void print_counts(const char *name, const atomic_uint_fast64_t counts[PURPOSES])
{
	printf(",\"%s\":%" PRIu64 ",\"cell_%s\":%" PRIu64 ",\"seal_%s\":%" PRIu64
	       ",\"log_%s\":%" PRIu64,
	       name, sum(counts), name, (uint64_t)counts[FOR_CELLS], name,
	       (uint64_t)counts[FOR_SEALS], name, (uint64_t)counts[FOR_LOG]);
}

static void report(const struct work *work, double took, const struct intent_log_state *before,
		   const struct intent_log_state *after)
{
	const struct counts *counts = &work->counts;

	printf("{\"writers\":%u,\"writes\":%" PRIu64 ",\"all_writes\":%" PRIu64
	       ",\"seconds\":%.3f,\"writes_s\":%.1f,\"records\":%" PRIu64 ",\"asks\":%" PRIu64
	       ",\"log_bytes\":%" PRIu64,
	       work->writers, (uint64_t)work->done, (uint64_t)(work->done + work->warm_done), took,
	       (double)work->done / took, after->records - before->records,
	       after->asks - before->asks, (uint64_t)counts->written_bytes[FOR_LOG]);
	print_counts("reads", counts->reads);
	print_counts("writes_io", counts->writes);
	print_counts("flushes", counts->flushes);
	printf("}\n");
}

static void counts_reset(struct counts *counts)
{
	for (uint32_t i = 0; i < PURPOSES; i++) {
		counts->reads[i] = 0;
		counts->writes[i] = 0;
		counts->flushes[i] = 0;
		counts->read_bytes[i] = 0;
		counts->written_bytes[i] = 0;
	}
}

/* Returns the seconds that opening took. */
static double open_array(struct work *work, char **paths, uint32_t path_count)
{
	struct dev *devs[MEMBERS_MAX];
	struct err err = { 0 };
	struct array_open_request request = {
		.env = work->env,
		.devs = devs,
		.dev_count = path_count,
		.access = ARRAY_WRITE,
	};

	for (uint32_t i = 0; i < path_count; i++)
		devs[i] = member_open(work->env, paths[i], &work->counts);
	uint64_t begin = env_now_ns(work->env);

	if (array_open(&work->array, &request, &err))
		fail("array", err.text);
	double took = (double)(env_now_ns(work->env) - begin) / (double)NS_PER_S;

	if (array_map(work->array)->volume_count == 0)
		fail("array", "it has no volume");
	work->volume = array_map(work->array)->volumes[0];
	work->blocks = work->volume->length / work->size;
	return took;
}

static void run_array(struct work *work, char **paths, uint32_t path_count)
{
	struct intent_log_state before = { 0 }, after;
	struct err err = { 0 };

	open_array(work, paths, path_count);
	run(work, work->warm_ns);
	if (work->array->log)
		intent_log_state(work->array->log, &before);
	counts_reset(&work->counts);
	double took = run(work, work->seconds_ns);

	intent_log_state(work->array->log, &after);
	report(work, took, &before, &after);
	if (array_write_settle(work->array, &err))
		fail("settle", err.text);
	array_close(work->array);
}

/* The process ends as it is: what is not in its place stays behind, as after a crash. */
static void run_crash(struct work *work, char **paths, uint32_t path_count, bool fill)
{
	struct intent_log_state state;

	open_array(work, paths, path_count);
	work->counts.refuses_cells = fill;
	run(work, fill ? NS_PER_S * 600 : work->seconds_ns);
	intent_log_state(work->array->log, &state);
	printf("{\"writes\":%" PRIu64 ",\"intents\":%u,\"record_bytes\":%" PRIu64
	       ",\"record_max\":%" PRIu64 ",\"content_bytes\":%" PRIu64 "}\n",
	       (uint64_t)work->done, state.intents, state.bytes, state.bytes_max, state.content);
	fflush(stdout);
	_exit(0);
}

static double cpu_seconds(void)
{
	return (double)clock() / (double)CLOCKS_PER_SEC;
}

static void run_recover(struct work *work, char **paths, uint32_t path_count)
{
	double cpu = cpu_seconds();
	double took = open_array(work, paths, path_count);
	const struct array_recovery *did = array_recovery(work->array);
	const struct counts *counts = &work->counts;

	printf("{\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"entries\":%u,\"rows\":%" PRIu64
	       ",\"replayed\":%" PRIu64 ",\"lost\":%" PRIu64,
	       took, cpu_seconds() - cpu, did->entries, did->rows, did->replayed, did->lost);
	static const char *const names[PURPOSES] = { "cell", "seal", "log", "other" };

	for (uint32_t i = 0; i < PURPOSES; i++)
		printf(",\"%s_bytes_read\":%" PRIu64 ",\"%s_bytes_written\":%" PRIu64, names[i],
		       (uint64_t)counts->read_bytes[i], names[i],
		       (uint64_t)counts->written_bytes[i]);
	printf(",\"reads\":%" PRIu64 ",\"writes_io\":%" PRIu64 ",\"flushes\":%" PRIu64 "}\n",
	       sum(counts->reads), sum(counts->writes), sum(counts->flushes));
	array_close(work->array);
}

static void run_verb(struct work *work, const char *verb, char **paths, uint32_t path_count)
{
	if (strcmp(verb, "array") == 0)
		run_array(work, paths, path_count);
	else if (strcmp(verb, "fdatasync") == 0)
		run_file(work, paths[0]);
	else if (strcmp(verb, "cells") == 0)
		run_cells(work, paths, path_count);
	else if (strcmp(verb, "crash") == 0 || strcmp(verb, "fill") == 0)
		run_crash(work, paths, path_count, verb[0] == 'f');
	else if (strcmp(verb, "recover") == 0)
		run_recover(work, paths, path_count);
	else
		fail(verb, "no such kind of run");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "writers", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 's' },
		{ "warm", required_argument, NULL, 'u' },
		{ "size", required_argument, NULL, 'z' },
		{ 0 },
	};
	struct work work = { .env = env_threads(),
			     .writers = 1,
			     .size = BLOCK_SIZE,
			     .warm_ns = NS_PER_S,
			     .seconds_ns = 3 * NS_PER_S };
	int letter;

	while ((letter = getopt_long(argc, argv, "w:s:u:z:", options, NULL)) != -1) {
		if (letter == 'w')
			work.writers = (uint32_t)strtoul(optarg, NULL, 10);
		else if (letter == 's')
			work.seconds_ns = strtoull(optarg, NULL, 10) * NS_PER_S;
		else if (letter == 'z')
			work.size = strtoull(optarg, NULL, 10);
		else if (letter == 'u')
			work.warm_ns = strtoull(optarg, NULL, 10) * NS_PER_S;
		else
			return 2;
	}
	if (argc - optind < 2 || argc - optind > (int)MEMBERS_MAX + 1 || work.writers == 0 ||
	    work.writers > ENV_PARALLEL_MAX || work.size == 0 || work.size > WRITE_MAX ||
	    work.size % BLOCK_SIZE)
		fail("usage", "[--writers N] [--seconds N] [--warm N] [--size BYTES] "
			      "array|crash|fill|recover MEMBER… | fdatasync FILE | cells FILE…");
	run_verb(&work, argv[optind], argv + optind + 1, (uint32_t)(argc - optind - 1));
	return 0;
}
