/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_write.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"
#include "formats/md_bits.h"
#include "formats/md_blocks.h"
#include "formats/md_ppl.h"
#include "formats/md_super.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define LOG "partial parity log"

/* What is known of a slot. */
struct slot {
	bool in;              /* a member holds it, whose superblock is kept up to date */
	uint64_t data_offset; /* sectors */
	uint64_t sector;      /* of the superblock, when in */
	uint64_t events;      /* it must have still */
	struct md_super super;
};

struct md_write {
	struct uuid array;
	enum md_metadata metadata;
	bool redundant, has_bitmap;
	bool dirty;            /* between the marks */
	bool any_absent;       /* at the time of the last mark */
	uint64_t resync_start; /* before the session, or as was found since */
	uint32_t numbers;      /* of devices: below it all are somebody's */
	uint32_t newest;       /* slot whose superblock counts */
	uint64_t events;
	uint64_t data_sectors; /* used on each member */
	uint32_t slot_count;
	struct slot *slots; /* owned */
	struct md_bits bits;
	uint8_t *block; /* owned: a superblock on its way */
};

static int refuse(const struct md_member *newest, bool logs_empty, struct err *err)
{
	const char *why = newest->reshaping     ? "is being reshaped"
			  : newest->has_journal ? "has a journal device"
			  : newest->has_ppl && newest->resync_start != MD_MEMBER_NONE && !logs_empty
				  ? "was not stopped in order, and has a partial parity log"
				  : NULL;

	if (!why)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "the array %s: it cannot be written", why);
	return err_hint(err, "let Linux assemble it and finish what is under way, then repeat");
}

static void slots_fill(struct md_write *write, const struct md_set *set,
		       const struct md_seats *seats)
{
	for (uint32_t i = 0; i < write->slot_count; i++) {
		const struct md_set_member *entry = seats->at[i].entry;
		const struct md_member *member = entry ? entry->member : set->newest;
		struct slot *slot = &write->slots[i];

		slot->in = entry && entry->verdict != MD_VERDICT_STALE;
		slot->data_offset = member->data_offset;
		slot->sector = member->super_sector;
		slot->events = member->events;
	}
	for (uint32_t i = 0; i < set->member_count; i++)
		if (md_member_is_sound(set->members[i].member))
			write->numbers = (uint32_t)size_max(write->numbers,
							    set->members[i].member->device_number +
								    UINT64_C(1));
}

int md_write_open(struct md_write **write_out, const struct md_set *set,
		  const struct md_seats *seats, bool logs_empty, struct err *err)
{
	const struct md_member *newest = set->newest;
	struct md_write *write;
	int rc = refuse(newest, logs_empty, err);

	if (rc)
		return rc;
	write = mem_calloc(1, sizeof(*write));
	if (!write)
		return err_set(err, ERR_NOMEM, "no memory");
	write->array = newest->array;
	write->metadata = newest->metadata;
	write->redundant = md_level_is_redundant(newest->shape.level);
	write->has_bitmap = newest->has_bitmap;
	write->resync_start = newest->resync_start;
	write->data_sectors = newest->shape.component_sectors;
	write->slot_count = seats->count;
	write->slots = mem_calloc(seats->count, sizeof(*write->slots));
	write->block = mem_pages(MD_SUPER_SIZE);
	if (!write->slots || !write->block) {
		md_write_free(write);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	slots_fill(write, set, seats);
	*write_out = write;
	return 0;
}

void md_write_free(struct md_write *write)
{
	if (!write)
		return;
	md_bits_reset(&write->bits);
	mem_free(write->slots);
	mem_pages_free(write->block);
	mem_free(write);
}

/* Formats at the end keep what lies before their superblock, those at the start what is behind it. */
int md_write_fits(const struct md_write *write, uint32_t slot, uint64_t device_sectors,
		  struct err *err)
{
	uint64_t place, end = device_sectors, needed = 0;

	assert(slot < write->slot_count);
	if (!md_super_place(&place, write->metadata, device_sectors))
		end = 0;
	else if (write->metadata <= MD_METADATA_1_0)
		end = place;
	if (size_add(write->slots[slot].data_offset, write->data_sectors, &needed) && needed <= end)
		return 0;
	return err_set(err, ERR_SIZE, "%" PRIu64 " bytes: the array needs %" PRIu64 " of member %u",
		       device_sectors * MD_SECTOR, needed * MD_SECTOR, slot);
}

static int super_read(struct md_super *super_out, struct md_write *write, struct dev *dev,
		      uint64_t sector, struct err *err)
{
	int rc = io_read(dev, IO_ROLE_SUPER, sector * MD_SECTOR, write->block, MD_SUPER_SIZE);

	if (rc)
		return err_set(err, rc, "%s: its superblock cannot be read", dev_name(dev));
	return md_super_decode(super_out, write->metadata, write->block, err);
}

static uint64_t sectors_of(const struct dev *dev)
{
	return dev_info(dev)->size_exact / MD_SECTOR;
}

/* Has this device a sound superblock of the array? */
static bool belongs(struct md_member *member, const struct md_write *write,
		    const struct md_super *super, uint64_t sector, const struct dev *dev)
{
	md_super_member(member, super, sector, sectors_of(dev));
	return md_member_is_sound(member) && uuid_equal(&member->array, &write->array);
}

/* The superblock of a member that is in: as it was, or somebody else has written to the array. */
static int slot_read(struct md_write *write, struct slot *slot, struct dev *dev, struct err *err)
{
	struct md_member *member = mem_calloc(1, sizeof(*member));
	int rc = member ? super_read(&slot->super, write, dev, slot->sector, err)
			: err_set(err, ERR_NOMEM, "no memory");

	if (rc == 0 && (!belongs(member, write, &slot->super, slot->sector, dev) ||
			md_super_events(&slot->super) != slot->events))
		rc = err_set(err, ERR_CHANGED, "%s: its superblock has changed since it was opened",
			     dev_name(dev));
	if (rc == 0 && write->has_bitmap && member->bitmap_sector == MD_MEMBER_NONE)
		rc = err_set(err, ERR_FORMAT, "%s: its bitmap is not on the device", dev_name(dev));
	mem_free(member);
	return rc;
}

static uint64_t bitmap_sector(const struct slot *slot)
{
	int64_t offset = slot->super.metadata == MD_METADATA_0_90
				 ? (int32_t)(MD_SUPER_SIZE / MD_SECTOR)
				 : md1_bitmap_offset(&slot->super.md1);

	return (uint64_t)((int64_t)slot->sector + offset);
}

/* From the bitmap to what comes behind it is not known here: up to the end of the device is enough. */
static int bitmap_read(struct md_write *write, const struct slot *slot, struct dev *dev,
		       struct err *err)
{
	uint64_t sector = bitmap_sector(slot);
	struct md_bitmap_place place = {
		.events = slot->events,
		.room_bytes = (sectors_of(dev) - sector) * MD_SECTOR,
	};
	struct md_member *member = mem_calloc(1, sizeof(*member));

	if (!member)
		return err_set(err, ERR_NOMEM, "no memory");
	md_super_member(member, &slot->super, slot->sector, sectors_of(dev));
	memcpy(place.uuid, member->array_raw, sizeof(place.uuid));
	mem_free(member);
	return md_bits_read(&write->bits, dev, sector, &place, err);
}

/* Who is there, what they say, and who has gone since the newest superblock was written. */
static int all_read(struct md_write *write, struct dev *const *members, struct err *err)
{
	int rc = 0;

	write->events = 0;
	write->any_absent = false;
	md_bits_reset(&write->bits);
	for (uint32_t i = 0; rc == 0 && i < write->slot_count; i++) {
		struct slot *slot = &write->slots[i];

		slot->in = slot->in && members[i];
		write->any_absent |= !slot->in;
		if (!slot->in)
			continue;
		rc = slot_read(write, slot, members[i], err);
		if (rc == 0 && write->has_bitmap)
			rc = bitmap_read(write, slot, members[i], err);
		if (rc == 0 && slot->events >= write->events) {
			write->events = slot->events;
			write->newest = i;
		}
	}
	if (rc == 0 && !write->slots[write->newest].in)
		rc = err_set(err, ERR_TOO_FEW, "no member is there whose superblock counts");
	return rc;
}

static int all_flush(const struct md_write *write, struct dev *const *members, struct err *err)
{
	for (uint32_t i = 0; i < write->slot_count; i++) {
		int rc = write->slots[i].in ? io_flush(members[i]) : 0;

		if (rc)
			return err_set(err, rc, "%s: cannot be flushed", dev_name(members[i]));
	}
	return 0;
}

/*
 * The partial parity log of a member, if it has one. Behind the header nothing may look like a newer one: of a log that
 * several headers share, the first that does not verify ends the search.
 */
static int log_empty(const struct slot *slot, struct dev *dev, struct err *err)
{
	struct md_member *member = mem_calloc(1, sizeof(*member));
	struct md_ppl *ppl = mem_calloc(1, sizeof(*ppl));
	struct md_blocks blocks;
	uint64_t end = 0, size;
	int rc = 0;

	if (!member || !ppl) {
		rc = err_set(err, ERR_NOMEM, "no memory");
		goto out_free;
	}
	md_super_member(member, &slot->super, slot->sector, sectors_of(dev));
	if (!member->has_ppl)
		goto out_free;
	size = size_min((uint64_t)member->ppl_sectors * MD_SECTOR, UINT64_C(2) * MD_PPL_SIZE);
	if (size < MD_PPL_SIZE || !size_add(member->ppl_sector, member->ppl_sectors, &end) ||
	    end > sectors_of(dev)) {
		rc = err_set(err, ERR_SIZE, "%s: no room for its partial parity log",
			     dev_name(dev));
		goto out_free;
	}
	rc = md_blocks_read(&blocks, dev, member->ppl_sector, size, LOG, err);
	if (rc)
		goto out_free;
	md_ppl_make_empty(ppl, member->array_raw);
	memset(blocks.pages + blocks.skip, 0, (size_t)size);
	md_ppl_encode(blocks.pages + blocks.skip, ppl);
	rc = md_blocks_write(&blocks, dev, LOG, err);
	md_blocks_reset(&blocks);
out_free:
	mem_free(ppl);
	mem_free(member);
	return rc;
}

static int all_logs_empty(struct md_write *write, struct dev *const *members, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < write->slot_count; i++)
		if (write->slots[i].in)
			rc = log_empty(&write->slots[i], members[i], err);
	return rc ? rc : all_flush(write, members, err);
}

/* Durable before the next: a disk that tears a block has one superblock in the air, not several. */
static int super_write(struct md_write *write, struct slot *slot, struct dev *dev, struct err *err)
{
	int rc;

	md_super_encode(write->block, &slot->super);
	rc = io_write(dev, IO_ROLE_SUPER, slot->sector * MD_SECTOR, write->block, MD_SUPER_SIZE);
	if (rc == 0)
		rc = io_flush(dev);
	if (rc)
		return err_set(err, rc, "%s: its superblock cannot be written", dev_name(dev));
	slot->events = md_super_events(&slot->super);
	return 0;
}

static int bitmaps_write(struct md_write *write, struct dev *const *members, enum md_bits_are what,
			 uint64_t events_cleared, struct err *err)
{
	int rc = 0;

	if (!write->has_bitmap)
		return 0;
	for (uint32_t i = 0; rc == 0 && i < write->slot_count; i++)
		if (write->slots[i].in)
			rc = md_bits_write(&write->bits, members[i],
					   bitmap_sector(&write->slots[i]), what, write->events,
					   events_cleared, err);
	return rc ? rc : all_flush(write, members, err);
}

/* With this count of events, in this state: those of less than `below`. */
static int supers_raise(struct md_write *write, struct dev *const *members, uint64_t below,
			uint64_t events, uint64_t resync_start, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < write->slot_count; i++) {
		struct slot *slot = &write->slots[i];

		if (!slot->in || slot->events >= below)
			continue;
		md_super_set_state(&slot->super, events, resync_start,
				   env_clock_s(members[i]->env));
		rc = super_write(write, slot, members[i], err);
	}
	return rc;
}

/*
 * With the new count of events, in this state. One that a crash has left an event behind comes up first: it would be two
 * behind when the first of the others is written.
 */
static int supers_write(struct md_write *write, struct dev *const *members, uint64_t resync_start,
			struct err *err)
{
	int rc = supers_raise(write, members, write->events - 1, write->events - 1, resync_start,
			      err);

	return rc ? rc : supers_raise(write, members, UINT64_MAX, write->events, resync_start, err);
}

/* All say the same of slots; those of members that are not there are given up. */
static bool slots_settle(struct md_write *write)
{
	struct md_super *newest = &write->slots[write->newest].super;
	bool dropped = false;

	for (uint32_t i = 0; write->redundant && i < write->slot_count; i++)
		if (!write->slots[i].in)
			dropped |= md_super_drop(newest, i);
	for (uint32_t i = 0; i < write->slot_count; i++)
		if (write->slots[i].in)
			md_super_set_slots(&write->slots[i].super, newest);
	return dropped;
}

static int mark_dirty(void *arg, struct dev *const *members, struct err *err)
{
	struct md_write *write = arg;
	bool dropped;
	int rc = all_read(write, members, err);

	assert(!write->dirty);
	if (rc)
		return rc;
	dropped = slots_settle(write);
	write->events++;
	rc = all_logs_empty(write, members, err);
	if (rc == 0)
		rc = bitmaps_write(write, members, MD_BITS_ALL, 0, err);
	if (rc == 0)
		rc = supers_write(write, members, 0, err);
	/* A member that is one event behind still counts for a kernel. */
	if (rc == 0 && dropped) {
		write->events++;
		rc = bitmaps_write(write, members, MD_BITS_ALL, 0, err);
		if (rc == 0)
			rc = supers_write(write, members, 0, err);
	}
	write->dirty = rc == 0;
	return rc;
}

static int mark_clean(void *arg, struct dev *const *members, struct err *err)
{
	struct md_write *write = arg;
	bool clean = write->resync_start == MD_MEMBER_NONE;
	enum md_bits_are what = write->any_absent ? MD_BITS_ALL
				: clean           ? MD_BITS_NONE
						  : MD_BITS_BEFORE;
	int rc;

	assert(write->dirty);
	write->events++;
	rc = bitmaps_write(write, members, what, what == MD_BITS_NONE ? write->events : 0, err);
	if (rc == 0)
		rc = supers_write(write, members, write->resync_start, err);
	write->dirty = rc != 0;
	return rc;
}

/* What the device that comes in is: one of the array that has its number already, or a new one. */
static int newcomer_make(struct md_write *write, uint32_t number_of_slot, struct dev *dev,
			 uint32_t *before_out, struct err *err)
{
	struct slot *slot = &write->slots[number_of_slot];
	const struct md_super *pattern = &write->slots[write->newest].super;
	struct md_super_own own = { .device_sectors = sectors_of(dev),
				    .data_offset = slot->data_offset };
	struct md_member *member = mem_calloc(1, sizeof(*member));
	struct err ignored = { 0 };
	uint8_t random[16];
	int rc = 0;

	if (!member)
		return err_set(err, ERR_NOMEM, "no memory");
	*before_out = MD_SLOT_NONE;
	env_random(dev->env, random, sizeof(random));
	own.device = uuid_from_random(random);
	if (!md_super_place(&slot->sector, write->metadata, own.device_sectors))
		rc = err_set(err, ERR_SIZE, "%s: too small for a superblock", dev_name(dev));
	else if (super_read(&slot->super, write, dev, slot->sector, &ignored) == 0 &&
		 belongs(member, write, &slot->super, slot->sector, dev) &&
		 md_super_number_is_free(pattern, member->device_number)) {
		*before_out = member->device_number;
		own.device = member->device;
	}
	mem_free(member);
	own.number = *before_out;
	if (own.number == MD_SLOT_NONE || write->metadata == MD_METADATA_0_90)
		own.number = md_super_free_number(pattern, number_of_slot, write->numbers);
	if (rc == 0 && own.number == MD_SLOT_NONE)
		rc = err_set(err, ERR_LIMIT, "the superblock has no room for another device");
	if (rc)
		return rc;
	for (uint32_t i = 0; i < write->slot_count; i++)
		if (write->slots[i].in)
			md_super_seat(&write->slots[i].super, number_of_slot, own.number,
				      *before_out);
	rc = md_super_make(&slot->super, pattern, &own, err);
	if (rc)
		return err_prefix(err, "%s", dev_name(dev));
	write->numbers = (uint32_t)size_max(write->numbers, own.number + UINT64_C(1));
	return 0;
}

/*
 * First the newcomer, with the count that all have: alone it is a member as good as any, and without it the others are
 * as they were. Then all, one event later.
 */
static int member_in(void *arg, struct dev *const *members, uint32_t number, struct err *err)
{
	struct md_write *write = arg;
	struct slot *slot = &write->slots[number];
	uint32_t before;
	int rc = 0;

	assert(write->dirty && number < write->slot_count && members[number]);
	if (slot->in) {
		md_super_set_whole(&slot->super);
	} else {
		rc = newcomer_make(write, number, members[number], &before, err);
		if (rc)
			return rc;
		slot->in = true;
		if (write->has_bitmap)
			rc = md_bits_write(&write->bits, members[number], bitmap_sector(slot),
					   MD_BITS_ALL, write->events, 0, err);
		if (rc == 0)
			rc = log_empty(slot, members[number], err);
		if (rc == 0)
			rc = io_flush(members[number]);
	}
	if (rc == 0)
		rc = super_write(write, slot, members[number], err);
	write->any_absent = false;
	for (uint32_t i = 0; i < write->slot_count; i++)
		write->any_absent |= !write->slots[i].in;
	write->events++;
	if (rc == 0)
		rc = bitmaps_write(write, members, MD_BITS_ALL, 0, err);
	return rc ? rc : supers_write(write, members, 0, err);
}

/* What a resync of the kernel would have come to. */
static bool in_step(void *arg)
{
	struct md_write *write = arg;
	bool news = write->resync_start != MD_MEMBER_NONE;

	write->resync_start = MD_MEMBER_NONE;
	return news;
}

const struct foreign_hooks md_write_hooks = {
	.mark_dirty = mark_dirty,
	.mark_clean = mark_clean,
	.member_in = member_in,
	.in_step = in_step,
};
