/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ceiling: how fast this machine does the bytes of a scrub, a rebuild or a put when nothing but the
 * bytes has to be done: no map, no seals, no progress, no error but the end of the program.
 *
 *	read FILE…		read all files, nothing else
 *	scrub FILE…		read all, CRC-32 of every 4 KiB, the equations of every group
 *	rebuild NEW FILE…	read all, XOR them, CRC-32 of every 4 KiB, write NEW
 *	put SOURCE NEW…		read SOURCE, compute the checks, CRC-32 of all, write every NEW
 *
 * Files lie side by side in groups of `width`, the last `checks` of each group are checks. Bytes are
 * taken piece by piece and stay in the second-level cache from the read to the write. In a page cache or
 * tmpfs that is pread() and pwrite(), with --direct O_DIRECT and io_uring, and a file that is written is
 * flushed at the end. Only regions where all files have data are read: holes cost nothing and would flatter.
 * The equations are computed, not obeyed: what the files hold does not matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <isa-l/crc.h>
#include <isa-l/erasure_code.h>
#include <isa-l/raid.h>
#include <liburing.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 32u
#define CHECKS_MAX 3u
#define SETS_MAX 4u /* groups that one thread has in flight with --direct */
#define THREADS_MAX 64u
#define BLOCK ((size_t)4096)
#define TILE ((size_t)32768) /* of each column, where all columns have to be in the cache at once */
#define GRANULE (UINT64_C(1) << 20) /* files are looked at for holes in steps of this size */
#define GRANULE_DATA_MIN (GRANULE - GRANULE / 16) /* seals leave a few blocks unwritten */
#define TABLE_SIZE ((size_t)32)                   /* bytes that ISA-L makes of one coefficient */

enum verb { VERB_READ, VERB_SCRUB, VERB_REBUILD, VERB_PUT };

static const char *const verb_names[] = { "read", "scrub", "rebuild", "put" };

struct job {
	enum verb verb;
	bool direct;
	uint32_t threads, sets;
	size_t piece;           /* bytes of one file at a time */
	uint32_t width, checks; /* columns of a group, and how many of them are checks */
	int in[FILES_MAX], out[FILES_MAX];
	uint32_t in_count, out_count;
	uint64_t *granules; /* offsets that are read, of read, scrub and rebuild */
	uint64_t item_count;
	unsigned char tables[CHECKS_MAX * FILES_MAX * TABLE_SIZE];
	atomic_uint_fast64_t next, bytes;
	atomic_uint sink; /* keeps the compiler from dropping what nobody reads */
};

struct op {
	int fd;
	uint8_t *bytes;
	uint64_t offset;
};

/* One group's pieces on their way: read, computed, written. */
struct item {
	uint8_t *buffers; /* width + checks pieces: the columns, then what the checks should be */
	struct op reads[FILES_MAX], writes[FILES_MAX];
	uint32_t read_count, write_count;
	uint32_t waits; /* operations in flight */
	bool computed;
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("ceiling: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* ---- what there is to do */

static uint8_t *column(const struct job *job, const struct item *item, uint32_t i)
{
	return item->buffers + i * job->piece;
}

static void plan_members(const struct job *job, struct item *item, uint64_t number)
{
	uint32_t groups = job->in_count / job->width;
	uint32_t columns = job->width;
	uint64_t per_granule = GRANULE / job->piece;
	uint64_t piece = number / groups;
	uint64_t offset = job->granules[piece / per_granule] + piece % per_granule * job->piece;
	uint32_t first = (uint32_t)(number % groups) * job->width;

	for (uint32_t i = 0; i < columns; i++)
		item->reads[i] = (struct op){ job->in[first + i], column(job, item, i), offset };
	item->read_count = columns;
	item->write_count = 0;
}

static void plan_rebuild(const struct job *job, struct item *item, uint64_t number)
{
	uint64_t per_granule = GRANULE / job->piece;
	uint64_t offset = job->granules[number / per_granule] + number % per_granule * job->piece;

	for (uint32_t i = 0; i < job->in_count; i++)
		item->reads[i] = (struct op){ job->in[i], column(job, item, i), offset };
	item->read_count = job->in_count;
	item->writes[0] = (struct op){ job->out[0], column(job, item, job->in_count), offset };
	item->write_count = 1;
}

static void plan_put(const struct job *job, struct item *item, uint64_t number)
{
	uint32_t data = job->width - job->checks, groups = job->out_count / job->width;
	uint32_t first = (uint32_t)(number % groups) * job->width;

	for (uint32_t i = 0; i < data; i++)
		item->reads[i] = (struct op){ job->in[0], column(job, item, i),
					      (number * data + i) * job->piece };
	item->read_count = data;
	for (uint32_t i = 0; i < job->width; i++)
		item->writes[i] = (struct op){ job->out[first + i], column(job, item, i),
					       number / groups * job->piece };
	item->write_count = job->width;
}

/* Take the next item; false when there is none. */
static bool item_take(struct job *job, struct item *item)
{
	uint64_t number = atomic_fetch_add(&job->next, 1);

	if (number >= job->item_count)
		return false;
	switch (job->verb) {
	case VERB_READ:
	case VERB_SCRUB:
		plan_members(job, item, number);
		break;
	case VERB_REBUILD:
		plan_rebuild(job, item, number);
		break;
	case VERB_PUT:
		plan_put(job, item, number);
		break;
	}
	item->computed = false;
	atomic_fetch_add(&job->bytes, (item->read_count + item->write_count) * job->piece);
	return true;
}

/* ---- what is done with the bytes */

static void sum_blocks(struct job *job, const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t at = 0; at < size; at += BLOCK)
		sum ^= crc32_gzip_refl((uint32_t)at, bytes + at, BLOCK);
	atomic_fetch_xor(&job->sink, sum);
}

/* Without an early exit: the bytes are no codeword, but comparing must cost as if they were. */
static void compare(struct job *job, const uint8_t *a, const uint8_t *b, size_t size)
{
	const uint64_t *x = (const void *)a, *y = (const void *)b;
	uint64_t differs = 0;

	for (size_t i = 0; i < size / sizeof(*x); i++)
		differs |= x[i] ^ y[i];
	atomic_fetch_xor(&job->sink, (unsigned)differs);
}

/* checks = equations of the data columns, `size` bytes from `at`. */
static void encode(struct job *job, const struct item *item, uint8_t *const *checks, size_t at,
		   size_t size)
{
	uint32_t data = job->width - job->checks;
	unsigned char *vectors[FILES_MAX + CHECKS_MAX];
	unsigned char *targets[CHECKS_MAX];
	int refused = 0;

	for (uint32_t i = 0; i < data; i++)
		vectors[i] = column(job, item, i) + at;
	for (uint32_t j = 0; j < job->checks; j++)
		vectors[data + j] = targets[j] = checks[j] + at;
	if (data == 1)
		memcpy(targets[0], vectors[0], size);
	else if (job->checks == 1)
		refused = xor_gen((int)data + 1, (int)size, (void **)vectors);
	else if (job->checks == 2)
		refused = pq_gen((int)data + 2, (int)size, (void **)vectors);
	else
		ec_encode_data((int)size, (int)data, (int)job->checks, job->tables, vectors,
			       targets);
	if (refused)
		die("ISA-L refuses %u sources", data);
}

/* Copies are compared with each other; else compute what the checks should be, and compare. */
static void verify(struct job *job, const struct item *item, size_t at, size_t size)
{
	uint32_t data = job->width - job->checks;
	uint8_t *checks[CHECKS_MAX];

	for (uint32_t j = 0; j < job->checks; j++)
		checks[j] = data == 1 ? column(job, item, 0) : column(job, item, job->width + j);
	if (data > 1)
		encode(job, item, checks, at, size);
	for (uint32_t j = 0; j < job->checks; j++)
		compare(job, column(job, item, data + j) + at, checks[j] + at, size);
}

static void make_checks(struct job *job, const struct item *item, size_t at, size_t size)
{
	uint32_t data = job->width - job->checks;
	uint8_t *checks[CHECKS_MAX];

	for (uint32_t j = 0; j < job->checks; j++)
		checks[j] = column(job, item, data + j);
	encode(job, item, checks, at, size);
	for (uint32_t j = 0; j < job->checks; j++)
		sum_blocks(job, checks[j] + at, size);
}

/* After all reads, before the writes: tile by tile. */
static void compute(struct job *job, struct item *item)
{
	item->computed = true;
	if (job->verb == VERB_READ)
		return;
	for (size_t at = 0; at < job->piece; at += TILE) {
		size_t size = job->piece - at < TILE ? job->piece - at : TILE;

		for (uint32_t i = 0; job->direct && i < item->read_count; i++)
			sum_blocks(job, item->reads[i].bytes + at, size);
		if (job->verb == VERB_SCRUB)
			verify(job, item, at, size);
		else
			make_checks(job, item, at, size);
	}
}

/* ---- plain calls */

static void transfer(const struct job *job, const struct op *op, bool write)
{
	ssize_t done = write ? pwrite(op->fd, op->bytes, job->piece, (off_t)op->offset)
			     : pread(op->fd, op->bytes, job->piece, (off_t)op->offset);

	if (done < 0 || (size_t)done != job->piece)
		die("%s of %zu bytes at %llu: %s", write ? "write" : "read", job->piece,
		    (unsigned long long)op->offset, done < 0 ? strerrordesc_np(errno) : "short");
}

static void work_cached(struct job *job, struct item *item)
{
	while (item_take(job, item)) {
		for (uint32_t i = 0; i < item->read_count; i++) {
			transfer(job, &item->reads[i], false);
			if (job->verb != VERB_READ) /* while it is in the cache */
				sum_blocks(job, item->reads[i].bytes, job->piece);
		}
		compute(job, item);
		for (uint32_t i = 0; i < item->write_count; i++)
			transfer(job, &item->writes[i], true);
	}
}

/* ---- io_uring: while one set is computed, the others are in flight */

static void submit(struct job *job, struct io_uring *ring, struct item *item, uint32_t set)
{
	const struct op *ops = item->computed ? item->writes : item->reads;

	item->waits = item->computed ? item->write_count : item->read_count;
	for (uint32_t i = 0; i < item->waits; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		const struct op *op = &ops[i];

		if (!sqe)
			die("the ring is full");
		if (item->computed)
			io_uring_prep_write(sqe, op->fd, op->bytes, (unsigned)job->piece,
					    op->offset);
		else
			io_uring_prep_read(sqe, op->fd, op->bytes, (unsigned)job->piece,
					   op->offset);
		io_uring_sqe_set_data64(sqe, set);
	}
	if (io_uring_submit(ring) != (int)item->waits)
		die("io_uring_submit failed");
}

/* All operations of a set are back: on to its next step. Returns whether it is in flight again. */
static bool advance(struct job *job, struct io_uring *ring, struct item *item, uint32_t set)
{
	if (!item->computed) {
		compute(job, item);
		if (item->write_count) {
			submit(job, ring, item, set);
			return true;
		}
	}
	if (!item_take(job, item))
		return false;
	submit(job, ring, item, set);
	return true;
}

static void work_direct(struct job *job, struct item *items)
{
	struct io_uring ring;
	uint32_t busy = 0;

	if (io_uring_queue_init(SETS_MAX * FILES_MAX, &ring, 0))
		die("no io_uring");
	for (uint32_t set = 0; set < job->sets && item_take(job, &items[set]); set++, busy++)
		submit(job, &ring, &items[set], set);
	while (busy) {
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe(&ring, &cqe))
			continue;
		uint32_t set = (uint32_t)io_uring_cqe_get_data64(cqe);
		struct item *item = &items[set];

		if (cqe->res < 0 || (size_t)cqe->res != job->piece)
			die("direct I/O: %s", cqe->res < 0 ? strerrordesc_np(-cqe->res) : "short");
		io_uring_cqe_seen(&ring, cqe);
		if (--item->waits == 0 && !advance(job, &ring, item, set))
			busy--;
	}
	io_uring_queue_exit(&ring);
}

/* ---- threads and time */

struct worker {
	struct job *job;
	struct item items[SETS_MAX];
	pthread_t thread;
};

static void *worker_run(void *arg)
{
	struct worker *worker = arg;

	if (worker->job->direct)
		work_direct(worker->job, worker->items);
	else
		work_cached(worker->job, &worker->items[0]);
	return NULL;
}

static void worker_init(struct worker *worker, struct job *job)
{
	size_t size = (job->width + job->checks) * job->piece;

	worker->job = job;
	for (uint32_t set = 0; set < job->sets; set++) {
		worker->items[set].buffers = aligned_alloc(BLOCK, size);
		if (!worker->items[set].buffers)
			die("no memory");
		memset(worker->items[set].buffers, 1, size);
	}
}

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void job_run(struct job *job)
{
	static struct worker workers[THREADS_MAX];

	for (uint32_t i = 0; i < job->threads; i++)
		worker_init(&workers[i], job);

	double begin = now_seconds(), cpu = cpu_seconds();

	for (uint32_t i = 0; i < job->threads; i++) {
		if (pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]))
			die("no thread");
	}
	for (uint32_t i = 0; i < job->threads; i++)
		pthread_join(workers[i].thread, NULL);
	for (uint32_t i = 0; i < job->out_count; i++) {
		if (fdatasync(job->out[i]))
			die("fdatasync: %s", strerrordesc_np(errno));
	}
	printf("{\"what\":\"%s\",\"bytes\":%llu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,"
	       "\"threads\":%u,\"piece\":%zu,\"sets\":%u,\"direct\":%s}\n",
	       verb_names[job->verb], (unsigned long long)job->bytes, now_seconds() - begin,
	       cpu_seconds() - cpu, job->threads, job->piece, job->sets,
	       job->direct ? "true" : "false");
}

/* ---- files */

static uint64_t file_size(int fd)
{
	struct stat facts;

	if (fstat(fd, &facts))
		die("fstat: %s", strerrordesc_np(errno));
	return (uint64_t)facts.st_size;
}

/* Bytes of data, no holes, in first..end-1. */
static uint64_t data_within(int fd, uint64_t first, uint64_t end)
{
	uint64_t sum = 0;

	while (first < end) {
		off_t data = lseek(fd, (off_t)first, SEEK_DATA);

		if (data < 0 || (uint64_t)data >= end)
			break;
		off_t hole = lseek(fd, data, SEEK_HOLE);
		uint64_t stop = hole < 0 || (uint64_t)hole > end ? end : (uint64_t)hole;

		sum += stop - (uint64_t)data;
		first = stop;
	}
	return sum;
}

/* The granules in which every file has data; returns how many. */
static uint64_t granules_find(struct job *job)
{
	uint64_t size = file_size(job->in[0]), count = 0;

	for (uint32_t i = 1; i < job->in_count; i++)
		size = file_size(job->in[i]) < size ? file_size(job->in[i]) : size;
	job->granules = calloc((size_t)(size / GRANULE) + 1, sizeof(*job->granules));
	if (!job->granules)
		die("no memory");
	for (uint64_t at = 0; at + GRANULE <= size; at += GRANULE) {
		bool full = true;

		for (uint32_t i = 0; full && i < job->in_count; i++)
			full = data_within(job->in[i], at, at + GRANULE) >= GRANULE_DATA_MIN;
		if (full)
			job->granules[count++] = at;
	}
	if (count == 0)
		die("there is no MiB in which all files have data");
	return count;
}

static int file_open(const struct job *job, const char *path, bool create)
{
	int flags = (create ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY) | (job->direct ? O_DIRECT : 0);
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		die("%s: %s", path, strerrordesc_np(errno));
	return fd;
}

static void files_open(struct job *job, char **paths, uint32_t count)
{
	bool put = job->verb == VERB_PUT, rebuild = job->verb == VERB_REBUILD;

	if (count == 0 || count > FILES_MAX)
		die("%u files", count);
	for (uint32_t i = 0; i < count; i++) {
		bool create = put ? i > 0 : rebuild && i == 0;
		int fd = file_open(job, paths[i], create);

		if (create)
			job->out[job->out_count++] = fd;
		else
			job->in[job->in_count++] = fd;
	}
}

/* As members are made: sparse, of their whole size. */
static void outs_size(struct job *job, uint64_t size)
{
	for (uint32_t i = 0; i < job->out_count; i++) {
		if (ftruncate(job->out[i], (off_t)size) || fsync(job->out[i]))
			die("ftruncate: %s", strerrordesc_np(errno));
	}
}

static void items_count(struct job *job)
{
	uint64_t pieces = GRANULE / job->piece;
	uint32_t data = job->width - job->checks;

	switch (job->verb) {
	case VERB_READ:
	case VERB_SCRUB:
		job->item_count = granules_find(job) * pieces * (job->in_count / job->width);
		break;
	case VERB_REBUILD:
		job->item_count = granules_find(job) * pieces;
		outs_size(job, file_size(job->in[0]));
		break;
	case VERB_PUT:
		job->item_count = file_size(job->in[0]) / (data * job->piece);
		outs_size(job, (job->item_count / (job->out_count / job->width) + 1) * job->piece);
		break;
	}
}

/* Coefficient of data i in check j: 2^(j*i), as parity groups have them. */
static void tables_make(struct job *job)
{
	unsigned char coefficients[CHECKS_MAX * FILES_MAX];
	uint32_t data = job->width - job->checks;

	for (uint32_t j = 0; j < job->checks; j++) {
		unsigned char step = (unsigned char)(1u << j), power = 1;

		for (uint32_t i = 0; i < data; i++) {
			coefficients[j * data + i] = power;
			power = gf_mul(power, step);
		}
	}
	ec_init_tables((int)data, (int)job->checks, coefficients, job->tables);
}

static void shape_check(struct job *job)
{
	uint32_t members = job->verb == VERB_PUT ? job->out_count : job->in_count;

	if (job->verb == VERB_REBUILD)
		members = job->width = job->in_count + 1;
	if (job->verb == VERB_READ || job->width == 0)
		job->width = members;
	if (job->verb == VERB_READ || job->verb == VERB_REBUILD)
		job->checks = job->verb == VERB_REBUILD;
	if (members == 0 || job->width > FILES_MAX || members % job->width ||
	    job->checks >= job->width || job->checks > CHECKS_MAX)
		die("%u files, groups of %u with %u checks", members, job->width, job->checks);
	if (job->piece < BLOCK || GRANULE % job->piece || job->threads == 0 ||
	    job->threads > THREADS_MAX || job->sets == 0 || job->sets > SETS_MAX)
		die("pieces of %zu bytes, %u threads, %u sets", job->piece, job->threads,
		    job->sets);
}

static void options_read(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "direct", no_argument, NULL, 'd' },
		{ "threads", required_argument, NULL, 't' },
		{ "piece", required_argument, NULL, 'p' },
		{ "sets", required_argument, NULL, 's' },
		{ "width", required_argument, NULL, 'w' },
		{ "checks", required_argument, NULL, 'c' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		switch (option) {
		case 'd':
			job->direct = true;
			break;
		case 't':
			job->threads = number;
			break;
		case 'p':
			job->piece = number;
			break;
		case 's':
			job->sets = number;
			break;
		case 'w':
			job->width = number;
			break;
		case 'c':
			job->checks = number;
			break;
		default:
			die("ceiling [--direct] [--threads N] [--piece BYTES] [--sets N] "
			    "[--width N] [--checks N] read|scrub|rebuild|put FILE…");
		}
	}
}

int main(int argc, char **argv)
{
	static struct job job = { .threads = 1, .sets = 1, .piece = 128 * 1024, .checks = 1 };
	uint32_t verb = 0;

	options_read(&job, argc, argv);
	if (optind == argc)
		die("what? read, scrub, rebuild or put");
	while (verb <= VERB_PUT && strcmp(argv[optind], verb_names[verb]) != 0)
		verb++;
	if (verb > VERB_PUT)
		die("%s: what? read, scrub, rebuild or put", argv[optind]);
	job.verb = (enum verb)verb;
	files_open(&job, argv + optind + 1, (uint32_t)(argc - optind - 1));
	shape_check(&job);
	tables_make(&job);
	items_count(&job);
	job_run(&job);
	return 0;
}
