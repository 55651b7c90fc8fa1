/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Relations between the images of a pile that hold exactly, block for block: sums that are zero, and copies.
 *
 * Each block has a signature of 16 bytes that is linear over GF(2^8): the signature of a sum, or of a multiple, is the
 * sum or the multiple of the signatures. So P and Q are checked on signatures alone. It is the polynomial whose
 * coefficients are the block's words, byte lane by byte lane, at two points of the field (Rabin 1981; the field is that
 * of RAID-6, H. P. Anvin, "The mathematics of RAID-6").
 *
 * At one index the images whose signatures depend on each other over GF(2) are found by elimination; which sets of
 * images do so at how many indices tells mirrors, RAID-5, RAID-6 and arrays that have nothing to do with each other.
 * Copies at other places are found by a table of signatures.
 */
#ifndef PG_FORMATS_DETECT_RELATE_H
#define PG_FORMATS_DETECT_RELATE_H

#include "formats/detect_pile.h"

struct signature {
	uint64_t a, b;
};

static inline bool signature_is_zero(struct signature s)
{
	return (s.a | s.b) == 0;
}
static inline struct signature signature_add(struct signature s, struct signature t)
{
	return (struct signature){ s.a ^ t.a, s.b ^ t.b };
}
/* Times the generator, 2, in each byte. */
static inline uint64_t bytes_double(uint64_t x)
{
	return ((x & UINT64_C(0x7f7f7f7f7f7f7f7f)) << 1) ^
	       ((x >> 7 & UINT64_C(0x0101010101010101)) * 0x1d);
}
static inline struct signature signature_double(struct signature s)
{
	return (struct signature){ bytes_double(s.a), bytes_double(s.b) };
}

#define RELATION_SUMS_MAX 64u
#define RELATION_SHIFTS_MAX 64u

/* The sum of these images is zero in `rate` of the blocks where at least one of them has content. */
struct relation_sum {
	uint32_t images; /* a bit each */
	uint32_t holds;  /* blocks where it holds and all have content */
	double rate;
	double rate_full; /* of the blocks where all of them have content */
	uint32_t
		from; /* the first index from which on it does not fail any more but here and there */
};
/* Blocks of `from` are again on `to`, so many blocks further on; in `rate` of those of `from` that are special. */
struct relation_shift {
	uint32_t from, to;
	uint64_t blocks;
	uint32_t count;
	double rate;
};

struct relations {
	struct signature *signatures; /* [image * stride + index]; owned */
	uint32_t stride;
	struct relation_sum sums[RELATION_SUMS_MAX];
	uint32_t sum_count;
	struct relation_shift shifts[RELATION_SHIFTS_MAX];
	uint32_t shift_count;
};

/* Returns 0 or ERR_NOMEM. */
int relations_find(struct relations *relations_out, const struct detect_pile *pile,
		   struct err *err) MUST_CHECK;
void relations_reset(struct relations *relations);

static inline struct signature relations_at(const struct relations *relations, uint32_t image,
					    uint32_t index)
{
	return relations->signatures[(uint64_t)image * relations->stride + index];
}

#endif
