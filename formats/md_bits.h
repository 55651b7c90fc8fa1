/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bitmap of a Linux MD array that a program writes to: what it said before, all of it dirty while the session lasts,
 * and what it says afterwards. Bitmaps of all members are the same; where they differ a chunk is dirty that is so in one.
 *
 * Life: md_bits_init(), md_bits_read() of each member, md_bits_write() as often as it takes, md_bits_reset().
 */
#ifndef PG_FORMATS_MD_BITS_H
#define PG_FORMATS_MD_BITS_H

#include "formats/md_bitmap.h"

#include <stdbool.h>

struct dev;

struct md_bits {
	struct md_bitmap head;
	uint8_t *before; /* its bits; owned */
	uint64_t size;   /* bytes of them */
};

/* What the bits are to be. */
enum md_bits_are { MD_BITS_ALL, MD_BITS_BEFORE, MD_BITS_NONE };

/* Take the bitmap of one more member, at this sector; what is not valid counts as dirty everywhere. */
int md_bits_read(struct md_bits *bits, struct dev *dev, uint64_t sector,
		 const struct md_bitmap_place *place, struct err *err) MUST_CHECK;
void md_bits_reset(struct md_bits *bits);

/* Not flushed. `events_cleared`: since then nothing was dirty that is not now; kept where 0. */
int md_bits_write(struct md_bits *bits, struct dev *dev, uint64_t sector, enum md_bits_are what,
		  uint64_t events, uint64_t events_cleared, struct err *err) MUST_CHECK;

#endif
