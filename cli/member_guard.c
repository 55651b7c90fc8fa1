/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/member_guard.h"

#include "cli/members.h"

#include <sys/stat.h>

int member_guard(const struct invocation *inv, const struct array *array, const char *path,
		 struct err *err)
{
	const struct map *map = array_map(array);
	struct stat file, member;

	if (stat(path, &file))
		return 0;
	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;
		const char *member_path = cli_member_path(inv, slot);

		if (!member_path || stat(member_path, &member))
			continue;
		if (file.st_dev != member.st_dev || file.st_ino != member.st_ino)
			continue;
		err_set(err, ERR_IN_USE, "%s is member %u of this array", path, slot);
		return err_hint(err, "name another file");
	}
	return 0;
}

int member_protection_check(const char *path, struct err *err)
{
	struct stat facts;

	if (stat(path, &facts) || !S_ISREG(facts.st_mode) ||
	    facts.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH))
		return 0;
	err_set(err, ERR_ACCESS, "%s is write-protected, mode %04o", path,
		(unsigned)facts.st_mode & 07777);
	return err_hint(err, "chmod u+w %s", path);
}
