/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md0.h"

#include <inttypes.h>
#include <string.h>

/* Byte offsets; words in the byte order of whoever wrote them. */
enum {
	MD0_MAGIC = 0,
	MD0_MAJOR = 4,
	MD0_MINOR = 8,
	MD0_PATCH = 12,
	MD0_GVALID_WORDS = 16,
	MD0_SET_UUID0 = 20,
	MD0_CTIME = 24,
	MD0_LEVEL = 28,
	MD0_SIZE = 32,
	MD0_NR_DISKS = 36,
	MD0_RAID_DISKS = 40,
	MD0_MD_MINOR = 44,
	MD0_NOT_PERSISTENT = 48,
	MD0_SET_UUID1 = 52, /* 2 and 3 follow */
	MD0_RESERVED_CONSTANT = 64,
	MD0_UTIME = 128,
	MD0_STATE = 132,
	MD0_ACTIVE_DISKS = 136,
	MD0_WORKING_DISKS = 140,
	MD0_FAILED_DISKS = 144,
	MD0_SPARE_DISKS = 148,
	MD0_CHECKSUM = 152,
	MD0_EVENTS = 156,            /* u64, not aligned */
	MD0_CHECKPOINT_EVENTS = 164, /* u64, not aligned */
	MD0_RESYNC = 172,
	MD0_RESHAPE = 176, /* u64 */
	MD0_NEW_LEVEL = 184,
	MD0_DELTA_DISKS = 188,
	MD0_NEW_LAYOUT = 192,
	MD0_NEW_CHUNK = 196,
	MD0_RESERVED_STATE = 200,
	MD0_LAYOUT = 256,
	MD0_CHUNK = 260,
	MD0_ROOT_PV = 264,
	MD0_ROOT_BLOCK = 268,
	MD0_RESERVED_LEVEL = 272,
	MD0_DISKS = 512,
	MD0_THIS = 3968,

	DISK_NUMBER = 0,
	DISK_MAJOR = 4,
	DISK_MINOR = 8,
	DISK_RAID_DISK = 12,
	DISK_STATE = 16,
	DISK_RESERVED = 20,
	DISK_SIZE = 128,
};
_Static_assert(MD0_DISKS + MD0_DISKS_MAX * DISK_SIZE == MD0_THIS, "the table ends at `this`");
_Static_assert(MD0_THIS + DISK_SIZE == MD_SUPER_SIZE, "`this` ends the superblock");

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

static uint64_t long_get(const struct md0 *super, const uint8_t *at)
{
	uint64_t first = word_get(super, at), second = word_get(super, at + 4);

	return super->big_endian ? first << 32 | second : second << 32 | first;
}

static void long_put(const struct md0 *super, uint8_t *at, uint64_t value)
{
	word_put(super, at, (uint32_t)(super->big_endian ? value >> 32 : value));
	word_put(super, at + 4, (uint32_t)(super->big_endian ? value : value >> 32));
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
	disk->number = word_get(super, at + DISK_NUMBER);
	disk->major = word_get(super, at + DISK_MAJOR);
	disk->minor = word_get(super, at + DISK_MINOR);
	disk->raid_disk = word_get(super, at + DISK_RAID_DISK);
	disk->state = word_get(super, at + DISK_STATE);
	if (!bytes_are_zero(at + DISK_RESERVED, DISK_SIZE - DISK_RESERVED))
		super->reserved_used = true;
}

static void disk_put(const struct md0 *super, uint8_t *at, const struct md0_disk *disk)
{
	word_put(super, at + DISK_NUMBER, disk->number);
	word_put(super, at + DISK_MAJOR, disk->major);
	word_put(super, at + DISK_MINOR, disk->minor);
	word_put(super, at + DISK_RAID_DISK, disk->raid_disk);
	word_put(super, at + DISK_STATE, disk->state);
}

static void constant_get(struct md0 *super, const uint8_t *bytes)
{
	super->minor_version = word_get(super, bytes + MD0_MINOR);
	super->patch_version = word_get(super, bytes + MD0_PATCH);
	super->gvalid_words = word_get(super, bytes + MD0_GVALID_WORDS);
	super->set_uuid[0] = word_get(super, bytes + MD0_SET_UUID0);
	for (uint32_t i = 1; i < 4; i++)
		super->set_uuid[i] = word_get(super, bytes + MD0_SET_UUID1 + 4 * (size_t)(i - 1));
	super->ctime_s = word_get(super, bytes + MD0_CTIME);
	super->level = (int32_t)word_get(super, bytes + MD0_LEVEL);
	super->size_kib = word_get(super, bytes + MD0_SIZE);
	super->nr_disks = word_get(super, bytes + MD0_NR_DISKS);
	super->raid_disks = word_get(super, bytes + MD0_RAID_DISKS);
	super->md_minor = word_get(super, bytes + MD0_MD_MINOR);
	super->not_persistent = word_get(super, bytes + MD0_NOT_PERSISTENT);
}

static void state_get(struct md0 *super, const uint8_t *bytes)
{
	super->utime_s = word_get(super, bytes + MD0_UTIME);
	super->state = word_get(super, bytes + MD0_STATE);
	super->active_disks = word_get(super, bytes + MD0_ACTIVE_DISKS);
	super->working_disks = word_get(super, bytes + MD0_WORKING_DISKS);
	super->failed_disks = word_get(super, bytes + MD0_FAILED_DISKS);
	super->spare_disks = word_get(super, bytes + MD0_SPARE_DISKS);
	super->checksum = word_get(super, bytes + MD0_CHECKSUM);
	super->events = long_get(super, bytes + MD0_EVENTS);
	super->checkpoint_events = long_get(super, bytes + MD0_CHECKPOINT_EVENTS);
	super->resync_sectors = word_get(super, bytes + MD0_RESYNC);
	super->reshape_sectors = long_get(super, bytes + MD0_RESHAPE);
	super->new_level = (int32_t)word_get(super, bytes + MD0_NEW_LEVEL);
	super->delta_disks = (int32_t)word_get(super, bytes + MD0_DELTA_DISKS);
	super->new_layout = word_get(super, bytes + MD0_NEW_LAYOUT);
	super->new_chunk_bytes = word_get(super, bytes + MD0_NEW_CHUNK);
	super->layout = word_get(super, bytes + MD0_LAYOUT);
	super->chunk_bytes = word_get(super, bytes + MD0_CHUNK);
	super->root_pv = word_get(super, bytes + MD0_ROOT_PV);
	super->root_block = word_get(super, bytes + MD0_ROOT_BLOCK);
}

int md0_decode(struct md0 *super_out, const uint8_t bytes[static MD_SUPER_SIZE], struct err *err)
{
	struct md0 super = { .big_endian = get_be32(bytes + MD0_MAGIC) == MD_MAGIC };

	if (word_get(&super, bytes + MD0_MAGIC) != MD_MAGIC)
		return err_set(err, ERR_NOT_MEMBER, "no MD superblock");
	if (word_get(&super, bytes + MD0_MAJOR) != 0)
		return err_set(err, ERR_VERSION, "MD superblock: major version %u, this is 0",
			       word_get(&super, bytes + MD0_MAJOR));
	constant_get(&super, bytes);
	state_get(&super, bytes);
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

static void constant_put(uint8_t *bytes, const struct md0 *super)
{
	word_put(super, bytes + MD0_MAGIC, MD_MAGIC);
	word_put(super, bytes + MD0_MINOR, super->minor_version);
	word_put(super, bytes + MD0_PATCH, super->patch_version);
	word_put(super, bytes + MD0_GVALID_WORDS, super->gvalid_words);
	word_put(super, bytes + MD0_SET_UUID0, super->set_uuid[0]);
	for (uint32_t i = 1; i < 4; i++)
		word_put(super, bytes + MD0_SET_UUID1 + 4 * (size_t)(i - 1), super->set_uuid[i]);
	word_put(super, bytes + MD0_CTIME, super->ctime_s);
	word_put(super, bytes + MD0_LEVEL, (uint32_t)super->level);
	word_put(super, bytes + MD0_SIZE, super->size_kib);
	word_put(super, bytes + MD0_NR_DISKS, super->nr_disks);
	word_put(super, bytes + MD0_RAID_DISKS, super->raid_disks);
	word_put(super, bytes + MD0_MD_MINOR, super->md_minor);
	word_put(super, bytes + MD0_NOT_PERSISTENT, super->not_persistent);
}

static void state_put(uint8_t *bytes, const struct md0 *super)
{
	word_put(super, bytes + MD0_UTIME, super->utime_s);
	word_put(super, bytes + MD0_STATE, super->state);
	word_put(super, bytes + MD0_ACTIVE_DISKS, super->active_disks);
	word_put(super, bytes + MD0_WORKING_DISKS, super->working_disks);
	word_put(super, bytes + MD0_FAILED_DISKS, super->failed_disks);
	word_put(super, bytes + MD0_SPARE_DISKS, super->spare_disks);
	long_put(super, bytes + MD0_EVENTS, super->events);
	long_put(super, bytes + MD0_CHECKPOINT_EVENTS, super->checkpoint_events);
	word_put(super, bytes + MD0_RESYNC, super->resync_sectors);
	long_put(super, bytes + MD0_RESHAPE, super->reshape_sectors);
	word_put(super, bytes + MD0_NEW_LEVEL, (uint32_t)super->new_level);
	word_put(super, bytes + MD0_DELTA_DISKS, (uint32_t)super->delta_disks);
	word_put(super, bytes + MD0_NEW_LAYOUT, super->new_layout);
	word_put(super, bytes + MD0_NEW_CHUNK, super->new_chunk_bytes);
	word_put(super, bytes + MD0_LAYOUT, super->layout);
	word_put(super, bytes + MD0_CHUNK, super->chunk_bytes);
	word_put(super, bytes + MD0_ROOT_PV, super->root_pv);
	word_put(super, bytes + MD0_ROOT_BLOCK, super->root_block);
}

void md0_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md0 *super)
{
	memset(bytes, 0, MD_SUPER_SIZE);
	constant_put(bytes, super);
	state_put(bytes, super);
	for (uint32_t i = 0; i < MD0_DISKS_MAX; i++)
		disk_put(super, bytes + MD0_DISKS + (size_t)i * DISK_SIZE, &super->disks[i]);
	disk_put(super, bytes + MD0_THIS, &super->this);
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
