/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/choose.h"

#include <assert.h>

static bool is_newer(const struct super *a, const struct super *b)
{
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a->generation > b->generation;
}

bool choose_went_elsewhere(const struct super *super, const struct super *witness)
{
	return witness->epoch_id != super->epoch_id &&
	       (witness->epoch >= super->epoch || witness->generation >= super->generation);
}

bool choose_refuted(const struct super *super, const struct super *witness)
{
	return member_set_has(super->present, witness->member_slot) &&
	       choose_went_elsewhere(super, witness);
}

uint32_t choose_newest(const struct super *supers, uint32_t count)
{
	uint32_t best = count, newest = 0;

	assert(count > 0);
	for (uint32_t i = 0; i < count; i++) {
		bool refuted = false;

		for (uint32_t w = 0; w < count; w++)
			refuted |= choose_refuted(&supers[i], &supers[w]);
		if (is_newer(&supers[i], &supers[newest]))
			newest = i;
		if (!refuted && (best == count || is_newer(&supers[i], &supers[best])))
			best = i;
	}
	return best == count ? newest : best;
}

uint32_t choose_fallback(const struct super *supers, uint32_t count, uint32_t failed)
{
	const struct super *from = &supers[failed];
	uint32_t best = count;

	assert(failed < count);
	for (uint32_t i = 0; i < count; i++) {
		if (supers[i].epoch == from->epoch && supers[i].epoch_id == from->epoch_id &&
		    supers[i].generation < from->generation &&
		    member_set_has(from->present, supers[i].member_slot) &&
		    (best == count || is_newer(&supers[i], &supers[best])))
			best = i;
	}
	return best;
}

bool choose_same_commit(const struct super *a, const struct super *b)
{
	return a->epoch == b->epoch && a->epoch_id == b->epoch_id &&
	       a->generation == b->generation && a->map_crc == b->map_crc &&
	       a->map_length == b->map_length && a->map_half == b->map_half;
}

enum choose_verdict choose_judge(const struct map *map, uint32_t map_crc, const struct super *super)
{
	uint32_t last = map->epoch_count - 1;

	assert(map->epoch_count > 0);
	if (super->epoch < map->epochs[0].number)
		return CHOOSE_UNKNOWN;
	uint32_t i = 0;
	while (i < last && map->epochs[i].number != super->epoch)
		i++;
	if (map->epochs[i].number != super->epoch || map->epochs[i].id != super->epoch_id)
		return CHOOSE_FORK;
	if (i < last)
		return super->generation < map->epochs[i + 1].first_generation ? CHOOSE_STALE
									       : CHOOSE_AHEAD;
	if (super->generation < map->generation)
		return CHOOSE_STALE;
	if (super->generation > map->generation)
		return CHOOSE_AHEAD; /* choose_fallback() went back */
	return super->map_crc == map_crc ? CHOOSE_CURRENT : CHOOSE_FORK;
}
