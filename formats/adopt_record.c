/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/adopt_record.h"

#include "core/base/crc.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define RECORD_VERSION 1u
#define SUPER_OFFSET_MAX UINT64_C(8192) /* 1.1 has it at 0, 1.2 at 4096 */

/* Byte offsets in the header; docs/FORMAT.md section 11 has the same table. */
enum {
	RECORD_MAGIC = 0,
	RECORD_VERSION_AT = 8,
	RECORD_STATE = 12,
	RECORD_OFFSET = 16,
	RECORD_ARRAY = 24,
	RECORD_MEMBER = 40,
	RECORD_ORIGIN = 56,
	RECORD_ORIGIN_MEMBER = 72,
	RECORD_SLOT = 88,
	RECORD_MEMBER_COUNT = 92,
	RECORD_MEMBER_SIZE = 96,
	RECORD_SIZE = 104,
	RECORD_WRITTEN_END = 112,
	RECORD_SUPER_OFFSET = 120,
	RECORD_DATA_BEGIN = 128,
	RECORD_MADE = 136,
	RECORD_BLOCK_COUNT = 144,
	RECORD_TABLE_CRC = 148,
	RECORD_NAME_SIZE = 152,
	RECORD_NAME = 153,
	RECORD_RESERVED_408 = 408,
	RECORD_CRC = 508, /* all of it in one sector: it is there as a whole or not at all */
	RECORD_RESERVED_512 = 512,

	TABLE_OFFSET = 0,
	TABLE_CRC = 8,
	TABLE_RESERVED = 12,
	TABLE_ENTRY = 16,
};
_Static_assert(RECORD_CRC + 4 == RECORD_RESERVED_512, "the CRC ends the sector");
_Static_assert(RECORD_NAME + ADOPT_NAME_SIZE - 1 == RECORD_RESERVED_408, "the name ends there");
_Static_assert(BLOCK_SIZE % TABLE_ENTRY == 0, "no entry crosses a block");

static const uint8_t magic[8] = { 0x89, 'P', 'G', 'A', 'D', 'P', '\r', '\n' };

uint64_t adopt_table_size(uint32_t block_count)
{
	return size_round_up((uint64_t)block_count * TABLE_ENTRY, BLOCK_SIZE);
}

uint64_t adopt_record_size(uint32_t block_count)
{
	return BLOCK_SIZE + adopt_table_size(block_count) + (uint64_t)block_count * BLOCK_SIZE;
}

uint64_t adopt_copy_offset(const struct adopt_record *record, uint32_t number)
{
	assert(number < record->block_count);
	return ADOPT_RECORD_BEGIN + BLOCK_SIZE + adopt_table_size(record->block_count) +
	       (uint64_t)number * BLOCK_SIZE;
}

bool adopt_record_covers(const struct adopt_record *record, uint64_t offset)
{
	uint64_t end = ADOPT_RECORD_BEGIN + record->size;

	if (offset % BLOCK_SIZE)
		return false;
	return offset == record->super_offset ||
	       (offset >= ADOPT_SUPERS_BEGIN && offset < ADOPT_RECORD_BEGIN) ||
	       (offset >= end && offset < record->written_end);
}

void adopt_record_encode(uint8_t bytes[static BLOCK_SIZE], const struct adopt_record *record)
{
	size_t name_size = strlen(record->name);

	assert(name_size > 0 && name_size < ADOPT_NAME_SIZE);
	assert(record->size >= adopt_record_size(record->block_count));
	memset(bytes, 0, BLOCK_SIZE);
	memcpy(bytes + RECORD_MAGIC, magic, sizeof(magic));
	put_le32(bytes + RECORD_VERSION_AT, RECORD_VERSION);
	put_le32(bytes + RECORD_STATE, record->state);
	put_le64(bytes + RECORD_OFFSET, ADOPT_RECORD_BEGIN);
	memcpy(bytes + RECORD_ARRAY, record->array.bytes, sizeof(record->array.bytes));
	memcpy(bytes + RECORD_MEMBER, record->member.bytes, sizeof(record->member.bytes));
	memcpy(bytes + RECORD_ORIGIN, record->origin.bytes, sizeof(record->origin.bytes));
	memcpy(bytes + RECORD_ORIGIN_MEMBER, record->origin_member.bytes,
	       sizeof(record->origin_member.bytes));
	put_le32(bytes + RECORD_SLOT, record->slot);
	put_le32(bytes + RECORD_MEMBER_COUNT, record->member_count);
	put_le64(bytes + RECORD_MEMBER_SIZE, record->member_size);
	put_le64(bytes + RECORD_SIZE, record->size);
	put_le64(bytes + RECORD_WRITTEN_END, record->written_end);
	put_le64(bytes + RECORD_SUPER_OFFSET, record->super_offset);
	put_le64(bytes + RECORD_DATA_BEGIN, record->data_begin);
	put_le64(bytes + RECORD_MADE, record->made_s);
	put_le32(bytes + RECORD_BLOCK_COUNT, record->block_count);
	put_le32(bytes + RECORD_TABLE_CRC, record->table_crc);
	bytes[RECORD_NAME_SIZE] = (uint8_t)name_size;
	memcpy(bytes + RECORD_NAME, record->name, name_size);
	put_le32(bytes + RECORD_CRC, crc32_of(0, bytes, RECORD_CRC));
}

/* Is it a record that this program may read at all? */
static int frame_check(const uint8_t *bytes, struct err *err)
{
	if (memcmp(bytes + RECORD_MAGIC, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_NOT_MEMBER, "no adoption record");
	if (get_le32(bytes + RECORD_CRC) != crc32_of(0, bytes, RECORD_CRC))
		return err_set(err, ERR_CHECKSUM, "adoption record: bad checksum");
	if (get_le32(bytes + RECORD_VERSION_AT) != RECORD_VERSION)
		return err_set(err, ERR_VERSION,
			       "adoption record: version %u, this program reads version %u",
			       get_le32(bytes + RECORD_VERSION_AT), RECORD_VERSION);
	if (get_le64(bytes + RECORD_OFFSET) != ADOPT_RECORD_BEGIN)
		return err_set(err, ERR_FORMAT,
			       "adoption record: written for offset %" PRIu64 ", found at %" PRIu64,
			       get_le64(bytes + RECORD_OFFSET), ADOPT_RECORD_BEGIN);
	if (!bytes_are_zero(bytes + RECORD_RESERVED_408, RECORD_CRC - RECORD_RESERVED_408) ||
	    !bytes_are_zero(bytes + RECORD_RESERVED_512, BLOCK_SIZE - RECORD_RESERVED_512))
		return err_set(err, ERR_FORMAT, "adoption record: reserved bytes are in use");
	return 0;
}

static void fields_get(struct adopt_record *record, const uint8_t *bytes)
{
	memcpy(record->array.bytes, bytes + RECORD_ARRAY, sizeof(record->array.bytes));
	memcpy(record->member.bytes, bytes + RECORD_MEMBER, sizeof(record->member.bytes));
	memcpy(record->origin.bytes, bytes + RECORD_ORIGIN, sizeof(record->origin.bytes));
	memcpy(record->origin_member.bytes, bytes + RECORD_ORIGIN_MEMBER,
	       sizeof(record->origin_member.bytes));
	record->slot = get_le32(bytes + RECORD_SLOT);
	record->member_count = get_le32(bytes + RECORD_MEMBER_COUNT);
	record->member_size = get_le64(bytes + RECORD_MEMBER_SIZE);
	record->size = get_le64(bytes + RECORD_SIZE);
	record->written_end = get_le64(bytes + RECORD_WRITTEN_END);
	record->super_offset = get_le64(bytes + RECORD_SUPER_OFFSET);
	record->data_begin = get_le64(bytes + RECORD_DATA_BEGIN);
	record->made_s = get_le64(bytes + RECORD_MADE);
	record->block_count = get_le32(bytes + RECORD_BLOCK_COUNT);
	record->table_crc = get_le32(bytes + RECORD_TABLE_CRC);
	memcpy(record->name, bytes + RECORD_NAME, bytes[RECORD_NAME_SIZE]);
}

static bool name_is_valid(const struct adopt_record *record, const uint8_t *bytes)
{
	size_t size = bytes[RECORD_NAME_SIZE];

	return size > 0 && strlen(record->name) == size &&
	       bytes_are_zero(bytes + RECORD_NAME + size, ADOPT_NAME_SIZE - 1 - size);
}

/* The record holds its blocks and ends before what adoption writes does; that ends before the data. */
static bool places_are_valid(const struct adopt_record *record)
{
	uint64_t end;

	if (record->super_offset % BLOCK_SIZE || record->super_offset >= SUPER_OFFSET_MAX ||
	    record->size % BLOCK_SIZE || record->written_end % BLOCK_SIZE ||
	    record->block_count == 0 || record->block_count > ADOPT_BLOCKS_MAX)
		return false;
	return record->size >= adopt_record_size(record->block_count) &&
	       size_add(ADOPT_RECORD_BEGIN, record->size, &end) && end <= record->written_end &&
	       record->written_end <= record->data_begin &&
	       record->data_begin <= record->member_size;
}

int adopt_record_decode(struct adopt_record *record_out, const uint8_t bytes[static BLOCK_SIZE],
			uint64_t device_size, struct err *err)
{
	struct adopt_record record = { .state = ADOPT_RECORD_KEEPS };
	uint32_t state = get_le32(bytes + RECORD_STATE);
	int rc = frame_check(bytes, err);

	if (rc)
		return rc;
	fields_get(&record, bytes);
	if (state > ADOPT_RECORD_VOID)
		return err_set(err, ERR_FORMAT, "adoption record: state %u", state);
	record.state = (enum adopt_record_state)state;
	if (!name_is_valid(&record, bytes))
		return err_set(err, ERR_FORMAT, "adoption record: bad array name");
	if (record.slot >= record.member_count)
		return err_set(err, ERR_FORMAT, "adoption record: member %u of %u", record.slot,
			       record.member_count);
	if (uuid_is_zero(&record.array) || uuid_is_zero(&record.member))
		return err_set(err, ERR_FORMAT, "adoption record: it names no array");
	if (!places_are_valid(&record))
		return err_set(err, ERR_FORMAT,
			       "adoption record: %u blocks in %" PRIu64 " bytes, written up to "
			       "%" PRIu64 ", data from %" PRIu64,
			       record.block_count, record.size, record.written_end,
			       record.data_begin);
	if (device_size < record.member_size)
		return err_set(err, ERR_TRUNCATED,
			       "the member has %" PRIu64 " bytes, it was adopted with %" PRIu64,
			       device_size, record.member_size);
	*record_out = record;
	return 0;
}

void adopt_table_encode(uint8_t *bytes, struct adopt_record *record,
			const struct adopt_block *blocks)
{
	size_t size = (size_t)adopt_table_size(record->block_count);

	memset(bytes, 0, size);
	for (uint32_t i = 0; i < record->block_count; i++) {
		uint8_t *at = bytes + (size_t)i * TABLE_ENTRY;

		assert(adopt_record_covers(record, blocks[i].offset));
		assert(i == 0 || blocks[i].offset > blocks[i - 1].offset);
		put_le64(at + TABLE_OFFSET, blocks[i].offset);
		put_le32(at + TABLE_CRC, blocks[i].crc);
	}
	record->table_crc = crc32_of(0, bytes, size);
}

int adopt_table_decode(struct adopt_block *blocks_out, const uint8_t *bytes,
		       const struct adopt_record *record, struct err *err)
{
	size_t size = (size_t)adopt_table_size(record->block_count);
	size_t used = (size_t)record->block_count * TABLE_ENTRY;
	bool has_super = false;

	if (record->table_crc != crc32_of(0, bytes, size))
		return err_set(err, ERR_CHECKSUM, "adoption record: its table has a bad checksum");
	for (uint32_t i = 0; i < record->block_count; i++) {
		const uint8_t *at = bytes + (size_t)i * TABLE_ENTRY;
		struct adopt_block *block = &blocks_out[i];

		block->offset = get_le64(at + TABLE_OFFSET);
		block->crc = get_le32(at + TABLE_CRC);
		if (!adopt_record_covers(record, block->offset) ||
		    (i > 0 && block->offset <= blocks_out[i - 1].offset))
			return err_set(err, ERR_FORMAT,
				       "adoption record: entry %u is of offset %" PRIu64, i,
				       block->offset);
		if (get_le32(at + TABLE_RESERVED))
			return err_set(err, ERR_FORMAT,
				       "adoption record: reserved bytes are in use");
		has_super |= block->offset == record->super_offset;
	}
	if (!has_super || !bytes_are_zero(bytes + used, size - used))
		return err_set(err, ERR_FORMAT,
			       has_super ? "adoption record: reserved bytes are in use"
					 : "adoption record: the superblock is not in its table");
	return 0;
}
