/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/zones.h"

#include "core/base/size.h"

#define THIRD_BEGINS 900u

struct bounds {
	uint64_t begin, end; /* frames */
};

enum zone zone_of(enum layout layout, bool first)
{
	if (layout == LAYOUT_MIRROR)
		return first ? ZONE_FIRST : ZONE_SECOND;
	return layout == LAYOUT_PLAIN ? ZONE_THIRD : ZONE_ANY;
}

void zones_set(struct policy *policy)
{
	uint32_t copies = policy->layout == LAYOUT_MIRROR ? policy->checks + 1u : 2;

	policy->zone_second = policy->zone_third = 0;
	if (policy->zones != ZONES_STATIC)
		return;
	policy->zone_second = (uint16_t)(THIRD_BEGINS / copies);
	policy->zone_third = THIRD_BEGINS;
}

static struct bounds bounds_of(const struct policy *zones, enum zone zone, uint64_t frames)
{
	uint64_t second = frames * zones->zone_second / ZONE_PARTS;
	uint64_t third = frames * zones->zone_third / ZONE_PARTS;

	if (zones->zones != ZONES_STATIC || zones->zone_third == 0)
		return (struct bounds){ 0, frames };
	switch (zone) {
	case ZONE_FIRST:
		return (struct bounds){ 0, second };
	case ZONE_SECOND:
		return (struct bounds){ second, third };
	case ZONE_THIRD:
		return (struct bounds){ third, frames };
	case ZONE_ANY:
		break;
	}
	return (struct bounds){ 0, third };
}

struct zone_part zone_part(uint64_t frames, uint32_t part)
{
	return (struct zone_part){ frames * part / ZONE_RATES, frames * (part + 1) / ZONE_RATES };
}

bool zone_rates_differ(const uint32_t rates[static ZONE_RATES])
{
	uint32_t least = rates[0], most = rates[0];

	for (uint32_t i = 1; i < ZONE_RATES; i++) {
		least = rates[i] < least ? rates[i] : least;
		most = rates[i] > most ? rates[i] : most;
	}
	return least > 0 && least <= ZONE_RATE_MAX && most - least >= least / 4;
}

/* The rates that say which frames a zone takes; NULL: low ones are the fast ones. */
static const uint32_t *rates_of(const struct places *places, uint32_t slot)
{
	const struct member *member = map_member(places->map, slot);

	if (!member || places->map->policy.zones == ZONES_STATIC ||
	    !zone_rates_differ(member->rates))
		return NULL;
	return member->rates;
}

/* Parts in the order of their rates; of equal ones the lower comes first. */
static void order_parts(const uint32_t *rates, bool slow_first, uint32_t order[static ZONE_RATES])
{
	for (uint32_t i = 0; i < ZONE_RATES; i++) {
		uint32_t at = i;

		for (; at > 0 && (slow_first ? rates[i] < rates[order[at - 1]]
					     : rates[i] > rates[order[at - 1]]);
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

static bool take_by_rate(const struct places *places, const uint32_t *rates, bool slow_first,
			 uint32_t slot, uint8_t size_class, uint32_t *frame_out)
{
	bool low_is_fast = rates[0] >= rates[ZONE_RATES - 1];
	uint32_t order[ZONE_RATES];

	order_parts(rates, slow_first, order);
	for (uint32_t i = 0; i < ZONE_RATES; i++) {
		struct zone_part part =
			zone_part(space_total_frames(places->space, slot), order[i]);

		if (space_take_within(places->space, slot, size_class, slow_first == low_is_fast,
				      part.begin, part.end, frame_out))
			return true;
	}
	return false; /* what is free lies across two of them */
}

bool zone_take(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class,
	       uint32_t *frame_out)
{
	const struct policy *zones = &places->map->policy;
	const struct bounds bounds =
		bounds_of(zones, zone, space_total_frames(places->space, slot));
	const uint32_t *rates = rates_of(places, slot);
	bool from_high =
		zone == ZONE_SECOND || (zone == ZONE_THIRD && zones->zones == ZONES_DYNAMIC);

	if (rates && take_by_rate(places, rates, from_high, slot, size_class, frame_out))
		return true;
	return space_take_within(places->space, slot, size_class, from_high, bounds.begin,
				 bounds.end, frame_out);
}

bool zone_take_at(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class,
		  uint32_t frame)
{
	const struct bounds bounds =
		bounds_of(&places->map->policy, zone, space_total_frames(places->space, slot));

	if (rates_of(places, slot))
		return false; /* its rates say where */
	return frame >= bounds.begin && frame + (UINT64_C(1) << size_class) <= bounds.end &&
	       space_take_at(places->space, slot, size_class, frame);
}

uint64_t zone_room(const struct places *places, enum zone zone, uint32_t slot)
{
	const struct bounds bounds =
		bounds_of(&places->map->policy, zone, space_total_frames(places->space, slot));

	if (places->map->policy.zones != ZONES_STATIC)
		return space_free_frames(places->space, slot);
	return space_free_within(places->space, slot, bounds.begin, bounds.end);
}

/* Of a mirror each member holds first copies and others: whole sets of them count. */
static uint64_t mirror_frames(const struct policy *policy, uint64_t first, uint64_t second)
{
	return size_min(first, second / policy->checks) * (policy->checks + UINT64_C(1));
}

uint64_t zone_frames(const struct policy *zones, const struct policy *policy, uint64_t frames)
{
	const struct bounds second = bounds_of(zones, ZONE_SECOND, frames);
	const struct bounds first = bounds_of(zones, ZONE_FIRST, frames);

	if (zones->zones != ZONES_STATIC || zones->zone_third == 0)
		return frames;
	if (policy->layout == LAYOUT_MIRROR)
		return mirror_frames(policy, first.end, second.end - second.begin);
	return policy->layout == LAYOUT_PLAIN ? frames - second.end : second.end;
}

uint64_t zone_total(const struct places *places, const struct policy *policy, uint32_t slot)
{
	return zone_frames(&places->map->policy, policy, space_total_frames(places->space, slot));
}

uint64_t zone_free(const struct places *places, const struct policy *policy, uint32_t slot)
{
	const struct policy *zones = &places->map->policy;
	uint64_t frames = space_total_frames(places->space, slot);
	const struct bounds second = bounds_of(zones, ZONE_SECOND, frames);

	if (zones->zones != ZONES_STATIC || zones->zone_third == 0)
		return space_free_frames(places->space, slot);
	if (policy->layout == LAYOUT_MIRROR)
		return mirror_frames(
			policy, space_free_within(places->space, slot, 0, second.begin),
			space_free_within(places->space, slot, second.begin, second.end));
	if (policy->layout == LAYOUT_PLAIN)
		return space_free_within(places->space, slot, second.end, frames);
	return space_free_within(places->space, slot, 0, second.end);
}
