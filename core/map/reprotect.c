/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/reprotect.h"

#include "core/base/size.h"

/* What the groups with checks take. */
struct demand {
	uint64_t frames;  /* of all their columns */
	uint64_t deepest; /* of one column of each: more nobody can hold */
	uint32_t widest;
	uint64_t plain[MEMBERS_MAX]; /* frames without checks, which stay where they are */
};

static struct demand demand_of(const struct map *map)
{
	struct demand demand = { 0 };

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		uint64_t frames = UINT64_C(1) << group->extents[0].size_class;

		if (group_tolerance(group) == 0) {
			for (uint32_t c = 0; c < group->shape.columns; c++)
				demand.plain[group->extents[c].slot] += frames;
			continue;
		}
		demand.frames += frames * group->shape.columns;
		demand.deepest += frames;
		demand.widest =
			group->shape.columns > demand.widest ? group->shape.columns : demand.widest;
	}
	return demand;
}

static bool holds_data(const struct places *places, const struct member *member)
{
	return member->state == MEMBER_ONLINE && member_set_has(places->usable, member->slot);
}

/* Frames that groups can have on the members that are left without `lost`. */
static uint64_t room_without(const struct places *places, const struct demand *demand,
			     uint32_t lost, uint32_t *members_out)
{
	const struct map *map = places->map;
	uint64_t room = 0;

	*members_out = 0;
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		uint64_t total = space_total_frames(places->space, member->slot);

		if (member->slot == lost ||
		    (!holds_data(places, member) && member->state != MEMBER_SPARE))
			continue;
		room += size_min(total - demand->plain[member->slot], demand->deepest);
		(*members_out)++;
	}
	return room;
}

struct reprotect_shortage reprotect_check(const struct places *places)
{
	const struct demand demand = demand_of(places->map);
	struct reprotect_shortage shortage = { .member = MEMBER_NONE };

	for (uint32_t i = 0; i < places->map->member_count; i++) {
		const struct member *member = &places->map->members[i];
		uint32_t left;

		if (!holds_data(places, member))
			continue;
		uint64_t room = room_without(places, &demand, member->slot, &left);
		if (left < demand.widest) {
			shortage.member = member->slot;
			shortage.too_few = true;
		}
		if (room >= demand.frames || demand.frames - room <= shortage.frames)
			continue;
		shortage.member = member->slot;
		shortage.frames = demand.frames - room;
	}
	return shortage;
}
