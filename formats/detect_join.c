/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_join.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "formats/detect_half.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Classes of what is seen at a join, one number a feature; the weights of all lie in one table. */
enum {
	SEEN_KINDS = 0,
	SEEN_BYTES = SEEN_KINDS + HALF_KINDS * HALF_KINDS,
	SEEN_GRAMS = SEEN_BYTES + 25,
	SEEN_ONE = SEEN_GRAMS + 18,
	SEEN_TWO = SEEN_ONE + 18,
	SEEN_LAG = SEEN_TWO + 18,
	SEEN_NUMBERS = SEEN_LAG + 4 * 9 + 1,
	SEEN_STAMP = SEEN_NUMBERS + 20,
	SEEN_COUNT = SEEN_STAMP + 2,
	FEATURES = 8,
};

#define EXAMPLES 48000u /* half of them true */
#define EXAMPLES_TEST 12000u
#define EXAMPLES_A_BLOCK 8u /* of small piles there are fewer */
#define EXAMPLES_LEAST 4000u
#define PASSES 6u
#define NEAR_BLOCKS_LOG2                                                                           \
	8u /* wrong neighbours are looked for within 256 blocks, nearer ones more often */
#define FILES_END 0.08  /* of true joins: something new begins there */
#define LARGE_CHUNK 32u /* blocks */
#define TALLY_DRAWS 300u
#define TALLY_COUNT_MIN 20u
#define TALLY_MAX 4.0
#define ROWS_GAIN_MIN 0.3      /* nats by which blocks in a row join better than others */
#define ROWS_CONTRADICTED -1.0 /* nats: so much worse they join by what halves say */
#define COUNTER_WORTH 3.0      /* a word that counts blocks */

struct block_facts {
	struct half halves[2];
	float cost;
};

struct image_facts {
	struct block_facts *blocks; /* owned */
	double *within;             /* owned: sums of joins from block to block */
};

struct joins {
	const struct detect_pile *pile;
	struct half_language *language; /* owned */
	struct image_facts images[DETECT_IMAGES_MAX];
	double weights[SEEN_COUNT];
	double scale, information;
};

struct seen {
	uint16_t at[FEATURES];
};

/* One side of a join: what is known of a half, and its bytes. */
struct side {
	const struct half *half;
	const uint8_t *bytes;
};

static uint32_t bin(double value, double low, double step, uint32_t bins)
{
	double at = (value - low) / step;

	if (!(at > 0))
		return 0;
	return at >= bins ? bins - 1 : (uint32_t)at;
}

static uint16_t see_bytes(const struct half *from, const struct half *to)
{
	uint32_t sum = 0;

	if (from->kind == HALF_ZERO || to->kind == HALF_ZERO)
		return SEEN_BYTES;
	for (uint32_t i = 0; i < 256; i++)
		sum += (uint32_t)from->root[i] * to->root[i];
	return (uint16_t)(SEEN_BYTES + 1 + bin(acos(fmin(1, sum / 51200.0)), 0.0, 0.06, 24));
}

static uint16_t see_grams(const struct half *from, const struct half *to)
{
	uint32_t common = 0;

	if (from->gram_count < 4 || to->gram_count < 4)
		return SEEN_GRAMS;
	for (uint32_t i = 0; i < HALF_GRAM_WORDS; i++)
		common += (uint32_t)__builtin_popcountll(from->grams[i] & to->grams[i]);
	/* Against what two sets of these sizes share by chance. */
	double chance = (double)from->gram_count * to->gram_count / (64.0 * HALF_GRAM_WORDS);
	double most = from->gram_count < to->gram_count ? from->gram_count : to->gram_count;

	return (uint16_t)(SEEN_GRAMS + 1 +
			  bin((common - chance) / (sqrt(chance + 1) * 0.7 + most * 0.06), -2.0, 0.5,
			      17));
}

static uint16_t see_lag(const struct side *from, const struct side *to)
{
	uint32_t lag = from->half->lag, same = 0, crossing;

	if (lag == 0)
		return SEEN_LAG;
	/* The same distance in a multiple that is long enough to judge by. */
	crossing = lag * ((23 + lag) / lag);
	for (uint32_t i = 0; i < crossing; i++)
		same += to->bytes[i] == from->bytes[HALF_SIZE - crossing + i];
	return (uint16_t)(SEEN_LAG + 1 + 9 * bin(from->half->lag_match, 32.0, 60.0, 4) +
			  bin(same * 9.0 / crossing, 0.0, 1.0, 9));
}

/* Decimal numbers of lines and times go on where the text goes on. */
static uint16_t see_numbers(const struct half *from, const struct half *to)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < from->tails; i++) {
		for (uint32_t j = 0; j < to->heads; j++) {
			uint32_t a = from->tail[i], b = to->head[j];

			if (b > a && b - a < least)
				least = b - a;
		}
	}
	if (from->tails == 0 || to->heads == 0)
		return SEEN_NUMBERS;
	return (uint16_t)(SEEN_NUMBERS + 1 + bin(log2(least), 0.0, 1.0, 19));
}

static bool words_count(const uint8_t *before, const uint8_t *after, uint32_t size, uint32_t least)
{
	for (uint32_t i = 0; i < size; i += 4) {
		uint32_t a = get_le32(before + i), b = get_le32(after + i);

		if ((b - a == 1 && a >= least) ||
		    (__builtin_bswap32(b) - __builtin_bswap32(a) == 1 &&
		     __builtin_bswap32(a) >= least))
			return true;
	}
	return false;
}

/* A word at the beginning of each sector that counts them. */
static uint16_t see_stamp(const struct side *from, const struct side *to)
{
	return (uint16_t)(SEEN_STAMP +
			  words_count(from->bytes + HALF_SIZE - 512, to->bytes, 32, 1));
}

static struct seen see(const struct joins *joins, const struct side *from, const struct side *to)
{
	struct half_surprise surprise;
	struct seen seen = { .at = {
				     [0] = (uint16_t)(SEEN_KINDS + from->half->kind * HALF_KINDS +
						      to->half->kind),
				     [1] = see_bytes(from->half, to->half),
				     [2] = see_grams(from->half, to->half),
				     [3] = SEEN_ONE,
				     [4] = SEEN_TWO,
				     [5] = SEEN_LAG,
				     [6] = SEEN_NUMBERS,
				     [7] = SEEN_STAMP,
			     } };

	/* Zeros and random bytes have nothing but their kind. */
	if (from->half->kind == HALF_ZERO || to->half->kind == HALF_ZERO ||
	    (from->half->kind == HALF_DENSE && to->half->kind == HALF_DENSE))
		return seen;
	surprise = half_compare_ends(joins->language, from->bytes + HALF_SIZE - 2, to->bytes);
	seen.at[3] = (uint16_t)(SEEN_ONE + 1 + bin(surprise.one, -8.0, 1.0, 17));
	seen.at[4] = (uint16_t)(SEEN_TWO + 1 + bin(surprise.two, -8.0, 1.0, 17));
	seen.at[5] = see_lag(from, to);
	seen.at[6] = see_numbers(from->half, to->half);
	seen.at[7] = see_stamp(from, to);
	return seen;
}

static struct side side_of(const struct joins *joins, struct join_end at, uint32_t half)
{
	return (struct side){
		.half = &joins->images[at.image].blocks[at.index].halves[half],
		.bytes = detect_pile_at(joins->pile, at.image, at.index) + (size_t)half * HALF_SIZE,
	};
}

/* ---- learning */

/* What true examples are made of: the halves of a block, or blocks in a row, the first one at an even index or an odd one. */
enum lesson { LESSON_HALVES, LESSON_EVEN, LESSON_ODD };

struct example {
	struct seen seen;
	bool joined;
};

static bool is_zero_half(const struct joins *joins, struct join_end at, uint32_t half)
{
	return joins->images[at.image].blocks[at.index].halves[half].kind == HALF_ZERO;
}

/* Where an example begins. Zeros go without saying: most that would be zeros are drawn again. */
static struct join_end begin_draw(const struct joins *joins, struct rng *rng, enum lesson lesson)
{
	const struct detect_pile *pile = joins->pile;
	struct join_end at = { (uint32_t)rng_below(rng, pile->image_count), 0 };

	for (uint32_t tries = 0; tries < 4; tries++) {
		at.index = (uint32_t)rng_below(rng, pile->index_count);
		if (lesson != LESSON_HALVES && at.index % 2 != (lesson == LESSON_ODD))
			at.index ^= 1;
		if (lesson != LESSON_HALVES && at.index + 1 >= pile->index_count)
			at.index = lesson == LESSON_ODD && pile->index_count > 2;
		if (!is_zero_half(joins, at, lesson != LESSON_HALVES))
			break;
	}
	return at;
}

/* Some block near another one, in any image. */
static struct join_end near_draw(const struct joins *joins, struct rng *rng, struct join_end at)
{
	const struct detect_pile *pile = joins->pile;
	uint64_t far = rng_below(rng, UINT64_C(1) << rng_below(rng, NEAR_BLOCKS_LOG2 + 1));
	uint32_t index = (rng_next(rng) & 1) ? at.index + (uint32_t)far : at.index - (uint32_t)far;

	return (struct join_end){ (uint32_t)rng_below(rng, pile->image_count),
				  index < pile->index_count ? index : at.index };
}

static struct seen see_join(const struct joins *joins, struct join_end at, struct join_end to,
			    enum lesson lesson)
{
	bool halves = lesson == LESSON_HALVES;
	struct side from = side_of(joins, at, !halves), next = side_of(joins, to, halves);

	return see(joins, &from, &next);
}

/* A wrong example has its other side from somewhere near. */
static struct example example_draw(const struct joins *joins, struct rng *rng, enum lesson lesson,
				   bool joined)
{
	const struct detect_pile *pile = joins->pile;
	struct join_end at = begin_draw(joins, rng, lesson), true_end = at, to;

	if (lesson != LESSON_HALVES && at.index + 1 < pile->index_count)
		true_end.index++;
	to = true_end;
	while (!joined && to.image == true_end.image && to.index == true_end.index) {
		to = near_draw(joins, rng, at);
		if (pile->image_count == 1 && pile->index_count == 1)
			break;
	}
	return (struct example){ see_join(joins, at, to, lesson), joined };
}

static double weigh(const struct joins *joins, const struct seen *seen)
{
	double sum = 0;

	for (uint32_t i = 0; i < FEATURES; i++)
		sum += joins->weights[seen->at[i]];
	return sum;
}

/* How many are learned from; a quarter as many are kept aside. */
static uint32_t example_count(const struct joins *joins)
{
	uint64_t count =
		(uint64_t)joins->pile->image_count * joins->pile->index_count * EXAMPLES_A_BLOCK;

	return count > EXAMPLES         ? EXAMPLES
	       : count < EXAMPLES_LEAST ? EXAMPLES_LEAST
					: (uint32_t)count;
}

static void learn_weights(struct joins *joins, const struct example *examples, struct rng *rng)
{
	uint32_t count = example_count(joins);

	for (uint32_t pass = 0; pass < PASSES; pass++) {
		double rate = 0.1 / (1 + pass);

		for (uint32_t i = 0; i < count; i++) {
			const struct example *example = &examples[rng_below(rng, count)];
			double chance = 1 / (1 + exp(-weigh(joins, &example->seen)));
			double push = rate * ((example->joined ? 1.0 : 0.0) - chance);

			for (uint32_t f = 0; f < FEATURES; f++) {
				double *weight = &joins->weights[example->seen.at[f]];

				*weight += push - rate * 1e-4 * *weight;
			}
		}
	}
}

/* Of the scales the one that promises best on examples not learned from, and what a true join is worth then. */
static void learn_scale(struct joins *joins, const struct example *examples)
{
	static const double scales[] = { 0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0 };
	uint32_t count = example_count(joins) / 4;
	double best = HUGE_VAL;

	for (size_t s = 0; s < sizeof(scales) / sizeof(scales[0]); s++) {
		double loss = 0;

		for (uint32_t i = 0; i < count; i++) {
			double sum = weigh(joins, &examples[i].seen) * scales[s];

			loss += log1p(exp(examples[i].joined ? -sum : sum));
		}
		loss /= count;
		/* More only for a gain that is not chance. */
		if (loss < best - 0.0008) {
			best = loss;
			joins->scale = scales[s];
			joins->information = log(2) - loss;
		}
	}
}

static void learn_lesson(struct joins *joins, struct example *examples, enum lesson lesson)
{
	struct rng rng = rng_seeded(1);
	uint32_t count = example_count(joins);

	memset(joins->weights, 0, sizeof(joins->weights));
	for (uint32_t i = 0; i < count + count / 4; i++)
		examples[i] = example_draw(joins, &rng, lesson, i % 2);
	learn_weights(joins, examples, &rng);
	learn_scale(joins, examples + count);
}

/* Sums of what joins are worth, each kept within bounds, so that few do not outweigh many. */
struct tally {
	double sum;
	uint32_t count;
};

static void tally_add(struct tally *tally, const struct joins *joins, struct join_end at,
		      struct join_end to)
{
	struct seen seen = see_join(joins, at, to, LESSON_EVEN);

	tally->sum += fmax(fmin(weigh(joins, &seen), TALLY_MAX), -TALLY_MAX);
	tally->count++;
}

static double tally_mean(const struct tally *tally)
{
	return tally->count < TALLY_COUNT_MIN ? -TALLY_MAX : tally->sum / tally->count;
}

/* The best of the other images for what follows on `image`, in the same row and in the next. */
static double best_other(const struct joins *joins, struct rng *rng, uint32_t image,
			 enum lesson lesson, struct tally *own)
{
	const struct detect_pile *pile = joins->pile;
	struct tally others[DETECT_IMAGES_MAX][2] = { 0 };
	double best = -TALLY_MAX;

	for (uint32_t i = 0; i < TALLY_DRAWS; i++) {
		struct join_end at = begin_draw(joins, rng, lesson), to;

		at.image = image;
		to = (struct join_end){ image, at.index + 1 };
		if (to.index >= pile->index_count || is_zero_half(joins, at, 1))
			continue;
		tally_add(own, joins, at, to);
		for (uint32_t k = 0; k < 2 * pile->image_count; k++) {
			to = (struct join_end){ k / 2, at.index + k % 2 };
			/* Copies of what is on this image are not somewhere else. */
			if (memcmp(detect_pile_at(pile, image, to.index),
				   detect_pile_at(pile, to.image, to.index), BLOCK_SIZE) != 0)
				tally_add(&others[k / 2][k % 2], joins, at, to);
		}
	}
	for (uint32_t k = 0; k < 2 * pile->image_count; k++)
		best = fmax(best, tally_mean(&others[k / 2][k % 2]));
	return best;
}

/*
 * How much better blocks in a row of one image join, by what was learned of them, than with the neighbours on that
 * other image where they join best: there the next chunk is when chunks are as small as a block.
 */
static double lesson_gain(const struct joins *joins, enum lesson lesson)
{
	struct rng rng = rng_seeded(2);
	struct tally own = { 0 };
	double others = 0;

	for (uint32_t i = 0; i < joins->pile->image_count; i++)
		others += best_other(joins, &rng, i, lesson, &own) / joins->pile->image_count;
	return (tally_mean(&own) - others) * joins->scale;
}

/* What one lesson gave. */
struct learned {
	double weights[SEEN_COUNT];
	double scale, information, gain;
};

static void lesson_keep(struct learned *learned, const struct joins *joins, enum lesson lesson)
{
	memcpy(learned->weights, joins->weights, sizeof(learned->weights));
	learned->scale = joins->scale;
	learned->information = joins->information;
	learned->gain = lesson_gain(joins, lesson);
}

/*
 * Halves are examples whatever the chunk; but a block may be a page that begins and ends in ways of its own. Where chunks
 * are larger than a block, blocks in a row are better examples. They are where they join better than with any other image,
 * and where halves do not say that it is elsewhere that they go on.
 */
static int learn(struct joins *joins, struct err *err)
{
	struct example *examples = mem_calloc(EXAMPLES + EXAMPLES_TEST, sizeof(*examples));
	struct learned *rows = mem_calloc(1, 2 * sizeof(*rows));
	const struct learned *best;

	if (!examples || !rows) {
		mem_free(examples);
		mem_free(rows);
		return err_set(err, ERR_NOMEM, "no memory for examples");
	}
	for (uint32_t i = 0; i < 2; i++) {
		enum lesson lesson = i ? LESSON_ODD : LESSON_EVEN;

		learn_lesson(joins, examples, lesson);
		lesson_keep(&rows[i], joins, lesson);
	}
	best = &rows[rows[1].gain > rows[0].gain];
	learn_lesson(joins, examples, LESSON_HALVES);
	if (best->gain > ROWS_GAIN_MIN &&
	    lesson_gain(joins, best == rows ? LESSON_EVEN : LESSON_ODD) > ROWS_CONTRADICTED) {
		memcpy(joins->weights, best->weights, sizeof(joins->weights));
		joins->scale = best->scale;
		joins->information = best->information;
	}
	mem_free(examples);
	mem_free(rows);
	return 0;
}

/* ---- asking */

double joins_between(const struct joins *joins, struct join_end from, struct join_end to)
{
	struct side left = side_of(joins, from, 1), right = side_of(joins, to, 0);
	struct seen seen = see(joins, &left, &right);
	double sum = weigh(joins, &seen) * joins->scale;

	if (joins->scale > 0 && left.half->kind != HALF_DENSE && right.half->kind != HALF_DENSE &&
	    words_count(left.bytes - HALF_SIZE, right.bytes, 32, 16))
		sum += COUNTER_WORTH;
	/* A file may end here. */
	return log((1 - FILES_END) * exp(fmin(sum, 7)) + FILES_END);
}

double joins_between_chunks(const struct joins *joins, struct join_end from, struct join_end to,
			    uint32_t chunk_blocks)
{
	static const double weights[] = { 1, 0.4, 0.3, 0.2, 0.2, 0.2 };
	uint32_t count = chunk_blocks < LARGE_CHUNK ? 1 : sizeof(weights) / sizeof(weights[0]);
	double sum = 0;

	assert(from.index + 1 >= count && to.index + count <= joins->pile->index_count);
	for (uint32_t i = 0; i < count; i++)
		sum += weights[i] * joins_between(joins,
						  (struct join_end){ from.image, from.index - i },
						  (struct join_end){ to.image, to.index + i });
	return sum;
}

double joins_within(const struct joins *joins, uint32_t image, uint32_t first, uint32_t end)
{
	const double *within = joins->images[image].within;

	return end > first ? within[end - 1] - within[first] : 0;
}

double joins_block_cost(const struct joins *joins, uint32_t image, uint32_t index)
{
	return (double)joins->images[image].blocks[index].cost;
}

bool joins_is_zero(const struct joins *joins, uint32_t image, uint32_t index)
{
	const struct half *halves = joins->images[image].blocks[index].halves;

	return halves[0].kind == HALF_ZERO && halves[1].kind == HALF_ZERO;
}

bool joins_is_structured(const struct joins *joins, uint32_t image, uint32_t index)
{
	const struct half *halves = joins->images[image].blocks[index].halves;

	return !joins_is_zero(joins, image, index) &&
	       (halves[0].kind != HALF_DENSE || halves[1].kind != HALF_DENSE);
}

double joins_information(const struct joins *joins)
{
	return joins->information;
}

/* ---- making */

static int describe_blocks(struct joins *joins, uint32_t image, struct err *err)
{
	const struct detect_pile *pile = joins->pile;
	struct image_facts *facts = &joins->images[image];

	if (!facts->blocks)
		facts->blocks = mem_calloc(pile->index_count, sizeof(*facts->blocks));
	if (!facts->within)
		facts->within = mem_calloc(pile->index_count, sizeof(*facts->within));
	if (!facts->blocks || !facts->within)
		return err_set(err, ERR_NOMEM, "no memory for what the blocks are like");
	for (uint32_t i = 0; i < pile->index_count; i++) {
		const uint8_t *bytes = detect_pile_at(pile, image, i);
		struct block_facts *block = &facts->blocks[i];

		half_describe(&block->halves[0], joins->language, bytes);
		half_describe(&block->halves[1], joins->language, bytes + HALF_SIZE);
		block->cost = joins_is_zero(joins, image, i)
				      ? 0.0F
				      : (float)half_block_cost(joins->language, bytes);
	}
	return 0;
}

/* Only within windows: blocks on both sides of a gap are no neighbours. */
static void describe_within(struct joins *joins, uint32_t image)
{
	double *within = joins->images[image].within, sum = 0;

	for (uint32_t w = 0; w < joins->pile->window_count; w++) {
		const struct detect_window *window = &joins->pile->windows[w];

		for (uint32_t i = window->first; i < window->first + window->count; i++) {
			if (i > window->first)
				sum += joins_between(joins, (struct join_end){ image, i - 1 },
						     (struct join_end){ image, i });
			within[i] = sum;
		}
	}
}

int joins_describe(struct joins *joins, uint32_t image, struct err *err)
{
	int rc = describe_blocks(joins, image, err);

	if (rc == 0)
		describe_within(joins, image);
	return rc;
}

int joins_create(struct joins **joins_out, const struct detect_pile *pile, struct err *err)
{
	struct joins *joins = mem_calloc(1, sizeof(*joins));
	int rc = 0;

	assert(pile->image_count > 0 && pile->index_count > 0);
	if (!joins)
		return err_set(err, ERR_NOMEM, "no memory for joins");
	joins->pile = pile;
	joins->language = mem_calloc(1, sizeof(*joins->language));
	if (!joins->language)
		rc = err_set(err, ERR_NOMEM, "no memory for what the content is like");
	if (rc == 0)
		rc = half_language_learn(joins->language, pile, err);
	for (uint32_t i = 0; rc == 0 && i < pile->image_count; i++)
		rc = describe_blocks(joins, i, err);
	if (rc == 0)
		rc = learn(joins, err);
	if (rc) {
		joins_free(joins);
		return rc;
	}
	for (uint32_t i = 0; i < pile->image_count; i++)
		describe_within(joins, i);
	*joins_out = joins;
	return 0;
}

void joins_free(struct joins *joins)
{
	if (!joins)
		return;
	for (uint32_t i = 0; i < DETECT_IMAGES_MAX; i++) {
		mem_free(joins->images[i].blocks);
		mem_free(joins->images[i].within);
	}
	if (joins->language)
		half_language_reset(joins->language);
	mem_free(joins->language);
	mem_free(joins);
}
