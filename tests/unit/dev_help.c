/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/dev_help.h"

#include "core/base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[200];

const struct dev_file_options for_reading = { .access = DEV_READ };
const struct dev_file_options for_writing = { .access = DEV_WRITE };

int directory_make(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/pgctl-dev-XXXXXX", parent ? parent : "/tmp");
	alarm(300); /* a test that hangs is a test that failed */
	return mkdtemp(directory) && chdir(directory) == 0 && chmod(".", 0755) == 0 ? 0 : -1;
}

int directory_remove(void **state)
{
	(void)state;
	return chdir("/") || rmdir(directory) ? -1 : 0;
}

struct dev *dev_of(const char *path, enum dev_engine engine, enum dev_access access,
		   uint64_t create_size)
{
	const struct dev_file_options options = {
		.access = access,
		.engine = engine,
		.create_size = create_size,
	};
	struct err err = { 0 };
	struct dev *dev = NULL;

	if (dev_file_open(&dev, env_threads(), path, &options, &err))
		fail_msg("%s", err.text);
	return dev;
}

void file_make(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

void refused(const char *path, const struct dev_file_options *options, int code, const char *fact)
{
	int free_before = dup(0), free_after;
	struct err err = { 0 };
	struct dev *dev = NULL;

	close(free_before);
	int rc = dev_file_open(&dev, env_threads(), path, options, &err);
	if (rc != code || !strstr(err.text, fact) || !strstr(err.text, path))
		fail_msg("%s: %d (%s), not %d with '%s'", path, rc, err.text, code, fact);
	assert_null(dev);
	free_after = dup(0);
	close(free_after);
	assert_int_equal(free_before, free_after);
}

void batch_round(struct dev *dev, struct dev *other, const char *path, struct rng *rng)
{
	enum { OPS = 150, BLOCKS = 3 };
	static struct io ios[OPS + 1];
	static struct iovec iov[OPS][BLOCKS];
	uint8_t *bytes = mem_pages(OPS * BLOCKS * BLOCK_SIZE);
	uint8_t *back = mem_pages(OPS * BLOCKS * BLOCK_SIZE);

	assert_non_null(bytes);
	assert_non_null(back);
	for (size_t i = 0; i < (size_t)OPS * BLOCKS * BLOCK_SIZE; i++)
		bytes[i] = (uint8_t)rng_next(rng);

	/* each write scatters its three blocks over memory in another order */
	for (size_t i = 0; i < OPS; i++) {
		for (size_t b = 0; b < BLOCKS; b++) {
			iov[i][b].iov_base = bytes + (i * BLOCKS + (b + i) % BLOCKS) * BLOCK_SIZE;
			iov[i][b].iov_len = BLOCK_SIZE;
		}
		ios[i] = (struct io){
			.dev = dev,
			.op = IO_WRITE,
			.offset = (uint64_t)(OPS - 1 - i) * BLOCKS * BLOCK_SIZE,
			.size = BLOCKS * BLOCK_SIZE,
			.iov = iov[i],
			.iov_count = BLOCKS,
			.result = 1,
		};
	}
	ios[OPS] = (struct io){ .dev = other, .op = IO_FLUSH };
	assert_int_equal(io_run(ios, OPS + 1), 0);
	for (size_t i = 0; i <= OPS; i++)
		assert_int_equal(ios[i].result, 0);
	assert_int_equal(io_flush(dev), 0);

	int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, back, (size_t)OPS * BLOCKS * BLOCK_SIZE, 0),
			 (ssize_t)OPS * BLOCKS * BLOCK_SIZE);
	close(fd);
	for (size_t i = 0; i < OPS; i++) {
		for (size_t b = 0; b < BLOCKS; b++)
			assert_memory_equal(back + ((OPS - 1 - i) * BLOCKS + b) * BLOCK_SIZE,
					    iov[i][b].iov_base, BLOCK_SIZE);
	}

	/* and by the device, into other memory */
	memset(back, 0xee, (size_t)OPS * BLOCKS * BLOCK_SIZE);
	for (size_t i = 0; i < OPS; i++) {
		ios[i].op = IO_READ;
		for (size_t b = 0; b < BLOCKS; b++)
			iov[i][b].iov_base = back + ((uint8_t *)iov[i][b].iov_base - bytes);
	}
	assert_int_equal(io_run(ios, OPS), 0);
	assert_memory_equal(bytes, back, (size_t)OPS * BLOCKS * BLOCK_SIZE);
	mem_pages_free(bytes);
	mem_pages_free(back);
}

bool deny_nth(void *arg)
{
	unsigned *left = arg;

	return (*left)-- == 0;
}
