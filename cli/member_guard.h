/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that get reads into or put reads from must not be the array's own members. */
#ifndef PG_CLI_MEMBER_GUARD_H
#define PG_CLI_MEMBER_GUARD_H

#include "cli/command.h"
#include "core/array/array.h"

/* Returns 0, also when `path` does not exist; ERR_IN_USE when it leads to a member of this array. */
int member_guard(const struct invocation *inv, const struct array *array, const char *path,
		 struct err *err) MUST_CHECK;

/*
 * ERR_ACCESS for a file without write bits: the superuser could write to it, and whoever took them away did not
 * want that.
 */
int member_protection_check(const char *path, struct err *err) MUST_CHECK;

#endif
