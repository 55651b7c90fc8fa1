/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The search among layouts that leave exact traces: RAID-6 by both syndromes, RAID-10 by copies at other places. All
 * layouts and orders are held against signatures of blocks with content; nearly all of them fail at the first one.
 */
#ifndef PG_FORMATS_DETECT_EXACT_H
#define PG_FORMATS_DETECT_EXACT_H

#include "formats/detect_layout.h"
#include "formats/detect_relate.h"
#include "formats/detect_start.h"

#define DETECT_EXACT_MEMBERS_MAX 8u /* slots: 40320 orders */

struct detect_exact {
	const struct detect_pile *pile;
	const struct relations *relations;
	const struct joins *joins;
	const struct detect_starts *starts;
	uint8_t images[DETECT_MEMBERS_MAX];
	uint32_t count;
	/* A layout that agrees, and what fails costs it, in nats; its content is not looked at. */
	void (*found)(void *arg, const struct detect_layout *layout, double misfit);
	void *arg;
};

/*
 * With all of `count` images, or one missing besides. All orders are tried of up to DETECT_EXACT_MEMBERS_MAX; of more, when
 * all are there, those in which Q goes from member to member as the sums say.
 */
void detect_exact_raid6(const struct detect_exact *search, bool missing);
/* `stride` blocks: where far copies begin; 0: near and offset copies. */
void detect_exact_raid10(const struct detect_exact *search, bool missing, uint64_t stride);

/* The missing member of a RAID-6 layout, block by block into `bytes` of the pile's image `layout->computed`. */
void detect_exact_compute(const struct detect_layout *layout, struct detect_pile *pile);

#endif
