/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/image.h"

#include "core/base/mem.h"
#include "core/base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)1 << 20)

/* Open a regular file and nothing else. */
static int file_open(int *fd_out, const char *path, int flags, struct err *err)
{
	struct stat facts;
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

	if (fd < 0)
		return err_set(err, errno == EEXIST ? ERR_EXISTS : ERR_ACCESS, "%s: %s", path,
			       strerrordesc_np(errno));
	if (fstat(fd, &facts) || !S_ISREG(facts.st_mode)) {
		close(fd);
		return err_set(err, ERR_KIND, "%s is no image file", path);
	}
	*fd_out = fd;
	return 0;
}

int image_resize(const char *path, uint64_t size, struct err *err)
{
	int fd, rc;

	if (size > INT64_MAX)
		return err_set(err, ERR_SIZE, "%s: no file can be so large", path);
	rc = file_open(&fd, path, O_WRONLY, err);
	if (rc)
		return rc;
	if (ftruncate(fd, (off_t)size) || fsync(fd))
		rc = err_set(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, "%s: %s", path,
			     strerrordesc_np(errno));
	close(fd);
	return rc;
}

/* One run of data, which begins at `from`. False with errno. */
static bool run_copy(int source, int target, off_t from, off_t end, char *piece)
{
	while (from < end) {
		size_t wanted = (size_t)size_min((uint64_t)(end - from), PIECE_SIZE);
		ssize_t got = pread(source, piece, wanted, from);

		if (got <= 0 || pwrite(target, piece, (size_t)got, from) != got)
			return false;
		from += got;
	}
	return true;
}

/* `target` has the size already and is empty. False with errno. */
static bool data_copy(int source, int target, char *piece)
{
	off_t end = 0;

	for (;;) {
		off_t begin = lseek(source, end, SEEK_DATA);

		if (begin < 0)
			return errno == ENXIO;
		end = lseek(source, begin, SEEK_HOLE);
		if (end < 0 || !run_copy(source, target, begin, end, piece))
			return false;
	}
}

static int image_copy(int source, int target, const char *to, struct err *err)
{
	char *piece = mem_calloc(1, PIECE_SIZE);
	struct stat facts;
	int rc = piece ? 0 : err_set(err, ERR_NOMEM, "no memory to copy an image");

	if (rc == 0 &&
	    (fstat(source, &facts) || ftruncate(target, 0) || ftruncate(target, facts.st_size) ||
	     !data_copy(source, target, piece) || fsync(target)))
		rc = err_set(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO,
			     "%s: %s; a part of it was written", to, strerrordesc_np(errno));
	mem_free(piece);
	return rc;
}

static int files_copy(const char *from, const char *to, int flags, struct err *err)
{
	int source, target, rc;

	rc = file_open(&source, from, O_RDONLY, err);
	if (rc)
		return rc;
	rc = file_open(&target, to, O_WRONLY | flags, err);
	if (rc == 0) {
		rc = image_copy(source, target, to, err);
		close(target);
	}
	close(source);
	return rc;
}

int image_clone(const char *path, const char *to, struct err *err)
{
	return files_copy(path, to, O_CREAT | O_EXCL | O_NOFOLLOW, err);
}

int image_roll_back(const char *path, const char *from, struct err *err)
{
	struct stat first, second;

	/* The target is emptied first: of one file nothing would be left. */
	if (stat(path, &first) == 0 && stat(from, &second) == 0 && first.st_dev == second.st_dev &&
	    first.st_ino == second.st_ino)
		return err_set(err, ERR_DUPLICATE, "%s and %s are the same file", path, from);
	return files_copy(from, path, 0, err);
}
