/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two images of one disk as one device: what cannot be read from the first is read from the second, sector by sector.
 * For copies of a failing disk that are each bad in other places (docs/FOREIGN.md); more than two are stacked.
 *
 * Promises, each tested under its name in tests/unit/test_dev_copies.c:
 *	either	a read succeeds when each of its sectors can be read from one of the two, and gives those bytes
 *	neither	else it fails, and io_read_sectors() says which sectors neither has
 *	first	what the first can give is never read from the second
 *
 * Read-only: nobody could say which of the two a write would be for.
 */
#ifndef PG_DEV_COPIES_H
#define PG_DEV_COPIES_H

#include "core/dev/dev.h"

/*
 * Size, name and all other facts are those of `first`; behind the end of `second` nothing is read from it. Owns both from
 * success on. Returns 0 or ERR_NOMEM.
 */
int dev_copies_open(struct dev **dev_out, struct dev *first, struct dev *second) MUST_CHECK;

#endif
