/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A pile of images for `detect`: parts of each in memory, the same parts of all.
 *
 * What is small is read whole. Of what is large, windows: the beginning, the usual data offsets, the middle (where far
 * copies begin) and places between, each long enough for several rows of the largest chunk. A block of an image has
 * an index, its number among those that were read.
 *
 * An image may also be computed from others (detect_pile_add): what a missing member must have held.
 */
#ifndef PG_FORMATS_DETECT_PILE_H
#define PG_FORMATS_DETECT_PILE_H

#include "core/base/bytes.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct dev;

#define DETECT_IMAGES_MAX 24u /* of one pile */
#define DETECT_WINDOWS_MAX 8u
#define DETECT_INDEX_NONE UINT32_MAX
#define DETECT_BYTES_MAX (UINT64_C(512) << 20) /* held in memory, of all images */

struct detect_window {
	uint64_t block;        /* of every image */
	uint32_t count, first; /* indices first .. first + count - 1 */
};

struct detect_image {
	const char *name;    /* borrowed; NULL: computed */
	uint64_t size;       /* bytes */
	uint64_t blocks;     /* whole ones */
	uint8_t *bytes;      /* index_count blocks; zeros where nothing was read */
	uint32_t unreadable; /* blocks that gave an error; they count as zeros */
};

struct detect_pile {
	struct detect_image images[DETECT_IMAGES_MAX];
	uint32_t image_count;
	struct detect_window windows[DETECT_WINDOWS_MAX];
	uint32_t window_count, index_count;
};

/* Read the windows of `count` devices. Returns 0; ERR_NOMEM, ERR_LIMIT (too many), ERR_SIZE (one is empty). */
int detect_pile_read(struct detect_pile *pile_out, struct dev *const *devs, uint32_t count,
		     struct err *err) MUST_CHECK;
/* One more image, zeros as yet, as large as image 0; *image_out is its number. ERR_NOMEM or ERR_LIMIT. */
int detect_pile_add(struct detect_pile *pile, uint32_t *image_out, struct err *err) MUST_CHECK;
void detect_pile_reset(struct detect_pile *pile);

/* The index of a block; DETECT_INDEX_NONE: it was not read. */
uint32_t detect_pile_index(const struct detect_pile *pile, uint64_t block);
/* The block of an index. */
uint64_t detect_pile_block(const struct detect_pile *pile, uint32_t index);

static inline const uint8_t *detect_pile_at(const struct detect_pile *pile, uint32_t image,
					    uint32_t index)
{
	return pile->images[image].bytes + (uint64_t)index * BLOCK_SIZE;
}

#endif
