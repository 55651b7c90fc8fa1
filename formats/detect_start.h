/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the data of some images may begin, the same block of all: what comes before was wiped with zeros or with
 * random bytes, or has a few blocks left of what the array's maker kept there. Pure.
 */
#ifndef PG_FORMATS_DETECT_START_H
#define PG_FORMATS_DETECT_START_H

#include "formats/detect_join.h"

#define DETECT_STARTS_MAX 48u

struct detect_start {
	uint64_t block;
	double prior; /* nats */
};
struct detect_starts {
	struct detect_start at[DETECT_STARTS_MAX]; /* the likeliest first */
	uint32_t count;
	uint32_t lead; /* index before which no content is, or none that tells anything */
};

/* `from`: the index from which on the images keep a relation, 0 without one. Always gives at least one. */
void detect_starts_find(struct detect_starts *starts_out, const struct detect_pile *pile,
			const struct joins *joins, const uint8_t *images, uint32_t count,
			uint32_t from);

/* What it is worth, in nats, that the volume begins at this block: a file system or partition table begins there. */
double detect_start_worth(const struct detect_pile *pile, uint32_t image, uint64_t block);

#endif
