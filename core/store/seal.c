/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/seal.h"

#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <string.h>

#define PAGE_ROOM 4064u
#define PLAIN_ENTRY 8u

/* Byte offsets in an entry page; docs/FORMAT.md section 6 has the same. */
enum {
	PAGE_MAGIC = 0,
	PAGE_CRC = 4,
	PAGE_EXTENT = 8,
	PAGE_NUMBER = 16,
	PAGE_FIRST = 20,
	PAGE_COUNT = 24,
	PAGE_ENTRY_SIZE = 26,
	PAGE_RESERVED = 28,
	PAGE_ENTRIES = 32,
};
_Static_assert(PAGE_ENTRIES + PAGE_ROOM == BLOCK_SIZE, "entries fill the page");

static const uint8_t page_magic[4] = { 'P', 'G', 'S', 'E' };

struct seal_shape seal_shape_of(const struct group *group, uint32_t column)
{
	struct seal_shape shape = { .plain_blocks = group_body_blocks(group) };

	assert(column < group->shape.columns);
	if (group->shape.layout == LAYOUT_SEQUENTIAL) {
		shape.plain_blocks = group_data_blocks(group);
		shape.witness_blocks = group_body_blocks(group) - shape.plain_blocks;
		shape.witness_count = group->shape.columns;
	} else if (group->shape.layout == LAYOUT_PARITY && column >= group_data_columns(group)) {
		shape.witness_blocks = shape.plain_blocks;
		shape.witness_count = group_data_columns(group);
		shape.plain_blocks = 0;
	}
	return shape;
}

static uint32_t witness_entry(const struct seal_shape *shape)
{
	return PLAIN_ENTRY + 2 * shape->witness_count;
}

static uint32_t plain_pages(const struct seal_shape *shape)
{
	return (uint32_t)size_divide_up(shape->plain_blocks, PAGE_ROOM / PLAIN_ENTRY);
}

uint32_t seal_entry_pages(const struct seal_shape *shape)
{
	uint32_t per_page = PAGE_ROOM / witness_entry(shape);

	return plain_pages(shape) + (uint32_t)size_divide_up(shape->witness_blocks, per_page);
}

uint32_t seal_page_of(const struct seal_shape *shape, uint32_t block)
{
	if (block < shape->plain_blocks)
		return block / (PAGE_ROOM / PLAIN_ENTRY);
	return plain_pages(shape) +
	       (block - shape->plain_blocks) / (PAGE_ROOM / witness_entry(shape));
}

void seal_page_blocks(const struct seal_shape *shape, uint32_t page, uint32_t *first_out,
		      uint32_t *count_out)
{
	bool plain = page < plain_pages(shape);
	uint32_t per_page = PAGE_ROOM / (plain ? PLAIN_ENTRY : witness_entry(shape));
	uint32_t before = plain ? page * per_page : (page - plain_pages(shape)) * per_page;
	uint32_t all = plain ? shape->plain_blocks : shape->witness_blocks;

	assert(before < all);
	*first_out = before + (plain ? 0 : shape->plain_blocks);
	*count_out = (uint32_t)size_min(per_page, all - before);
}

int seal_init(struct seal *seal, const struct uuid *array, const struct group *group,
	      uint32_t column)
{
	struct seal made = { .shape = seal_shape_of(group, column),
			     .extent = group->extents[column].id,
			     .uuid_seed = crc32_of(0, array->bytes, sizeof(array->bytes)) };
	size_t pages = seal_entry_pages(&made.shape);

	made.entries = mem_calloc((size_t)made.shape.plain_blocks + made.shape.witness_blocks,
				  sizeof(*made.entries));
	made.witnesses = mem_calloc((size_t)made.shape.witness_blocks * made.shape.witness_count,
				    sizeof(*made.witnesses));
	made.page_good = mem_calloc(pages, sizeof(*made.page_good));
	if (!made.entries || !made.witnesses || !made.page_good) {
		seal_reset(&made);
		return ERR_NOMEM;
	}
	memset(made.page_good, true, pages * sizeof(*made.page_good));
	*seal = made;
	return 0;
}

void seal_reset(struct seal *seal)
{
	mem_free(seal->entries);
	mem_free(seal->witnesses);
	mem_free(seal->page_good);
	*seal = (struct seal){ 0 };
}

/* The checksum of a page as if its CRC field were zero. */
static uint32_t page_crc(uint32_t seed, const uint8_t *bytes)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32_of(seed, bytes, PAGE_CRC);

	crc = crc32_of(crc, zero, sizeof(zero));
	return crc32_of(crc, bytes + PAGE_CRC + 4, BLOCK_SIZE - PAGE_CRC - 4);
}

static uint32_t page_entry_size(const struct seal *seal, uint32_t page)
{
	return page < plain_pages(&seal->shape) ? PLAIN_ENTRY : witness_entry(&seal->shape);
}

static bool page_is_good(const struct seal *seal, uint32_t page, const uint8_t *bytes)
{
	uint32_t first, count;

	seal_page_blocks(&seal->shape, page, &first, &count);
	return memcmp(bytes + PAGE_MAGIC, page_magic, sizeof(page_magic)) == 0 &&
	       get_le32(bytes + PAGE_CRC) == page_crc(seal->uuid_seed, bytes) &&
	       get_le64(bytes + PAGE_EXTENT) == seal->extent &&
	       get_le32(bytes + PAGE_NUMBER) == page + 1 && get_le32(bytes + PAGE_FIRST) == first &&
	       get_le16(bytes + PAGE_COUNT) == count &&
	       get_le16(bytes + PAGE_ENTRY_SIZE) == page_entry_size(seal, page) &&
	       get_le32(bytes + PAGE_RESERVED) == 0;
}

uint16_t *seal_witnesses(const struct seal *seal, uint32_t block)
{
	assert(block >= seal->shape.plain_blocks);
	return seal->witnesses +
	       (size_t)(block - seal->shape.plain_blocks) * seal->shape.witness_count;
}

bool seal_knows(const struct seal *seal, uint32_t block)
{
	return seal->page_good[seal_page_of(&seal->shape, block)];
}

void seal_decode_page(struct seal *seal, uint32_t page, const uint8_t bytes[static BLOCK_SIZE])
{
	const uint8_t *at = bytes + PAGE_ENTRIES;
	uint32_t size = page_entry_size(seal, page);
	uint32_t first, count;

	seal_page_blocks(&seal->shape, page, &first, &count);
	seal->page_good[page] = page_is_good(seal, page, bytes);
	if (!seal->page_good[page])
		return;
	for (uint32_t block = first; block < first + count; block++, at += size) {
		seal->entries[block].crc = get_le32(at);
		seal->entries[block].generation = get_le32(at + 4);
		for (uint32_t i = 0; i < (size - PLAIN_ENTRY) / 2; i++)
			seal_witnesses(seal, block)[i] = get_le16(at + PLAIN_ENTRY + 2 * (size_t)i);
	}
}

void seal_encode_page(const struct seal *seal, uint32_t page, uint8_t bytes[static BLOCK_SIZE])
{
	uint8_t *at = bytes + PAGE_ENTRIES;
	uint32_t size = page_entry_size(seal, page);
	uint32_t first, count;

	seal_page_blocks(&seal->shape, page, &first, &count);
	memset(bytes, 0, BLOCK_SIZE);
	memcpy(bytes + PAGE_MAGIC, page_magic, sizeof(page_magic));
	put_le64(bytes + PAGE_EXTENT, seal->extent);
	put_le32(bytes + PAGE_NUMBER, page + 1);
	put_le32(bytes + PAGE_FIRST, first);
	put_le16(bytes + PAGE_COUNT, (uint16_t)count);
	put_le16(bytes + PAGE_ENTRY_SIZE, (uint16_t)size);
	for (uint32_t block = first; block < first + count; block++, at += size) {
		put_le32(at, seal->entries[block].crc);
		put_le32(at + 4, seal->entries[block].generation);
		for (uint32_t i = 0; i < (size - PLAIN_ENTRY) / 2; i++)
			put_le16(at + PLAIN_ENTRY + 2 * (size_t)i, seal_witnesses(seal, block)[i]);
	}
	put_le32(bytes + PAGE_CRC, page_crc(seal->uuid_seed, bytes));
}

uint32_t seal_extent_seed(const struct uuid *array, uint64_t extent)
{
	uint8_t id[8];

	put_le64(id, extent);
	return crc32_of(crc32_of(0, array->bytes, sizeof(array->bytes)), id, sizeof(id));
}

uint32_t seal_block_seed(uint32_t extent_seed, uint32_t block)
{
	uint8_t number[4];

	put_le32(number, block);
	return crc32_of(extent_seed, number, sizeof(number));
}
