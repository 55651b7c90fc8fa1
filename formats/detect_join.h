/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Joins: how much likelier it is that one block continues another than that it does not, in nats (docs/DETECT.md).
 *
 * The answer is learned from the pile itself: the halves of one block always join, halves of two blocks near each other
 * never do. What both look like is put into classes, and a logistic regression over the classes gives the log of the
 * likelihood ratio. A part of the examples is kept aside; on them the answer is scaled so that it promises no more than
 * it keeps: on random content it is zero.
 */
#ifndef PG_FORMATS_DETECT_JOIN_H
#define PG_FORMATS_DETECT_JOIN_H

#include "formats/detect_pile.h"

struct joins; /* opaque */

/* Learn from the pile, which is borrowed. Returns 0 or ERR_NOMEM. */
int joins_create(struct joins **joins_out, const struct detect_pile *pile,
		 struct err *err) MUST_CHECK;
void joins_free(struct joins *joins);

/* Describe an image that was added to the pile, or whose bytes have changed since. ERR_NOMEM. */
int joins_describe(struct joins *joins, uint32_t image, struct err *err) MUST_CHECK;

/* Nats that a join between true neighbours is worth on average; near 0: the content says nothing. */
double joins_information(const struct joins *joins);

/* Block `index` of `image` is the end of a chunk. */
struct join_end {
	uint32_t image, index;
};
double joins_between(const struct joins *joins, struct join_end from, struct join_end to);
/*
 * The same of whole chunks: large ones have few joins, so blocks a little further from the edge are asked as well, for less.
 */
double joins_between_chunks(const struct joins *joins, struct join_end from, struct join_end to,
			    uint32_t chunk_blocks);

/* The sum over the joins within one image from block `first` to block `end` - 1, in a row of indices. */
double joins_within(const struct joins *joins, uint32_t image, uint32_t first, uint32_t end);

/* How much a block costs who knows the language of the pile, bits a byte; 0: all zeros. */
double joins_block_cost(const struct joins *joins, uint32_t image, uint32_t index);
/* Neither zeros nor random. */
bool joins_is_structured(const struct joins *joins, uint32_t image, uint32_t index);
bool joins_is_zero(const struct joins *joins, uint32_t image, uint32_t index);

#endif
