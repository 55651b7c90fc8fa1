/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Candidates of one array: gathered while the search runs, then scored, ordered, and given a confidence. Pure.
 */
#ifndef PG_FORMATS_DETECT_RANK_H
#define PG_FORMATS_DETECT_RANK_H

#include "formats/detect_layout.h"
#include "formats/detect_start.h"

#define RANKED_MAX 40u

/* What a candidate is believed for; a set of them. */
enum detect_basis {
	DETECT_BY_SUM = 1,       /* the members' sum is zero */
	DETECT_BY_SYNDROMES = 2, /* P and Q agree */
	DETECT_BY_COPIES = 4,    /* chunks are there twice */
	DETECT_BY_CONTENT = 8,   /* content goes on from chunk to chunk */
	DETECT_BY_HEADER = 16,   /* a file system or partition table begins at its first byte */
};

struct detect_candidate {
	struct detect_layout layout;
	unsigned basis;
	double confidence;
	double nats;     /* all that is known for it */
	double misfit;   /* of it, what exact relations that fail cost */
	bool scored;     /* by its own computed image, which others share: not to be done again */
	double crossing; /* of it, joins from chunk to chunk */
	uint64_t bytes;  /* of the volume, as far as the members go */
	struct detect_score score;
};

struct ranked {
	struct detect_candidate at[RANKED_MAX]; /* falling nats */
	uint32_t count;
};

/* What they are scored with. */
struct ranking {
	const struct detect_pile *pile;
	const struct joins *joins;
	const struct detect_starts *starts;
	const float *parity;
};

/* Keep a candidate if it is among the best, by its nats, and says something new. */
void ranked_add(struct ranked *ranked, const struct detect_candidate *candidate);
/* The nats of a layout by its content and what is believed of its numbers; fills all but confidence. */
void ranked_score(struct detect_candidate *candidate, const struct ranking *ranking);
/* Does content go on from chunk to chunk, as far as that can be asked? Of one that was scored. */
bool ranked_is_seen(const struct detect_candidate *candidate);
/* Score all again, order them, and say how sure the first is. True: decidable. */
bool ranked_judge(struct ranked *ranked, const struct ranking *ranking);

#endif
