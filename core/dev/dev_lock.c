/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/dev_lock.h"

#include "core/env/env.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* udev holds a shared lock on a disk while it looks at it, which ends by itself. */
#define BLOCK_LOCK_TRIES 20u
#define BLOCK_LOCK_WAIT_NS UINT64_C(50000000)

#define DELETED_SUFFIX " (deleted)"

/* The first line of a small file of the kernel, without its end; false when there is none. */
static bool line_read(char *line, int line_size, const char *path)
{
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fgets(line, line_size, file) != NULL;
	(void)fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

/* The next word from *at on, terminated in place; "" at the end. *at moves behind it. */
static char *word_next(char **at)
{
	char *word = *at + strspn(*at, " \n");
	size_t size = strcspn(word, " \n");

	*at = word + size + (word[size] != '\0');
	word[size] = '\0';
	return word;
}

/*
 * The process that a line of /proc/locks names, when it holds a flock on the file; else 0.
 * "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; those who wait have "->" before FLOCK.
 */
static long holder_of_line(char *line, const struct stat *stat)
{
	char place[64];
	long pid;

	(void)word_next(&line);
	if (strcmp(word_next(&line), "FLOCK") != 0)
		return 0;
	(void)word_next(&line);
	(void)word_next(&line);
	pid = strtol(word_next(&line), NULL, 10);
	snprintf(place, sizeof(place), "%02x:%02x:%ju", major(stat->st_dev), minor(stat->st_dev),
		 (uintmax_t)stat->st_ino);
	return pid > 0 && strcmp(word_next(&line), place) == 0 ? pid : 0;
}

/* The process that holds a flock on the file; 0 when the kernel does not say. */
static long holder_find(const struct stat *stat)
{
	FILE *file = fopen("/proc/locks", "re");
	char line[256];
	long holder = 0;

	if (!file)
		return 0;
	while (holder == 0 && fgets(line, sizeof(line), file))
		holder = holder_of_line(line, stat);
	(void)fclose(file);
	return holder;
}

static int busy_set(const struct stat *stat, const char *path, struct err *err)
{
	long pid = holder_find(stat);
	char comm_path[64], comm[64];

	if (pid == 0)
		return err_set(err, ERR_BUSY, "%s is in use by another process", path);
	if (pid == getpid())
		return err_set(err, ERR_BUSY, "%s is already open for writing in this process",
			       path);
	snprintf(comm_path, sizeof(comm_path), "/proc/%ld/comm", pid);
	if (line_read(comm, sizeof(comm), comm_path))
		err_set(err, ERR_BUSY, "%s is in use by process %ld (%s)", path, pid, comm);
	else
		err_set(err, ERR_BUSY, "%s is in use by process %ld", path, pid);
	return err_fact(err, "pid", "%ld", pid);
}

/* True when loop device `name` stands on the file. */
static bool loop_is_on(const char *name, const struct stat *stat_file)
{
	char path[300], backing[PATH_MAX + sizeof(DELETED_SUFFIX)];
	struct stat stat_backing;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	if (!line_read(backing, sizeof(backing), path))
		return false;
	return stat(backing, &stat_backing) == 0 && stat_backing.st_dev == stat_file->st_dev &&
	       stat_backing.st_ino == stat_file->st_ino;
}

static int loop_check(const struct stat *stat, const char *path, struct err *err)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	int rc = 0;

	if (!dir) /* no sysfs here, so nothing to ask */
		return 0;
	while (rc == 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4) != 0 || !loop_is_on(entry->d_name, stat))
			continue;
		rc = err_set(err, ERR_BUSY, "%s is in use by loop device /dev/%s", path,
			     entry->d_name);
		err_hint(err, "losetup --detach /dev/%s", entry->d_name);
	}
	closedir(dir);
	return rc;
}

int dev_lock_take(int fd, const struct stat *stat, struct env *env, const char *path,
		  struct err *err)
{
	unsigned tries = S_ISBLK(stat->st_mode) ? BLOCK_LOCK_TRIES : 1;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(err, ERR_ACCESS, "%s: cannot be locked: %s", path,
				       strerrordesc_np(errno));
		if (--tries == 0)
			return busy_set(stat, path, err);
		env_sleep_ns(env, BLOCK_LOCK_WAIT_NS);
	}
	return S_ISREG(stat->st_mode) ? loop_check(stat, path, err) : 0;
}
