/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A layout that is supposed of some images of a pile, where it puts the chunks of the volume, and how well the
 * content goes on along them.
 *
 * Where columns lie is core/map/rule.h's answer, the same that opens the array afterwards.
 */
#ifndef PG_FORMATS_DETECT_LAYOUT_H
#define PG_FORMATS_DETECT_LAYOUT_H

#include "core/map/rule.h"
#include "formats/detect_join.h"

#define DETECT_MEMBERS_MAX 16u
#define DETECT_PARTS 128u /* of the members' length: what is compared part by part */
#define DETECT_MISSING UINT8_MAX
#define DETECT_CHUNK_BLOCKS_MAX 1024u /* 4 MiB */

struct detect_layout {
	uint32_t level;          /* 0, 1, 4, 5, 6 or 10 */
	enum parity_order order; /* 4, 5, 6 */
	uint32_t near, far;      /* 10 */
	bool offset;
	uint64_t far_stride;                /* chunks; 10 with far copies elsewhere */
	uint32_t members;                   /* slots, present or not */
	uint32_t chunk_blocks;              /* 0: level 1 */
	uint64_t start;                     /* block of every member where the data begin */
	uint8_t images[DETECT_MEMBERS_MAX]; /* by slot; of the pile, or DETECT_MISSING */
	uint8_t computed; /* the image that stands for the missing member; DETECT_MISSING: none */
};

/* Data chunks of a row; level 10: of `near` rows. */
uint32_t detect_layout_data(const struct detect_layout *layout);
/* The rule of levels 4 to 10. */
struct rule detect_layout_rule(const struct detect_layout *layout);

/* Where chunk `number` of the volume lies; false where every copy is missing. */
struct detect_chunk {
	uint8_t image;
	uint64_t block;
};
bool detect_layout_chunk(struct detect_chunk *chunk_out, const struct detect_layout *layout,
			 uint64_t number);

/* Do both say the same of every byte of the volume? Their missing members may differ in nothing that is read. */
bool detect_layout_equal(const struct detect_layout *one, const struct detect_layout *other);

/* What the content says for a layout, in nats, and in which parts of the members. */
struct detect_score {
	double nats;
	double crossing; /* of them, from joins between chunks on different images */
	double parts[DETECT_PARTS];
};
/*
 * From index `lead` on; before it there is nothing that would tell. `parity`, by image and index (stride the pile's
 * index_count), is what is added for each block that the layout takes for P; may be NULL.
 */
void detect_layout_score(struct detect_score *score_out, const struct detect_layout *layout,
			 const struct detect_pile *pile, const struct joins *joins, uint32_t lead,
			 const float *parity);

#endif
