/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_super.h"

#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static bool is_0_90(const struct md_super *super)
{
	return super->metadata == MD_METADATA_0_90;
}

static uint32_t minor_of(enum md_metadata metadata)
{
	assert(metadata != MD_METADATA_0_90);
	return (uint32_t)(metadata - MD_METADATA_1_0);
}

int md_super_decode(struct md_super *super_out, enum md_metadata metadata,
		    const uint8_t bytes[static MD_SUPER_SIZE], struct err *err)
{
	super_out->metadata = metadata;
	return metadata == MD_METADATA_0_90 ? md0_decode(&super_out->md0, bytes, err)
					    : md1_decode(&super_out->md1, bytes, err);
}

void md_super_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md_super *super)
{
	if (is_0_90(super))
		md0_encode(bytes, &super->md0);
	else
		md1_encode(bytes, &super->md1);
}

bool md_super_place(uint64_t *sector_out, enum md_metadata metadata, uint64_t device_sectors)
{
	if (metadata == MD_METADATA_0_90)
		return md0_place(sector_out, device_sectors);
	return md1_place(sector_out, minor_of(metadata), device_sectors);
}

void md_super_member(struct md_member *member_out, const struct md_super *super, uint64_t sector,
		     uint64_t device_sectors)
{
	if (is_0_90(super))
		md_member_from_md0(member_out, &super->md0, sector, device_sectors);
	else
		md_member_from_md1(member_out, &super->md1, minor_of(super->metadata), sector,
				   device_sectors);
}

uint64_t md_super_events(const struct md_super *super)
{
	return is_0_90(super) ? super->md0.events : super->md1.events;
}

/* A 0.90 that is not clean says how far it is in step only where both counts of events agree. */
void md_super_set_state(struct md_super *super, uint64_t events, uint64_t resync_start,
			uint64_t now_s)
{
	bool clean = resync_start == MD_MEMBER_NONE;

	if (is_0_90(super)) {
		super->md0.events = events;
		super->md0.checkpoint_events = events;
		super->md0.utime_s = (uint32_t)now_s;
		super->md0.state &= ~(uint32_t)MD0_CLEAN;
		super->md0.state |= clean ? MD0_CLEAN : 0;
		super->md0.resync_sectors = (uint32_t)size_min(resync_start, UINT32_MAX);
		return;
	}
	super->md1.events = events;
	super->md1.utime = md1_time_s(now_s);
	super->md1.resync_sectors = clean ? MD1_NEVER : resync_start;
}

void md_super_set_slots(struct md_super *super, const struct md_super *newest)
{
	assert(super->metadata == newest->metadata);
	if (is_0_90(super)) {
		struct md0 *to = &super->md0;
		const struct md0 *from = &newest->md0;

		memcpy(to->disks, from->disks, sizeof(to->disks));
		to->nr_disks = from->nr_disks;
		to->active_disks = from->active_disks;
		to->working_disks = from->working_disks;
		to->failed_disks = from->failed_disks;
		to->spare_disks = from->spare_disks;
		if (to->this.number < MD0_DISKS_MAX)
			to->this = to->disks[to->this.number];
		return;
	}
	super->md1.max_dev = newest->md1.max_dev;
	memcpy(super->md1.roles, newest->md1.roles, sizeof(super->md1.roles));
}

static void count_down(uint32_t *count)
{
	*count -= *count > 0;
}

static bool md0_drop(struct md0 *super, uint32_t slot)
{
	bool dropped = false;

	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++) {
		struct md0_disk *disk = &super->disks[i];

		if (disk->raid_disk != slot || !(disk->state & MD0_DISK_SYNC))
			continue;
		disk->state = MD0_DISK_FAULTY | MD0_DISK_REMOVED;
		count_down(&super->active_disks);
		count_down(&super->working_disks);
		super->failed_disks++;
		dropped = true;
	}
	if (super->this.number < MD0_DISKS_MAX)
		super->this = super->disks[super->this.number];
	return dropped;
}

bool md_super_drop(struct md_super *super, uint32_t slot)
{
	bool dropped = false;

	assert(slot < MD1_ROLE_SLOT_MAX);
	if (is_0_90(super))
		return md0_drop(&super->md0, slot);
	for (uint32_t i = 0; i < super->md1.max_dev; i++) {
		if (super->md1.roles[i] != slot)
			continue;
		super->md1.roles[i] = MD1_ROLE_FAULTY;
		dropped = true;
	}
	return dropped;
}

bool md_super_number_is_free(const struct md_super *super, uint32_t number)
{
	if (is_0_90(super))
		return number < MD0_DISKS_MAX && !(super->md0.disks[number].state & MD0_DISK_SYNC);
	return number < MD1_ROLES_MAX &&
	       (number >= super->md1.max_dev || super->md1.roles[number] >= MD1_ROLE_SLOT_MAX);
}

uint32_t md_super_free_number(const struct md_super *super, uint32_t slot, uint32_t reserved)
{
	uint32_t number = reserved;

	if (is_0_90(super))
		return slot;
	for (uint32_t i = 0; i < super->md1.max_dev; i++)
		if (super->md1.roles[i] < MD1_ROLE_FAULTY && i >= number)
			number = i + 1;
	return number < MD1_ROLES_MAX ? number : MD_SLOT_NONE;
}

static void md0_seat(struct md0 *super, uint32_t slot, uint32_t before)
{
	struct md0_disk *disk = &super->disks[slot];

	if (disk->state & MD0_DISK_FAULTY)
		count_down(&super->failed_disks);
	if (before < MD0_DISKS_MAX && before != slot) {
		count_down(&super->spare_disks);
		super->disks[before] = (struct md0_disk){ 0 };
	} else {
		super->working_disks++;
		super->nr_disks = (uint32_t)size_max(super->nr_disks, super->working_disks);
	}
	super->active_disks++;
	disk->number = slot;
	disk->raid_disk = slot;
	disk->state = MD0_DISK_ACTIVE | MD0_DISK_SYNC;
	if (super->this.number < MD0_DISKS_MAX)
		super->this = super->disks[super->this.number];
}

void md_super_seat(struct md_super *super, uint32_t slot, uint32_t number, uint32_t before)
{
	if (is_0_90(super)) {
		assert(number == slot && slot < MD0_DISKS_MAX);
		md0_seat(&super->md0, slot, before);
		return;
	}
	assert(number < MD1_ROLES_MAX);
	for (; super->md1.max_dev <= number; super->md1.max_dev++)
		super->md1.roles[super->md1.max_dev] = MD1_ROLE_SPARE;
	super->md1.roles[number] = (uint16_t)slot;
}

void md_super_set_whole(struct md_super *super)
{
	if (is_0_90(super))
		return;
	super->md1.features &= ~(uint32_t)(MD1_RECOVERY_OFFSET | MD1_BAD_BLOCKS | MD1_REPLACEMENT |
					   MD1_RECOVERY_BITMAP);
	super->md1.recovery_sectors = 0;
}

/* The data of 1.0 end where the pattern's do, counted from the superblock. */
static int md1_fit(struct md1 *super, const struct md1 *pattern, const struct md_super_own *own,
		   uint64_t place, uint32_t minor, struct err *err)
{
	uint64_t behind = 0, end = own->device_sectors;

	if (minor == 0) {
		behind = pattern->super_offset_sectors -
			 (pattern->data_offset_sectors + pattern->data_size_sectors);
		end = place > behind ? place - behind : 0;
	}
	super->super_offset_sectors = place;
	super->data_offset_sectors = own->data_offset;
	super->data_size_sectors = end > own->data_offset ? end - own->data_offset : 0;
	if (super->data_size_sectors < super->size_sectors)
		return err_set(err, ERR_SIZE,
			       "it has room for %" PRIu64
			       " sectors of data, the array uses %" PRIu64,
			       super->data_size_sectors, super->size_sectors);
	return 0;
}

int md_super_make(struct md_super *super_out, const struct md_super *pattern,
		  const struct md_super_own *own, struct err *err)
{
	struct md_super *super = super_out;
	uint64_t place;

	*super = *pattern;
	if (!md_super_place(&place, pattern->metadata, own->device_sectors))
		return err_set(err, ERR_SIZE, "it has no room for a superblock");
	if (is_0_90(super)) {
		assert(own->number < MD0_DISKS_MAX && own->data_offset == 0);
		super->md0.this = super->md0.disks[own->number];
		if (place < (uint64_t)super->md0.size_kib * 2)
			return err_set(err, ERR_SIZE,
				       "it has room for %" PRIu64
				       " sectors of data, the array uses "
				       "%" PRIu64,
				       place, (uint64_t)super->md0.size_kib * 2);
		return 0;
	}
	md_super_set_whole(super);
	super->md1.dev_number = own->number;
	super->md1.device_uuid = own->device;
	super->md1.devflags = 0;
	super->md1.corrected_reads = 0;
	return md1_fit(&super->md1, &pattern->md1, own, place, minor_of(pattern->metadata), err);
}
