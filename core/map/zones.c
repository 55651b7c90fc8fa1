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

bool zone_take(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class,
	       uint32_t *frame_out)
{
	const struct policy *zones = &places->map->policy;
	const struct bounds bounds =
		bounds_of(zones, zone, space_total_frames(places->space, slot));
	bool from_high =
		zone == ZONE_SECOND || (zone == ZONE_THIRD && zones->zones == ZONES_DYNAMIC);

	return space_take_within(places->space, slot, size_class, from_high, bounds.begin,
				 bounds.end, frame_out);
}

bool zone_take_at(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class,
		  uint32_t frame)
{
	const struct bounds bounds =
		bounds_of(&places->map->policy, zone, space_total_frames(places->space, slot));

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
