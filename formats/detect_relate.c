/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_relate.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SETS_MAX 4096u      /* distinct sets of images that are counted; more are noise */
#define HOLDS_MIN 3u        /* blocks; less is chance */
#define JOINED_RATE_MIN 0.9 /* of a sum of which no row has all members */
#define SAME_MAX 6u         /* a block that is there more often is no special one */
#define SHIFT_SLOTS 8192u   /* distinct shifts that are counted, a power of two */
#define SHIFT_RATE_MIN 0.08

/* ---- signatures */

static struct signature signature_of(const uint8_t *bytes)
{
	struct signature s = { 0 };

	for (uint32_t i = 0; i < BLOCK_SIZE; i += 8) {
		uint64_t word = get_le64(bytes + i);

		s.a = bytes_double(s.a) ^ word;
		s.b = bytes_double(bytes_double(bytes_double(s.b))) ^ word;
	}
	return s;
}

static int signatures_make(struct relations *relations, const struct detect_pile *pile,
			   struct err *err)
{
	relations->stride = pile->index_count;
	relations->signatures = mem_calloc((size_t)pile->image_count * pile->index_count,
					   sizeof(*relations->signatures));
	if (!relations->signatures)
		return err_set(err, ERR_NOMEM, "no memory for signatures");
	for (uint32_t m = 0; m < pile->image_count; m++) {
		for (uint32_t i = 0; i < pile->index_count; i++)
			relations->signatures[(uint64_t)m * relations->stride + i] =
				signature_of(detect_pile_at(pile, m, i));
	}
	return 0;
}

/* ---- sums at one index */

struct set_counts {
	uint32_t images[SETS_MAX], count[SETS_MAX], used;
};

static void set_count(struct set_counts *sets, uint32_t images)
{
	uint32_t at = images * UINT32_C(2654435761) % SETS_MAX;

	while (sets->count[at] && sets->images[at] != images)
		at = (at + 1) % SETS_MAX;
	if (!sets->count[at] && ++sets->used > SETS_MAX / 2) {
		sets->used--;
		return;
	}
	sets->images[at] = images;
	sets->count[at]++;
}

static uint32_t lowest_bit(struct signature s)
{
	return s.a ? (uint32_t)__builtin_ctzll(s.a) : 64 + (uint32_t)__builtin_ctzll(s.b);
}

static bool has_bit(struct signature s, uint32_t bit)
{
	return (bit < 64 ? s.a >> bit : s.b >> (bit - 64)) & 1;
}

/* Gauss: each image that is the sum of others before it gives the set of them and itself. */
static void sums_at(struct set_counts *sets, const struct relations *relations, uint32_t images,
		    uint32_t index)
{
	struct signature rows[DETECT_IMAGES_MAX];
	uint32_t made_of[DETECT_IMAGES_MAX], count = 0;

	for (uint32_t m = 0; m < images; m++) {
		struct signature s = relations_at(relations, m, index);
		uint32_t of = 1u << m;

		if (signature_is_zero(s))
			continue;
		for (uint32_t r = 0; r < count; r++) {
			if (has_bit(s, lowest_bit(rows[r]))) {
				s = signature_add(s, rows[r]);
				of ^= made_of[r];
			}
		}
		if (signature_is_zero(s)) {
			set_count(sets, of);
			continue;
		}
		rows[count] = s;
		made_of[count++] = of;
	}
}

enum sum_state { SUM_EMPTY, SUM_FAILS, SUM_HOLDS_PART, SUM_HOLDS_FULL, SUM_FAILS_FULL };

/* Where one image alone has content a sum cannot hold; where all have, it says most. */
static enum sum_state sum_state(const struct relations *relations, uint32_t images, uint32_t index)
{
	struct signature sum = { 0 };
	uint32_t with = 0, all = (uint32_t)__builtin_popcount(images);

	for (uint32_t left = images; left; left &= left - 1) {
		struct signature s = relations_at(relations, (uint32_t)__builtin_ctz(left), index);

		sum = signature_add(sum, s);
		with += !signature_is_zero(s);
	}
	if (with == 0)
		return SUM_EMPTY;
	if (signature_is_zero(sum))
		return with == all ? SUM_HOLDS_FULL : SUM_HOLDS_PART;
	return with == all ? SUM_FAILS_FULL : SUM_FAILS;
}

/* Indices that all of these images reach. */
static uint32_t common_end(const struct detect_pile *pile, uint32_t images)
{
	uint32_t end = pile->index_count;

	for (; images; images &= images - 1) {
		uint64_t blocks = pile->images[__builtin_ctz(images)].blocks;

		while (end > 0 && detect_pile_block(pile, end - 1) >= blocks)
			end--;
	}
	return end;
}

/*
 * From where on it holds: from behind two blocks in which it fails, with nothing but empty ones between; or from the second
 * block, where the first was wiped.
 */
static uint32_t sum_begin(const struct relations *relations, uint32_t images, uint32_t end)
{
	uint32_t fails = 0;

	for (uint32_t i = end; i-- > 0;) {
		enum sum_state state = sum_state(relations, images, i);

		if (state == SUM_EMPTY)
			continue;
		fails = state == SUM_FAILS || state == SUM_FAILS_FULL ? fails + 1 : 0;
		if (fails == 2)
			return i + 2;
		if (i == 0 && fails == 1 && state == SUM_FAILS_FULL)
			return 1;
	}
	return 0;
}

/* Judged behind the first quarter: before the data there may be anything. */
static void sum_judge(struct relation_sum *sum, const struct relations *relations,
		      const struct detect_pile *pile)
{
	uint32_t end = common_end(pile, sum->images), seen[5] = { 0 }, all;

	for (uint32_t i = end / 4; i < end; i++)
		seen[sum_state(relations, sum->images, i)]++;
	sum->from = sum_begin(relations, sum->images, end);
	sum->holds = seen[SUM_HOLDS_FULL];
	all = seen[SUM_HOLDS_FULL] + seen[SUM_HOLDS_PART] + seen[SUM_FAILS] + seen[SUM_FAILS_FULL];
	sum->rate = all ? (seen[SUM_HOLDS_FULL] + seen[SUM_HOLDS_PART]) / (double)all : 0;
	all = seen[SUM_HOLDS_FULL] + seen[SUM_FAILS_FULL];
	sum->rate_full = all ? seen[SUM_HOLDS_FULL] / (double)all : 0;
}

/* The one that holds in most blocks comes first. */
static void sum_add(struct relations *relations, const struct relation_sum *sum)
{
	uint32_t at = relations->sum_count;

	if (at == RELATION_SUMS_MAX && relations->sums[--at].holds >= sum->holds)
		return;
	for (; at > 0 && relations->sums[at - 1].holds < sum->holds; at--)
		relations->sums[at] = relations->sums[at - 1];
	relations->sums[at] = *sum;
	if (relations->sum_count < RELATION_SUMS_MAX)
		relations->sum_count++;
}

/* All images of sums that overlap, one by one, with these. */
static uint32_t sums_overlap(const struct relations *relations, uint32_t images)
{
	uint32_t before = 0;

	while (images != before) {
		before = images;
		for (uint32_t i = 0; i < relations->sum_count; i++) {
			if (relations->sums[i].images & images)
				images |= relations->sums[i].images;
		}
	}
	return images;
}

static bool is_sum_known(const struct relations *relations, uint32_t images)
{
	for (uint32_t i = 0; i < relations->sum_count; i++) {
		if (relations->sums[i].images == images)
			return true;
	}
	return false;
}

/*
 * Where much is zeros there may be no row in which all members of an array have content: then the sums are those of some
 * members, here of these and there of those. All that overlap may be one sum that always holds.
 */
static void sums_join(struct relations *relations, const struct detect_pile *pile)
{
	uint32_t count = relations->sum_count;

	for (uint32_t i = 0; i < count; i++) {
		struct relation_sum all = {
			.images = sums_overlap(relations, relations->sums[i].images),
		};

		if (is_sum_known(relations, all.images))
			continue;
		sum_judge(&all, relations, pile);
		all.holds = relations->sums[0].holds;
		if (all.rate >= JOINED_RATE_MIN)
			sum_add(relations, &all);
	}
}

static int sums_find(struct relations *relations, const struct detect_pile *pile, struct err *err)
{
	struct set_counts *sets = mem_calloc(1, sizeof(*sets));

	if (!sets)
		return err_set(err, ERR_NOMEM, "no memory for sets of images");
	for (uint32_t i = 0; i < pile->index_count; i++)
		sums_at(sets, relations, pile->image_count, i);
	for (uint32_t i = 0; i < SETS_MAX; i++) {
		struct relation_sum sum = { .images = sets->images[i] };

		if (sets->count[i] < HOLDS_MIN)
			continue;
		sum_judge(&sum, relations, pile);
		if (sum.holds >= HOLDS_MIN)
			sum_add(relations, &sum);
	}
	mem_free(sets);
	sums_join(relations, pile);
	return 0;
}

/* ---- copies elsewhere */

struct place {
	struct signature signature;
	uint32_t image, index;
};

static int place_compare(const void *a, const void *b)
{
	const struct place *one = a, *other = b;

	if (one->signature.a != other->signature.a)
		return one->signature.a < other->signature.a ? -1 : 1;
	if (one->signature.b != other->signature.b)
		return one->signature.b < other->signature.b ? -1 : 1;
	if (one->image != other->image)
		return one->image < other->image ? -1 : 1;
	return one->index < other->index ? -1 : one->index > other->index;
}

struct shift_counts {
	struct relation_shift at[SHIFT_SLOTS];
	uint32_t used;
	uint32_t special[DETECT_IMAGES_MAX]; /* blocks of each image that are nowhere else on it */
};

static void shift_count(struct shift_counts *counts, uint32_t from, uint32_t to, uint64_t blocks)
{
	uint64_t hash = (blocks * DETECT_IMAGES_MAX + from) * DETECT_IMAGES_MAX + to;
	uint32_t at = (uint32_t)(hash * UINT64_C(0x9E3779B97F4A7C15) >> 51);
	struct relation_shift *shift = &counts->at[at];

	_Static_assert(SHIFT_SLOTS == 1u << 13, "the hash has 13 bits");
	while (shift->count &&
	       (shift->from != from || shift->to != to || shift->blocks != blocks)) {
		at = (at + 1) % SHIFT_SLOTS;
		shift = &counts->at[at];
	}
	if (!shift->count && ++counts->used > SHIFT_SLOTS / 2) {
		counts->used--;
		return;
	}
	*shift = (struct relation_shift){ from, to, blocks, shift->count + 1, 0 };
}

/* All pairs of a run of equal blocks, each on another image, the earlier one first. */
static void shifts_of_run(struct shift_counts *counts, const struct detect_pile *pile,
			  const struct place *run, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		counts->special[run[i].image]++;
		for (uint32_t j = 0; j < count; j++) {
			uint64_t a = detect_pile_block(pile, run[i].index);
			uint64_t b = detect_pile_block(pile, run[j].index);

			if (run[i].image != run[j].image && b > a)
				shift_count(counts, run[i].image, run[j].image, b - a);
		}
	}
}

static int shift_compare(const void *a, const void *b)
{
	const struct relation_shift *one = a, *other = b;

	return one->count > other->count ? -1 : one->count < other->count;
}

/* All blocks with content, in the order of their signatures; how many. */
static uint32_t places_sort(struct place *places, const struct relations *relations,
			    const struct detect_pile *pile)
{
	uint32_t count = 0;

	for (uint32_t m = 0; m < pile->image_count; m++) {
		for (uint32_t i = 0; i < pile->index_count; i++) {
			struct signature s = relations_at(relations, m, i);

			if (!signature_is_zero(s))
				places[count++] = (struct place){ s, m, i };
		}
	}
	qsort(places, count, sizeof(*places), place_compare);
	return count;
}

static bool is_same(const struct place *a, const struct place *b)
{
	return a->signature.a == b->signature.a && a->signature.b == b->signature.b;
}

/* The shifts that many blocks share, the most frequent first. */
static void shifts_choose(struct relations *relations, struct shift_counts *counts)
{
	qsort(counts->at, SHIFT_SLOTS, sizeof(counts->at[0]), shift_compare);
	for (uint32_t i = 0; i < SHIFT_SLOTS && relations->shift_count < RELATION_SHIFTS_MAX; i++) {
		struct relation_shift shift = counts->at[i];

		if (shift.count < HOLDS_MIN)
			break;
		shift.rate = shift.count / (double)counts->special[shift.from];
		if (shift.rate >= SHIFT_RATE_MIN)
			relations->shifts[relations->shift_count++] = shift;
	}
}

static int shifts_find(struct relations *relations, const struct detect_pile *pile, struct err *err)
{
	size_t all = (size_t)pile->image_count * pile->index_count;
	struct place *places = mem_calloc(all, sizeof(*places));
	struct shift_counts *counts = mem_calloc(1, sizeof(*counts));
	uint32_t count;
	int rc = 0;

	if (!places || !counts) {
		rc = err_set(err, ERR_NOMEM, "no memory for a table of blocks");
		goto out_free;
	}
	count = places_sort(places, relations, pile);
	for (uint32_t i = 0, end; i < count; i = end) {
		end = i + 1;
		while (end < count && is_same(&places[end], &places[i]))
			end++;
		if (end - i <= SAME_MAX)
			shifts_of_run(counts, pile, &places[i], end - i);
	}
	shifts_choose(relations, counts);

out_free:
	mem_free(places);
	mem_free(counts);
	return rc;
}

int relations_find(struct relations *relations_out, const struct detect_pile *pile, struct err *err)
{
	struct relations relations = { 0 };
	int rc = signatures_make(&relations, pile, err);

	if (rc == 0)
		rc = sums_find(&relations, pile, err);
	if (rc == 0)
		rc = shifts_find(&relations, pile, err);
	if (rc)
		relations_reset(&relations);
	else
		*relations_out = relations;
	return rc;
}

void relations_reset(struct relations *relations)
{
	mem_free(relations->signatures);
	memset(relations, 0, sizeof(*relations));
}
