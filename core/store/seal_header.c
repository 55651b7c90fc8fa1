/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header page of a seal; the rest of store/seal.h is in seal.c. */
#include "core/base/crc.h"
#include "core/store/seal.h"

#include <assert.h>
#include <string.h>

#define HEADER_VERSION_NOW 1u

enum {
	HEADER_MAGIC = 0,
	HEADER_CRC = 4,
	HEADER_VERSION = 8,
	HEADER_CLASS = 12,
	HEADER_LAYOUT = 13,
	HEADER_COLUMNS = 14,
	HEADER_CHECKS = 15,
	HEADER_ARRAY = 16,
	HEADER_EXTENT = 32,
	HEADER_GENERATION = 40,
	HEADER_GROUP = 48,
	HEADER_MEMBER = 56,
	HEADER_FRAME = 72,
	HEADER_BODY = 76,
	HEADER_SEGMENT = 80,
	HEADER_COLUMN = 84,
	HEADER_PURE = 86,
	HEADER_VOLUME = 88,
	HEADER_SPAN_OFFSET = 96,
	HEADER_SPAN_LENGTH = 104,
	HEADER_UNIT = 112,
	HEADER_POSITION = 116,
	HEADER_SPAN_EXTENTS = 118,
	HEADER_GROUP_GENERATION = 120,
	HEADER_NAME_SIZE = 128,
	HEADER_NAME = 129,
	HEADER_INDEX = 384,
	HEADER_EXTENTS = 416,
	HEADER_RESERVED = 672,
};
_Static_assert(HEADER_EXTENTS + 8 * CODE_COLUMNS_MAX == HEADER_RESERVED, "ids end the fields");

static const uint8_t header_magic[4] = { 'P', 'G', 'S', 'H' };

static uint32_t header_crc(const uint8_t *bytes, const struct uuid *array)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32_of(0, array->bytes, sizeof(array->bytes));

	crc = crc32_of(crc, bytes, HEADER_CRC);
	crc = crc32_of(crc, zero, sizeof(zero));
	return crc32_of(crc, bytes + HEADER_VERSION, BLOCK_SIZE - HEADER_VERSION);
}

void seal_header_encode(uint8_t bytes[static BLOCK_SIZE], const struct seal_header *header,
			const struct uuid *array)
{
	size_t name_size = strlen(header->name);

	assert(name_size < NAME_SIZE);
	assert(header->shape.columns <= CODE_COLUMNS_MAX && header->column < header->shape.columns);

	memset(bytes, 0, BLOCK_SIZE);
	memcpy(bytes + HEADER_MAGIC, header_magic, sizeof(header_magic));
	put_le32(bytes + HEADER_VERSION, HEADER_VERSION_NOW);
	bytes[HEADER_CLASS] = header->size_class;
	bytes[HEADER_LAYOUT] = (uint8_t)header->shape.layout;
	bytes[HEADER_COLUMNS] = (uint8_t)header->shape.columns;
	bytes[HEADER_CHECKS] = (uint8_t)header->shape.checks;
	memcpy(bytes + HEADER_ARRAY, array->bytes, sizeof(array->bytes));
	put_le64(bytes + HEADER_EXTENT, header->extent);
	put_le64(bytes + HEADER_GENERATION, header->header_generation);
	put_le64(bytes + HEADER_GROUP, header->group);
	memcpy(bytes + HEADER_MEMBER, header->member.bytes, sizeof(header->member.bytes));
	put_le32(bytes + HEADER_FRAME, header->frame);
	put_le32(bytes + HEADER_BODY, header->body_blocks);
	put_le32(bytes + HEADER_SEGMENT, header->segment_blocks);
	put_le16(bytes + HEADER_COLUMN, (uint16_t)header->column);
	put_le16(bytes + HEADER_PURE, header->shape.pure);
	put_le64(bytes + HEADER_VOLUME, header->volume);
	put_le64(bytes + HEADER_SPAN_OFFSET, header->span_offset);
	put_le64(bytes + HEADER_SPAN_LENGTH, header->span_length);
	put_le32(bytes + HEADER_UNIT, header->unit_blocks);
	put_le16(bytes + HEADER_POSITION, header->position);
	put_le16(bytes + HEADER_SPAN_EXTENTS, header->span_extents);
	put_le64(bytes + HEADER_GROUP_GENERATION, header->group_generation);
	bytes[HEADER_NAME_SIZE] = (uint8_t)name_size;
	memcpy(bytes + HEADER_NAME, header->name, name_size);
	memcpy(bytes + HEADER_INDEX, header->shape.index, header->shape.columns);
	for (uint32_t i = 0; i < header->shape.columns; i++)
		put_le64(bytes + HEADER_EXTENTS + 8 * (size_t)i, header->extents[i]);
	put_le32(bytes + HEADER_CRC, header_crc(bytes, array));
}

static void get_shape(struct seal_header *header, const uint8_t *bytes)
{
	header->shape.layout = (enum layout)bytes[HEADER_LAYOUT];
	header->shape.columns = bytes[HEADER_COLUMNS];
	header->shape.checks = bytes[HEADER_CHECKS];
	header->shape.pure = get_le16(bytes + HEADER_PURE);
	memcpy(header->shape.index, bytes + HEADER_INDEX, sizeof(header->shape.index));
	for (uint32_t i = 0; i < CODE_COLUMNS_MAX; i++)
		header->extents[i] = get_le64(bytes + HEADER_EXTENTS + 8 * (size_t)i);
}

static void get_place(struct seal_header *header, const uint8_t *bytes)
{
	header->extent = get_le64(bytes + HEADER_EXTENT);
	header->header_generation = get_le64(bytes + HEADER_GENERATION);
	header->group = get_le64(bytes + HEADER_GROUP);
	header->group_generation = get_le64(bytes + HEADER_GROUP_GENERATION);
	memcpy(header->member.bytes, bytes + HEADER_MEMBER, sizeof(header->member.bytes));
	header->frame = get_le32(bytes + HEADER_FRAME);
	header->size_class = bytes[HEADER_CLASS];
	header->body_blocks = get_le32(bytes + HEADER_BODY);
	header->segment_blocks = get_le32(bytes + HEADER_SEGMENT);
	header->column = get_le16(bytes + HEADER_COLUMN);
}

static void get_address(struct seal_header *header, const uint8_t *bytes)
{
	header->volume = get_le64(bytes + HEADER_VOLUME);
	header->span_offset = get_le64(bytes + HEADER_SPAN_OFFSET);
	header->span_length = get_le64(bytes + HEADER_SPAN_LENGTH);
	header->unit_blocks = get_le32(bytes + HEADER_UNIT);
	header->position = get_le16(bytes + HEADER_POSITION);
	header->span_extents = get_le16(bytes + HEADER_SPAN_EXTENTS);
	memcpy(header->name, bytes + HEADER_NAME, bytes[HEADER_NAME_SIZE]);
	header->name[bytes[HEADER_NAME_SIZE]] = '\0';
}

/* Is what lies behind the name, the indexes and the ids zero, and no zero in the name? */
static bool ends_are_zero(const uint8_t *bytes)
{
	size_t name = bytes[HEADER_NAME_SIZE], columns = bytes[HEADER_COLUMNS];
	size_t ids = HEADER_EXTENTS + 8 * columns;

	return !memchr(bytes + HEADER_NAME, 0, name) &&
	       bytes_are_zero(bytes + HEADER_NAME + name, HEADER_INDEX - HEADER_NAME - name) &&
	       bytes_are_zero(bytes + HEADER_INDEX + columns,
			      HEADER_EXTENTS - HEADER_INDEX - columns) &&
	       bytes_are_zero(bytes + ids, BLOCK_SIZE - ids);
}

bool seal_header_guess(struct uuid *array_out, const uint8_t bytes[static BLOCK_SIZE])
{
	if (memcmp(bytes + HEADER_MAGIC, header_magic, sizeof(header_magic)) != 0)
		return false;
	memcpy(array_out->bytes, bytes + HEADER_ARRAY, sizeof(array_out->bytes));
	return true;
}

int seal_header_decode(struct seal_header *header_out, const uint8_t bytes[static BLOCK_SIZE],
		       const struct uuid *array)
{
	struct seal_header header = { 0 };

	if (memcmp(bytes + HEADER_MAGIC, header_magic, sizeof(header_magic)) != 0)
		return ERR_FORMAT;
	if (get_le32(bytes + HEADER_CRC) != header_crc(bytes, array))
		return ERR_CHECKSUM;
	if (get_le32(bytes + HEADER_VERSION) != HEADER_VERSION_NOW)
		return ERR_VERSION;
	if (memcmp(bytes + HEADER_ARRAY, array->bytes, sizeof(array->bytes)) != 0 ||
	    bytes[HEADER_COLUMNS] == 0 || bytes[HEADER_COLUMNS] > CODE_COLUMNS_MAX ||
	    !ends_are_zero(bytes))
		return ERR_FORMAT;
	get_shape(&header, bytes);
	get_place(&header, bytes);
	get_address(&header, bytes);
	if (header.column >= header.shape.columns || header.size_class > SIZE_CLASS_MAX ||
	    header.extent == 0 || header.extents[header.column] != header.extent ||
	    (unsigned)header.shape.layout >= LAYOUT_COUNT ||
	    header.span_extents > CODE_COLUMNS_MAX ||
	    (header.volume != 0 && header.position >= header.span_extents))
		return ERR_FORMAT;
	*header_out = header;
	return 0;
}

void seal_header_fill(struct seal_header *header, const struct map *map, const struct group *group,
		      uint32_t column, const struct volume *volume, const struct span *span,
		      uint32_t position)
{
	const struct extent *extent = &group->extents[column];
	const struct member *member = map_member(map, extent->slot);

	assert(member);
	*header = (struct seal_header){
		.extent = extent->id,
		.header_generation = extent->header_generation,
		.group = group->id,
		.group_generation = group->generation,
		.member = member->uuid,
		.frame = extent->frame,
		.size_class = extent->size_class,
		.body_blocks = extent->body_blocks,
		.segment_blocks = group->segment_blocks,
		.column = column,
		.shape = group->shape,
	};
	for (uint32_t i = 0; i < group->shape.columns; i++)
		header->extents[i] = group->extents[i].id;
	if (!volume || !span)
		return;
	header->volume = volume->id;
	header->span_offset = span->offset;
	header->span_length = span->length;
	header->unit_blocks = span->unit_blocks;
	header->position = (uint16_t)position;
	header->span_extents = (uint16_t)span->extent_count;
	memcpy(header->name, volume->name, sizeof(header->name));
}

static bool names_group(const struct seal_header *header, const struct group *group,
			uint32_t column)
{
	bool older = header->group_generation < group->generation;

	/* A failover gives the copies of a mirror another order. */
	if (group->shape.layout == LAYOUT_MIRROR)
		return header->group == group->id && (header->column == column || older);
	return (header->group == group->id && header->column == column) ||
	       (column < group_data_columns(group) && group->shape.layout == LAYOUT_PARITY &&
		older);
}

bool seal_header_is_of(const uint8_t bytes[static BLOCK_SIZE], const struct map *map,
		       const struct group *group, uint32_t column)
{
	const struct extent *extent = &group->extents[column];
	struct seal_header header;

	return seal_header_decode(&header, bytes, &map->uuid) == 0 && header.extent == extent->id &&
	       header.header_generation == extent->header_generation &&
	       names_group(&header, group, column) && header.frame == extent->frame &&
	       header.size_class == extent->size_class &&
	       header.body_blocks == extent->body_blocks &&
	       uuid_equal(&header.member, &map_member(map, extent->slot)->uuid);
}
