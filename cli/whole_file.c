/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/whole_file.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/env/env.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIVATE_MODE 0600
#define PUBLIC_MODE 0666      /* before umask */
#define DIRECT_MIN (1u << 20) /* below it the page cache is as fast */
#define NAME_TRIES 16u        /* 64 random bits each: a second try already means mischief */
#define TEMPORARY_SIZE 32u
#define PART_SUFFIX ".part"
#define CLEAR_STEP ((size_t)64 << 10) /* of zeros written where a file system makes no holes */

struct whole_file {
	const char *path; /* borrowed */
	const char *name; /* last part of path */
	int directory;
	int fd;
	int direct; /* the same file past the page cache, or -1 */
	bool replace;
	bool committed;
	bool kept;       /* left behind without a commit */
	bool in_place;   /* the wanted name itself */
	char *temporary; /* owned */
};

static int code_of(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_NOSPACE;
	case ENOMEM:
		return ERR_NOMEM;
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EIO:
		return ERR_IO;
	default:
		return ERR_ACCESS;
	}
}

static int fail(const struct whole_file *file, const char *what, struct err *err)
{
	int number = errno;

	err_set(err, code_of(number), "%s: %s: %s", file->path, what, strerrordesc_np(number));
	if (number == EEXIST)
		err_hint(err, "choose another name, or replace the file with --force");
	if (err->code == ERR_NOSPACE)
		err_hint(err, OUTPUT_ROOM_HINT);
	return err->code;
}

/* Open the directory and see that nobody else can put files of that name into it. */
static int directory_open(struct whole_file *file, struct err *err)
{
	size_t size = (size_t)(file->name - file->path);
	char *folder = size ? mem_strndup(file->path, size) : mem_strdup(".");
	struct stat facts;

	if (!folder)
		return err_set(err, ERR_NOMEM, "%s: no memory", file->path);
	file->directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mem_free(folder);
	if (file->directory < 0 || fstat(file->directory, &facts))
		return fail(file, "the directory cannot be opened", err);
	if ((facts.st_mode & S_IWOTH) && !(facts.st_mode & S_ISVTX)) {
		err_set(err, ERR_ACCESS,
			"%s: everybody may write to its directory, which has no sticky bit",
			file->path);
		return err_hint(err, "choose another directory, or: chmod +t DIR");
	}
	return 0;
}

static int name_check(const struct whole_file *file, struct err *err)
{
	struct stat facts;

	if (!*file->name || strcmp(file->name, ".") == 0 || strcmp(file->name, "..") == 0)
		return err_set(err, ERR_KIND, "%s is a directory", file->path);
	if (fstatat(file->directory, file->name, &facts, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : fail(file, "cannot be looked at", err);
	if (!S_ISREG(facts.st_mode)) {
		err_set(err, ERR_KIND, "%s exists and is not a regular file", file->path);
		return err_hint(err, "name a file; to write to a pipe or device use -o - and >");
	}
	if (!file->replace) {
		err_set(err, ERR_EXISTS, "%s exists already", file->path);
		return err_hint(err, "choose another name, or replace the file with --force");
	}
	return 0;
}

/* The same file again, past the page cache where the file system can. */
static void direct_open(struct whole_file *file)
{
	file->direct = openat(file->directory, file->temporary,
			      O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
}

static int temporary_create(struct whole_file *file, struct env *env, struct err *err)
{
	file->temporary = mem_calloc(TEMPORARY_SIZE, 1);
	if (!file->temporary)
		return err_set(err, ERR_NOMEM, "%s: no memory", file->path);
	for (unsigned i = 0; i < NAME_TRIES; i++) {
		uint64_t number;

		env_random(env, &number, sizeof(number));
		snprintf(file->temporary, TEMPORARY_SIZE, ".pgctl-%016" PRIx64, number);
		file->fd = openat(file->directory, file->temporary,
				  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, PRIVATE_MODE);
		if (file->fd >= 0) {
			direct_open(file);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return fail(file, "no file can be made in its directory", err);
}

/* Nothing but the name is known. */
static int file_begin(struct whole_file **file_out, const char *path, bool replace, struct err *err)
{
	struct whole_file *file = mem_calloc(1, sizeof(*file));
	const char *slash = strrchr(path, '/');

	if (!file)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	file->path = path;
	file->name = slash ? slash + 1 : path;
	file->directory = -1;
	file->fd = -1;
	file->direct = -1;
	file->replace = replace;
	*file_out = file;
	return directory_open(file, err);
}

int whole_file_create(struct whole_file **file_out, struct env *env, const char *path, bool replace,
		      struct err *err)
{
	struct whole_file *file = NULL;
	int rc = file_begin(&file, path, replace, err);

	if (rc == 0)
		rc = name_check(file, err);
	if (rc == 0)
		rc = temporary_create(file, env, err);
	if (rc)
		whole_file_close(file);
	else
		*file_out = file;
	return rc;
}

/* Open what an earlier run has left; false when there is nothing of that name. */
static bool part_take_up(struct whole_file *file, uint64_t size, int *rc_out, struct err *err)
{
	struct stat facts;

	file->kept = true; /* from now on, whatever happens */
	file->fd = openat(file->directory, file->temporary, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (file->fd < 0 && errno == ENOENT)
		return false;
	if (file->fd < 0 || fstat(file->fd, &facts)) {
		*rc_out = fail(file, "what an earlier run has left cannot be opened", err);
	} else if (!S_ISREG(facts.st_mode)) {
		*rc_out = err_set(err, ERR_KIND, "%s is not a regular file", file->temporary);
	} else if ((uint64_t)facts.st_size != size) {
		*rc_out = err_set(err, ERR_SIZE,
				  "%s: what an earlier run has left has %" PRIu64
				  " bytes, expected %" PRIu64,
				  file->path, (uint64_t)facts.st_size, size);
		err_hint(err, "begin anew, with --force and without --resume");
	}
	return true;
}

static int part_resume(struct whole_file *file, uint64_t size, struct err *err)
{
	int rc = 0;

	if (part_take_up(file, size, &rc, err))
		return rc;
	mem_free(file->temporary);
	file->temporary = mem_strdup(file->name);
	if (!file->temporary)
		return err_set(err, ERR_NOMEM, "%s: no memory", file->path);
	file->in_place = true;
	if (part_take_up(file, size, &rc, err))
		return rc;
	err_set(err, ERR_NOT_FOUND, "%s: there is nothing to go on with", file->path);
	return err_hint(err, "begin without --resume");
}

static int part_begin(struct whole_file *file, uint64_t size, struct err *err)
{
	int rc = name_check(file, err);

	if (rc)
		return rc;
	if (file->replace && unlinkat(file->directory, file->temporary, 0) && errno != ENOENT)
		return fail(file, "what an earlier run has left cannot be removed", err);
	file->fd = openat(file->directory, file->temporary,
			  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, PRIVATE_MODE);
	if (file->fd < 0 && errno == EEXIST) {
		err_set(err, ERR_EXISTS,
			"%s" PART_SUFFIX " exists: a run was stopped before its end", file->path);
		return err_hint(err, "go on with --resume, or begin anew with --force");
	}
	if (file->fd < 0 || ftruncate(file->fd, (off_t)size))
		return fail(file, "no file can be made in its directory", err);
	return 0;
}

int whole_file_create_part(struct whole_file **file_out, const char *path, uint64_t size,
			   bool resume, bool replace, struct err *err)
{
	struct whole_file *file = NULL;
	int rc = size > INT64_MAX ? err_set(err, ERR_SIZE, "%s: too large", path)
				  : file_begin(&file, path, replace, err);

	if (rc == 0) {
		size_t room = strlen(file->name) + sizeof(PART_SUFFIX);

		file->temporary = mem_calloc(room, 1);
		if (file->temporary)
			snprintf(file->temporary, room, "%s" PART_SUFFIX, file->name);
		else
			rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
	}
	if (rc == 0)
		rc = resume ? part_resume(file, size, err) : part_begin(file, size, err);
	if (rc == 0)
		direct_open(file);
	if (rc)
		whole_file_close(file);
	else
		*file_out = file;
	return rc;
}

void whole_file_keep(struct whole_file *file)
{
	file->kept = true;
}

/* Write all, or -1 with errno. */
static int write_all(int fd, const uint8_t *bytes, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t part = pwrite(fd, bytes, size, (off_t)offset);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return -1;
		bytes += part;
		offset += (uint64_t)part;
		size -= (size_t)part;
	}
	return 0;
}

/* How much from the start may go past the page cache: whole blocks, all aligned, and worth a wait. */
static size_t direct_part(const struct whole_file *file, const void *bytes, size_t size,
			  uint64_t offset)
{
	if (file->direct < 0 || size < DIRECT_MIN || ((uintptr_t)bytes | offset) % BLOCK_SIZE != 0)
		return 0;
	return size - size % BLOCK_SIZE;
}

int whole_file_write(struct whole_file *file, const void *bytes, size_t size, uint64_t offset,
		     struct err *err)
{
	size_t part = direct_part(file, bytes, size, offset);

	/* Some file systems want more alignment than a block: then all goes through the cache. */
	if (part > 0 && write_all(file->direct, bytes, part, offset)) {
		if (errno != EINVAL)
			return fail(file, "cannot be written", err);
		part = 0;
	}
	if (write_all(file->fd, (const uint8_t *)bytes + part, size - part, offset + part))
		return fail(file, "cannot be written", err);
	return 0;
}

int whole_file_clear(struct whole_file *file, uint64_t offset, uint64_t size, struct err *err)
{
	static const uint8_t zeros[CLEAR_STEP];
	size_t part;

	if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)size) == 0)
		return 0;
	for (; size > 0; size -= part, offset += part) {
		part = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);
		if (write_all(file->fd, zeros, part, offset))
			return fail(file, "cannot be written", err);
	}
	return 0;
}

int whole_file_flush(struct whole_file *file, struct err *err)
{
	return fsync(file->fd) ? fail(file, "cannot be flushed", err) : 0;
}

/* Give the file its name. Without `replace` one that appeared meanwhile stays. */
static int file_name(const struct whole_file *file)
{
	int from = file->directory;

	if (file->replace)
		return renameat(from, file->temporary, from, file->name);
	if (renameat2(from, file->temporary, from, file->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system without that flag. */
	if (linkat(from, file->temporary, from, file->name, 0))
		return -1;
	return unlinkat(from, file->temporary, 0);
}

int whole_file_commit(struct whole_file *file, struct err *err)
{
	mode_t mask = umask(0);

	umask(mask);
	if (file->in_place) {
		file->committed = true;
		return whole_file_flush(file, err);
	}
	if (fchmod(file->fd, PUBLIC_MODE & ~mask) || fsync(file->fd))
		return fail(file, "cannot be flushed", err);
	if (file_name(file))
		return fail(file, "cannot be given its name", err);
	file->committed = true;
	if (fsync(file->directory) && errno != EINVAL)
		return fail(file, "its directory cannot be flushed", err);
	return 0;
}

void whole_file_close(struct whole_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0) {
		if (!file->committed && !file->kept)
			unlinkat(file->directory, file->temporary, 0);
		close(file->fd);
	}
	if (file->direct >= 0)
		close(file->direct);
	if (file->directory >= 0)
		close(file->directory);
	mem_free(file->temporary);
	mem_free(file);
}
