/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/archive_try.h"

#include "formats/archive.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRIES_MAX 50u
#define ENTRY_READ_MAX (8u << 10)
#define NAME_MAX_HERE 256u
#define TAR_BLOCK 512u
#define INPUT_MAX 65536u /* of what is mended */

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void name_try(const char *path)
{
	char name[NAME_MAX_HERE], again[NAME_MAX_HERE];

	if (!archive_name_encode(name, sizeof(name), path))
		return;
	must(!strchr(name, '/') && strlen(name) < sizeof(name));
	must(archive_name_decode(again, sizeof(again), name) && strcmp(again, path) == 0);
	if (archive_path_is_tame(again))
		must(again[0] != '/' && strcmp(again, "..") != 0 && strncmp(again, "../", 3) != 0 &&
		     !strstr(again, "/../"));
}

static void told(void *arg, const char *name, const char *kind)
{
	unsigned *count = arg;

	must(name && kind && kind[0]);
	++*count;
}

static int entry_try(struct archive_reader *reader, const struct archive_file *file,
		     struct err *err)
{
	static uint8_t bytes[ENTRY_READ_MAX];
	size_t got = 0;
	int rc;

	must(file->name && file->name[0]);
	name_try(file->name);
	rc = archive_reader_read(reader, bytes, sizeof(bytes), &got, err);
	must(rc || got <= sizeof(bytes));
	return rc;
}

/* A file of these bytes, the same one each time. */
static int file_of(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static size_t before;

	if (fd < 0)
		fd = memfd_create("try", MFD_CLOEXEC);
	must(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	must(size >= before || ftruncate(fd, (off_t)size) == 0);
	must(lseek(fd, 0, SEEK_SET) == 0);
	before = size;
	return fd;
}

bool archive_try(const uint8_t *data, size_t size)
{
	unsigned left = 0;
	struct archive_input input = {
		.name = "try",
		.fd = file_of(data, size),
		.left_out = told,
		.left_arg = &left,
	};
	struct archive_reader *reader = NULL;
	struct archive_file file = { 0 };
	struct err err = { 0 };
	bool end = false;
	int rc = archive_reader_open(&reader, &input, &err);

	for (unsigned i = 0; rc == 0 && !end && i < ENTRIES_MAX; i++) {
		rc = archive_reader_next(reader, &file, &end, &err);
		if (rc == 0 && !end)
			rc = entry_try(reader, &file, &err);
	}
	must((rc == 0) == (err.code == 0));
	archive_reader_close(reader);
	return end;
}

static void header_mend(uint8_t *header)
{
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += header[i];
	for (size_t i = 6; i-- > 0; sum /= 8)
		header[148 + i] = (uint8_t)('0' + sum % 8);
	header[154] = 0;
}

/* Blocks from one header to where it says that the next one is. */
static void tar_mend(uint8_t *bytes, size_t size)
{
	size_t at = 0;

	while (at + TAR_BLOCK <= size) {
		char digits[13] = "";
		unsigned long content;

		header_mend(bytes + at);
		memcpy(digits, bytes + at + 124, 12);
		content = strtoul(digits, NULL, 8);
		at += TAR_BLOCK;
		at += content < size ? (content + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK : 0;
	}
}

bool archive_try_mended(const uint8_t *data, size_t size)
{
	static uint8_t bytes[INPUT_MAX];

	if (size > sizeof(bytes))
		return false;
	memcpy(bytes, data, size);
	if (size >= TAR_BLOCK && memcmp(bytes + 257, "ustar", 5) == 0)
		tar_mend(bytes, size);
	return archive_try(bytes, size);
}
