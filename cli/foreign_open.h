/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last step of opening somebody else's array: its map and its devices become an open array. */
#ifndef PG_CLI_FOREIGN_OPEN_H
#define PG_CLI_FOREIGN_OPEN_H

#include "cli/command.h"
#include "core/array/array.h"

/* Who keeps the metadata while it is written; without hooks it is read. Borrowed until array_close(). */
struct foreign_write {
	const struct foreign_hooks *hooks;
	void *arg;
};

/*
 * As array_open_foreign(), in the env and with the tasks of the invocation. `map` is taken in any case. `devs`,
 * MEMBERS_MAX of them by slot, are NULL afterwards; on failure they are the caller's still.
 */
int foreign_open(struct array **array_out, const struct invocation *inv, struct map *map,
		 struct dev **devs, const struct foreign_write *write, struct err *err) MUST_CHECK;

#endif
