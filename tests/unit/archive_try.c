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
