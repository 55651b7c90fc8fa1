/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/dev_block.h"

#include "core/base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

/* Two loop devices on the same bytes of one file are one disk, and so are they and the file. */
static void identify(struct block_facts *facts, int fd, dev_t device)
{
	struct loop_info64 loop;

	facts->identity[0] = UINT64_C(1) << 63 | device;
	facts->identity[1] = 0;
	if (ioctl(fd, LOOP_GET_STATUS64, &loop) == 0) {
		facts->identity[0] = loop.lo_device;
		facts->identity[1] = loop.lo_inode ^ loop.lo_offset << 16;
	}
}

int dev_block_facts(struct block_facts *facts_out, int fd, dev_t device, const char *path,
		    struct err *err)
{
	uint64_t size = 0;
	int sector = 0, read_only = 0;

	if (ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &sector) ||
	    ioctl(fd, BLKROGET, &read_only))
		return err_set(err, ERR_IO, "%s: the size of the device cannot be read: %s", path,
			       strerrordesc_np(errno));
	if (sector <= 0 || (unsigned)sector > BLOCK_SIZE)
		return err_set(err, ERR_UNSUPPORTED, "%s: sectors of %d bytes, at most %u work",
			       path, sector, BLOCK_SIZE);
	facts_out->size = size;
	facts_out->read_only = read_only != 0;
	identify(facts_out, fd, device);
	return 0;
}

/* The field behind the next space; "" at the end. */
static char *field_next(char *text)
{
	char *space = strchr(text, ' ');

	return space ? space + 1 : text + strlen(text);
}

/*
 * The mount point that a line of /proc/self/mountinfo names, when it is of the device; else NULL.
 * "36 35 98:0 /root /mnt/point rw ...": the third field is the device, the fifth the mount point.
 */
static char *mount_of_line(char *line, dev_t device)
{
	char *at = field_next(field_next(line)), *point;

	if (strtoul(at, &at, 10) != major(device) || *at != ':')
		return NULL;
	if (strtoul(at + 1, &at, 10) != minor(device) || *at != ' ')
		return NULL;
	point = field_next(at + 1);
	point[strcspn(point, " ")] = '\0';
	return point;
}

/* Where the device is mounted, as this process sees it. */
static bool mount_find(char *name, size_t name_size, dev_t device)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	const char *point = NULL;
	char line[1024];

	if (!file)
		return false;
	while (!point && fgets(line, sizeof(line), file))
		point = mount_of_line(line, device);
	if (point)
		snprintf(name, name_size, "%s", point);
	(void)fclose(file);
	return point != NULL;
}

/* The device mapper, md or other device that stands on this one. */
static bool holder_find(char *name, size_t name_size, dev_t device)
{
	char path[80];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(device), minor(device));
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, name_size, "%s", entry->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

int dev_block_busy(dev_t device, const char *path, struct err *err)
{
	char name[256];

	if (mount_find(name, sizeof(name), device))
		return err_set(err, ERR_BUSY, "%s is mounted on %s", path, name);
	if (holder_find(name, sizeof(name), device))
		return err_set(err, ERR_BUSY, "%s is held by /dev/%s", path, name);
	return err_set(err, ERR_BUSY, "%s is mounted or held by the kernel", path);
}
