/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_rank.h"

#include "formats/detect_stripes.h"

#include <math.h>
#include <string.h>

#define TEMPER 0.5      /* joins of one file are alike: their nats count half */
#define SIGMAS_FREE 2.0 /* of many layouts one goes well by chance */
#define TIE_NATS 1.0    /* closer than this, content says nothing between two */
#define TIE_CONFIDENCE_MAX 0.97
#define CONFIDENCE_MAX 0.98         /* where the data begin is never quite sure */
#define CONFIDENCE_HEADER_MAX 0.999 /* but where a file system begins there */
#define CONFIDENCE_MIN 0.5          /* less is undecidable */
#define CROSSING_MIN 6.0 /* nats of joins between chunks, without which nothing was seen */

static void insert(struct ranked *ranked, const struct detect_candidate *candidate)
{
	uint32_t at = ranked->count;

	if (at == RANKED_MAX && ranked->at[--at].nats >= candidate->nats)
		return;
	for (; at > 0 && ranked->at[at - 1].nats < candidate->nats; at--)
		ranked->at[at] = ranked->at[at - 1];
	ranked->at[at] = *candidate;
	if (ranked->count < RANKED_MAX)
		ranked->count++;
}

void ranked_add(struct ranked *ranked, const struct detect_candidate *candidate)
{
	double nats = candidate->nats;

	if (ranked->count == RANKED_MAX && ranked->at[RANKED_MAX - 1].nats >= nats)
		return;
	for (uint32_t i = 0; i < ranked->count; i++) {
		if (detect_layout_equal(&ranked->at[i].layout, &candidate->layout)) {
			if (ranked->at[i].nats >= nats)
				return;
			memmove(&ranked->at[i], &ranked->at[i + 1],
				(ranked->count - i - 1) * sizeof(ranked->at[0]));
			ranked->count--;
			break;
		}
	}
	insert(ranked, candidate);
}

static uint64_t volume_bytes(const struct detect_layout *layout, const struct detect_pile *pile)
{
	uint64_t blocks = UINT64_MAX, chunk = layout->chunk_blocks ? layout->chunk_blocks : 1, rows;

	for (uint32_t i = 0; i < layout->members; i++) {
		uint8_t image = layout->images[i];

		if (image != DETECT_MISSING && pile->images[image].blocks < blocks)
			blocks = pile->images[image].blocks;
	}
	rows = blocks > layout->start ? (blocks - layout->start) / chunk : 0;
	if (layout->level == 10 && layout->far > 1) {
		if (layout->offset)
			rows /= layout->far;
		else if (rows > layout->far_stride)
			rows = layout->far_stride;
	}
	rows *= detect_layout_data(layout);
	return (layout->level == 10 ? rows / layout->near : rows) * chunk * BLOCK_SIZE;
}

void ranked_score(struct detect_candidate *candidate, const struct ranking *ranking)
{
	const struct detect_layout *layout = &candidate->layout;
	struct detect_chunk first = { layout->images[0], layout->start };
	double worth = 0, prior = 0;

	detect_layout_score(&candidate->score, layout, ranking->pile, ranking->joins,
			    ranking->starts->lead, ranking->parity);
	if (layout->level == 1 || detect_layout_chunk(&first, layout, 0))
		worth = detect_start_worth(ranking->pile, first.image, first.block);
	for (uint32_t i = 0; i < ranking->starts->count; i++) {
		if (ranking->starts->at[i].block == layout->start)
			prior = ranking->starts->at[i].prior;
	}
	candidate->nats = TEMPER * candidate->score.nats + worth + prior +
			  detect_layout_prior(layout) - candidate->misfit;
	candidate->crossing = candidate->score.crossing;
	candidate->basis |= worth > 0 ? DETECT_BY_HEADER : 0;
	candidate->basis |= candidate->crossing > CROSSING_MIN ? DETECT_BY_CONTENT : 0;
	candidate->bytes = volume_bytes(layout, ranking->pile);
}

/*
 * How surely the content prefers `one`: by the parts of the members in which they differ, the sum against what it
 * would be if the differences of the parts had no sign (a paired test, DETECT.md). Where nearly all of the difference
 * lies in two parts, as at the beginning of the data, that says nothing.
 */
static double surely(const struct detect_candidate *one, const struct detect_candidate *other)
{
	double sum = 0, squares = 0, most = 0, second = 0;

	for (uint32_t i = 0; i < DETECT_PARTS; i++) {
		double more = one->score.parts[i] - other->score.parts[i], square = more * more;

		sum += more;
		squares += square;
		if (square > most) {
			second = most;
			most = square;
		} else if (square > second) {
			second = square;
		}
	}
	if (squares < TIE_NATS || most + second > 0.98 * squares)
		return TIE_CONFIDENCE_MAX;
	return 1 - 0.5 * erfc((sum / sqrt(squares) - SIGMAS_FREE) / sqrt(2));
}

/* The first by its share in all, if the content surely prefers it to each; the others divide what is left. */
static void confide(struct ranked *ranked)
{
	double sum = 0, first;
	double least =
		ranked->at[0].basis & DETECT_BY_HEADER ? CONFIDENCE_HEADER_MAX : CONFIDENCE_MAX;

	for (uint32_t i = 1; i < ranked->count; i++) {
		sum += exp(ranked->at[i].nats - ranked->at[1].nats);
		least = fmin(least, surely(&ranked->at[0], &ranked->at[i]));
	}
	first = 1;
	if (ranked->count > 1)
		first = 1 / (1 + sum * exp(ranked->at[1].nats - ranked->at[0].nats));
	first = fmin(first, least);
	for (uint32_t i = 1; i < ranked->count; i++) {
		double share = exp(ranked->at[i].nats - ranked->at[1].nats) / sum;

		ranked->at[i].confidence = fmin(share * (1 - first), first);
	}
	ranked->at[0].confidence = first;
}

bool ranked_is_seen(const struct detect_candidate *candidate)
{
	/* One image after another needs no join between chunks, and syndromes leave no order open. */
	return candidate->layout.level == 1 || candidate->layout.level == 6 ||
	       candidate->crossing >= CROSSING_MIN;
}

bool ranked_judge(struct ranked *ranked, const struct ranking *ranking)
{
	struct ranked scored = { 0 };
	const struct detect_candidate *first = &ranked->at[0];

	for (uint32_t i = 0; i < ranked->count; i++) {
		if (!ranked->at[i].scored)
			ranked_score(&ranked->at[i], ranking);
		insert(&scored, &ranked->at[i]);
	}
	*ranked = scored;
	if (ranked->count == 0)
		return false;
	confide(ranked);
	if (!ranked_is_seen(first)) {
		for (uint32_t i = 0; i < ranked->count; i++)
			ranked->at[i].confidence =
				fmin(ranked->at[i].confidence, CONFIDENCE_MIN / 2);
	}
	return first->confidence >= CONFIDENCE_MIN;
}
