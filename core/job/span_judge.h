/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the blocks of a span must be, by the seals of whole groups: also one that agrees with its own seal, on a
 * disk that lost a write or gives what it had once, is told by what its checks have seen (core/array/row_judge.h). Whoever
 * writes data anew elsewhere asks this, since the checks that know of it go with the old groups.
 *
 *	span_judge_open()	reads seals, no block; the groups are held until the next one
 *	span_judge_allows()	is this the block?
 *	span_judge_fetch()	what it should be, solved
 *	span_judge_free()
 */
#ifndef PG_JOB_SPAN_JUDGE_H
#define PG_JOB_SPAN_JUDGE_H

#include "core/array/row.h"

struct span_judge_block; /* what is known of one */

struct span_judge {
	struct rows rows;
	struct array *array;     /* borrowed, as is the span */
	const struct span *span; /* NULL: none */
	uint64_t generation;     /* of the map when its seals were read */
	struct span_judge_block *blocks;
	size_t capacity;
	uint64_t bytes_read; /* since it was zero */
};

/*
 * `judge` is zero or was opened before; a span that is asked for again without a commit between is known. Returns 0 or
 * ERR_NOMEM.
 */
int span_judge_open(struct span_judge *judge, struct array *array, const struct span *span,
		    struct err *err) MUST_CHECK;
/* True as well where nothing is known of the block by itself: then its rows had to be solved. */
bool span_judge_allows(const struct span_judge *judge, uint64_t block, const uint8_t *bytes);
/* Zeros, and *stands_out false, when it is lost. Returns 0 or ERR_NOMEM. */
int span_judge_fetch(struct span_judge *judge, uint64_t block, uint8_t *out, bool *stands_out,
		     struct err *err) MUST_CHECK;
void span_judge_free(struct span_judge *judge);

#endif
