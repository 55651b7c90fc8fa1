/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is remembered of half a block, 2 KiB, to tell whether another half continues it (docs/DETECT.md).
 *
 * Between the two halves of one block content always goes on, whatever the layout: no chunk is smaller than a
 * block. So halves are what the likelihood of a join is learned from (detect_join.h), and what it is asked of.
 *
 * Pure.
 */
#ifndef PG_FORMATS_DETECT_HALF_H
#define PG_FORMATS_DETECT_HALF_H

#include "formats/detect_pile.h"

#define HALF_SIZE 2048u
#define HALF_GRAM_WORDS 16u /* a set of 1024 hashes of four bytes in a row */
#define HALF_NUMBERS 6u     /* decimal numbers near each end */
#define HALF_LAG_MAX 64u

enum half_kind { HALF_ZERO, HALF_FILL, HALF_TEXT, HALF_DENSE, HALF_OTHER, HALF_KINDS };

struct half {
	uint8_t root[256]; /* square roots of how often each byte is there, times 5 */
	uint64_t grams[HALF_GRAM_WORDS];
	uint32_t gram_count;
	uint8_t kind;         /* enum half_kind */
	uint8_t lag;          /* distance after which the end repeats itself best; 0: it does not */
	uint8_t lag_match;    /* out of 255 */
	uint8_t heads, tails; /* numbers found from the beginning, and from the end */
	uint32_t head[HALF_NUMBERS], tail[HALF_NUMBERS];
};

/* How the pile writes: which bytes follow which, and which four bytes in a row are common. */
struct half_language {
	uint32_t byte[256], bytes;
	uint32_t pair[256][256];
	uint16_t *triple;    /* of hashes of two bytes, and the next: 2^24; owned */
	uint16_t *triples;   /* 2^16: the sum of each row; owned */
	uint32_t *gram_seen; /* 2^16: halves that have the hash; owned */
	uint32_t halves;
};

/* Learn from blocks of the pile. Returns 0 or ERR_NOMEM. */
int half_language_learn(struct half_language *language, const struct detect_pile *pile,
			struct err *err) MUST_CHECK;
void half_language_reset(struct half_language *language);

void half_describe(struct half *half_out, const struct half_language *language,
		   const uint8_t bytes[static HALF_SIZE]);

/* Bits a byte that a block costs to somebody who knows the language: much for the sum of unlike blocks. */
double half_block_cost(const struct half_language *language,
		       const uint8_t bytes[static BLOCK_SIZE]);

/*
 * How much likelier `next`, the beginning of a half, is behind `last`, the end of one, than anywhere, in bits:
 * by one byte of context and by two.
 */
struct half_surprise {
	double one, two;
};
struct half_surprise half_compare_ends(const struct half_language *language,
				       const uint8_t last[static 2], const uint8_t next[static 2]);

#endif
