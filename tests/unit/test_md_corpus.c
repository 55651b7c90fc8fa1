/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The corpus of the fuzz program for Linux MD: real records of arrays that a kernel made, and what the
 * fuzzer found worth keeping. Aim: each still decodes or is refused without harm. Method: every file through
 * md_try(), whole, cut short, and with each of its first bytes changed.
 */
#include "tests/unit/md_try.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus/md"
#define INPUT_MAX 65536u

static size_t file_read(uint8_t *bytes, const char *name)
{
	char path[512];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	return size;
}

static void corpus_is_read(void **state)
{
	static uint8_t bytes[INPUT_MAX];
	DIR *folder = opendir(CORPUS);
	const struct dirent *entry;
	unsigned count = 0, decoded = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		size = file_read(bytes, entry->d_name);
		decoded += md_try(bytes, size);
		count++;
		md_try(bytes, size / 2);
		for (size_t at = 0; at < size && at < 300; at++) {
			bytes[at] ^= 0xff;
			md_try(bytes, size);
			bytes[at] ^= 0xff;
		}
	}
	closedir(folder);
	print_message("%u files, %u decode\n", count, decoded);
	assert_true(count >= 20 && decoded >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(corpus_is_read) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
