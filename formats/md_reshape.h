/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a reshape of Linux MD that was cut off leaves in doubt. Pure.
 *
 * Data that move to another place are copied before they are overwritten, and superblocks say so in time. In place (same
 * count of data disks, and no new data offset), and in the first rows of a growth or the last ones of a shrinking, each
 * write is over data that are not yet elsewhere: there mdadm keeps a piece after the other in its backup file and lets the
 * kernel go so far. Superblocks have the position of the piece before: of the next one nothing on the members says
 * what has moved already.
 *
 * Sources: Linux drivers/md/raid5.c: raid5_run(), where such a position is refused or taken only for mdadm, and
 * reshape_request(); mdadm Grow.c, reshape_array(), for the size of a piece.
 */
#ifndef PG_FORMATS_MD_RESHAPE_H
#define PG_FORMATS_MD_RESHAPE_H

#include "formats/md_set.h"

struct md_reshape_doubt {
	uint64_t first, end; /* bytes of the array */
};

/* False when there is none, also when the array is not being reshaped. */
bool md_reshape_doubt(struct md_reshape_doubt *doubt_out, const struct md_set *set);

#endif
