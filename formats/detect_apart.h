/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which images of one size that nothing exact ties to each other are of one array, by their content: on the members of an
 * array chunks go on from one to another, for some chunk, in some rows. Pure.
 */
#ifndef PG_FORMATS_DETECT_APART_H
#define PG_FORMATS_DETECT_APART_H

#include "formats/detect_join.h"

/*
 * Parts of the `count` images, by a bit each for the positions in `images`; returns how many there are, at least 1. They are
 * told apart only where no chunk goes on from an image of one to an image of another, and each of them is either two images
 * or more that do hang together, or one that goes on for itself over all chunks. `start`: a likely block where data begin.
 */
uint32_t detect_apart(uint32_t parts_out[static DETECT_IMAGES_MAX], const struct detect_pile *pile,
		      const struct joins *joins, const uint8_t *images, uint32_t count,
		      uint64_t start);

#endif
