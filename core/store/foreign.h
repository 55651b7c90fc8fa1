/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hooks of an array that somebody else made: its own bookkeeping, which the engine does not know. formats/ fills the
 * table, cli/ hands it in. They change bytes and decide nothing: when they are called is the engine's business.
 *
 * The order of a session that writes (docs/FOREIGN.md, section 5), each step durable before the next:
 *
 *	mark_dirty()	before the first write to any member
 *	(data, all members flushed)
 *	member_in()	after a rebuild: all rows of the member are there
 *	mark_clean()	after the last flush; left out when a write failed, so that the mark stands. Takes back what
 *			mark_dirty() did and no more: an array that was dirty before stays so, unless it is
 *	in_step()	before mark_clean(): all members are there and every row of them was compared and holds
 */
#ifndef PG_STORE_FOREIGN_H
#define PG_STORE_FOREIGN_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct dev;

/*
 * `members` are the devices by slot, MEMBERS_MAX of them, NULL where absent, with their own addresses; borrowed for the call.
 * A function that is NULL has nothing to do. Each returns 0 when what it wrote is durable, or an error with a text.
 */
struct foreign_hooks {
	int (*mark_dirty)(void *arg, struct dev *const *members, struct err *err);
	int (*mark_clean)(void *arg, struct dev *const *members, struct err *err);
	int (*member_in)(void *arg, struct dev *const *members, uint32_t slot, struct err *err);
	/* No I/O. True: the array says otherwise as yet, so that a session is worth its marks. */
	bool (*in_step)(void *arg);
};

#endif
