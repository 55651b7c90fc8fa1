/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small piles of images in memory for the tests of detect: lines of a log, placed by a layout. */
#ifndef PG_TESTS_DETECT_HELP_H
#define PG_TESTS_DETECT_HELP_H

#include "formats/detect.h"
#include "tests/unit/memory_dev.h"

#define PILE_MAX 8u

struct pile_made {
	struct memory_dev devs[PILE_MAX];
	struct dev *list[PILE_MAX];
	uint8_t *bytes[PILE_MAX];
	uint32_t count, blocks; /* of each image */
};

/* `blocks` blocks each, zeros. */
void pile_make(struct pile_made *pile, uint32_t count, uint32_t blocks);
void pile_free(struct pile_made *pile);

/* Lines with a counter, of a log. The same seed gives the same. */
uint8_t *log_make(uint32_t blocks, uint64_t seed);

/*
 * Images with a volume by `layout`: images[slot] is the number of the image that holds the slot, DETECT_MISSING that
 * none does. Where columns lie is said by `slots`, one letter a chunk of a row: 0..9 data, P, Q; the row after the last one
 * is the first again.
 */
struct rows {
	const char *const *slots; /* NULL ends */
	uint32_t members, chunk, start;
	const uint8_t *images;
};
void pile_place(struct pile_made *pile, const struct rows *rows, const uint8_t *volume,
		uint32_t volume_blocks);

/* Detect all; fails the test when it fails. */
void pile_detect(struct detect_report *report_out, struct pile_made *pile);

#endif
