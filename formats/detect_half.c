/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_half.h"

#include "core/base/mem.h"

#include <math.h>
#include <string.h>

#define TRIPLE_ROWS 65536u
#define LEARN_BYTES (UINT64_C(24) << 20) /* enough for all pairs and most triples */
#define GRAM_MASK 3u                     /* one hash in four is kept */
#define GRAM_COMMON_DIVISOR 24u /* what more than one half in 24 has says nothing of a file */
#define ROOT_SCALE 5.0          /* the square root of 2048, times this, is below 256 */

static uint32_t gram_hash(const uint8_t *at)
{
	return get_le32(at) * UINT32_C(2654435761) >> 16;
}

static void learn_bytes(struct half_language *language, const uint8_t *bytes, size_t size)
{
	for (size_t i = 2; i < size; i++) {
		uint32_t row = (uint32_t)bytes[i - 2] << 8 | bytes[i - 1];
		uint16_t *count = &language->triple[row << 8 | bytes[i]];

		language->byte[bytes[i]]++;
		language->pair[bytes[i - 1]][bytes[i]]++;
		if (language->triples[row] < UINT16_MAX) {
			++*count;
			language->triples[row]++;
		}
	}
	language->bytes += (uint32_t)(size - 2);
}

static void learn_grams(struct half_language *language, const uint8_t bytes[static HALF_SIZE])
{
	uint8_t seen[TRIPLE_ROWS / 8] = { 0 };

	for (size_t i = 0; i + 4 <= HALF_SIZE; i++) {
		uint32_t hash = gram_hash(bytes + i);

		if ((hash & GRAM_MASK) || (seen[hash / 8] >> hash % 8 & 1))
			continue;
		seen[hash / 8] = (uint8_t)(seen[hash / 8] | 1u << hash % 8);
		language->gram_seen[hash]++;
	}
	language->halves++;
}

int half_language_learn(struct half_language *language, const struct detect_pile *pile,
			struct err *err)
{
	uint64_t all = (uint64_t)pile->image_count * pile->index_count;
	uint64_t step = all * BLOCK_SIZE / LEARN_BYTES + 1;

	memset(language, 0, sizeof(*language));
	language->triple = mem_calloc((size_t)TRIPLE_ROWS * 256, sizeof(*language->triple));
	language->triples = mem_calloc(TRIPLE_ROWS, sizeof(*language->triples));
	language->gram_seen = mem_calloc(TRIPLE_ROWS, sizeof(*language->gram_seen));
	if (!language->triple || !language->triples || !language->gram_seen) {
		half_language_reset(language);
		return err_set(err, ERR_NOMEM, "no memory for what the content is like");
	}
	for (uint64_t i = 0; i < all; i += step) {
		const uint8_t *bytes = detect_pile_at(pile, (uint32_t)(i % pile->image_count),
						      (uint32_t)(i / pile->image_count));

		if (bytes_are_zero(bytes, BLOCK_SIZE))
			continue;
		learn_bytes(language, bytes, BLOCK_SIZE);
		learn_grams(language, bytes);
	}
	return 0;
}

void half_language_reset(struct half_language *language)
{
	mem_free(language->triple);
	mem_free(language->triples);
	mem_free(language->gram_seen);
	memset(language, 0, sizeof(*language));
}

/* Probability of a byte alone, after one, after two; each leans on the one before where it has seen little. */
static double chance_byte(const struct half_language *language, uint8_t byte)
{
	return (language->byte[byte] + 1.0) / (language->bytes + 256.0);
}

static double chance_pair(const struct half_language *language, uint8_t before, uint8_t byte)
{
	double lean = 16.0 * chance_byte(language, byte);

	/* What follows one byte sums up to how often that byte is there, but for the ends. */
	return (language->pair[before][byte] + lean) / (language->byte[before] + 16.0);
}

static double chance_triple(const struct half_language *language, uint8_t first, uint8_t second,
			    uint8_t byte)
{
	uint32_t row = (uint32_t)first << 8 | second;
	double lean = 8.0 * chance_pair(language, second, byte);

	return (language->triple[row << 8 | byte] + lean) / (language->triples[row] + 8.0);
}

struct half_surprise half_compare_ends(const struct half_language *language,
				       const uint8_t last[static 2], const uint8_t next[static 2])
{
	double alone = chance_byte(language, next[0]);
	double pair = chance_pair(language, last[1], next[0]);
	double triple = chance_triple(language, last[0], last[1], next[0]);
	double second = chance_triple(language, last[1], next[0], next[1]) /
			chance_pair(language, next[0], next[1]);

	return (struct half_surprise){
		.one = log2(pair / alone),
		.two = log2(triple / alone * second),
	};
}

double half_block_cost(const struct half_language *language, const uint8_t bytes[static BLOCK_SIZE])
{
	double bits = 0;
	uint32_t count = 0;

	/* A sixteenth of the block tells as much; the product is kept away from zero by parts. */
	for (uint32_t part = 0; part < BLOCK_SIZE; part += 256) {
		for (uint32_t i = part + 2; i < part + 34; i += 8) {
			double chance = 1;

			for (uint32_t j = i; j < i + 8; j++)
				chance *= chance_triple(language, bytes[j - 2], bytes[j - 1],
							bytes[j]);
			bits -= log2(chance);
			count += 8;
		}
	}
	return bits / count;
}

static void describe_grams(struct half *half, const struct half_language *language,
			   const uint8_t bytes[static HALF_SIZE])
{
	uint32_t common = language->halves / GRAM_COMMON_DIVISOR + 1;

	for (size_t i = 0; i + 4 <= HALF_SIZE; i++) {
		uint32_t hash = gram_hash(bytes + i);

		if ((hash & GRAM_MASK) || language->gram_seen[hash] > common)
			continue;
		half->grams[hash >> 2 & (HALF_GRAM_WORDS - 1)] |= UINT64_C(1) << (hash >> 6 & 63);
	}
	for (uint32_t i = 0; i < HALF_GRAM_WORDS; i++)
		half->gram_count += (uint32_t)__builtin_popcountll(half->grams[i]);
}

/* The distance after which the last 128 bytes are most often what they were. */
static void describe_lag(struct half *half, const uint8_t bytes[static HALF_SIZE])
{
	uint32_t best = 0;

	for (uint32_t lag = 1; lag <= HALF_LAG_MAX; lag++) {
		uint32_t same = 0;

		for (uint32_t i = 0; i < 128; i++)
			same += bytes[HALF_SIZE - 128 + i] == bytes[HALF_SIZE - 128 + i - lag];
		if (same > best + 4) {
			best = same;
			half->lag = (uint8_t)lag;
		}
	}
	half->lag_match = (uint8_t)(best * 255 / 128);
}

/* Numbers of three to nine digits that begin and end within bytes from..end. */
static uint32_t numbers_in(uint32_t numbers[static HALF_NUMBERS], const uint8_t *bytes,
			   uint32_t from, uint32_t end)
{
	uint32_t count = 0, digits = 0, value = 0;

	for (uint32_t i = from; i < end && count < HALF_NUMBERS; i++) {
		bool digit = bytes[i] >= '0' && bytes[i] <= '9';

		if (digit) {
			value = digits < 9 ? value * 10 + (bytes[i] - '0') : 0;
			digits++;
			continue;
		}
		if (digits >= 3 && digits <= 9 && value >= 100 && i - digits > from)
			numbers[count++] = value;
		digits = value = 0;
	}
	return count;
}

static void describe_numbers(struct half *half, const uint8_t bytes[static HALF_SIZE])
{
	half->heads = (uint8_t)numbers_in(half->head, bytes, 0, 192);
	half->tails = (uint8_t)numbers_in(half->tail, bytes, HALF_SIZE - 192, HALF_SIZE);
}

static enum half_kind kind_of(const uint32_t counts[static 256])
{
	uint32_t text = 0, distinct = 0, most = 0;
	double sum = 0;

	for (uint32_t i = 0; i < 256; i++) {
		text += (i >= 32 && i < 127) || i == '\n' || i == '\t' || i == '\r' ? counts[i] : 0;
		distinct += counts[i] > 0;
		most = counts[i] > most ? counts[i] : most;
		sum += (double)counts[i] * counts[i];
	}
	if (counts[0] == HALF_SIZE)
		return HALF_ZERO;
	if (most > HALF_SIZE - HALF_SIZE / 32)
		return HALF_FILL;
	if (text > HALF_SIZE - HALF_SIZE / 32)
		return HALF_TEXT;
	/* Of random bytes the sum is 2048 + 2048 * 2047 / 256 = 18424, give or take 200. */
	return distinct > 240 && sum < 20500 ? HALF_DENSE : HALF_OTHER;
}

void half_describe(struct half *half_out, const struct half_language *language,
		   const uint8_t bytes[static HALF_SIZE])
{
	uint32_t counts[256] = { 0 };

	memset(half_out, 0, sizeof(*half_out));
	for (uint32_t i = 0; i < HALF_SIZE; i++)
		counts[bytes[i]]++;
	for (uint32_t i = 0; i < 256; i++)
		half_out->root[i] = (uint8_t)lround(sqrt(counts[i]) * ROOT_SCALE);
	half_out->kind = (uint8_t)kind_of(counts);
	if (half_out->kind == HALF_ZERO || half_out->kind == HALF_DENSE)
		return;
	describe_grams(half_out, language, bytes);
	describe_lag(half_out, bytes);
	describe_numbers(half_out, bytes);
}
