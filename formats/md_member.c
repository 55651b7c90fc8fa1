/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_member.h"

#include "core/base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BITMAP_OFFSET_0_90 8 /* sectors: right behind the superblock */

const char *md_metadata_name(enum md_metadata metadata)
{
	static const char *const names[] = { "0.90", "1.0", "1.1", "1.2", "ddf", "imsm" };

	return names[metadata];
}

const char *md_member_level(char buffer[static 24], const struct md_member *member)
{
	const char *name = md_level_name(member->shape.level);

	if (name || member->shape.level == MD_CONTAINER)
		return name ? name : "container";
	snprintf(buffer, 24, "level %" PRId32, member->shape.level);
	return buffer;
}

void md_uuid_text(char out[static MD_UUID_TEXT_SIZE], const struct uuid *uuid)
{
	for (uint32_t i = 0, at = 0; i < 16; i++)
		at += (uint32_t)snprintf(out + at, MD_UUID_TEXT_SIZE - at, "%s%02x",
					 i && i % 4 == 0 ? ":" : "", uuid->bytes[i]);
}

/* A position a signed way from another; MD_MEMBER_NONE where there can be none. */
static uint64_t sector_from(uint64_t sector, int64_t distance)
{
	uint64_t sum;

	if (__builtin_add_overflow(sector, distance, &sum))
		return MD_MEMBER_NONE;
	return sum;
}

/* Before a reshape there were other counts of members; both shapes share what each member gives. */
static void reshape_set(struct md_member *member, int32_t level, uint32_t layout,
			uint64_t chunk_bytes)
{
	int64_t disks = (int64_t)member->shape.raid_disks - member->delta_disks;

	member->before = member->shape;
	member->after = member->shape;
	if (!member->reshaping) {
		member->reshape_position = MD_MEMBER_NONE;
		return;
	}
	member->before.raid_disks = disks > 0 && disks <= UINT32_MAX ? (uint32_t)disks : 0;
	member->after.level = level;
	member->after.layout = layout;
	member->after.chunk_bytes = chunk_bytes;
}

/* While the array gives members up, they still hold slots. */
static void slots_begin(struct md_member *member)
{
	uint64_t count = size_max(member->shape.raid_disks, member->before.raid_disks);

	if (count <= MD_SLOTS_MAX)
		member->slot_count = (uint32_t)count;
}

static void slot_note(struct md_member *member, uint32_t slot)
{
	if (slot >= member->slot_count)
		return;
	member->slots[slot] =
		member->slots[slot] == MD_SLOT_MISSING ? MD_SLOT_ACTIVE : MD_SLOT_REPLACING;
}

static void md0_role_set(struct md_member *member, const struct md0 *super)
{
	const struct md0_disk *disk = &super->this;

	/* What the table says of it counts; `this` is a copy. */
	if (disk->number < MD0_DISKS_MAX)
		disk = &super->disks[disk->number];
	member->device_number = super->this.number;
	member->slot = MD_SLOT_NONE;
	member->recovery_start = 0;
	member->write_mostly = disk->state & MD0_DISK_WRITEMOSTLY;
	member->failfast = disk->state & MD0_DISK_FAILFAST;
	if (disk->state & MD0_DISK_FAULTY) {
		member->role = MD_ROLE_FAULTY;
	} else if (disk->state & MD0_DISK_SYNC) {
		member->role = MD_ROLE_SLOT;
		member->in_sync = true;
		member->recovery_start = MD_MEMBER_NONE;
	} else if (disk->state & MD0_DISK_ACTIVE && md0_is_reshaping(super)) {
		member->role = MD_ROLE_SLOT; /* new with the reshape: filled up to its position */
	} else {
		member->role = MD_ROLE_SPARE;
	}
	if (member->role == MD_ROLE_SLOT)
		member->slot = disk->raid_disk;
	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++) {
		if (super->disks[i].state & MD0_DISK_SYNC &&
		    !(super->disks[i].state & MD0_DISK_FAULTY))
			slot_note(member, super->disks[i].raid_disk);
	}
}

/* Not clean: all of it, but for what was in step when the same event was written as checkpoint. */
static uint64_t md0_resync_start(const struct md0 *super)
{
	if (super->state & MD0_CLEAN)
		return MD_MEMBER_NONE;
	return super->events == super->checkpoint_events ? super->resync_sectors : 0;
}

static void md0_array_set(struct md_member *member, const struct md0 *super)
{
	member->array = md0_uuid(super);
	for (size_t i = 0; i < 4; i++) {
		if (super->big_endian)
			put_be32(member->array_raw + 4 * i, super->set_uuid[i]);
		else
			put_le32(member->array_raw + 4 * i, super->set_uuid[i]);
	}
	member->shape = (struct md_shape){
		.level = super->level,
		.layout = super->layout,
		.chunk_bytes = super->chunk_bytes,
		.raid_disks = super->raid_disks,
		.component_sectors = (uint64_t)super->size_kib * 2,
	};
	member->created_s = super->ctime_s;
	member->updated_s = super->utime_s;
	member->events = super->events;
	member->clean = super->state & MD0_CLEAN;
	member->resync_start = md0_resync_start(super);
	member->has_bitmap = super->state & MD0_BITMAP_PRESENT;
	member->reshaping = md0_is_reshaping(super);
	if (member->reshaping) {
		member->reshape_position = super->reshape_sectors;
		member->delta_disks = super->delta_disks;
		member->reshape_backwards = super->delta_disks < 0;
	}
}

void md_member_from_md0(struct md_member *member_out, const struct md0 *super, uint64_t sector,
			uint64_t device_sectors)
{
	struct md_member *member = member_out;

	*member = (struct md_member){
		.metadata = MD_METADATA_0_90,
		.super_sector = sector,
		.device_sectors = device_sectors,
		.data_size = sector, /* all that lies before the superblock */
		.bitmap_sector = MD_MEMBER_NONE,
		.bad_block_sector = MD_MEMBER_NONE,
		.ppl_sector = MD_MEMBER_NONE,
	};
	md0_array_set(member, super);
	reshape_set(member, super->new_level, super->new_layout, super->new_chunk_bytes);
	slots_begin(member);
	md0_role_set(member, super);
	member->data_sectors = md_data_sectors(&member->shape, member->data_size);
	if (member->has_bitmap) {
		member->bitmap_offset = BITMAP_OFFSET_0_90;
		member->bitmap_sector = sector_from(sector, BITMAP_OFFSET_0_90);
	}
	md0_validate(&member->faults, super, sector, device_sectors);
}

static void md1_role_set(struct md_member *member, const struct md1 *super)
{
	uint32_t role = md1_role(super);

	member->device_number = super->dev_number;
	member->slot = MD_SLOT_NONE;
	member->recovery_start = 0;
	if (role < MD1_ROLE_JOURNAL) {
		member->role = MD_ROLE_SLOT;
		member->slot = role;
		member->in_sync = !(super->features & MD1_RECOVERY_OFFSET);
		member->recovery_start = member->in_sync ? MD_MEMBER_NONE : super->recovery_sectors;
	} else if (role == MD1_ROLE_JOURNAL) {
		member->role = MD_ROLE_JOURNAL;
		member->journal_tail = super->recovery_sectors;
	} else {
		member->role = role == MD1_ROLE_FAULTY ? MD_ROLE_FAULTY : MD_ROLE_SPARE;
	}
	member->replacement = super->features & MD1_REPLACEMENT;
	member->write_mostly = super->devflags & MD1_WRITE_MOSTLY;
	member->failfast = super->devflags & MD1_FAILFAST;
	for (uint32_t i = 0; i < super->max_dev; i++)
		slot_note(member, super->roles[i]);
}

static void md1_array_set(struct md_member *member, const struct md1 *super)
{
	member->array = super->set_uuid;
	memcpy(member->array_raw, super->set_uuid.bytes, sizeof(member->array_raw));
	memcpy(member->name, super->set_name, sizeof(member->name));
	member->shape = (struct md_shape){
		.level = super->level,
		.layout = super->layout,
		.chunk_bytes = (uint64_t)super->chunk_sectors * MD_SECTOR,
		.raid_disks = super->raid_disks,
		.component_sectors = super->size_sectors,
	};
	member->raid0_layout_known = super->features & MD1_RAID0_LAYOUT;
	member->created_s = md1_time_s(super->ctime);
	member->updated_s = md1_time_s(super->utime);
	member->events = super->events;
	member->clean = super->resync_sectors == MD1_NEVER;
	member->resync_start = super->resync_sectors;
	member->has_bitmap = super->features & MD1_BITMAP_OFFSET;
	member->has_ppl = md1_has_ppl(super);
	member->has_journal = super->features & MD1_JOURNAL;
	member->reshaping = super->features & MD1_RESHAPE_ACTIVE;
	if (member->reshaping) {
		member->reshape_position = super->reshape_sectors;
		member->delta_disks = super->delta_disks;
		member->reshape_backwards =
			super->delta_disks < 0 ||
			(super->delta_disks == 0 && super->features & MD1_RESHAPE_BACKWARDS);
	}
}

static void md1_places_set(struct md_member *member, const struct md1 *super)
{
	uint64_t sector = member->super_sector;

	member->data_offset = super->data_offset_sectors;
	member->data_size = super->data_size_sectors;
	member->data_sectors = md_data_sectors(&member->shape, member->data_size);
	member->new_data_offset = super->data_offset_sectors;
	if (member->reshaping && super->features & MD1_NEW_OFFSET)
		member->new_data_offset =
			sector_from(super->data_offset_sectors, super->new_offset_sectors);
	member->bitmap_sector = MD_MEMBER_NONE;
	member->ppl_sector = MD_MEMBER_NONE;
	member->bad_block_sector = MD_MEMBER_NONE;
	if (member->has_bitmap) {
		member->bitmap_offset = md1_bitmap_offset(super);
		member->bitmap_sector = sector_from(sector, md1_bitmap_offset(super));
	} else if (member->has_ppl) {
		member->ppl_sector = sector_from(sector, md1_ppl_offset(super));
		member->ppl_sectors = md1_ppl_sectors(super);
	}
	if (super->bblog_offset_sectors) {
		member->bad_block_sector = sector_from(sector, super->bblog_offset_sectors);
		member->bad_block_sectors = super->bblog_sectors;
		member->bad_block_shift = super->bblog_shift;
		member->bad_blocks_valid = super->features & MD1_BAD_BLOCKS;
	}
}

void md_member_from_md1(struct md_member *member_out, const struct md1 *super, uint32_t minor,
			uint64_t sector, uint64_t device_sectors)
{
	static const enum md_metadata metadata[MD1_PLACES] = { MD_METADATA_1_0, MD_METADATA_1_1,
							       MD_METADATA_1_2 };
	struct md_member *member = member_out;

	*member = (struct md_member){
		.metadata = metadata[minor],
		.super_sector = sector,
		.device_sectors = device_sectors,
		.device = super->device_uuid,
	};
	md1_array_set(member, super);
	reshape_set(member, super->new_level, super->new_layout,
		    (uint64_t)super->new_chunk_sectors * MD_SECTOR);
	slots_begin(member);
	md1_role_set(member, super);
	md1_places_set(member, super);
	md1_validate(&member->faults, super, minor, device_sectors);
}

bool md_member_array_bytes(uint64_t *bytes_out, const struct md_member *member)
{
	uint64_t before, after;

	if (!member->reshaping) {
		if (!md_array_bytes(bytes_out, &member->shape))
			return false;
		if (member->array_sectors && member->array_sectors < *bytes_out / MD_SECTOR)
			*bytes_out = member->array_sectors * MD_SECTOR;
		return true;
	}
	if (!md_array_bytes(&before, &member->before) || !md_array_bytes(&after, &member->after))
		return false;
	*bytes_out = size_min(before, after);
	return true;
}

uint32_t md_member_degraded(const struct md_member *member)
{
	uint32_t missing = 0;

	for (uint32_t slot = 0; slot < member->slot_count; slot++)
		missing += member->slots[slot] == MD_SLOT_MISSING;
	return missing;
}

static const char *policy_name(const struct md_member *member)
{
	if (member->has_journal)
		return "journal";
	if (member->has_ppl)
		return "ppl";
	if (member->has_bitmap)
		return "bitmap";
	return md_level_is_redundant(member->shape.level) ? "resync" : "none";
}

static void layout_print(struct facts *facts, const struct md_member *member,
			 const struct md_shape *shape, const char *number, const char *name)
{
	char layout[MD_LAYOUT_NAME_SIZE];

	/* The kernel says -1 for a raid0 whose layout nobody recorded. */
	if (shape->level == MD_RAID0 && !member->raid0_layout_known) {
		fact_signed(facts, number, -1);
		fact_none(facts, name);
		return;
	}
	fact_number(facts, number, shape->layout);
	md_layout_name(layout, shape->level, shape->layout);
	fact_text_or_none(facts, name, layout[0] ? layout : NULL);
}

static void array_print(struct facts *facts, const struct md_member *member)
{
	const struct md_shape *shape = &member->shape;
	char uuid[MD_UUID_TEXT_SIZE], level[24];
	uint64_t bytes;

	md_uuid_text(uuid, &member->array);
	fact_text(facts, "uuid", "%s", uuid);
	fact_text(facts, "level", "%s", md_member_level(level, member));
	layout_print(facts, member, shape, "layout", "layout_name");
	fact_number(facts, "chunk_bytes", shape->chunk_bytes);
	fact_number(facts, "raid_disks", shape->raid_disks);
	if (md_member_array_bytes(&bytes, member))
		fact_number(facts, "array_bytes", bytes);
	else
		fact_none(facts, "array_bytes");
	fact_number(facts, "component_sectors", shape->component_sectors);
	fact_number(facts, "events", member->events);
	fact_text(facts, "array_state", member->clean ? "clean" : "active");
	if (md_level_is_redundant(shape->level))
		fact_number(facts, "degraded", md_member_degraded(member));
	else
		fact_none(facts, "degraded");
	fact_text(facts, "consistency_policy", "%s", policy_name(member));
	/* The partial parity says what to put in step: the kernel resyncs nothing. */
	fact_number_or(facts, "resync_start",
		       member->has_ppl ? MD_MEMBER_NONE : member->resync_start, MD_MEMBER_NONE,
		       "none");
}

static void reshape_print(struct facts *facts, const struct md_member *member)
{
	char name[24];
	const char *level = md_level_name(member->after.level);

	fact_number_or(facts, "reshape_position", member->reshape_position, MD_MEMBER_NONE, "none");
	if (!member->reshaping) {
		fact_none(facts, "reshape_direction");
		return;
	}
	snprintf(name, sizeof(name), "level %" PRId32, member->after.level);
	fact_text(facts, "reshape_direction", "%s",
		  member->reshape_backwards ? "backwards" : "forwards");
	fact_signed(facts, "delta_disks", member->delta_disks);
	fact_number(facts, "raid_disks_before", member->before.raid_disks);
	fact_text(facts, "new_level", "%s", level ? level : name);
	layout_print(facts, member, &member->after, "new_layout", "new_layout_name");
	fact_number(facts, "new_chunk_bytes", member->after.chunk_bytes);
	fact_number(facts, "new_data_offset_sectors", member->new_data_offset);
}

/* As the kernel's sysfs has it: one word for how it takes part, others for what it is. */
static void state_print(struct facts *facts, const struct md_member *member)
{
	const char *word = "spare";

	if (member->role == MD_ROLE_FAULTY)
		word = "faulty";
	else if (member->role == MD_ROLE_JOURNAL)
		word = "journal";
	else if (member->role == MD_ROLE_SLOT && member->in_sync)
		word = "in_sync";
	fact_text(facts, "state", "%s%s%s%s", word, member->write_mostly ? ",write_mostly" : "",
		  member->replacement ? ",replacement" : "", member->failfast ? ",failfast" : "");
}

static const char *role_name(const struct md_member *member)
{
	static const char *const names[] = {
		[MD_ROLE_SLOT] = "active",
		[MD_ROLE_SPARE] = "spare",
		[MD_ROLE_FAULTY] = "faulty",
		[MD_ROLE_JOURNAL] = "journal",
	};

	return member->replacement ? "replacement" : names[member->role];
}

static void slots_print(struct facts *facts, const struct md_member *member)
{
	char text[FACT_TEXT_MAX];
	uint32_t count = (uint32_t)size_min(member->slot_count, sizeof(text) - 1);

	for (uint32_t slot = 0; slot < count; slot++)
		text[slot] = ".AR"[member->slots[slot]];
	text[count] = '\0';
	fact_text(facts, "slots", "%s", text);
}

static void device_print(struct facts *facts, const struct md_member *member)
{
	char uuid[MD_UUID_TEXT_SIZE];

	if (member->role == MD_ROLE_SLOT)
		fact_number(facts, "slot", member->slot);
	else
		fact_text(facts, "slot", "%s",
			  member->role == MD_ROLE_JOURNAL ? "journal" : "none");
	fact_text(facts, "role", "%s", role_name(member));
	state_print(facts, member);
	slots_print(facts, member);
	if (member->metadata != MD_METADATA_0_90) {
		md_uuid_text(uuid, &member->device);
		fact_text(facts, "device_uuid", "%s", uuid);
	} else {
		fact_number(facts, "device_number", member->device_number);
	}
	fact_number(facts, "data_offset_sectors", member->data_offset);
	fact_number(facts, "data_sectors", member->data_sectors);
	fact_number(facts, "data_size_sectors", member->data_size);
	fact_number(facts, "super_offset_sectors", member->super_sector);
	if (member->role == MD_ROLE_JOURNAL)
		fact_number(facts, "journal_tail", member->journal_tail);
	else
		fact_number_or(facts, "recovery_start", member->recovery_start, MD_MEMBER_NONE,
			       "none");
}

static void places_print(struct facts *facts, const struct md_member *member)
{
	if (member->has_bitmap)
		fact_text(facts, "bitmap_location", "%+" PRId64, member->bitmap_offset);
	else
		fact_text(facts, "bitmap_location", "none");
	if (member->has_ppl) {
		fact_number(facts, "ppl_sector", member->ppl_sector);
		fact_number(facts, "ppl_sectors", member->ppl_sectors);
	}
	if (member->bad_block_sector != MD_MEMBER_NONE)
		fact_number(facts, "bad_block_log_sector", member->bad_block_sector);
	fact_number(facts, "created", member->created_s);
	fact_number(facts, "updated", member->updated_s);
}

void md_member_print(struct facts *facts, const struct md_member *member)
{
	fact_text(facts, "metadata", "%s", md_metadata_name(member->metadata));
	array_print(facts, member);
	reshape_print(facts, member);
	device_print(facts, member);
	places_print(facts, member);
}
