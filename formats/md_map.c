/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_map.h"

#include "core/base/bytes.h"
#include "core/base/size.h"
#include "formats/placing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNKNOWN UINT64_MAX

/* One array on its way into a map. */
struct making {
	const struct md_set *set;
	const struct md_seats *seats;
	const struct md_member *array; /* the newest superblock */
	struct foreign *foreign;
	const uint32_t *numbers;                                  /* as in struct placing */
	struct placing_seat now[MEMBERS_MAX], later[MEMBERS_MAX]; /* later: behind a reshape */
};

void md_map_name(char name_out[static NAME_SIZE], const struct md_member *member)
{
	const char *colon = strchr(member->name, ':');
	struct err ignored = { 0 };

	snprintf(name_out, NAME_SIZE, "%s", colon ? colon + 1 : member->name);
	if (map_name_check(name_out, &ignored))
		snprintf(name_out, NAME_SIZE, "%s", MD_VOLUME_NAME);
}

/* Of two that could stand in a slot: what is current, then what is being filled, furthest first, then what is stale. */
static uint32_t rank_of(const struct md_set_member *entry)
{
	switch (entry->verdict) {
	case MD_VERDICT_CURRENT:
		return 4;
	case MD_VERDICT_RECOVERING:
		return entry->member->replacement ? 2 : 3;
	case MD_VERDICT_STALE:
		return 1;
	case MD_VERDICT_SPARE:
	case MD_VERDICT_JOURNAL:
	case MD_VERDICT_FAULTY:
	case MD_VERDICT_DAMAGED:
	case MD_VERDICT_DUPLICATE:
	case MD_VERDICT_DIFFERENT:
		break;
	}
	return 0;
}

static bool is_better(const struct md_set_member *entry, const struct md_seat *seat)
{
	if (!seat->entry || rank_of(entry) != rank_of(seat->entry))
		return !seat->entry || rank_of(entry) > rank_of(seat->entry);
	return entry->member->events > seat->entry->member->events;
}

int md_seats_choose(struct md_seats *seats_out, const struct md_set *set,
		    bool (*accept)(void *arg, const struct md_set_member *stale), void *arg,
		    struct err *err)
{
	struct md_seats seats = { .count = set->slot_count };

	if (!set->newest)
		return err_set(err, ERR_FORMAT, "no member of the array has a sound superblock");
	if (set->slot_count > MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "the array has %u members, at most %u are possible",
			       set->slot_count, MEMBERS_MAX);
	for (uint32_t i = 0; i < set->member_count; i++) {
		const struct md_set_member *entry = &set->members[i];
		const struct md_member *member = entry->member;
		bool stale = entry->verdict == MD_VERDICT_STALE;

		if (rank_of(entry) == 0 || member->role != MD_ROLE_SLOT ||
		    member->slot >= seats.count || !is_better(entry, &seats.at[member->slot]) ||
		    (stale && (!accept || !accept(arg, entry))))
			continue;
		seats.at[member->slot] = (struct md_seat){ entry, member->recovery_start };
	}
	for (uint32_t slot = 0; slot < seats.count; slot++) {
		if (seats.at[slot].entry && seats.at[slot].entry->verdict == MD_VERDICT_STALE)
			seats.stale = member_set_with(seats.stale, slot);
	}
	*seats_out = seats;
	return 0;
}

/* The superblock that says where the slot's data are: the newest one for one that is absent. */
static const struct md_member *member_of(const struct making *making, uint32_t slot)
{
	const struct md_set_member *entry = making->seats->at[slot].entry;

	return entry ? entry->member : making->array;
}

/* Format 0.90 has no uuid of a device, and copied devices share theirs: then one made of the array's. */
static struct uuid uuid_of(const struct making *making, uint32_t slot)
{
	static const struct uuid none = { 0 };
	struct uuid uuid = making->array->array;

	put_le32(uuid.bytes, get_le32(uuid.bytes) ^ (slot + 1));
	if (!making->seats->at[slot].entry ||
	    uuid_equal(&making->seats->at[slot].entry->member->device, &none))
		return uuid;
	for (uint32_t other = 0; other < slot; other++) {
		if (making->seats->at[other].entry &&
		    uuid_equal(&making->seats->at[other].entry->member->device,
			       &making->seats->at[slot].entry->member->device))
			return uuid;
	}
	return making->seats->at[slot].entry->member->device;
}

static int seat_fill(struct making *making, uint32_t slot, struct err *err)
{
	const struct md_member *member = member_of(making, slot);
	const struct md_seat *seat = &making->seats->at[slot];
	struct placing_seat *now = &making->now[slot];

	now->present = seat->entry || seat->blank;
	/* A disk that is there may have no part in this volume any more. */
	now->counts = seat->blank || (making->numbers && !seat->entry) ? 0 : PLACING_ALL;
	if (!size_multiply(member->data_offset, MD_SECTOR, &now->origin))
		return err_set(err, ERR_FORMAT, "member %u: data from sector %" PRIu64 " on", slot,
			       member->data_offset);
	if (seat->entry && !seat->blank && seat->counts_sectors != MD_MEMBER_NONE &&
	    !size_multiply(seat->counts_sectors, MD_SECTOR, &now->counts))
		now->counts = PLACING_ALL; /* further than any device reaches */
	making->later[slot] = *now;
	if (member->reshaping &&
	    !size_multiply(member->new_data_offset, MD_SECTOR, &making->later[slot].origin))
		return err_set(err, ERR_FORMAT, "member %u: its new data offset is none", slot);
	return 0;
}

static int seats_fill(struct making *making, struct err *err)
{
	int rc = 0;

	for (uint32_t slot = 0; rc == 0 && slot < making->seats->count; slot++)
		rc = seat_fill(making, slot, err);
	return rc;
}

static int member_add(const struct making *making, uint32_t slot, struct err *err)
{
	const struct uuid uuid = uuid_of(making, slot);
	uint64_t size;

	if (!size_multiply(member_of(making, slot)->device_sectors, MD_SECTOR, &size))
		return err_set(err, ERR_FORMAT, "member %u: its size is none", slot);
	return foreign_add_member(making->foreign, slot, &uuid, size, err);
}

int md_map_add_members(struct foreign *foreign, const struct md_set *set,
		       const struct md_seats *seats, struct err *err)
{
	const struct making making = {
		.set = set, .seats = seats, .array = set->newest, .foreign = foreign
	};
	int rc = 0;

	assert(set->newest && seats->count <= MEMBERS_MAX);
	for (uint32_t slot = 0; rc == 0 && slot < seats->count; slot++)
		rc = member_add(&making, slot, err);
	return rc;
}

static enum parity_order order_of(const struct md_shape *shape)
{
	char name[MD_LAYOUT_NAME_SIZE];

	if (shape->level == MD_RAID4)
		return ORDER_PARITY_LAST;
	md_layout_name(name, shape->level, shape->layout);
	return parity_order_named(name);
}

/*
 * Far copies lie a stride apart: what a member has for each of its zones, counted from the chunks of all copies as the
 * kernel does, which leaves some unused at the end.
 */
static void copies_of(struct rule *rule, const struct md_shape *shape)
{
	struct md_raid10 raid10 = { .near_copies = 0 };
	uint64_t bytes = 0, chunks, copies;

	(void)md_raid10_of(&raid10, shape->layout); /* one that is none fails rule_check() */
	rule->near = raid10.near_copies;
	rule->far = raid10.far_copies;
	rule->offset = raid10.offset;
	rule->far_stride_units = 1;
	copies = (uint64_t)rule->near * rule->far;
	if (raid10.far_sets == 0)
		rule->far_set = shape->raid_disks;
	else if (raid10.far_sets == 1)
		rule->far_set = rule->far ? shape->raid_disks / rule->far : 0;
	else
		rule->far_set = (uint32_t)copies;
	if (rule->offset || rule->far == 0 || !md_array_bytes(&bytes, shape))
		return;
	chunks = size_divide_up(bytes / shape->chunk_bytes * copies, shape->raid_disks);
	rule->far_stride_units = chunks / rule->far;
}

int md_rule_of(struct rule *rule_out, const struct md_shape *shape, struct err *err)
{
	struct rule rule = {
		.kind = shape->level == MD_RAID10 ? RULE_COPIES : RULE_TURNED_PARITY,
		.unit_blocks = (uint32_t)(shape->chunk_bytes / BLOCK_SIZE),
		.members = shape->raid_disks,
		.checks = shape->level == MD_RAID6 ? 2 : 1,
	};

	if (shape->chunk_bytes % BLOCK_SIZE)
		return err_set(err, ERR_UNSUPPORTED, "chunks of %" PRIu64 " bytes",
			       shape->chunk_bytes);
	if (rule.kind == RULE_COPIES)
		copies_of(&rule, shape);
	else
		rule.order = order_of(shape);
	*rule_out = rule;
	return rule_check(&rule, err);
}

/* The kernel takes it for raid4 or raid5 while its shape changes; nothing else has a position. */
static int refuse_level(const struct md_shape *shape, struct err *err)
{
	const char *name = md_level_name(shape->level);

	return err_set(err, ERR_UNSUPPORTED, "an array of level %s cannot be opened%s",
		       name ? name : "that is none", shape->level == MD_FAULTY ? "" : " so");
}

/* A range by its rule. Of a reshaped array `later` is what lies where the new shape is. */
static int range_add(struct making *making, const struct md_shape *shape, bool later, uint64_t from,
		     uint64_t to, struct err *err)
{
	const struct placing placing = {
		.foreign = making->foreign,
		.seats = later ? making->later : making->now,
		.seat_count = making->seats->count,
		.numbers = making->numbers,
	};
	struct rule rule;
	int rc;

	if (shape->level < MD_RAID4)
		return refuse_level(shape, err);
	rc = md_rule_of(&rule, shape, err);
	if (rc == 0 && shape->raid_disks > making->seats->count)
		rc = err_set(err, ERR_FORMAT, "%u members, %u slots", shape->raid_disks,
			     making->seats->count);
	return rc ? rc : placing_rule(&placing, &rule, from, to, err);
}

static int reshaped_add(struct making *making, struct err *err)
{
	const struct md_member *array = making->array;
	uint64_t bytes, position;
	bool back = array->reshape_backwards;
	int rc;

	if (!md_member_array_bytes(&bytes, array) ||
	    !size_multiply(array->reshape_position, MD_SECTOR, &position))
		return err_set(err, ERR_FORMAT, "the array's size is none");
	position = size_min(position, bytes);
	rc = range_add(making, back ? &array->before : &array->after, !back, 0, position, err);
	return rc ? rc
		  : range_add(making, back ? &array->after : &array->before, back, position, bytes,
			      err);
}

/*
 * Sectors of data of each member, of the levels that add them up. The size of one that is absent is known only when
 * all others have the same.
 */
static int sizes_of(uint64_t *sectors, const struct making *making, struct err *err)
{
	uint64_t common = 0;

	for (uint32_t slot = 0; slot < making->seats->count; slot++) {
		sectors[slot] = UNKNOWN;
		if (!making->seats->at[slot].entry)
			continue;
		sectors[slot] = member_of(making, slot)->data_sectors;
		common = common == 0 || common == sectors[slot] ? sectors[slot] : UNKNOWN;
	}
	for (uint32_t slot = 0; slot < making->seats->count; slot++) {
		if (sectors[slot] != UNKNOWN)
			continue;
		if (common == UNKNOWN)
			return err_set(err, ERR_TOO_FEW,
				       "member %u is missing, and members differ in size: what "
				       "lies behind it cannot be placed",
				       slot);
		sectors[slot] = common;
	}
	return 0;
}

static int linear_add(const struct making *making, const struct placing *placing,
		      const uint64_t *sectors, struct err *err)
{
	int rc = 0;

	for (uint32_t slot = 0; rc == 0 && slot < making->seats->count; slot++)
		rc = placing_plain(placing, slot, 0, sectors[slot] * MD_SECTOR, err);
	return rc;
}

/* A zone of raid0: what lies from `begin` on, in chunks of a member, on all members that reach so far. */
struct zone {
	uint64_t begin, end; /* chunks of each member */
	uint32_t slots[MEMBERS_MAX];
	uint32_t count;
};

static void zone_find(struct zone *zone, const uint64_t *sectors, uint32_t count,
		      uint64_t chunk_sectors)
{
	zone->count = 0;
	zone->end = UINT64_MAX;
	for (uint32_t slot = 0; slot < count; slot++) {
		uint64_t chunks = sectors[slot] / chunk_sectors;

		if (chunks <= zone->begin)
			continue;
		zone->slots[zone->count++] = slot;
		zone->end = size_min(zone->end, chunks);
	}
}

/* In the original layout a zone's first chunk lies on the member that its number in the whole array says. */
static void zone_turn(struct zone *zone, uint64_t chunks_before)
{
	uint32_t turned[MEMBERS_MAX] = { 0 };

	for (uint32_t i = 0; i < zone->count; i++)
		turned[i] = zone->slots[(chunks_before + i) % zone->count];
	memcpy(zone->slots, turned, sizeof(turned[0]) * zone->count);
}

static int raid0_add(const struct making *making, const struct placing *placing,
		     const uint64_t *sectors, struct err *err)
{
	const struct md_shape *shape = &making->array->shape;
	uint64_t chunk_sectors = shape->chunk_bytes / MD_SECTOR, chunks = 0;
	struct zone zone = { .begin = 0 };
	int rc = 0;

	if (shape->chunk_bytes % BLOCK_SIZE)
		return err_set(err, ERR_UNSUPPORTED, "chunks of %" PRIu64 " bytes",
			       shape->chunk_bytes);
	for (;;) {
		zone_find(&zone, sectors, making->seats->count, chunk_sectors);
		if (rc || zone.count == 0)
			return rc;
		if (zone.begin > 0 && shape->layout == MD_RAID0_UNKNOWN) {
			err_set(err, ERR_FORMAT,
				"members differ in size, and which of two layouts the array has "
				"is not recorded");
			return err_hint(err, "the kernel refuses it too, unless it is told "
					     "raid0.default_layout");
		}
		if (shape->layout == MD_RAID0_ORIGINAL)
			zone_turn(&zone, chunks);
		rc = placing_stripes(placing, zone.slots, zone.count,
				     zone.begin * shape->chunk_bytes, zone.end - zone.begin,
				     (uint32_t)(shape->chunk_bytes / BLOCK_SIZE), err);
		chunks += (zone.end - zone.begin) * zone.count;
		zone.begin = zone.end;
	}
}

/* The first copy that can be read is read, as by the kernel where copies may differ: write-mostly ones come last. */
static int raid1_add(const struct making *making, const struct placing *placing, struct err *err)
{
	uint32_t slots[MEMBERS_MAX] = { 0 }, count = 0;
	uint64_t bytes;

	for (int last = 0; last <= 1; last++) {
		for (uint32_t slot = 0; slot < making->seats->count; slot++) {
			if (member_of(making, slot)->write_mostly == (last == 1))
				slots[count++] = slot;
		}
	}
	if (!md_member_array_bytes(&bytes, making->array) || bytes == 0)
		return err_set(err, ERR_FORMAT, "the array's size is none");
	return placing_mirror(placing, slots, count, 0, bytes, err);
}

static int whole_add(struct making *making, struct err *err)
{
	const struct placing placing = { making->foreign, making->now, making->seats->count,
					 making->numbers };
	const struct md_shape *shape = &making->array->shape;
	uint64_t sectors[MEMBERS_MAX] = { 0 }, bytes;
	int rc = 0;

	switch (shape->level) {
	case MD_LINEAR:
		rc = sizes_of(sectors, making, err);
		return rc ? rc : linear_add(making, &placing, sectors, err);
	case MD_RAID0:
		rc = sizes_of(sectors, making, err);
		return rc ? rc : raid0_add(making, &placing, sectors, err);
	case MD_RAID1:
		return raid1_add(making, &placing, err);
	case MD_RAID4:
	case MD_RAID5:
	case MD_RAID6:
	case MD_RAID10:
		if (!md_member_array_bytes(&bytes, making->array) || bytes == 0)
			return err_set(err, ERR_FORMAT, "the array's size is none");
		return range_add(making, shape, false, 0, bytes, err);
	default:
		return refuse_level(shape, err);
	}
}

int md_map_add_volume(struct foreign *foreign, const struct md_set *set,
		      const struct md_seats *seats, const uint32_t *numbers, struct err *err)
{
	struct making making = {
		.set = set,
		.seats = seats,
		.array = set->newest,
		.foreign = foreign,
		.numbers = numbers,
	};
	int rc;

	assert(set->newest && seats->count <= MEMBERS_MAX);
	rc = seats_fill(&making, err);
	if (rc == 0)
		rc = making.array->reshaping ? reshaped_add(&making, err) : whole_add(&making, err);
	return rc;
}

int md_map_make(struct map **map_out, const struct md_set *set, const struct md_seats *seats,
		struct err *err)
{
	struct foreign *foreign;
	char name[NAME_SIZE];
	int rc;

	assert(set->newest);
	md_map_name(name, set->newest);
	foreign = foreign_create(name, name, &set->newest->array);
	if (!foreign)
		return err_set(err, ERR_NOMEM, "no memory for the map of an array");
	rc = md_map_add_members(foreign, set, seats, err);
	if (rc == 0)
		rc = md_map_add_volume(foreign, set, seats, NULL, err);
	if (rc) {
		foreign_free(foreign);
		return rc;
	}
	return foreign_finish(foreign, map_out, err);
}
