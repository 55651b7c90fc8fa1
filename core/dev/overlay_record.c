/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/overlay_record.h"

#include "core/base/crc.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>

#define VERSION_NOW 1u
#define FLAG_NEW 1u
#define DATA_ALIGN (UINT64_C(1) << 20)

static const uint8_t magic[8] = { 0x89, 'P', 'G', 'O', 'V', 'L', 0x0d, 0x0a };

/* Byte offsets in the header; integers are little-endian. docs/FORMAT.md has the same table. */
enum {
	HEADER_MAGIC = 0,
	HEADER_VERSION = 8,      /* u32 */
	HEADER_FLAGS = 12,       /* u32 */
	HEADER_SIZE = 16,        /* u64 */
	HEADER_IDENTITY = 24,    /* 2 u64 */
	HEADER_MODIFIED = 40,    /* u64 */
	HEADER_DATA_OFFSET = 48, /* u64 */
	HEADER_SUMS_CRC = 56,    /* u32 */
	HEADER_PATH_SIZE = 60,   /* u32, without a NUL */
	HEADER_PATH = 64,        /* then zero */
	HEADER_CRC = 4092,       /* u32, CRC-32 of all bytes before it */
};
_Static_assert(HEADER_PATH + OVERLAY_PATH_SIZE <= HEADER_CRC, "the path reaches the CRC");

/* Byte offsets in a sector of the record. */
enum {
	SECTOR_STATES = 0,   /* half a byte for each block, the low one first */
	SECTOR_NUMBER = 504, /* u32, of the sector in the record, modulo 2^32 */
	SECTOR_CRC = 508,    /* u32, CRC-32 of all bytes before it */
};
_Static_assert(SECTOR_STATES + OVERLAY_SECTOR_BLOCKS / 2 == SECTOR_NUMBER, "states end there");
_Static_assert(IO_ROLE_COUNT < 16, "a state is half a byte");

#define PAGE_SECTORS (BLOCK_SIZE / OVERLAY_SECTOR_SIZE)
_Static_assert(OVERLAY_PAGE_BLOCKS == PAGE_SECTORS * OVERLAY_SECTOR_BLOCKS, "no block between two");

/* Which blocks tell members apart, in bytes: the 192 KiB at both ends, and what lies at 1 MiB. */
#define TELLING_HEAD 48u
#define TELLING_FAR 16u
#define TELLING_FAR_BLOCK 256u
_Static_assert(2 * TELLING_HEAD + TELLING_FAR == OVERLAY_SUMS_MAX, "the sums have an entry each");
_Static_assert(OVERLAY_SUMS_MAX * 4 <= BLOCK_SIZE, "the sums are one block");

uint64_t overlay_page_count(uint64_t member_size)
{
	assert(member_size % BLOCK_SIZE == 0);
	return size_divide_up(member_size / BLOCK_SIZE, OVERLAY_PAGE_BLOCKS);
}

uint64_t overlay_data_offset(uint64_t member_size)
{
	return size_round_up(OVERLAY_RECORD_OFFSET + overlay_page_count(member_size) * BLOCK_SIZE,
			     DATA_ALIGN);
}

uint64_t overlay_side_size(uint64_t member_size)
{
	if (member_size == 0 || member_size % BLOCK_SIZE != 0 || member_size > OVERLAY_SIZE_MAX)
		return 0;
	return overlay_data_offset(member_size) + member_size;
}

uint64_t overlay_telling_block(uint32_t index, uint64_t member_size)
{
	uint64_t count = member_size / BLOCK_SIZE, block = index;

	assert(index < OVERLAY_SUMS_MAX);
	if (index >= TELLING_HEAD + TELLING_FAR) {
		uint64_t from_end = OVERLAY_SUMS_MAX - index;

		block = from_end <= count ? count - from_end : UINT64_MAX;
	} else if (index >= TELLING_HEAD) {
		block = TELLING_FAR_BLOCK + index - TELLING_HEAD;
	}
	return block < count ? block : UINT64_MAX;
}

void overlay_header_encode(uint8_t bytes[static BLOCK_SIZE], const struct overlay_header *header)
{
	size_t path_size = strlen(header->path);

	assert(overlay_side_size(header->size) > 0);
	assert(path_size > 0 && path_size < OVERLAY_PATH_SIZE);

	memset(bytes, 0, BLOCK_SIZE);
	memcpy(bytes + HEADER_MAGIC, magic, sizeof(magic));
	put_le32(bytes + HEADER_VERSION, VERSION_NOW);
	put_le32(bytes + HEADER_FLAGS, header->is_new ? FLAG_NEW : 0);
	put_le64(bytes + HEADER_SIZE, header->size);
	put_le64(bytes + HEADER_IDENTITY, header->identity[0]);
	put_le64(bytes + HEADER_IDENTITY + 8, header->identity[1]);
	put_le64(bytes + HEADER_MODIFIED, header->modified_ns);
	put_le64(bytes + HEADER_DATA_OFFSET, overlay_data_offset(header->size));
	put_le32(bytes + HEADER_SUMS_CRC, header->sums_crc);
	put_le32(bytes + HEADER_PATH_SIZE, (uint32_t)path_size);
	memcpy(bytes + HEADER_PATH, header->path, path_size);
	put_le32(bytes + HEADER_CRC, crc32_of(0, bytes, HEADER_CRC));
}

static int sizes_decode(struct overlay_header *header, const uint8_t *bytes, struct err *err)
{
	header->size = get_le64(bytes + HEADER_SIZE);
	if (overlay_side_size(header->size) == 0)
		return err_set(err, ERR_FORMAT, "overlay: of a member of %" PRIu64 " bytes",
			       header->size);
	if (get_le64(bytes + HEADER_DATA_OFFSET) != overlay_data_offset(header->size))
		return err_set(err, ERR_FORMAT,
			       "overlay: its data begins at %" PRIu64 ", expected %" PRIu64,
			       get_le64(bytes + HEADER_DATA_OFFSET),
			       overlay_data_offset(header->size));
	return 0;
}

static int path_decode(struct overlay_header *header, const uint8_t *bytes, struct err *err)
{
	uint32_t size = get_le32(bytes + HEADER_PATH_SIZE);

	if (size == 0 || size >= OVERLAY_PATH_SIZE || memchr(bytes + HEADER_PATH, 0, size))
		return err_set(err, ERR_FORMAT, "overlay: a path of %" PRIu32 " bytes", size);
	if (!bytes_are_zero(bytes + HEADER_PATH + size, HEADER_CRC - HEADER_PATH - size))
		return err_set(err, ERR_FORMAT, "overlay: reserved bytes are in use");
	memcpy(header->path, bytes + HEADER_PATH, size);
	header->path[size] = '\0';
	return 0;
}

int overlay_header_decode(struct overlay_header *header_out, const uint8_t bytes[static BLOCK_SIZE],
			  struct err *err)
{
	struct overlay_header header = { 0 };
	uint32_t flags = get_le32(bytes + HEADER_FLAGS);
	int rc;

	if (memcmp(bytes + HEADER_MAGIC, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_FORMAT, "overlay: bad magic");
	if (get_le32(bytes + HEADER_CRC) != crc32_of(0, bytes, HEADER_CRC))
		return err_set(err, ERR_CHECKSUM, "overlay: bad checksum of the header");
	if (get_le32(bytes + HEADER_VERSION) != VERSION_NOW || flags & ~FLAG_NEW)
		return err_set(err, ERR_VERSION, "overlay: version %" PRIu32 ", flags %" PRIx32,
			       get_le32(bytes + HEADER_VERSION), flags);
	rc = sizes_decode(&header, bytes, err);
	if (rc == 0)
		rc = path_decode(&header, bytes, err);
	if (rc)
		return rc;
	header.is_new = flags & FLAG_NEW;
	header.identity[0] = get_le64(bytes + HEADER_IDENTITY);
	header.identity[1] = get_le64(bytes + HEADER_IDENTITY + 8);
	header.modified_ns = get_le64(bytes + HEADER_MODIFIED);
	header.sums_crc = get_le32(bytes + HEADER_SUMS_CRC);
	*header_out = header;
	return 0;
}

/* The byte of a page that has the state of block `index`. */
static size_t byte_of(uint32_t index)
{
	assert(index < OVERLAY_PAGE_BLOCKS);
	return (size_t)(index / OVERLAY_SECTOR_BLOCKS) * OVERLAY_SECTOR_SIZE +
	       index % OVERLAY_SECTOR_BLOCKS / 2;
}

uint32_t overlay_page_get(const uint8_t page[static BLOCK_SIZE], uint32_t index)
{
	return (uint32_t)page[byte_of(index)] >> (index % 2 * 4) & 15u;
}

void overlay_page_set(uint8_t page[static BLOCK_SIZE], uint32_t index, uint32_t state)
{
	uint8_t *byte = page + byte_of(index);
	unsigned shift = index % 2 * 4;

	assert(state <= IO_ROLE_COUNT);
	*byte = (uint8_t)((*byte & ~(15u << shift)) | state << shift);
}

void overlay_page_seal(uint8_t page[static BLOCK_SIZE], uint64_t number)
{
	for (uint32_t i = 0; i < PAGE_SECTORS; i++) {
		uint8_t *sector = page + (size_t)i * OVERLAY_SECTOR_SIZE;

		if (bytes_are_zero(sector, SECTOR_NUMBER))
			continue;
		put_le32(sector + SECTOR_NUMBER, (uint32_t)(number * PAGE_SECTORS + i));
		put_le32(sector + SECTOR_CRC, crc32_of(0, sector, SECTOR_CRC));
	}
}

/* The states of the page's sector `index`, of which the sum is right. */
static bool states_are_valid(const uint8_t *page, uint32_t index, uint64_t first_block,
			     uint64_t block_count)
{
	for (uint32_t i = 0; i < OVERLAY_SECTOR_BLOCKS; i++) {
		uint32_t at = index * OVERLAY_SECTOR_BLOCKS + i;
		uint32_t state = overlay_page_get(page, at);

		if (state > IO_ROLE_COUNT || (state && first_block + at >= block_count))
			return false;
	}
	return true;
}

int overlay_page_check(const uint8_t page[static BLOCK_SIZE], uint64_t number, uint64_t block_count,
		       struct err *err)
{
	for (uint32_t i = 0; i < PAGE_SECTORS; i++) {
		const uint8_t *sector = page + (size_t)i * OVERLAY_SECTOR_SIZE;
		uint32_t sector_number = (uint32_t)(number * PAGE_SECTORS + i);

		if (bytes_are_zero(sector, OVERLAY_SECTOR_SIZE))
			continue;
		if (get_le32(sector + SECTOR_CRC) != crc32_of(0, sector, SECTOR_CRC))
			return err_set(err, ERR_CHECKSUM,
				       "overlay: bad checksum of record sector %" PRIu32,
				       sector_number);
		if (get_le32(sector + SECTOR_NUMBER) != sector_number ||
		    !states_are_valid(page, i, number * OVERLAY_PAGE_BLOCKS, block_count))
			return err_set(err, ERR_FORMAT, "overlay: bad record sector %" PRIu32,
				       sector_number);
	}
	return 0;
}
