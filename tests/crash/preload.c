/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loaded in front of the C library (LD_PRELOAD): ends the process at its k-th call that changes a file.
 *
 * Counted are writes, fallocate, truncation and flushes of regular files and block devices, standard
 * streams excepted, in the order in which the tasks come. io_uring passes by: run pgctl with `--io sync`.
 *
 *	CRASH_LOG	file that gets one letter a call: w write, z fallocate, t truncate, f flush
 *	CRASH_AT	the call, 1 is the first; without it only the log is written
 *	CRASH_HOW	before, torn (half of its bytes are written, then death; other calls: before), after
 *			(it is done, nobody hears of it), eio or enospc (it fails, once)
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512u

enum how { HOW_BEFORE, HOW_TORN, HOW_AFTER, HOW_EIO, HOW_ENOSPC, HOW_COUNT };

/* The functions of the C library that stand behind those here. */
struct real {
	ssize_t (*write)(int fd, const void *bytes, size_t size);
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t offset);
	int (*fallocate)(int fd, int mode, off_t offset, off_t size);
	int (*ftruncate)(int fd, off_t size);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
};

static struct {
	pthread_once_t once;
	struct real real;
	pthread_mutex_t mutex;
	int log; /* -1: none */
	unsigned long calls, at;
	enum how how;
} crash = { .once = PTHREAD_ONCE_INIT, .mutex = PTHREAD_MUTEX_INITIALIZER, .log = -1 };

/* The next `name` behind this library. ISO C has no cast from an object to a function. */
static void function_find(void *function_out, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	memcpy(function_out, &symbol, sizeof(symbol));
}

static void crash_prepare(void)
{
	static const char *const names[HOW_COUNT] = { "before", "torn", "after", "eio", "enospc" };
	const char *log = getenv("CRASH_LOG"), *at = getenv("CRASH_AT"), *how = getenv("CRASH_HOW");

	function_find(&crash.real.write, "write");
	function_find(&crash.real.pwritev, "pwritev");
	function_find(&crash.real.fallocate, "fallocate");
	function_find(&crash.real.ftruncate, "ftruncate");
	function_find(&crash.real.fdatasync, "fdatasync");
	function_find(&crash.real.fsync, "fsync");
	if (log)
		crash.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (at)
		crash.at = strtoul(at, NULL, 10);
	for (int i = 0; how && i < HOW_COUNT; i++) {
		if (strcmp(how, names[i]) == 0)
			crash.how = (enum how)i;
	}
}

static void crash_begin(void)
{
	pthread_once(&crash.once, crash_prepare);
}

static bool is_counted(int fd)
{
	struct stat facts;

	return fd > STDERR_FILENO && fd != crash.log && fstat(fd, &facts) == 0 &&
	       (S_ISREG(facts.st_mode) || S_ISBLK(facts.st_mode) || S_ISDIR(facts.st_mode));
}

/* Count a call; true when it is the one. */
static bool is_struck(int fd, char letter)
{
	int number = errno;
	bool struck;

	crash_begin();
	if (!is_counted(fd)) {
		errno = number;
		return false;
	}
	pthread_mutex_lock(&crash.mutex);
	struck = ++crash.calls == crash.at;
	if (crash.log >= 0 && crash.real.write(crash.log, &letter, 1) != 1)
		abort();
	pthread_mutex_unlock(&crash.mutex);
	errno = number;
	return struck;
}

static void die(void)
{
	raise(SIGKILL);
}

/* Before the call that is struck. True: the call has to fail, errno says how. */
static bool strike_before(void)
{
	if (crash.how == HOW_EIO || crash.how == HOW_ENOSPC) {
		errno = crash.how == HOW_EIO ? EIO : ENOSPC;
		return true;
	}
	if (crash.how != HOW_AFTER)
		die();
	return false;
}

static void strike_after(void)
{
	if (crash.how == HOW_AFTER)
		die();
}

/* ---- writes */

/* The first half of the bytes, in whole sectors as a disk would have it. */
static void write_half(int fd, const struct iovec *iov, int count, off_t offset)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	size = size / 2 / SECTOR * SECTOR;
	for (int i = 0; i < count && size; i++) {
		struct iovec part = iov[i];

		if (part.iov_len > size)
			part.iov_len = size;
		if (crash.real.pwritev(fd, &part, 1, offset) != (ssize_t)part.iov_len)
			abort();
		offset += (off_t)part.iov_len;
		size -= part.iov_len;
	}
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	bool struck = is_struck(fd, 'w');
	ssize_t rc;

	if (struck && crash.how == HOW_TORN)
		write_half(fd, iov, count, offset);
	if (struck && strike_before())
		return -1;
	rc = crash.real.pwritev(fd, iov, count, offset);
	if (struck)
		strike_after();
	return rc;
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t offset)
{
	return pwritev(fd, iov, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	/* iovec has no const; nothing is written through it. */
	const struct iovec iov = { (void *)(size_t)bytes, size };

	return pwritev(fd, &iov, 1, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	return pwrite(fd, bytes, size, offset);
}

/* A write at the file's own place is not torn; no member is written so. */
ssize_t write(int fd, const void *bytes, size_t size)
{
	bool struck = is_struck(fd, 'w');
	ssize_t rc;

	if (struck && strike_before())
		return -1;
	rc = crash.real.write(fd, bytes, size);
	if (struck)
		strike_after();
	return rc;
}

/* Not passed on: whoever begins to use it has to say here what its flags mean. */
ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	(void)fd;
	(void)iov;
	(void)count;
	(void)offset;
	(void)flags;
	abort();
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
	return pwritev2(fd, iov, count, offset, flags);
}

/* ---- space */

int fallocate(int fd, int mode, off_t offset, off_t size)
{
	bool struck = is_struck(fd, 'z');
	int rc;

	if (struck && crash.how == HOW_TORN)
		(void)crash.real.fallocate(fd, mode, offset, (size / 2 + SECTOR) / SECTOR * SECTOR);
	if (struck && strike_before())
		return -1;
	rc = crash.real.fallocate(fd, mode, offset, size);
	if (struck)
		strike_after();
	return rc;
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
	return fallocate(fd, mode, offset, size);
}

int ftruncate(int fd, off_t size)
{
	bool struck = is_struck(fd, 't');
	int rc;

	if (struck && strike_before())
		return -1;
	rc = crash.real.ftruncate(fd, size);
	if (struck)
		strike_after();
	return rc;
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

/* ---- flushes */

static int flush(int fd, int (*real)(int fd))
{
	bool struck = is_struck(fd, 'f');
	int rc;

	if (struck && strike_before())
		return -1;
	rc = real(fd);
	if (struck)
		strike_after();
	return rc;
}

int fdatasync(int fd)
{
	crash_begin();
	return flush(fd, crash.real.fdatasync);
}

int fsync(int fd)
{
	crash_begin();
	return flush(fd, crash.real.fsync);
}

/* No flush: it leaves out the disk's own cache. */
int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
	(void)fd;
	(void)offset;
	(void)size;
	(void)flags;
	abort();
}
