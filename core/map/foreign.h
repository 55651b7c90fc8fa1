/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The map of an array that somebody else made (docs/FOREIGN.md): the same groups and spans, over extents whose blocks
 * lie where the other format put them. Such an array is bare: no extent has a seal.
 *
 *	foreign_create()
 *	foreign_add_member()	every slot, present or not
 *	foreign_add_group()	ids of its extents in column order
 *	foreign_add_span()	of the volume, in the order of addresses
 *	foreign_begin_volume()	what is added from then on is the next volume's
 *	foreign_finish()	checks all; then the map is as any other, but that nothing commits it
 *
 * An extent's place on its member is a window: bytes in runs at a stride, which the device layer makes one range of
 * (core/dev/windows.h); extents then have frames like any others. Pure.
 */
#ifndef PG_MAP_FOREIGN_H
#define PG_MAP_FOREIGN_H

#include "core/map/map.h"

/* Where the bytes of an extent lie on their member. */
struct foreign_place {
	uint32_t slot;
	uint64_t origin; /* byte of the member, multiple of 512 */
	uint64_t
		length; /* bytes that are the array's, multiple of 512, within the last block; 0: all blocks */
	uint64_t run;    /* bytes in a row, multiple of BLOCK_SIZE; 0: all */
	uint64_t stride; /* from the beginning of a run to that of the next; not below `run` */
	bool stale;      /* what is there does not count: an erasure */
};

struct foreign; /* opaque: the map in the making */

/* An empty one, whose first volume has this name; NULL without memory. */
struct foreign *foreign_create(const char *array_name, const char *volume_name,
			       const struct uuid *uuid);
void foreign_free(struct foreign *foreign);

/*
 * `size`: bytes of the device, or what it must have had; `uuid` differs from those of the others. Returns 0, ERR_LIMIT or
 * ERR_NOMEM, as all below.
 */
int foreign_add_member(struct foreign *foreign, uint32_t slot, const struct uuid *uuid,
		       uint64_t size, struct err *err) MUST_CHECK;

#define FOREIGN_BLOCKS_MAX (UINT32_C(1) << 30) /* of an extent; what is longer is several groups */

/*
 * A group of shape->columns extents of `blocks` each, one place a column, none on one member; *first_out is the id of
 * column 0, those of the others follow. Behind `length` an extent reads as zeros. Returns ERR_FORMAT, too, for a place
 * that is none.
 */
int foreign_add_group(struct foreign *foreign, const struct code_shape *shape, uint32_t blocks,
		      const struct foreign_place *places, uint64_t *first_out,
		      struct err *err) MUST_CHECK;

/* The next `length` bytes of the volume. `extents` are ids of data columns (copied). */
int foreign_add_span(struct foreign *foreign, uint64_t length, uint32_t unit_blocks,
		     const uint64_t *extents, uint32_t count, struct err *err) MUST_CHECK;

/* The volume before has data, and no other has this name. Returns ERR_FORMAT for one without data. */
int foreign_begin_volume(struct foreign *foreign, const char *name, struct err *err) MUST_CHECK;
/* Has one of the volumes this name? */
bool foreign_has_volume(const struct foreign *foreign, const char *name);

/* The map, which is the caller's from now on; `foreign` is freed also on failure. */
int foreign_finish(struct foreign *foreign, struct map **map_out, struct err *err) MUST_CHECK;

#endif
