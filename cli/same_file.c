/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/same_file.h"

#include <string.h>
#include <sys/stat.h>

bool same_file(const char *one, const char *other)
{
	struct stat a, b;

	if (strcmp(one, other) == 0)
		return true;
	if (stat(one, &a) || stat(other, &b))
		return false;
	if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode))
		return a.st_rdev == b.st_rdev;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
