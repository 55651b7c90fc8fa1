/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/corpus_help.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECONDS_MAX 20u   /* also with sanitizers on a busy machine */
#define FUZZER_DIGITS 40u /* of SHA-1 */

/* A block of its own size, so that the sanitizer sees where it ends. */
static uint8_t *file_read(const char *path, size_t *size_out)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	bytes = malloc((size_t)size + (size == 0));
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)size, file), size);
	fclose(file);
	*size_out = (size_t)size;
	return bytes;
}

static bool fuzzer_named(const char *name)
{
	return strspn(name, "0123456789abcdef") == FUZZER_DIGITS && strlen(name) == FUZZER_DIGITS;
}

struct corpus_count corpus_replay(const char *name, bool (*try_it)(uint8_t *bytes, size_t size),
				  void (*vary)(uint8_t *bytes, size_t size))
{
	struct corpus_count count = { 0 };
	const struct dirent *entry;
	char path[512];
	DIR *folder;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		uint8_t *bytes;
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name, entry->d_name);
		bytes = file_read(path, &size);
		alarm(SECONDS_MAX);
		count.true_count += try_it(bytes, size);
		if (vary && !fuzzer_named(entry->d_name))
			vary(bytes, size);
		alarm(0);
		free(bytes);
		count.files++;
	}
	closedir(folder);
	return count;
}
