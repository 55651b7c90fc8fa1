/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Candidates of one array: gathered while the search runs, then scored, ordered, and given a confidence. Pure.
 */
#ifndef PG_FORMATS_DETECT_RANK_H
#define PG_FORMATS_DETECT_RANK_H

#include "formats/detect.h"
#include "formats/detect_start.h"

#define RANKED_MAX 40u

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

/* Keep a candidate with these nats if it is among the best and says something new. */
void ranked_add(struct ranked *ranked, const struct detect_layout *layout, unsigned basis,
		double nats);
/* The nats of a layout by its content and what is believed of its numbers; fills all but confidence. */
void ranked_score(struct detect_candidate *candidate, const struct ranking *ranking);
/* Does content go on from chunk to chunk, as far as that can be asked? Of one that was scored. */
bool ranked_is_seen(const struct detect_candidate *candidate);
/* Score all again, order them, and say how sure the first is. True: decidable. */
bool ranked_judge(struct ranked *ranked, const struct ranking *ranking);

#endif
