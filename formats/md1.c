/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md1.h"

#include "core/base/size.h"
#include "formats/md_fields.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SUPER_SECTORS (MD_SUPER_SIZE / MD_SECTOR)
#define MICROSECONDS 1000000u
#define BBLOG_SECTORS_MAX 8u /* one page of the kernel */
#define BBLOG_SHIFT_MAX 31u

/* Byte offsets that are needed beside the table. */
enum {
	MD1_MAGIC = 0,
	MD1_MAJOR = 4,
	MD1_CHECKSUM = 216,
	MD1_MAX_DEV = 220,
	MD1_PAD3 = 228,
	MD1_ROLES = 256, /* u16 each */
};
_Static_assert(MD1_ROLES + 2 * MD1_ROLES_MAX == MD_SUPER_SIZE, "the roles end the block");
_Static_assert(MD1_PAD3 + sizeof(((struct md1 *)0)->pad3) == MD1_ROLES, "the roles follow");

static const struct md_field md1_fields[] = {
	MD_FIELD(struct md1, features, 8),
	MD_FIELD(struct md1, pad0, 12),
	MD_FIELD(struct md1, set_uuid, 16),
	MD_FIELD_TEXT(struct md1, set_name, 32),
	MD_FIELD(struct md1, ctime, 64),
	MD_FIELD(struct md1, level, 72),
	MD_FIELD(struct md1, layout, 76),
	MD_FIELD(struct md1, size_sectors, 80),
	MD_FIELD(struct md1, chunk_sectors, 88),
	MD_FIELD(struct md1, raid_disks, 92),
	MD_FIELD(struct md1, bitmap_or_ppl, 96),
	MD_FIELD(struct md1, new_level, 100),
	MD_FIELD(struct md1, reshape_sectors, 104),
	MD_FIELD(struct md1, delta_disks, 112),
	MD_FIELD(struct md1, new_layout, 116),
	MD_FIELD(struct md1, new_chunk_sectors, 120),
	MD_FIELD(struct md1, new_offset_sectors, 124),
	MD_FIELD(struct md1, data_offset_sectors, 128),
	MD_FIELD(struct md1, data_size_sectors, 136),
	MD_FIELD(struct md1, super_offset_sectors, 144),
	MD_FIELD(struct md1, recovery_sectors, 152),
	MD_FIELD(struct md1, dev_number, 160),
	MD_FIELD(struct md1, corrected_reads, 164),
	MD_FIELD(struct md1, device_uuid, 168),
	MD_FIELD(struct md1, devflags, 184),
	MD_FIELD(struct md1, bblog_shift, 185),
	MD_FIELD(struct md1, bblog_sectors, 186),
	MD_FIELD(struct md1, bblog_offset_sectors, 188),
	MD_FIELD(struct md1, utime, 192),
	MD_FIELD(struct md1, events, 200),
	MD_FIELD(struct md1, resync_sectors, 208),
	MD_FIELD(struct md1, checksum, 216),
	MD_FIELD(struct md1, max_dev, 220),
	MD_FIELD(struct md1, logical_block_size, 224),
	MD_FIELD(struct md1, pad3, 228),
	{ 0 },
};

bool md1_place(uint64_t *sector_out, uint32_t minor, uint64_t device_sectors)
{
	assert(minor < MD1_PLACES);
	if (device_sectors / 4 < SUPER_SECTORS)
		return false;
	if (minor == 0)
		*sector_out = (device_sectors / SUPER_SECTORS - 2) * SUPER_SECTORS;
	else
		*sector_out = minor == 1 ? 0 : SUPER_SECTORS;
	return true;
}

static uint32_t sum_of(const uint8_t *bytes, uint32_t max_dev)
{
	uint32_t size = MD1_ROLES + 2 * max_dev, at;
	uint64_t sum = 0;

	for (at = 0; at + 4 <= size; at += 4)
		sum += at == MD1_CHECKSUM ? 0 : get_le32(bytes + at);
	if (at < size)
		sum += get_le16(bytes + at);
	return md_sum_fold(sum);
}

int md1_decode(struct md1 *super_out, const uint8_t bytes[static MD_SUPER_SIZE], struct err *err)
{
	struct md1 super = { .max_dev = get_le32(bytes + MD1_MAX_DEV) };

	if (get_le32(bytes + MD1_MAGIC) != MD_MAGIC)
		return err_set(err, ERR_NOT_MEMBER, "no MD superblock");
	if (get_le32(bytes + MD1_MAJOR) != 1)
		return err_set(err, ERR_VERSION, "MD superblock: major version %u, this is 1",
			       get_le32(bytes + MD1_MAJOR));
	if (super.max_dev > MD1_ROLES_MAX)
		return err_set(err, ERR_FORMAT, "MD superblock: %u roles, there is room for %u",
			       super.max_dev, MD1_ROLES_MAX);
	md_fields_get(&super, md1_fields, bytes, false);
	for (uint32_t i = 0; i < super.max_dev; i++)
		super.roles[i] = get_le16(bytes + MD1_ROLES + 2 * (size_t)i);
	super.checksum_expected = sum_of(bytes, super.max_dev);
	*super_out = super;
	return 0;
}

void md1_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md1 *super)
{
	assert(super->max_dev <= MD1_ROLES_MAX);
	memset(bytes, 0, MD_SUPER_SIZE);
	put_le32(bytes + MD1_MAGIC, MD_MAGIC);
	put_le32(bytes + MD1_MAJOR, 1);
	md_fields_put(bytes, md1_fields, super, false);
	for (uint32_t i = 0; i < super->max_dev; i++)
		put_le16(bytes + MD1_ROLES + 2 * (size_t)i, super->roles[i]);
	put_le32(bytes + MD1_CHECKSUM, sum_of(bytes, super->max_dev));
}

uint32_t md1_role(const struct md1 *super)
{
	return super->dev_number < super->max_dev ? super->roles[super->dev_number]
						  : MD1_ROLE_SPARE;
}

static void frame_validate(struct md_faults *faults, const struct md1 *super, uint64_t sector)
{
	if (super->checksum != super->checksum_expected)
		md_fault(faults, "checksum", "0x%08x, the bytes make 0x%08x", super->checksum,
			 super->checksum_expected);
	if (super->features & MD1_ADOPTED)
		md_fault(faults, "feature_map", "marked as adopted by pgctl");
	if (super->features & ~(MD1_FEATURES_ALL | MD1_ADOPTED))
		md_fault(faults, "feature_map", "unknown features 0x%x",
			 super->features & ~(MD1_FEATURES_ALL | MD1_ADOPTED));
	if (super->pad0 || !bytes_are_zero(super->pad3, sizeof(super->pad3)))
		md_fault(faults, "reserved", "reserved bytes are in use");
	if (super->super_offset_sectors != sector)
		md_fault(faults, "super_offset_sectors",
			 "written for sector %" PRIu64 ", found at %" PRIu64,
			 super->super_offset_sectors, sector);
	if (super->ctime >> 40 >= MICROSECONDS)
		md_fault(faults, "created", "%" PRIu64 " microseconds", super->ctime >> 40);
	if (super->utime >> 40 >= MICROSECONDS)
		md_fault(faults, "updated", "%" PRIu64 " microseconds", super->utime >> 40);
	if (super->logical_block_size &&
	    (super->logical_block_size < MD_SECTOR ||
	     (super->logical_block_size & (super->logical_block_size - 1))))
		md_fault(faults, "logical_block_size", "%u bytes", super->logical_block_size);
}

/* The slots that there are, while the array shrinks those before. */
static int64_t slots_of(const struct md1 *super)
{
	int64_t before = (int64_t)super->raid_disks - super->delta_disks;

	if (super->features & MD1_RESHAPE_ACTIVE && before > super->raid_disks)
		return before;
	return super->raid_disks;
}

static void shapes_validate(struct md_faults *faults, const struct md1 *super)
{
	static const struct md_shape_fields fields = { "level", "layout", "chunk_bytes",
						       "raid_disks" };
	static const struct md_shape_fields new_fields = { "new_level", "new_layout",
							   "new_chunk_bytes", "raid_disks" };
	bool has_layout = super->level != MD_RAID0 || super->features & MD1_RAID0_LAYOUT;
	const struct md_shape shape = { super->level, has_layout ? super->layout : 0,
					(uint64_t)super->chunk_sectors * MD_SECTOR,
					super->raid_disks, 0 };
	const struct md_shape after = { super->new_level, super->new_layout,
					(uint64_t)super->new_chunk_sectors * MD_SECTOR,
					super->raid_disks, 0 };
	int64_t before = (int64_t)super->raid_disks - super->delta_disks;
	uint64_t bytes;

	md_shape_validate(faults, &shape, &fields);
	if (!(super->features & MD1_RESHAPE_ACTIVE))
		return;
	md_shape_validate(faults, &after, &new_fields);
	if (before < 1 || before > MD_SLOTS_MAX)
		md_fault(faults, "delta_disks", "%" PRId32 " more members make %u",
			 super->delta_disks, super->raid_disks);
	if (!size_multiply(super->reshape_sectors, MD_SECTOR, &bytes))
		md_fault(faults, "reshape_position", "sector %" PRIu64, super->reshape_sectors);
}

static bool region_is_inside(uint64_t first, uint64_t sectors, uint64_t device_sectors)
{
	uint64_t end;

	return size_add(first, sectors, &end) && end <= device_sectors;
}

/* Does [first, first + sectors) touch the data? Both are inside the device. */
static bool meets_data(const struct md1 *super, uint64_t first, uint64_t sectors)
{
	return first < super->data_offset_sectors + super->data_size_sectors &&
	       super->data_offset_sectors < first + sectors;
}

static void data_validate(struct md_faults *faults, const struct md1 *super, uint64_t sector,
			  uint64_t device_sectors)
{
	int64_t moved;

	if (!region_is_inside(super->data_offset_sectors, super->data_size_sectors,
			      device_sectors)) {
		md_fault(faults, "data_sectors",
			 "%" PRIu64 " from sector %" PRIu64 ", the device has %" PRIu64,
			 super->data_size_sectors, super->data_offset_sectors, device_sectors);
		return;
	}
	if (meets_data(super, sector, SUPER_SECTORS))
		md_fault(faults, "data_offset_sectors",
			 "the data of sectors %" PRIu64 " to %" PRIu64 " hold the superblock",
			 super->data_offset_sectors,
			 super->data_offset_sectors + super->data_size_sectors);
	/* Room behind the data is what they move into: only what is used of it has to fit. */
	moved = (int64_t)super->data_offset_sectors + super->new_offset_sectors;
	if (super->features & MD1_NEW_OFFSET && super->features & MD1_RESHAPE_ACTIVE &&
	    (moved < 0 || !region_is_inside((uint64_t)moved, super->size_sectors, device_sectors)))
		md_fault(faults, "new_data_offset_sectors", "data move to sector %" PRId64, moved);
}

static void sizes_validate(struct md_faults *faults, const struct md1 *super)
{
	uint32_t role = md1_role(super);
	uint64_t bytes;

	if (!size_multiply(super->size_sectors, MD_SECTOR, &bytes) ||
	    (role < MD1_ROLE_SLOT_MAX && super->size_sectors > super->data_size_sectors))
		md_fault(faults, "component_sectors",
			 "%" PRIu64 " are used, there is room for %" PRIu64, super->size_sectors,
			 super->data_size_sectors);
	if (md_level_is_redundant(super->level) && super->size_sectors == 0)
		md_fault(faults, "component_sectors", "nothing of the member is used");
	if (super->features & MD1_RECOVERY_OFFSET &&
	    super->recovery_sectors > super->data_size_sectors)
		md_fault(faults, "recovery_start", "sector %" PRIu64 " of %" PRIu64,
			 super->recovery_sectors, super->data_size_sectors);
	if (role == MD1_ROLE_JOURNAL && super->recovery_sectors >= super->data_size_sectors)
		md_fault(faults, "journal_tail", "sector %" PRIu64 " of %" PRIu64,
			 super->recovery_sectors, super->data_size_sectors);
	if (super->resync_sectors != MD1_NEVER &&
	    !size_multiply(super->resync_sectors, MD_SECTOR, &bytes))
		md_fault(faults, "resync_start", "sector %" PRIu64, super->resync_sectors);
}

/* A region at a distance from the superblock: on the device, and clear of data and superblock. */
static void region_validate(struct md_faults *faults, const struct md1 *super, const char *field,
			    int64_t first, uint32_t sectors, uint64_t place,
			    uint64_t device_sectors)
{
	if (first < 0 || !region_is_inside((uint64_t)first, sectors, device_sectors)) {
		md_fault(faults, field, "sector %" PRId64 " is not on the device", first);
		return;
	}
	if ((uint64_t)first < place + SUPER_SECTORS && place < (uint64_t)first + sectors)
		md_fault(faults, field, "sector %" PRId64 " is in the superblock", first);
	else if (!md_fault_in(faults, "data_sectors") &&
		 meets_data(super, (uint64_t)first, sectors))
		md_fault(faults, field, "sector %" PRId64 " is in the data", first);
}

static void logs_validate(struct md_faults *faults, const struct md1 *super, uint64_t sector,
			  uint64_t device_sectors)
{
	int64_t place = (int64_t)sector;

	if (super->features & MD1_BITMAP_OFFSET && md1_has_ppl(super))
		md_fault(faults, "feature_map", "a bitmap and a partial parity log in one place");
	else if (super->features & MD1_BITMAP_OFFSET)
		region_validate(faults, super, "bitmap_location", place + md1_bitmap_offset(super),
				1, sector, device_sectors);
	else if (md1_has_ppl(super))
		region_validate(faults, super, "ppl_sector", place + md1_ppl_offset(super),
				md1_ppl_sectors(super), sector, device_sectors);
	if (md1_has_ppl(super) && md1_ppl_sectors(super) < SUPER_SECTORS)
		md_fault(faults, "ppl_sectors", "%u sectors hold no header",
			 md1_ppl_sectors(super));
	if (super->bblog_offset_sectors == 0 && !(super->features & MD1_BAD_BLOCKS))
		return;
	if (super->bblog_sectors == 0 || super->bblog_sectors > BBLOG_SECTORS_MAX ||
	    super->bblog_shift > BBLOG_SHIFT_MAX)
		md_fault(faults, "bad_block_log", "%u sectors, shift %u", super->bblog_sectors,
			 super->bblog_shift);
	region_validate(faults, super, "bad_block_log", place + super->bblog_offset_sectors,
			super->bblog_sectors, sector, device_sectors);
}

static void roles_validate(struct md_faults *faults, const struct md1 *super)
{
	int64_t slots = slots_of(super);

	if (super->dev_number >= super->max_dev)
		md_fault(faults, "device_number", "%u of %u devices", super->dev_number,
			 super->max_dev);
	if (super->devflags & ~MD1_DEVFLAGS_ALL)
		md_fault(faults, "devflags", "0x%x has unknown bits", super->devflags);
	for (uint32_t i = 0; i < super->max_dev; i++) {
		if (super->roles[i] < MD1_ROLE_JOURNAL && super->roles[i] >= slots)
			md_fault(faults, "roles", "device %u: slot %u of %" PRId64, i,
				 super->roles[i], slots);
	}
	if (md1_role(super) == MD1_ROLE_JOURNAL && !(super->features & MD1_JOURNAL))
		md_fault(faults, "feature_map", "a journal in an array without one");
}

void md1_validate(struct md_faults *faults, const struct md1 *super, uint32_t minor,
		  uint64_t device_sectors)
{
	uint64_t sector;

	if (!md1_place(&sector, minor, device_sectors)) {
		md_fault(faults, "super_offset_sectors", "the device has %" PRIu64 " sectors",
			 device_sectors);
		return;
	}
	frame_validate(faults, super, sector);
	shapes_validate(faults, super);
	data_validate(faults, super, sector, device_sectors);
	sizes_validate(faults, super);
	logs_validate(faults, super, sector, device_sectors);
	roles_validate(faults, super);
}

void md1_print(struct facts *facts, const struct md1 *super)
{
	static const char *const features[] = {
		"bitmap-offset",
		"recovery-offset",
		"reshape-active",
		"bad-blocks",
		"replacement",
		"reshape-backwards",
		"new-offset",
		"recovery-bitmap",
		"bitmap-versioned",
		"journal",
		"ppl",
		"multiple-ppls",
		"raid0-layout",
	};

	fact_text(facts, "feature_map", "0x%x", super->features);
	fact_bits(facts, "features", super->features, features,
		  sizeof(features) / sizeof(features[0]));
	fact_number(facts, "device_number", super->dev_number);
	fact_number(facts, "roles", super->max_dev);
	fact_number(facts, "corrected_reads", super->corrected_reads);
	fact_number(facts, "bad_block_log_sectors", super->bblog_sectors);
	fact_signed(facts, "bad_block_log_offset_sectors", super->bblog_offset_sectors);
	fact_number(facts, "bad_block_log_shift", super->bblog_shift);
	fact_number(facts, "logical_block_size", super->logical_block_size);
}
