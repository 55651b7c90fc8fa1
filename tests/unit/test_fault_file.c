/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fault files: aim is that bad places outlive the process until they are written, and that a file that is
 * not understood is refused. Method: a simulated disk under the wrapper, a file in a folder of its own; the
 * file is read again after each step and compared with what a disk would do.
 */
#include "cli/fault_file.h"
#include "core/base/mem.h"
#include "core/env/env.h"
#include "tests/unit/corpus_help.h"
#include "tests/unit/faults_try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DISK_SIZE (64u * BLOCK_SIZE)

struct place {
	char folder[64];
	char image[80];
	char faults[96];
};

static int setup(void **state)
{
	struct place *place = mem_calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->folder, sizeof(place->folder), "/tmp/pgctl-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->image, sizeof(place->image), "%s/a.img", place->folder);
	snprintf(place->faults, sizeof(place->faults), "%s.faults", place->image);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->faults);
	assert_int_equal(rmdir(place->folder), 0); /* nothing else was left behind */
	mem_free(place);
	return 0;
}

static void file_write(const struct place *place, const char *text)
{
	FILE *file = fopen(place->faults, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* The file says exactly these: offset, size, … 0 at the end of the pairs. */
static void assert_faults(const struct place *place, const uint64_t *pairs, size_t count)
{
	struct fault_list list = { 0 };
	struct err err = { 0 };

	assert_int_equal(fault_file_read(&list, place->image, &err), 0);
	assert_int_equal(list.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list.at[i].kind, FAULT_READ_ERROR);
		assert_true(list.at[i].offset == pairs[2 * i]);
		assert_true(list.at[i].size == pairs[2 * i + 1]);
	}
	fault_list_reset(&list);
	assert_int_equal(access(place->faults, F_OK) == 0, count > 0);
}

static void read_back(void **state)
{
	struct place *place = *state;
	struct fault fault = { .kind = FAULT_READ_ERROR, .offset = 8192, .size = 4096 };
	struct err err = { 0 };

	assert_faults(place, NULL, 0);
	assert_int_equal(fault_file_add(place->image, &fault, &err), 0);
	fault.offset = 0;
	assert_int_equal(fault_file_add(place->image, &fault, &err), 0);
	assert_faults(place, (uint64_t[]){ 8192, 4096, 0, 4096 }, 2);
	assert_int_equal(fault_file_clear(place->image, &err), 0);
	assert_faults(place, NULL, 0);
	assert_int_equal(fault_file_clear(place->image, &err), 0);
}

static void comments(void **state)
{
	struct place *place = *state;

	file_write(place, "# by hand\n\n  read-error\t4096 512 # one sector\r\nread-error 0 1");
	assert_faults(place, (uint64_t[]){ 4096, 512, 0, 1 }, 2);
}

static void refused(void **state)
{
	static const char *const cases[] = {
		"flip 0 4096\n",
		"read-error\n",
		"read-error 1\n",
		"read-error 0 0\n",
		"read-error -1 4\n",
		"read-error 1 2 3\n",
		"read-error x 4\n",
		"read-error 18446744073709551615 1\n",
		"read-error 18446744073709551616 1\n",
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fault_list list = { 0 };
		struct err err = { 0 };

		file_write(place, "# first\n");
		file_write(place, cases[i]);
		assert_int_equal(fault_file_read(&list, place->image, &err), ERR_FORMAT);
		assert_non_null(strstr(err.text, "line 1"));
		assert_null(list.at);
	}
}

static struct dev *wrapped(const struct place *place, size_t *count_out)
{
	struct err err = { 0 };
	struct dev *dev;

	assert_int_equal(dev_sim_open(&dev, env_threads(), place->image, DISK_SIZE), 0);
	assert_int_equal(fault_file_wrap(&dev, dev, place->image, count_out, &err), 0);
	return dev;
}

/* Reads fail where the file says; a write heals its part, in the file at once, and only that. */
static void healed_by_a_write(void **state)
{
	struct place *place = *state;
	uint8_t *bytes = mem_pages(4 * BLOCK_SIZE);
	struct dev *dev;
	size_t count;

	assert_non_null(bytes);
	file_write(place, "read-error 16384 16384\nread-error 65536 100\n");
	dev = wrapped(place, &count);
	assert_int_equal(count, 2);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 16384, bytes, BLOCK_SIZE), ERR_IO);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 65536, bytes, BLOCK_SIZE), ERR_IO);

	/* beside it: nothing changes; in the middle: two places are left; over all: none */
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 32768, bytes, BLOCK_SIZE), 0);
	assert_faults(place, (uint64_t[]){ 16384, 16384, 65536, 100 }, 2);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 20480, bytes, BLOCK_SIZE), 0);
	assert_faults(place, (uint64_t[]){ 16384, 4096, 24576, 8192, 65536, 100 }, 3);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 20480, bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 24576, bytes, BLOCK_SIZE), ERR_IO);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 16384, bytes, 4 * BLOCK_SIZE), 0);
	assert_faults(place, (uint64_t[]){ 65536, 100 }, 1);
	dev_close(dev);

	/* the next process meets what is left */
	dev = wrapped(place, &count);
	assert_int_equal(count, 1);
	assert_int_equal(io_read(dev, IO_ROLE_DATA, 65536, bytes, BLOCK_SIZE), ERR_IO);
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 65536, bytes, BLOCK_SIZE), 0);
	assert_faults(place, NULL, 0);
	dev_close(dev);
	mem_pages_free(bytes);
}

static bool deny_at(void *arg)
{
	unsigned *left = arg;

	return (*left)-- == 0;
}

/* Whichever allocation fails, the device below is still the caller's. */
static void out_of_memory(void **state)
{
	struct place *place = *state;
	bool whole = false;

	file_write(place, "read-error 0 4096\n");
	for (unsigned at = 0; !whole; at++) {
		struct dev *below, *dev;
		struct err err = { 0 };
		unsigned left = at;
		size_t count;
		int rc;

		assert_int_equal(dev_sim_open(&below, env_threads(), place->image, DISK_SIZE), 0);
		mem_set_hook(deny_at, &left);
		rc = fault_file_wrap(&dev, below, place->image, &count, &err);
		mem_set_hook(NULL, NULL);
		whole = rc == 0;
		assert_true(whole || rc == ERR_NOMEM);
		dev_close(whole ? dev : below);
		assert_true(at < 32);
	}
}

static bool replay(uint8_t *bytes, size_t size)
{
	return faults_try(bytes, size);
}

/* Seeds of fuzz-faults, and what it found worth keeping. */
static void corpus_is_read(void **state)
{
	struct corpus_count count = corpus_replay("faults", replay, NULL);

	(void)state;
	assert_true(count.files >= 6 && count.true_count >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read),
		cmocka_unit_test_setup_teardown(read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(comments, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(healed_by_a_write, setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
