/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md0.h"

#include "formats/md_fields.h"

#include <inttypes.h>
#include <string.h>

/* Byte offsets of what is no field, and of where those begin. */
enum {
	MD0_MAGIC = 0,
	MD0_MAJOR = 4,
	MD0_RESERVED_CONSTANT = 64,
	MD0_UTIME = 128,
	MD0_CHECKSUM = 152,
	MD0_RESERVED_STATE = 200,
	MD0_LAYOUT = 256,
	MD0_RESERVED_LEVEL = 272,
	MD0_DISKS = 512,
	MD0_THIS = 3968,
	DISK_RESERVED = 20,
	DISK_SIZE = 128,
};
_Static_assert(MD0_DISKS + MD0_DISKS_MAX * DISK_SIZE == MD0_THIS, "the table ends at `this`");
_Static_assert(MD0_THIS + DISK_SIZE == MD_SUPER_SIZE, "`this` ends the superblock");

/* Words are in the byte order of whoever wrote them; the three that hold 64 bits are not aligned. */
static const struct md_field md0_fields[] = {
	MD_FIELD(struct md0, minor_version, 8),
	MD_FIELD(struct md0, patch_version, 12),
	MD_FIELD(struct md0, gvalid_words, 16),
	MD_FIELD(struct md0, set_uuid[0], 20),
	MD_FIELD(struct md0, ctime_s, 24),
	MD_FIELD(struct md0, level, 28),
	MD_FIELD(struct md0, size_kib, 32),
	MD_FIELD(struct md0, nr_disks, 36),
	MD_FIELD(struct md0, raid_disks, 40),
	MD_FIELD(struct md0, md_minor, 44),
	MD_FIELD(struct md0, not_persistent, 48),
	MD_FIELD(struct md0, set_uuid[1], 52),
	MD_FIELD(struct md0, set_uuid[2], 56),
	MD_FIELD(struct md0, set_uuid[3], 60),
	MD_FIELD(struct md0, utime_s, 128),
	MD_FIELD(struct md0, state, 132),
	MD_FIELD(struct md0, active_disks, 136),
	MD_FIELD(struct md0, working_disks, 140),
	MD_FIELD(struct md0, failed_disks, 144),
	MD_FIELD(struct md0, spare_disks, 148),
	MD_FIELD(struct md0, checksum, 152),
	MD_FIELD(struct md0, events, 156),
	MD_FIELD(struct md0, checkpoint_events, 164),
	MD_FIELD(struct md0, resync_sectors, 172),
	MD_FIELD(struct md0, reshape_sectors, 176),
	MD_FIELD(struct md0, new_level, 184),
	MD_FIELD(struct md0, delta_disks, 188),
	MD_FIELD(struct md0, new_layout, 192),
	MD_FIELD(struct md0, new_chunk_bytes, 196),
	MD_FIELD(struct md0, layout, 256),
	MD_FIELD(struct md0, chunk_bytes, 260),
	MD_FIELD(struct md0, root_pv, 264),
	MD_FIELD(struct md0, root_block, 268),
	{ 0 },
};

static const struct md_field disk_fields[] = {
	MD_FIELD(struct md0_disk, number, 0), MD_FIELD(struct md0_disk, major, 4),
	MD_FIELD(struct md0_disk, minor, 8),  MD_FIELD(struct md0_disk, raid_disk, 12),
	MD_FIELD(struct md0_disk, state, 16), { 0 },
};

bool md0_place(uint64_t *sector_out, uint64_t device_sectors)
{
	uint64_t whole = device_sectors - device_sectors % MD0_RESERVED_SECTORS;

	if (whole / 2 < MD0_RESERVED_SECTORS)
		return false;
	*sector_out = whole - MD0_RESERVED_SECTORS;
	return true;
}

static uint32_t word_get(const struct md0 *super, const uint8_t *at)
{
	return super->big_endian ? get_be32(at) : get_le32(at);
}

static void word_put(const struct md0 *super, uint8_t *at, uint32_t value)
{
	if (super->big_endian)
		put_be32(at, value);
	else
		put_le32(at, value);
}

static uint32_t sum_of(const struct md0 *super, const uint8_t *bytes)
{
	uint64_t sum = 0;

	for (uint32_t at = 0; at < MD_SUPER_SIZE; at += 4)
		sum += at == MD0_CHECKSUM ? 0 : word_get(super, bytes + at);
	return md_sum_fold(sum);
}

static void disk_get(struct md0 *super, struct md0_disk *disk, const uint8_t *at)
{
	md_fields_get(disk, disk_fields, at, super->big_endian);
	if (!bytes_are_zero(at + DISK_RESERVED, DISK_SIZE - DISK_RESERVED))
		super->reserved_used = true;
}

int md0_decode(struct md0 *super_out, const uint8_t bytes[static MD_SUPER_SIZE], struct err *err)
{
	struct md0 super = { .big_endian = get_be32(bytes + MD0_MAGIC) == MD_MAGIC };

	if (word_get(&super, bytes + MD0_MAGIC) != MD_MAGIC)
		return err_set(err, ERR_NOT_MEMBER, "no MD superblock");
	if (word_get(&super, bytes + MD0_MAJOR) != 0)
		return err_set(err, ERR_VERSION, "MD superblock: major version %u, this is 0",
			       word_get(&super, bytes + MD0_MAJOR));
	md_fields_get(&super, md0_fields, bytes, super.big_endian);
	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++)
		disk_get(&super, &super.disks[i], bytes + MD0_DISKS + (size_t)i * DISK_SIZE);
	disk_get(&super, &super.this, bytes + MD0_THIS);
	if (!bytes_are_zero(bytes + MD0_RESERVED_CONSTANT, MD0_UTIME - MD0_RESERVED_CONSTANT) ||
	    !bytes_are_zero(bytes + MD0_RESERVED_STATE, MD0_LAYOUT - MD0_RESERVED_STATE) ||
	    !bytes_are_zero(bytes + MD0_RESERVED_LEVEL, MD0_DISKS - MD0_RESERVED_LEVEL))
		super.reserved_used = true;
	super.checksum_expected = sum_of(&super, bytes);
	*super_out = super;
	return 0;
}

void md0_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md0 *super)
{
	memset(bytes, 0, MD_SUPER_SIZE);
	word_put(super, bytes + MD0_MAGIC, MD_MAGIC);
	md_fields_put(bytes, md0_fields, super, super->big_endian);
	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++)
		md_fields_put(bytes + MD0_DISKS + (size_t)i * DISK_SIZE, disk_fields,
			      &super->disks[i], super->big_endian);
	md_fields_put(bytes + MD0_THIS, disk_fields, &super->this, super->big_endian);
	word_put(super, bytes + MD0_CHECKSUM, sum_of(super, bytes));
}

struct uuid md0_uuid(const struct md0 *super)
{
	struct uuid uuid = { 0 };

	for (uint32_t i = 0; i < 4; i++)
		put_be32(uuid.bytes + 4 * (size_t)i, super->set_uuid[i]);
	return uuid;
}

static void shapes_validate(struct md_faults *faults, const struct md0 *super)
{
	static const struct md_shape_fields fields = { "level", "layout", "chunk_bytes",
						       "raid_disks" };
	static const struct md_shape_fields new_fields = { "new_level", "new_layout",
							   "new_chunk_bytes", "delta_disks" };
	/* This format has no layout of raid0; the kernel leaves any number there. */
	uint32_t layout = super->level == MD_RAID0 ? MD_RAID0_UNKNOWN : super->layout;
	const struct md_shape shape = { super->level, layout, super->chunk_bytes, super->raid_disks,
					0 };
	const struct md_shape after = { super->new_level, super->new_layout, super->new_chunk_bytes,
					super->raid_disks, 0 };
	int64_t before = (int64_t)super->raid_disks - super->delta_disks;

	md_shape_validate(faults, &shape, &fields);
	if (super->raid_disks > MD0_DISKS_MAX)
		md_fault(faults, "raid_disks", "%u members, this format has room for %u",
			 super->raid_disks, MD0_DISKS_MAX);
	if (!md0_is_reshaping(super))
		return;
	md_shape_validate(faults, &after, &new_fields);
	if (before < 1 || before > MD0_DISKS_MAX)
		md_fault(faults, "delta_disks", "%" PRId32 " more members make %u",
			 super->delta_disks, super->raid_disks);
}

static void counts_validate(struct md_faults *faults, const struct md0 *super)
{
	static const char *const names[] = { "nr_disks", "active_disks", "working_disks",
					     "failed_disks", "spare_disks" };
	const uint32_t counts[] = { super->nr_disks, super->active_disks, super->working_disks,
				    super->failed_disks, super->spare_disks };

	for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i] > MD0_DISKS_MAX)
			md_fault(faults, names[i], "%u devices, this format has room for %u",
				 counts[i], MD0_DISKS_MAX);
	}
}

/* Slots while the shape changes: the array has the larger count of both. */
static int64_t slots_of(const struct md0 *super)
{
	int64_t before = (int64_t)super->raid_disks - super->delta_disks;

	return md0_is_reshaping(super) && before > super->raid_disks ? before : super->raid_disks;
}

static void disks_validate(struct md_faults *faults, const struct md0 *super)
{
	const struct md0_disk *this = &super->this;

	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++) {
		const struct md0_disk *disk = &super->disks[i];

		if (disk->state & ~(uint32_t)MD0_DISK_ALL)
			md_fault(faults, "disks", "device %u: state 0x%x has unknown bits", i,
				 disk->state);
		if (disk->number != i && disk->number != 0)
			md_fault(faults, "disks", "device %u calls itself %u", i, disk->number);
		if (disk->raid_disk >= MD0_DISKS_MAX ||
		    (disk->state & MD0_DISK_SYNC && disk->raid_disk >= slots_of(super)))
			md_fault(faults, "disks", "device %u: slot %u of %" PRId64, i,
				 disk->raid_disk, slots_of(super));
	}
	if (this->number >= MD0_DISKS_MAX)
		md_fault(faults, "this_disk", "device %u of at most %u", this->number,
			 MD0_DISKS_MAX);
	else if (memcmp(this, &super->disks[this->number], sizeof(*this)) != 0)
		md_fault(faults, "this_disk", "not as device %u of the table", this->number);
}

static void version_validate(struct md_faults *faults, const struct md0 *super)
{
	if (super->checksum != super->checksum_expected)
		md_fault(faults, "checksum", "0x%08x, the bytes make 0x%08x", super->checksum,
			 super->checksum_expected);
	if (super->minor_version != 90 && super->minor_version != 91)
		md_fault(faults, "minor_version", "version 0.%u, this program reads 0.90 and 0.91",
			 super->minor_version);
	if (super->reserved_used)
		md_fault(faults, "reserved", "reserved words are in use");
	if (super->state & ~(uint32_t)MD0_STATE_ALL)
		md_fault(faults, "state", "state 0x%x has unknown bits", super->state);
	if (super->not_persistent)
		md_fault(faults, "not_persistent", "%u: an array without superblocks",
			 super->not_persistent);
	if (super->gvalid_words > MD_SUPER_SIZE / 4)
		md_fault(faults, "gvalid_words", "%u of %u words", super->gvalid_words,
			 MD_SUPER_SIZE / 4);
}

void md0_validate(struct md_faults *faults, const struct md0 *super, uint64_t sector,
		  uint64_t device_sectors)
{
	uint64_t place, size_sectors = (uint64_t)super->size_kib * 2;

	version_validate(faults, super);
	if (!md0_place(&place, device_sectors) || place != sector)
		md_fault(faults, "super_offset", "found at sector %" PRIu64, sector);
	shapes_validate(faults, super);
	if (size_sectors > sector)
		md_fault(faults, "size", "%u KiB are used, %" PRIu64 " lie before the superblock",
			 super->size_kib, sector / 2);
	if (md_level_is_redundant(super->level) && size_sectors == 0)
		md_fault(faults, "size", "nothing of the member is used");
	if (!(super->state & MD0_CLEAN) && super->resync_sectors > size_sectors &&
	    super->events == super->checkpoint_events && super->level != MD_RAID10)
		md_fault(faults, "resync_start", "sector %u of %" PRIu64, super->resync_sectors,
			 size_sectors);
	counts_validate(faults, super);
	disks_validate(faults, super);
}

/* What the table says of each device. */
static void disks_print(struct facts *facts, const struct md0 *super)
{
	static const char *const bits[] = { "faulty", "active",       "sync",    "removed",
					    NULL,     NULL,           NULL,      NULL,
					    NULL,     "write-mostly", "failfast" };
	static const char *const names[MD0_DISKS_MAX] = {
		"device_0",  "device_1",  "device_2",  "device_3",  "device_4",  "device_5",
		"device_6",  "device_7",  "device_8",  "device_9",  "device_10", "device_11",
		"device_12", "device_13", "device_14", "device_15", "device_16", "device_17",
		"device_18", "device_19", "device_20", "device_21", "device_22", "device_23",
		"device_24", "device_25", "device_26",
	};

	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++) {
		const struct md0_disk *disk = &super->disks[i];
		char state[64];

		if (!disk->state && !disk->major && !disk->minor && !disk->number)
			continue;
		bits_text(state, sizeof(state), disk->state, bits, sizeof(bits) / sizeof(bits[0]));
		fact_text(facts, names[i], "slot %u, %u:%u, %s", disk->raid_disk, disk->major,
			  disk->minor, disk->state ? state : "spare");
	}
}

void md0_print(struct facts *facts, const struct md0 *super)
{
	static const char *const bits[] = { "clean", "errors", NULL, NULL,    NULL,
					    NULL,    NULL,     NULL, "bitmap" };

	fact_text(facts, "byte_order", super->big_endian ? "big-endian" : "little-endian");
	fact_number(facts, "minor_version", super->minor_version);
	fact_number(facts, "patch_version", super->patch_version);
	fact_bits(facts, "state_bits", super->state, bits, sizeof(bits) / sizeof(bits[0]));
	fact_number(facts, "preferred_minor", super->md_minor);
	fact_number(facts, "nr_disks", super->nr_disks);
	fact_number(facts, "active_disks", super->active_disks);
	fact_number(facts, "working_disks", super->working_disks);
	fact_number(facts, "failed_disks", super->failed_disks);
	fact_number(facts, "spare_disks", super->spare_disks);
	fact_number(facts, "checkpoint_events", super->checkpoint_events);
	disks_print(facts, super);
}
