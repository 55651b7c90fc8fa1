/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small writes: so many tasks write single blocks at random places, each durable before the next.
 *
 *	array MEMBER…		into the first volume of an array, by array_write()
 *	fdatasync FILE		into a file that exists, by pwrite() and fdatasync(): what the machine can do
 *
 * Prints one JSON object: writes, seconds, writes_s, and for an array the records of the intent log, how
 * many asks they served, and the flushes and operations of all members.
 */
#include "core/array/array_internal.h"
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
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* What all members do together. */
struct counts {
	atomic_uint_fast64_t reads, writes, flushes;
};

struct count_dev {
	struct dev dev;
	struct counts *counts;
};

struct work {
	struct env *env;
	uint32_t writers;
	uint64_t until_ns;
	uint64_t blocks;
	atomic_uint_fast64_t done;
	atomic_int failed;
	struct array *array; /* NULL: write to fd */
	const struct volume *volume;
	int fd;
};

__attribute__((noreturn)) static void fail(const char *what, const char *why)
{
	fprintf(stderr, "small_writes: %s: %s\n", what, why);
	exit(1);
}

/* ---- counting */

static void count(struct counts *counts, const struct io *io)
{
	if (io->op == IO_READ)
		counts->reads++;
	else if (io->op == IO_FLUSH)
		counts->flushes++;
	else
		counts->writes++;
}

static struct counts *counts_of(struct dev *dev)
{
	return ((struct count_dev *)(void *)dev)->counts;
}

static int count_run(struct dev *dev, struct io *io)
{
	count(counts_of(dev), io);
	return dev_run_below(dev, io);
}

static int count_direct_fd(struct dev *dev, const struct io *io)
{
	return dev_direct_fd(dev->below, io);
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
	const struct dev_file_options options = { .access = DEV_WRITE };
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

static int write_block(struct work *work, uint64_t block, const void *bytes)
{
	struct array_write_result result = { 0 };
	struct err err = { 0 };
	int rc;

	if (!work->array) {
		off_t offset = (off_t)(block * BLOCK_SIZE);

		return pwrite(work->fd, bytes, BLOCK_SIZE, offset) == (ssize_t)BLOCK_SIZE
			       ? fdatasync(work->fd)
			       : -1;
	}
	rc = array_write(work->array, work->volume, block * BLOCK_SIZE, bytes, BLOCK_SIZE, &result,
			 &err);
	if (rc)
		fprintf(stderr, "small_writes: %s\n", err.text);
	return rc;
}

static void writer(void *arg, uint32_t index)
{
	struct work *work = arg;
	struct rng rng = rng_seeded(index + UINT64_C(1));
	uint64_t bytes[BLOCK_SIZE / sizeof(uint64_t)];

	while (env_now_ns(work->env) < work->until_ns && !work->failed) {
		for (size_t i = 0; i < BLOCK_SIZE / sizeof(uint64_t); i++)
			bytes[i] = rng_next(&rng);
		if (write_block(work, rng_below(&rng, work->blocks), bytes))
			work->failed = 1;
		work->done++;
	}
}

/* All writers until the time is over; returns the seconds. */
static double run(struct work *work, uint64_t seconds)
{
	uint64_t begin = env_now_ns(work->env);

	work->until_ns = begin + seconds * NS_PER_S;
	env_parallel(work->env, work->writers, writer, work);
	if (work->failed)
		fail("a write failed", "see above");
	return (double)(env_now_ns(work->env) - begin) / (double)NS_PER_S;
}

static void run_file(struct work *work, const char *path, uint64_t seconds)
{
	struct stat facts;

	work->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (work->fd < 0 || fstat(work->fd, &facts))
		fail(path, "cannot be opened");
	work->blocks = (uint64_t)facts.st_size / BLOCK_SIZE;
	double took = run(work, seconds);

	printf("{\"writers\":%u,\"writes\":%" PRIu64 ",\"seconds\":%.3f,\"writes_s\":%.1f}\n",
	       work->writers, (uint64_t)work->done, took, (double)work->done / took);
	close(work->fd);
}

static void report(const struct work *work, double took, const struct counts *before,
		   const struct counts *after)
{
	struct intent_log_state state = { 0 };

	intent_log_state(work->array->log, &state);
	printf("{\"writers\":%u,\"writes\":%" PRIu64 ",\"seconds\":%.3f,\"writes_s\":%.1f,"
	       "\"records\":%" PRIu64 ",\"asks\":%" PRIu64 ",\"log_flushes\":%" PRIu64
	       ",\"member_reads\":%" PRIu64 ",\"member_writes\":%" PRIu64
	       ",\"member_flushes\":%" PRIu64 "}\n",
	       work->writers, (uint64_t)work->done, took, (double)work->done / took, state.records,
	       state.asks, state.flushes, (uint64_t)(after->reads - before->reads),
	       (uint64_t)(after->writes - before->writes),
	       (uint64_t)(after->flushes - before->flushes));
}

static void run_array(struct work *work, char **paths, uint32_t path_count, uint64_t seconds)
{
	struct counts counts = { 0 }, before, after;
	struct dev *devs[MEMBERS_MAX];
	struct err err = { 0 };
	struct array_open_request request = {
		.env = work->env,
		.devs = devs,
		.dev_count = path_count,
		.access = ARRAY_WRITE,
	};

	for (uint32_t i = 0; i < path_count; i++)
		devs[i] = member_open(work->env, paths[i], &counts);
	if (array_open(&work->array, &request, &err))
		fail("array", err.text);
	if (array_map(work->array)->volume_count == 0)
		fail("array", "it has no volume");
	work->volume = array_map(work->array)->volumes[0];
	work->blocks = work->volume->length / BLOCK_SIZE;
	before = counts;
	double took = run(work, seconds);
	after = counts;
	if (array_write_settle(work->array, &err))
		fail("settle", err.text);
	report(work, took, &before, &after);
	array_close(work->array);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "writers", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 's' },
		{ 0 },
	};
	struct work work = { .env = env_threads(), .writers = 1 };
	uint64_t seconds = 3;
	int letter;

	while ((letter = getopt_long(argc, argv, "w:s:", options, NULL)) != -1) {
		if (letter == 'w')
			work.writers = (uint32_t)strtoul(optarg, NULL, 10);
		else if (letter == 's')
			seconds = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (argc - optind < 2 || argc - optind > (int)MEMBERS_MAX + 1 || work.writers == 0 ||
	    work.writers > ENV_PARALLEL_MAX)
		fail("usage", "[--writers N] [--seconds N] array MEMBER… | fdatasync FILE");
	if (strcmp(argv[optind], "array") == 0)
		run_array(&work, argv + optind + 1, (uint32_t)(argc - optind - 1), seconds);
	else if (strcmp(argv[optind], "fdatasync") == 0)
		run_file(&work, argv[optind + 1], seconds);
	else
		fail(argv[optind], "no such kind of run");
	return 0;
}
