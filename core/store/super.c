/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/super.h"

#include "core/base/crc.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SUPER_VERSION_NOW 1u
#define MAP_OFFSET (SUPER_FAR + SUPER_AREA_SIZE)
#define MAP_OFFSET_ADOPTED (SUPER_SECOND + SUPER_AREA_SIZE)
#define FEATURE_ADOPTED UINT64_C(1) /* of those that must be refused when they are unknown */
#define FRAMES_MIN 4u               /* a member with fewer could hold next to nothing */

/* Byte offsets in the block; docs/FORMAT.md section 2 has the same table. */
enum {
	SUPER_MAGIC = 0,
	SUPER_VERSION = 8,
	SUPER_SLOT = 12,
	SUPER_OFFSET = 16,
	SUPER_FEATURES_IGNORE = 24,
	SUPER_FEATURES_READ = 32,
	SUPER_FEATURES_REFUSE = 40,
	SUPER_ARRAY = 48,
	SUPER_MEMBER = 64,
	SUPER_MEMBER_SLOT = 80,
	SUPER_RESERVED_84 = 84,
	SUPER_EPOCH = 88,
	SUPER_EPOCH_ID = 96,
	SUPER_GENERATION = 104,
	SUPER_MAP_CRC_BEFORE = 112,
	SUPER_MAP_CRC = 116,
	SUPER_MAP_HALF = 120,
	SUPER_RESERVED_124 = 124,
	SUPER_MAP_LENGTH = 128,
	SUPER_MEMBER_SIZE = 136,
	SUPER_MAP_OFFSET = 144,
	SUPER_MAP_HALF_SIZE = 152,
	SUPER_LOG_OFFSET = 160,
	SUPER_LOG_SIZE = 168,
	SUPER_DATA_OFFSET = 176,
	SUPER_FRAME_COUNT = 184,
	SUPER_FRAME_BLOCKS = 192,
	SUPER_FRAME_BODY = 196,
	SUPER_WITNESS_MAX = 200,
	SUPER_RESERVED_204 = 204,
	SUPER_WRITTEN = 208,
	SUPER_PRESENT = 216,
	SUPER_RESERVED_248 = 248,
	SUPER_NAME_SIZE = 256,
	SUPER_NAME = 257,
	SUPER_RESERVED_512 = 512,
	SUPER_CRC = 4092,
};
_Static_assert(SUPER_CRC + 4 == BLOCK_SIZE, "the CRC ends the block");
_Static_assert(SUPER_NAME + NAME_SIZE - 1 == SUPER_RESERVED_512, "the name ends at 512");

static const uint8_t magic[8] = { 0x89, 'P', 'G', 'C', 'T', 'L', '\r', '\n' };

uint64_t super_offset(const struct uuid *member, uint32_t slot, const struct geometry *geometry)
{
	uint64_t key = member->bytes[15] & 7;
	uint64_t second = geometry->adopted ? SUPER_SECOND : SUPER_FAR;

	assert(slot < SUPER_SLOTS);
	return (slot < 2 ? SUPER_NEAR : second) + BLOCK_SIZE * (2 * key + slot % 2);
}

uint64_t super_position(uint32_t position)
{
	static const uint64_t areas[] = { SUPER_NEAR, SUPER_FAR, SUPER_SECOND };
	uint64_t in_area = SUPER_AREA_SIZE / BLOCK_SIZE;

	assert(position < SUPER_POSITIONS);
	return areas[position / in_area] + BLOCK_SIZE * (position % in_area);
}

/* The frames begin at a multiple of `align`. */
static int lay_out(struct member_regions *regions_out, uint64_t size, uint64_t map_offset,
		   uint64_t align, const struct geometry *geometry, struct err *err)
{
	struct member_regions regions = { .member_size = size, .map_offset = map_offset };
	uint64_t frame_size = (uint64_t)geometry->frame_blocks * BLOCK_SIZE;

	regions.log_offset = regions.map_offset + 2 * geometry->map_half_size;
	regions.data_offset = size_round_up(regions.log_offset + geometry->log_size, align);
	uint64_t least = regions.data_offset + FRAMES_MIN * frame_size;
	if (size < least)
		return err_set(err, ERR_SIZE,
			       "a member of %" PRIu64 " bytes is too small, at least %" PRIu64
			       " are needed",
			       size, least);
	regions.frame_count = (size - regions.data_offset) / frame_size;
	if (regions.frame_count > BARE_FRAME_FIRST)
		regions.frame_count = BARE_FRAME_FIRST;
	*regions_out = regions;
	return 0;
}

int super_regions(struct member_regions *regions_out, uint64_t size,
		  const struct geometry *geometry, struct err *err)
{
	return lay_out(regions_out, size, geometry->adopted ? MAP_OFFSET_ADOPTED : MAP_OFFSET,
		       65536, geometry, err);
}

int super_regions_from(struct member_regions *regions_out, uint64_t size, uint64_t map_offset,
		       const struct geometry *geometry, struct err *err)
{
	assert(map_offset >= MAP_OFFSET_ADOPTED && map_offset % BLOCK_SIZE == 0);
	return lay_out(regions_out, size, map_offset, BLOCK_SIZE, geometry, err);
}

void super_encode(uint8_t bytes[static BLOCK_SIZE], const struct super *super)
{
	size_t name_size = strlen(super->name);

	assert(super->slot == super->generation % SUPER_SLOTS);
	assert(super->offset == super_offset(&super->member, super->slot, &super->geometry));
	assert(name_size > 0 && name_size < NAME_SIZE);

	memset(bytes, 0, BLOCK_SIZE);
	memcpy(bytes + SUPER_MAGIC, magic, sizeof(magic));
	put_le32(bytes + SUPER_VERSION, SUPER_VERSION_NOW);
	put_le32(bytes + SUPER_SLOT, super->slot);
	put_le64(bytes + SUPER_OFFSET, super->offset);
	put_le64(bytes + SUPER_FEATURES_REFUSE, super->geometry.adopted ? FEATURE_ADOPTED : 0);
	memcpy(bytes + SUPER_ARRAY, super->array.bytes, sizeof(super->array.bytes));
	memcpy(bytes + SUPER_MEMBER, super->member.bytes, sizeof(super->member.bytes));
	put_le32(bytes + SUPER_MEMBER_SLOT, super->member_slot);
	put_le64(bytes + SUPER_EPOCH, super->epoch);
	put_le64(bytes + SUPER_EPOCH_ID, super->epoch_id);
	put_le64(bytes + SUPER_GENERATION, super->generation);
	put_le32(bytes + SUPER_MAP_CRC_BEFORE, super->map_crc_before);
	put_le32(bytes + SUPER_MAP_CRC, super->map_crc);
	put_le32(bytes + SUPER_MAP_HALF, super->map_half);
	put_le64(bytes + SUPER_MAP_LENGTH, super->map_length);
	put_le64(bytes + SUPER_MEMBER_SIZE, super->regions.member_size);
	put_le64(bytes + SUPER_MAP_OFFSET, super->regions.map_offset);
	put_le64(bytes + SUPER_MAP_HALF_SIZE, super->geometry.map_half_size);
	put_le64(bytes + SUPER_LOG_OFFSET, super->regions.log_offset);
	put_le64(bytes + SUPER_LOG_SIZE, super->geometry.log_size);
	put_le64(bytes + SUPER_DATA_OFFSET, super->regions.data_offset);
	put_le64(bytes + SUPER_FRAME_COUNT, super->regions.frame_count);
	put_le32(bytes + SUPER_FRAME_BLOCKS, super->geometry.frame_blocks);
	put_le32(bytes + SUPER_FRAME_BODY, super->geometry.frame_body_blocks);
	put_le32(bytes + SUPER_WITNESS_MAX, super->geometry.witness_max);
	put_le64(bytes + SUPER_WRITTEN, super->written_s);
	put_le64(bytes + SUPER_PRESENT, super->present.bits);
	bytes[SUPER_NAME_SIZE] = (uint8_t)name_size;
	memcpy(bytes + SUPER_NAME, super->name, name_size);
	put_le32(bytes + SUPER_CRC, crc32_of(0, bytes, SUPER_CRC));
}

bool super_has_magic(const uint8_t bytes[static BLOCK_SIZE])
{
	return memcmp(bytes + SUPER_MAGIC, magic, sizeof(magic)) == 0;
}

/* Is this a superblock that this program may read at all? */
static int check_frame(const uint8_t *bytes, struct err *err)
{
	if (!super_has_magic(bytes))
		return err_set(err, ERR_NOT_MEMBER, "no pgctl superblock");
	if (get_le32(bytes + SUPER_CRC) != crc32_of(0, bytes, SUPER_CRC))
		return err_set(err, ERR_CHECKSUM, "superblock: bad checksum");
	if (get_le32(bytes + SUPER_VERSION) != SUPER_VERSION_NOW)
		return err_set(err, ERR_VERSION,
			       "superblock: format version %u, this program reads version %u",
			       get_le32(bytes + SUPER_VERSION), SUPER_VERSION_NOW);
	if ((get_le64(bytes + SUPER_FEATURES_REFUSE) & ~FEATURE_ADOPTED) ||
	    get_le64(bytes + SUPER_FEATURES_READ))
		return err_set(err, ERR_VERSION,
			       "superblock: unknown features 0x%" PRIx64 " (refuse), 0x%" PRIx64
			       " (read only)",
			       get_le64(bytes + SUPER_FEATURES_REFUSE) & ~FEATURE_ADOPTED,
			       get_le64(bytes + SUPER_FEATURES_READ));
	if (get_le32(bytes + SUPER_RESERVED_84) || get_le32(bytes + SUPER_RESERVED_124) ||
	    get_le32(bytes + SUPER_RESERVED_204) || get_le64(bytes + SUPER_RESERVED_248) ||
	    !bytes_are_zero(bytes + SUPER_PRESENT + 8, 24) ||
	    !bytes_are_zero(bytes + SUPER_RESERVED_512, SUPER_CRC - SUPER_RESERVED_512))
		return err_set(err, ERR_FORMAT, "superblock: reserved bytes are in use");
	return 0;
}

static void get_fields(struct super *super, const uint8_t *bytes)
{
	memcpy(super->array.bytes, bytes + SUPER_ARRAY, sizeof(super->array.bytes));
	memcpy(super->member.bytes, bytes + SUPER_MEMBER, sizeof(super->member.bytes));
	super->slot = get_le32(bytes + SUPER_SLOT);
	super->offset = get_le64(bytes + SUPER_OFFSET);
	super->member_slot = get_le32(bytes + SUPER_MEMBER_SLOT);
	super->epoch = get_le64(bytes + SUPER_EPOCH);
	super->epoch_id = get_le64(bytes + SUPER_EPOCH_ID);
	super->generation = get_le64(bytes + SUPER_GENERATION);
	super->map_crc_before = get_le32(bytes + SUPER_MAP_CRC_BEFORE);
	super->map_crc = get_le32(bytes + SUPER_MAP_CRC);
	super->map_half = get_le32(bytes + SUPER_MAP_HALF);
	super->map_length = get_le64(bytes + SUPER_MAP_LENGTH);
	super->regions.member_size = get_le64(bytes + SUPER_MEMBER_SIZE);
	super->regions.map_offset = get_le64(bytes + SUPER_MAP_OFFSET);
	super->geometry.map_half_size = get_le64(bytes + SUPER_MAP_HALF_SIZE);
	super->regions.log_offset = get_le64(bytes + SUPER_LOG_OFFSET);
	super->geometry.log_size = get_le64(bytes + SUPER_LOG_SIZE);
	super->regions.data_offset = get_le64(bytes + SUPER_DATA_OFFSET);
	super->regions.frame_count = get_le64(bytes + SUPER_FRAME_COUNT);
	super->geometry.frame_blocks = get_le32(bytes + SUPER_FRAME_BLOCKS);
	super->geometry.frame_body_blocks = get_le32(bytes + SUPER_FRAME_BODY);
	super->geometry.witness_max = get_le32(bytes + SUPER_WITNESS_MAX);
	super->geometry.adopted = get_le64(bytes + SUPER_FEATURES_REFUSE) & FEATURE_ADOPTED;
	super->written_s = get_le64(bytes + SUPER_WRITTEN);
	super->present.bits = get_le64(bytes + SUPER_PRESENT);
	memcpy(super->name, bytes + SUPER_NAME, bytes[SUPER_NAME_SIZE]);
	super->name[bytes[SUPER_NAME_SIZE]] = '\0';
}

/* Regions in order, multiples of a block, inside the member; all sums checked. */
static bool regions_are_valid(const struct super *super)
{
	const struct member_regions *regions = &super->regions;
	const struct geometry *geometry = &super->geometry;
	uint64_t map_size, map_end, log_end, frames, data_end;

	if (regions->map_offset % BLOCK_SIZE || geometry->map_half_size % BLOCK_SIZE ||
	    regions->log_offset % BLOCK_SIZE || geometry->log_size % (UINT64_C(2) * BLOCK_SIZE) ||
	    regions->data_offset % BLOCK_SIZE || geometry->map_half_size == 0)
		return false;
	if (!size_multiply(geometry->map_half_size, 2, &map_size) ||
	    !size_add(regions->map_offset, map_size, &map_end) ||
	    !size_add(regions->log_offset, geometry->log_size, &log_end) ||
	    !size_multiply(regions->frame_count, geometry->frame_blocks, &frames) ||
	    !size_multiply(frames, BLOCK_SIZE, &data_end) ||
	    !size_add(data_end, regions->data_offset, &data_end))
		return false;
	return regions->map_offset >= (geometry->adopted ? MAP_OFFSET_ADOPTED : MAP_OFFSET) &&
	       map_end <= regions->log_offset && log_end <= regions->data_offset &&
	       data_end <= regions->member_size;
}

int super_decode(struct super *super_out, const uint8_t bytes[static BLOCK_SIZE], uint64_t offset,
		 struct err *err)
{
	struct super super = { 0 };
	int rc = check_frame(bytes, err);

	if (rc)
		return rc;
	get_fields(&super, bytes);
	if (super.slot >= SUPER_SLOTS || super.generation == 0 ||
	    super.slot != super.generation % SUPER_SLOTS)
		return err_set(err, ERR_FORMAT, "superblock: slot %u of generation %" PRIu64,
			       super.slot, super.generation);
	if (super.offset != offset ||
	    super.offset != super_offset(&super.member, super.slot, &super.geometry))
		return err_set(err, ERR_FORMAT,
			       "superblock: written for offset %" PRIu64 ", found at %" PRIu64,
			       super.offset, offset);
	if (super.member_slot >= MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "superblock: member %u, this program takes %u",
			       super.member_slot, MEMBERS_MAX);
	if (super.name[0] == '\0' || strlen(super.name) != bytes[SUPER_NAME_SIZE] ||
	    !bytes_are_zero(bytes + SUPER_NAME + bytes[SUPER_NAME_SIZE],
			    (size_t)(NAME_SIZE - 1 - bytes[SUPER_NAME_SIZE])))
		return err_set(err, ERR_FORMAT, "superblock: bad array name");
	if (super.map_half > 1 || super.map_length == 0 || super.map_length % BLOCK_SIZE ||
	    super.map_length > super.geometry.map_half_size)
		return err_set(err, ERR_FORMAT, "superblock: map of %" PRIu64 " bytes in half %u",
			       super.map_length, super.map_half);
	if (!regions_are_valid(&super))
		return err_set(err, ERR_FORMAT, "superblock: regions overlap or leave the member");
	if (super.epoch == 0 || super.epoch > SUPER_GENERATION_MAX ||
	    super.generation > SUPER_GENERATION_MAX)
		return err_set(err, ERR_FORMAT,
			       "superblock: epoch %" PRIu64 ", generation %" PRIu64, super.epoch,
			       super.generation);
	*super_out = super;
	return 0;
}

bool super_guess(struct super *super_out, const uint8_t bytes[static BLOCK_SIZE],
		 const struct super *like)
{
	struct super super = { 0 };

	get_fields(&super, bytes);
	int alike = (memcmp(bytes + SUPER_MAGIC, magic, sizeof(magic)) == 0) +
		    uuid_equal(&super.array, &like->array) +
		    uuid_equal(&super.member, &like->member);

	if (alike < 2)
		return false;
	*super_out = super;
	return true;
}
