/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_start.h"

#include <math.h>
#include <string.h>

#define MIB_BLOCKS UINT64_C(256)
#define SUPERBLOCK_WORTH 12.0
#define LEAD_COST 0.3 /* for a block of the volume without content at its beginning */
#define LEAD_COST_MAX 7.0
#define REMAINS_MAX 8u   /* blocks before the data that somebody forgot */
#define REMAINS_COST 4.0 /* each: more than passing over its joins can gain */
#define PRIOR_LEAST (-18.0)

/* What makers choose: the beginning, powers of two, whole MiB. */
static double prior_of(uint64_t block)
{
	if (block == 0 || block == MIB_BLOCKS || block == 2 * MIB_BLOCKS ||
	    block == 128 * MIB_BLOCKS)
		return -1.5;
	if ((block & (block - 1)) == 0)
		return -2.5;
	if (block % MIB_BLOCKS == 0)
		return -4.5;
	return block % 16 == 0 ? -6 : -8;
}

struct finding {
	struct detect_starts *starts;
	const struct detect_pile *pile;
	const struct joins *joins;
	const uint8_t *images;
	uint32_t count;
};

static bool any_content(const struct finding *find, uint32_t index)
{
	for (uint32_t i = 0; i < find->count; i++) {
		if (!joins_is_zero(find->joins, find->images[i], index))
			return true;
	}
	return false;
}

static bool all_random(const struct finding *find, uint32_t index)
{
	for (uint32_t i = 0; i < find->count; i++) {
		if (joins_is_zero(find->joins, find->images[i], index) ||
		    joins_is_structured(find->joins, find->images[i], index))
			return false;
	}
	return true;
}

/* Kept in the order of their priors; the least likely falls out. True: it was new, and is kept. */
static bool start_add(const struct finding *find, uint64_t block, double cost)
{
	struct detect_starts *starts = find->starts;
	struct detect_start start = { block, prior_of(block) - cost };
	uint32_t at = starts->count;

	if (block >= find->pile->images[find->images[0]].blocks)
		return false;
	if (start.prior < PRIOR_LEAST)
		return false;
	for (uint32_t i = 0; i < starts->count; i++) {
		if (starts->at[i].block == block)
			return false;
	}
	if (at == DETECT_STARTS_MAX && starts->at[--at].prior >= start.prior)
		return false;
	for (; at > 0 && starts->at[at - 1].prior < start.prior; at--)
		starts->at[at] = starts->at[at - 1];
	starts->at[at] = start;
	if (starts->count < DETECT_STARTS_MAX)
		starts->count++;
	return true;
}

/* Everything from block `low` to block `high`, where the first content that tells something is. */
static void starts_between(const struct finding *find, uint64_t low, uint64_t high)
{
	uint64_t steps[] = { 1, 16, MIB_BLOCKS };

	for (uint64_t power = 1; power <= high; power *= 2) {
		if (power >= low)
			(void)start_add(find, power,
					fmin(LEAD_COST_MAX, LEAD_COST * (double)(high - power)));
	}
	for (uint32_t s = 0; s < 3; s++) {
		for (uint64_t i = 0; i < 16; i++) {
			uint64_t block = high / steps[s] * steps[s];

			if (block < low + i * steps[s])
				break;
			block -= i * steps[s];
			(void)start_add(find, block,
					fmin(LEAD_COST_MAX, LEAD_COST * (double)(high - block)));
		}
	}
	if (low == 0)
		(void)start_add(find, 0, fmin(LEAD_COST_MAX, LEAD_COST * (double)high));
}

/* Behind a few blocks that were left. */
static void starts_behind_remains(const struct finding *find)
{
	uint32_t remains = 0;

	for (uint32_t i = 0; i < find->pile->index_count && remains <= REMAINS_MAX; i++) {
		uint64_t block = detect_pile_block(find->pile, i);

		/* What lies before one start must not count for another. */
		if (block > 0 && remains > 0 && prior_of(block) > -4 &&
		    start_add(find, block, REMAINS_COST * remains) && i > find->starts->lead)
			find->starts->lead = i;
		for (uint32_t m = 0; m < find->count; m++)
			remains += !joins_is_zero(find->joins, find->images[m], i);
	}
}

void detect_starts_find(struct detect_starts *starts_out, const struct detect_pile *pile,
			const struct joins *joins, const uint8_t *images, uint32_t count,
			uint32_t from)
{
	const struct finding find = { starts_out, pile, joins, images, count };
	uint32_t lead = from;
	bool random = from == 0 && pile->index_count > 1 && all_random(&find, 0);

	memset(starts_out, 0, sizeof(*starts_out));
	while (lead + 1 < pile->index_count &&
	       (random ? all_random(&find, lead) : !any_content(&find, lead)))
		lead++;
	/* Zeros may come between what was wiped at random and the first content. */
	starts_out->lead = lead;
	starts_between(&find, from ? detect_pile_block(pile, from) : 0,
		       detect_pile_block(pile, lead));
	if (from == 0)
		starts_behind_remains(&find);
}

double detect_start_worth(const struct detect_pile *pile, uint32_t image, uint64_t block)
{
	uint32_t index = detect_pile_index(pile, block);
	const uint8_t *bytes;

	if (index == DETECT_INDEX_NONE)
		return 0;
	bytes = detect_pile_at(pile, image, index);
	/* ext2, 3, 4: the magic, the first of the superblocks, and a block size that is one. */
	if (get_le16(bytes + 1080) == 0xef53 && get_le16(bytes + 1114) == 0 &&
	    get_le32(bytes + 1048) <= 6)
		return SUPERBLOCK_WORTH;
	if (memcmp(bytes, "XFSB", 4) == 0 || memcmp(bytes + 3, "NTFS    ", 8) == 0 ||
	    memcmp(bytes, "LUKS\xba\xbe", 6) == 0 || memcmp(bytes + 512, "EFI PART", 8) == 0 ||
	    memcmp(bytes + 512, "LABELONE", 8) == 0 || memcmp(bytes + 4086, "SWAPSPACE2", 10) == 0)
		return SUPERBLOCK_WORTH;
	/* A boot sector; two bytes of a magic are half as good. */
	if (get_le16(bytes + 510) == 0xaa55 && (bytes[446] & 0x7f) == 0)
		return SUPERBLOCK_WORTH / 2;
	return 0;
}
