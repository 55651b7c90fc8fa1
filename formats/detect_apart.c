/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_apart.h"

#include <math.h>
#include <string.h>

#define CHUNK_BLOCKS_TRIED 256u
#define ROWS_ASKED 240u /* ends of chunks, of each size */
#define ROWS_MIN 8u
#define TIED 2.0  /* standard scores: less may be chance */
#define ALONE 6.0 /* an image goes on over the ends of the largest chunks */

struct apart {
	const struct detect_pile *pile;
	const struct joins *joins;
	const uint8_t *images;
	uint32_t count;
	uint64_t start;
	double ties[DETECT_IMAGES_MAX][DETECT_IMAGES_MAX]; /* the best of all chunks */
	double alone[DETECT_IMAGES_MAX];
};

/* Sums for one chunk: b goes on behind a, in the same row or in the next. */
struct rows_sums {
	double same[DETECT_IMAGES_MAX][DETECT_IMAGES_MAX],
		next[DETECT_IMAGES_MAX][DETECT_IMAGES_MAX];
	uint32_t rows;
};

static void row_add(struct rows_sums *sums, const struct apart *apart, uint32_t end, uint32_t chunk)
{
	sums->rows++;
	for (uint32_t a = 0; a < apart->count; a++) {
		const struct join_end from = { apart->images[a], end - 1 };

		if (joins_is_zero(apart->joins, from.image, from.index))
			continue;
		for (uint32_t b = 0; b < apart->count; b++) {
			struct join_end to = { apart->images[b], end };

			if (a != b && !joins_is_zero(apart->joins, to.image, to.index))
				sums->next[a][b] += joins_between(apart->joins, from, to);
			to.index = end - chunk;
			if (a != b && !joins_is_zero(apart->joins, to.image, to.index))
				sums->same[a][b] += joins_between(apart->joins, from, to);
		}
	}
}

/* Ends of chunks all over the windows. */
static void rows_ask(struct rows_sums *sums, const struct apart *apart, uint32_t chunk)
{
	const struct detect_pile *pile = apart->pile;
	uint32_t step = pile->index_count / chunk / ROWS_ASKED + 1;

	memset(sums, 0, sizeof(*sums));
	for (uint32_t w = 0; w < pile->window_count; w++) {
		const struct detect_window *window = &pile->windows[w];
		uint64_t row = window->block > apart->start
				       ? (window->block - apart->start + chunk - 1) / chunk
				       : 0;

		for (;; row += step) {
			uint64_t end = apart->start + (row + 1) * chunk;

			if (end + chunk > window->block + window->count)
				break;
			row_add(sums, apart, window->first + (uint32_t)(end - window->block),
				chunk);
		}
	}
}

static void ties_find(struct apart *apart, struct rows_sums *sums)
{
	for (uint32_t chunk = 1; chunk <= CHUNK_BLOCKS_TRIED; chunk *= 2) {
		rows_ask(sums, apart, chunk);
		if (sums->rows < ROWS_MIN)
			continue;
		double scale = 1 / sqrt(sums->rows);

		for (uint32_t a = 0; a < apart->count; a++) {
			for (uint32_t b = 0; b < apart->count; b++) {
				double most = fmax(sums->same[a][b], sums->next[a][b]) * scale;

				if (a != b)
					apart->ties[a][b] = fmax(apart->ties[a][b], most);
			}
		}
	}
}

/* How well `image` goes on at blocks that are `phase` behind whole chunks of the largest size. */
static double alone_at(const struct apart *apart, uint8_t image, uint32_t phase)
{
	const struct detect_pile *pile = apart->pile;
	double sum = 0;
	uint32_t rows = 0;

	for (uint32_t i = 1; i < pile->index_count; i++) {
		uint64_t block = detect_pile_block(pile, i);

		if (block % CHUNK_BLOCKS_TRIED != phase || joins_is_zero(apart->joins, image, i) ||
		    joins_is_zero(apart->joins, image, i - 1))
			continue;
		rows++;
		sum += joins_between(apart->joins, (struct join_end){ image, i - 1 },
				     (struct join_end){ image, i });
	}
	return rows < ROWS_MIN ? 0 : sum / sqrt(rows);
}

/* Of all places where data may begin the one at which the image goes on worst: there chunks would end. */
static void alone_find(struct apart *apart)
{
	for (uint32_t a = 0; a < apart->count; a++) {
		double worst = alone_at(apart, apart->images[a], 0);

		for (uint32_t phase = 1; phase < CHUNK_BLOCKS_TRIED;
		     phase = phase < 16 ? 2 * phase : phase + 16)
			worst = fmin(worst, alone_at(apart, apart->images[a], phase));
		apart->alone[a] = worst;
	}
}

/* All that ties lead to from `part`. */
static uint32_t grow(const struct apart *apart, uint32_t part)
{
	uint32_t before = 0;

	while (part != before) {
		before = part;
		for (uint32_t a = 0; a < apart->count; a++) {
			for (uint32_t b = 0; b < apart->count; b++) {
				if (apart->ties[a][b] > TIED && (part >> a & 1 || part >> b & 1))
					part |= 1u << a | 1u << b;
			}
		}
	}
	return part;
}

uint32_t detect_apart(uint32_t parts_out[static DETECT_IMAGES_MAX], const struct detect_pile *pile,
		      const struct joins *joins, const uint8_t *images, uint32_t count,
		      uint64_t start)
{
	struct apart apart = { pile, joins, images, count, start, { { 0 } }, { 0 } };
	struct rows_sums sums;
	uint32_t all = (1u << count) - 1, left = all, parts = 0;
	bool sure = true;

	ties_find(&apart, &sums);
	alone_find(&apart);
	while (left) {
		uint32_t one = (uint32_t)__builtin_ctz(left), part = grow(&apart, 1u << one);

		sure = sure && (part != 1u << one || apart.alone[one] > ALONE);
		parts_out[parts++] = part;
		left &= ~part;
	}
	if (sure)
		return parts;
	parts_out[0] = all;
	return 1;
}
