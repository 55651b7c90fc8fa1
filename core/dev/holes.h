/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device with holes: ranges of it that are known to be no good, whatever the bytes there look like.
 *
 * An image that was copied from a failing disk has zeros, or nothing yet, where the disk could not be read; its list of
 * bad areas says where. Behind this wrapper these areas are read errors, so that everything above treats them as the
 * erasures they are and never takes the zeros for data.
 *
 *	dev_holes_open()	above the device whose addresses the holes are of
 *
 * Promises, each tested under its name in tests/unit/test_dev_holes.c:
 *	hole	a read that touches a hole fails with ERR_IO as a whole, and the device below is not asked
 *	sectors	io_read_sectors() of a block gives the sectors of it that are in no hole
 *	rest	every other operation reaches the device below as it is; by its descriptor where it has one
 *	write	writes pass, also into a hole, which stays one
 *
 * The list never changes, so no lock is needed. Knows no list format: formats/ddrescue.h reads one.
 */
#ifndef PG_DEV_HOLES_H
#define PG_DEV_HOLES_H

#include "core/dev/dev.h"

#define HOLE_UNIT 512u /* a sector: holes are whole ones, while operations are whole blocks */

struct hole {
	uint64_t offset; /* bytes of the device, multiple of HOLE_UNIT */
	uint64_t
		size; /* bytes, multiple of HOLE_UNIT, above 0; may reach past the end of the device */
};

/*
 * `holes` are ascending and do not overlap (asserted); they may touch. The list is copied, `below` is owned from success
 * on. Returns 0 or ERR_NOMEM.
 */
int dev_holes_open(struct dev **dev_out, struct dev *below, const struct hole *holes,
		   size_t hole_count) MUST_CHECK;

#endif
