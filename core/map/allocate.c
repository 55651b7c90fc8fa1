/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/allocate.h"

#include "core/base/mem.h"
#include "core/map/capacity.h"
#include "core/map/homes.h"
#include "core/map/place.h"
#include "core/map/zones.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define TURN_SLACK 50000u /* five per cent of a member, in parts of a million */

/* Members that new groups may use, ascending. */
static uint32_t eligible(const struct places *places, const struct policy *policy,
			 struct place_member *members)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < places->map->member_count; i++) {
		const struct member *member = &places->map->members[i];

		if (member->state != MEMBER_ONLINE ||
		    !member_set_has(places->usable, member->slot) ||
		    zone_total(places, policy, member->slot) == 0)
			continue;
		members[count++] = (struct place_member){
			.slot = member->slot,
			.free = zone_free(places, policy, member->slot),
			.total = zone_total(places, policy, member->slot),
			.domain = map_domain(places->map, member),
		};
		for (uint32_t n = 1; n < ACROSS_KEYS_MAX; n++)
			members[count - 1].wider[n - 1] = across_label(
				places->map->across, n, member->labels, member->label_count);
	}
	return count;
}

/* Columns of new groups: the policy's, else what suits the members there are. */
static uint32_t wanted_columns(const struct places *places, const struct policy *policy,
			       uint32_t usable)
{
	uint32_t columns = policy->columns;

	if (columns == 0)
		columns = place_default_width(policy->layout, policy->checks,
					      map_online_count(places->map));
	if (columns > usable && policy->columns == 0)
		columns = place_default_width(policy->layout, policy->checks, usable);
	if (columns > usable && policy->layout == LAYOUT_PARITY)
		columns = usable;
	return columns;
}

/* Members `from`.. of the online ones that are usable, `columns` of them, or false. */
static bool collect_set(const struct places *places, const struct place_member *members,
			uint32_t count, uint32_t from, uint32_t columns, struct place_member *set)
{
	uint32_t online = 0, got = 0;

	for (uint32_t i = 0; i < places->map->member_count; i++) {
		if (places->map->members[i].state != MEMBER_ONLINE)
			continue;
		if (online++ < from || got == columns)
			continue;
		uint32_t m = 0;
		while (m < count && members[m].slot != places->map->members[i].slot)
			m++;
		if (m == count)
			return false;
		set[got++] = members[m];
	}
	return got == columns;
}

/*
 * SPEC claim 19: the array is cut into sets of equal member count. Leaves in `members` the set that has
 * most room among those whose members are all usable; all members when there is no such set.
 */
static uint32_t choose_set(const struct places *places, struct place_member *members,
			   uint32_t count, uint32_t columns)
{
	struct place_member set[MEMBERS_MAX], best[MEMBERS_MAX];
	uint64_t best_free = 0;
	bool found = false;

	for (uint32_t from = 0; from + columns <= places->map->member_count; from += columns) {
		uint64_t least = UINT64_MAX;

		if (!collect_set(places, members, count, from, columns, set))
			continue;
		for (uint32_t i = 0; i < columns; i++)
			least = set[i].free < least ? set[i].free : least;
		if (found && least <= best_free)
			continue;
		memcpy(best, set, columns * sizeof(*best));
		best_free = least;
		found = true;
	}
	if (!found)
		return count;
	memcpy(members, best, columns * sizeof(*best));
	return columns;
}

uint32_t allocate_left_out(const struct places *places)
{
	const struct policy *policy = &places->map->policy;
	uint32_t online = map_online_count(places->map);

	if (policy->layout != LAYOUT_SEQUENTIAL || policy->columns == 0 || policy->columns > online)
		return 0;
	return online % policy->columns;
}

static uint16_t pure_column(const struct policy *policy, uint32_t columns, uint64_t id)
{
	if (policy->layout != LAYOUT_SEQUENTIAL)
		return 0;
	if (policy->pure_plus_one)
		return (uint16_t)(policy->pure_plus_one - 1);
	return (uint16_t)((columns - id % columns) % columns); /* q = -g mod m, SPEC 2.4 */
}

static void give_back(struct space *space, const struct group *group, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		space_give(space, group->extents[i].slot, group->extents[i].size_class,
			   group->extents[i].frame);
}

void allocate_undo(struct space *space, struct group *group)
{
	if (!group)
		return;
	give_back(space, group, group->shape.columns);
	mem_free(group);
}

/* Copies lie where the topology says. */
static bool has_homes(const struct policy *policy)
{
	return policy->layout == LAYOUT_MIRROR && policy->topology != TOPOLOGY_FREE;
}

/* The sum of a number's digits to a base: it turns evenly, also over every second or third number. */
static uint64_t digit_sum(uint64_t number, uint64_t base)
{
	uint64_t sum = 0;

	for (; number > 0; number /= base)
		sum += number % base;
	return sum;
}

/*
 * By how much the members turn against the columns. Sequential columns are read one after the other: members in
 * order. With a topology the first is the primary's. Checks of parity rotate. The primaries of mirrors are
 * spread, with static zones to where most room is for them.
 */
static uint64_t turn_of(const struct places *places, const struct group *group,
			const uint32_t *slots, bool in_order)
{
	uint64_t most = 0, turn = 0;
	uint32_t columns = group->shape.columns;

	if (group->shape.layout == LAYOUT_SEQUENTIAL || in_order || columns == 1)
		return 0;
	if (group->shape.layout != LAYOUT_MIRROR)
		return group->id % columns;
	if (places->map->policy.zones != ZONES_STATIC)
		return digit_sum(group->id, columns) % columns;
	for (uint32_t i = 0; i < columns; i++) {
		uint64_t free = zone_room(places, ZONE_FIRST, slots[i]);

		turn = free > most ? i : turn;
		most = free > most ? free : most;
	}
	return turn;
}

/* Take a frame run on each member; false, with nothing taken, when one has none in a row. */
static bool take_frames(const struct places *places, struct group *group,
			const struct group_size *size, const uint32_t *slots, bool in_order)
{
	uint64_t turn = turn_of(places, group, slots, in_order);

	for (uint32_t i = 0; i < size->columns; i++) {
		struct extent *extent = &group->extents[i];

		*extent = (struct extent){
			.header_generation = places->generation,
			.slot = slots[(i + turn) % size->columns],
			.body_blocks = size->body_blocks,
			.size_class = size->size_class,
		};
		if (!zone_take(places, zone_of(group->shape.layout, i == 0), extent->slot,
			       extent->size_class, &extent->frame)) {
			give_back(places->space, group, i);
			return false;
		}
	}
	return true;
}

static struct group *make_group(const struct places *places, const struct policy *policy,
				const struct group_size *size, const uint32_t *slots,
				bool *full_out)
{
	struct group *group = map_group_create(size->columns);

	*full_out = false;
	if (!group)
		return NULL;
	group->id = places->map->group_id_next;
	group->generation = places->generation;
	group->segment_blocks = size->segment_blocks;
	group->shape = code_shape_make(policy->layout, (uint16_t)size->columns, policy->checks,
				       pure_column(policy, size->columns, group->id));
	if (!take_frames(places, group, size, slots, has_homes(policy))) {
		*full_out = true;
		mem_free(group);
		return NULL;
	}
	places->map->group_id_next++;
	for (uint32_t i = 0; i < size->columns; i++)
		group->extents[i].id = places->map->extent_id_next++;
	return group;
}

/* What allocate_group() knows while it tries smaller and smaller extents. */
struct search {
	const struct policy *policy;
	struct place_member members[MEMBERS_MAX];
	uint32_t count;
	uint32_t columns;
	uint64_t blocks;
};

static const struct place_member *find_member(const struct search *search, uint32_t slot)
{
	for (uint32_t i = 0; i < search->count; i++) {
		if (search->members[i].slot == slot)
			return &search->members[i];
	}
	return NULL;
}

/* Have all these members room for `frames`? Adds up their use, as parts of a million. */
static bool have_room(const struct search *search, const uint32_t *slots, uint32_t count,
		      uint64_t frames, uint64_t *use_out)
{
	*use_out = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct place_member *member = find_member(search, slots[i]);

		if (!member || member->free < frames)
			return false;
		*use_out += (member->total - member->free) * 1000000 / member->total;
	}
	return true;
}

/* What is free in the ring after a group there took `frames` of each member: how many groups fit (capacity.h). */
static uint64_t bound_after(const struct search *search, const struct topology_ring *ring,
			    const uint32_t *slots, uint32_t columns, uint64_t frames)
{
	uint64_t free[MEMBERS_MAX];

	for (uint32_t i = 0; i < ring->count; i++) {
		const struct place_member *member = find_member(search, ring->slots[i]);

		free[i] = member ? member->free : 0;
		for (uint32_t c = 0; slots && c < columns; c++)
			free[i] -= slots[c] == ring->slots[i] ? frames : 0;
	}
	return capacity_homes(ring, search->policy->topology, columns, free);
}

/* Would other homes leave room for more? */
static bool costs_capacity(const struct search *search, const struct topology_ring *ring,
			   const uint32_t *slots, uint32_t columns, uint64_t frames, uint64_t bound)
{
	return columns == 2 && bound_after(search, ring, slots, columns, frames) + frames < bound;
}

/* The first homes that cost no capacity, if there are any, in place of `slots`. */
static void choose_frugal(const struct search *search, const struct topology_ring *ring,
			  const struct map *map, uint64_t frames, uint64_t bound, uint32_t *slots)
{
	for (uint32_t i = 0; i < ring->count; i++) {
		uint32_t homes[CODE_MIRROR_MAX];
		uint64_t use;

		if (topology_homes(ring, search->policy->topology, ring->slots[i], 2, homes) == 0 ||
		    homes_share_domain(map, homes, 2) ||
		    !have_room(search, homes, 2, frames, &use) ||
		    costs_capacity(search, ring, homes, 2, frames, bound))
			continue;
		memcpy(slots, homes, 2 * sizeof(*slots));
		return;
	}
}

/*
 * The primaries take turns, as long as the homes of the one whose turn it is are not much fuller than the emptiest;
 * then those are taken. 0 when no primary has room everywhere.
 */
static uint32_t choose_homes(const struct places *places, const struct search *search,
			     uint32_t columns, uint64_t frames, uint32_t *slots_out)
{
	struct topology_ring ring;
	uint64_t least = UINT64_MAX;
	uint32_t found = 0;

	homes_ring(&ring, places);
	for (uint32_t i = 0; i < ring.count; i++) {
		/* The one whose turn it is comes last, and may be fuller by an extent a column. */
		uint32_t place = (uint32_t)((places->map->group_id_next + 1 + i) % ring.count);
		uint64_t slack = i + 1 == ring.count ? columns * TURN_SLACK : 0, use;
		uint32_t slots[CODE_MIRROR_MAX];
		uint32_t count = topology_homes(&ring, search->policy->topology, ring.slots[place],
						columns, slots);

		if (count == 0 || homes_share_domain(places->map, slots, count) ||
		    !have_room(search, slots, count, frames, &use) ||
		    use >= (found ? least + slack : UINT64_MAX))
			continue;
		least = use;
		found = count;
		memcpy(slots_out, slots, count * sizeof(*slots));
	}
	if (found == 2) {
		uint64_t bound = bound_after(search, &ring, NULL, 2, 0);

		if (costs_capacity(search, &ring, slots_out, 2, frames, bound))
			choose_frugal(search, &ring, places->map, frames, bound, slots_out);
	}
	return found;
}

/* Members for a group that share as few labels of --across as they can. */
static uint32_t choose_members(const struct places *places, struct place_request *request,
			       uint32_t *slots_out)
{
	uint32_t keys = across_keys(places->map->across), got;

	request->wider = keys > 1 ? keys - 1 : 0;
	for (;;) {
		got = place_choose(request, slots_out);
		if (got == request->width || request->wider == 0)
			return got;
		request->wider--;
	}
}

/* Try extents of at most `class_max`. Returns 0, ERR_NOSPACE when none fit, or ERR_NOMEM. */
static int try_class(const struct places *places, const struct search *search, uint8_t class_max,
		     struct group **group_out, struct group_size *size_out)
{
	const struct geometry *geometry = &places->map->geometry;
	struct group_size size = group_size_choose(search->policy, geometry, search->columns,
						   class_max, search->blocks);
	struct place_request request = {
		.members = search->members,
		.member_count = search->count,
		.width = size.columns,
		.width_min = size.columns_min,
		.checks = search->policy->checks,
		.frames = UINT64_C(1) << size.size_class,
	};
	uint32_t slots[CODE_COLUMNS_MAX];
	uint32_t got = has_homes(search->policy)
			       ? choose_homes(places, search, size.columns, request.frames, slots)
			       : choose_members(places, &request, slots);
	bool full = false;

	if (got > 0 && got < size.columns)
		size = group_size_choose(search->policy, geometry, got, size.size_class,
					 search->blocks);
	*size_out = size;
	/* Sequential groups have many segments: an extent may be too small to hold one block of each. */
	if (got == 0 || size.data_blocks == 0)
		return ERR_NOSPACE;
	*group_out = make_group(places, search->policy, &size, slots, &full);
	if (*group_out)
		return 0;
	return full ? ERR_NOSPACE : ERR_NOMEM;
}

int allocate_group(const struct places *places, const struct policy *policy, uint64_t blocks,
		   struct group **group_out, struct group_size *size_out, struct err *err)
{
	struct search search = { .policy = policy, .blocks = blocks };
	int size_class = policy->size_class;
	int rc = ERR_NOSPACE;

	search.count = eligible(places, policy, search.members);
	search.columns = wanted_columns(places, policy, search.count);
	if (search.columns > search.count || search.columns == 0 ||
	    (policy->layout == LAYOUT_PARITY && search.columns <= policy->checks))
		return err_set(
			err, ERR_TOO_FEW,
			"%s groups of %u columns need as many members in service, there are %u",
			layout_name(policy->layout),
			policy->columns ? policy->columns : search.columns, search.count);
	if (has_homes(policy)) {
		struct topology_ring ring;

		homes_ring(&ring, places);
		rc = topology_check(&ring, policy->topology, search.columns, err);
		if (rc)
			return rc;
		rc = ERR_NOSPACE;
	}
	if (policy->layout == LAYOUT_SEQUENTIAL && policy->columns)
		search.count = choose_set(places, search.members, search.count, search.columns);
	while (rc == ERR_NOSPACE && size_class >= 0) {
		rc = try_class(places, &search, (uint8_t)size_class, group_out, size_out);
		size_class = (int)size_out->size_class - 1;
	}
	if (rc == ERR_NOSPACE)
		return err_set(err, rc, "the array \"%s\" is full: no room for another group",
			       places->map->name);
	return rc ? err_set(err, rc, "no memory for a group") : 0;
}

uint32_t allocate_columns(const struct places *places, const struct policy *policy)
{
	struct place_member members[MEMBERS_MAX];

	return wanted_columns(places, policy, eligible(places, policy, members));
}

bool allocate_suits(const struct places *places, const uint32_t *beside, uint32_t count,
		    uint32_t slot)
{
	const struct member *member = map_member(places->map, slot);
	const char *domain = map_domain(places->map, member);

	if (member->state != MEMBER_ONLINE || !member_set_has(places->usable, slot))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const char *theirs = map_domain(places->map, map_member(places->map, beside[i]));

		if (beside[i] == slot || (domain && theirs && strcmp(theirs, domain) == 0))
			return false;
	}
	return true;
}

static bool has_run(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class)
{
	uint32_t frame;

	if (!zone_take(places, zone, slot, size_class, &frame))
		return false;
	space_give(places->space, slot, size_class, frame);
	return true;
}

uint32_t allocate_roomiest(const struct places *places, const uint32_t *beside, uint32_t count,
			   uint8_t size_class, enum zone zone)
{
	uint32_t best = MEMBER_NONE;
	uint64_t most = 0;

	for (uint32_t i = 0; i < places->map->member_count; i++) {
		uint32_t slot = places->map->members[i].slot;
		uint64_t free = zone_room(places, zone, slot);

		if (free >> size_class == 0 || free <= most ||
		    !allocate_suits(places, beside, count, slot) ||
		    !has_run(places, zone, slot, size_class))
			continue;
		most = free;
		best = slot;
	}
	return best;
}

/* The members of all columns but one. */
static uint32_t others(const struct group *group, uint32_t column, uint32_t *slots)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < group->shape.columns; i++) {
		if (i != column)
			slots[count++] = group->extents[i].slot;
	}
	return count;
}

/* The member with most room, and not the one where the extent is. */
static uint32_t roomiest(const struct places *places, const struct group *group, uint32_t column)
{
	uint32_t slots[CODE_COLUMNS_MAX], count = others(group, column, slots);

	slots[count++] = group->extents[column].slot;
	return allocate_roomiest(places, slots, count, group->extents[column].size_class,
				 zone_of_column(group, column));
}

/* Would the place of `extent` do for a column of `group`, if it were free? */
static bool place_suits(const struct places *places, const struct group *group, uint32_t column,
			const struct extent *extent)
{
	uint32_t slots[CODE_COLUMNS_MAX], count = others(group, column, slots);

	return places_can_use(places, extent) &&
	       extent->size_class == group->extents[column].size_class &&
	       extent->slot != group->extents[column].slot &&
	       allocate_suits(places, slots, count, extent->slot);
}

bool allocate_find_chain(const struct places *places, const struct group *group, uint32_t column,
			 struct allocate_chain *chain_out)
{
	for (uint32_t g = 0; g < places->map->group_count; g++) {
		const struct group *other = places->map->groups[g];

		for (uint32_t c = 0; c < other->shape.columns; c++) {
			if (!place_suits(places, group, column, &other->extents[c]) ||
			    roomiest(places, other, c) == MEMBER_NONE)
				continue;
			*chain_out = (struct allocate_chain){ other->id, c };
			return true;
		}
	}
	return false;
}

int allocate_move(const struct places *places, const struct group *group, uint32_t column,
		  uint32_t to, struct extent *place_out, struct err *err)
{
	struct extent place = group->extents[column];
	enum zone zone = zone_of_column(group, column);

	for (uint32_t i = 0; i < group->shape.columns; i++)
		assert(to == MEMBER_NONE || group->extents[i].slot != to);
	place.slot = to == MEMBER_NONE ? roomiest(places, group, column) : to;
	place.stale = false;
	place.header_generation = places->generation;
	if (place.slot != MEMBER_NONE &&
	    (zone_take_at(places, zone, place.slot, place.size_class, place.frame) ||
	     zone_take(places, zone, place.slot, place.size_class, &place.frame))) {
		*place_out = place;
		return 0;
	}
	if (to == MEMBER_NONE)
		return err_set(err, ERR_NOSPACE,
			       "no member outside group %" PRIu64 " has room for its column %u",
			       group->id, column);
	return err_set(err, ERR_NOSPACE, "member %u has no room for column %u of group %" PRIu64,
		       to, column, group->id);
}
