/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/native_try.h"

#include "core/base/crc.h"
#include "core/job/seal_find.h"
#include "core/map/check.h"
#include "core/map/windows.h"
#include "core/store/log_record.h"
#include "core/store/map_record.h"
#include "core/store/seal.h"
#include "core/store/super.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (4u * BLOCK_SIZE)

/* Where the sums lie; docs/FORMAT.md sections 2, 3, 6 and 8 have the tables. */
enum {
	SUPER_OFFSET = 16,
	SUPER_FEATURES_IGNORE = 24,
	SUPER_CRC = 4092,
	MAP_SIZE = 16,
	MAP_PAYLOAD = 24,
	MAP_GENERATION = 32,
	MAP_ARRAY = 40,
	MAP_CRC_BEFORE = 56,
	MAP_CRC = 60,
	LOG_HEADER_CRC = 8,
	LOG_CRC = 12,
	LOG_ARRAY = 16,
	LOG_SIZE = 56,
	PAGE_CRC = 4,
	SEAL_ARRAY = 16,
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct uuid uuid_at(const uint8_t *bytes)
{
	struct uuid uuid;

	memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
	return uuid;
}

static bool try_super(uint8_t *bytes)
{
	uint8_t again[BLOCK_SIZE];
	struct super super, guess;
	struct err err = { 0 };
	uint64_t offset = get_le64(bytes + SUPER_OFFSET);

	put_le32(bytes + SUPER_CRC, crc32_of(0, bytes, SUPER_CRC));
	if (super_decode(&super, bytes, offset, &err)) {
		must(err.code < 0 && err.text[0]);
		return false;
	}
	must(super_has_magic(bytes));
	super_encode(again, &super);
	/* Features that may be ignored are not kept. */
	must(get_le64(bytes + SUPER_FEATURES_IGNORE) || memcmp(again, bytes, BLOCK_SIZE) == 0);
	must(super_decode(&guess, bytes, offset ^ BLOCK_SIZE, &err) != 0);
	bytes[SUPER_CRC] ^= 1;
	must(super_decode(&guess, bytes, offset, &err) == ERR_CHECKSUM);
	must(super_guess(&guess, bytes, &super) && guess.generation == super.generation);
	return true;
}

/* A map that was read breaks a rule, or is the same when it was written and read again. */
static void map_use(struct map *map)
{
	const struct map_record_place place = { .generation = map->generation };
	struct buffer first = { 0 }, second = { 0 };
	struct map *again = NULL;
	struct err err = { 0 };
	uint32_t crc;

	/* As a superblock would say. */
	map->geometry = (struct geometry){ .frame_blocks = geometry_frame_blocks(16, 16),
					   .frame_body_blocks = 16,
					   .witness_max = 16,
					   .map_half_size = 64 << 10,
					   .log_size = 256 << 10,
					   .adopted = map->adoption.state != ADOPT_NONE };
	if (map_check(map, &err)) {
		must(err.code < 0 && err.text[0]);
		return;
	}
	must(map_windows_make(map) == 0);
	must(map_record_encode_full(&first, map, &place, &crc) == 0);
	must(map_record_decode(&again, first.bytes, first.size, &map->uuid, map->generation, crc,
			       &err) == 0);
	must(map_record_encode_full(&second, again, &place, &crc) == 0);
	must(first.size == second.size && memcmp(first.bytes, second.bytes, first.size) == 0);
	buffer_reset(&first);
	buffer_reset(&second);
	map_free(again);
}

/* The sum of each record, and what the next one says of it. False where a record has no room. */
static bool map_mend(uint8_t *bytes, size_t size, uint64_t *generation_out, uint32_t *crc_out)
{
	static const uint8_t zero[4];
	uint32_t crc = 0;

	for (size_t at = 0; at < size;) {
		uint8_t *record = bytes + at;
		uint64_t record_size = get_le64(record + MAP_SIZE);

		if (record_size == 0 || record_size % BLOCK_SIZE || record_size > size - at)
			return false;
		put_le32(record + MAP_CRC_BEFORE, crc);
		crc = crc32_of(0, record, MAP_CRC);
		crc = crc32_of(crc, zero, sizeof(zero));
		crc = crc32_of(crc, record + MAP_RECORD_HEADER, record_size - MAP_RECORD_HEADER);
		put_le32(record + MAP_CRC, crc);
		*generation_out = get_le64(record + MAP_GENERATION);
		at += record_size;
	}
	*crc_out = crc;
	return true;
}

static bool map_bytes_try(uint8_t *bytes, size_t size)
{
	struct uuid array = uuid_at(bytes + MAP_ARRAY);
	struct map *map = NULL;
	struct err err = { 0 };
	uint64_t generation = 0;
	uint32_t crc = 0;

	if (!map_mend(bytes, size, &generation, &crc))
		must(map_record_decode(&map, bytes, size, &array, generation, crc, &err) != 0);
	else if (map_record_decode(&map, bytes, size, &array, generation, crc, &err) == 0)
		map_use(map);
	else
		must(err.code < 0 && err.text[0]);
	map_free(map);
	return map != NULL;
}

static bool try_half(uint8_t *bytes, size_t size)
{
	return map_bytes_try(bytes, (size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE);
}

/* A record of these items; how many bytes it has. */
static size_t record_put(uint8_t *at, uint32_t kind, uint32_t items, const uint8_t *payload,
			 size_t size)
{
	static const uint8_t magic[] = { 'P', 'G', 'M', 'R', 1 };
	size_t whole = (MAP_RECORD_HEADER + size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;

	memset(at, 0, whole);
	memcpy(at, magic, sizeof(magic));
	put_le32(at + 8, kind);
	put_le32(at + 12, items);
	put_le64(at + MAP_SIZE, whole);
	put_le64(at + MAP_PAYLOAD, size);
	put_le64(at + MAP_GENERATION, kind);
	memcpy(at + MAP_RECORD_HEADER, payload, size);
	return whole;
}

static bool try_items(const uint8_t *data, size_t size)
{
	static uint8_t records[BYTES_MAX + 2 * BLOCK_SIZE];
	size_t full, used;

	if (size < 4)
		return false;
	full = get_le16(data + 2);
	if (full > size - 4)
		full = size - 4;
	used = record_put(records, 1, data[0], data + 4, full);
	if (data[1])
		used += record_put(records + used, 2, data[1], data + 4 + full, size - 4 - full);
	return map_bytes_try(records, used);
}

static void log_mend(uint8_t *bytes, size_t size)
{
	uint64_t record_size = get_le64(bytes + LOG_SIZE);
	uint32_t crc;

	put_le32(bytes + LOG_HEADER_CRC, 0);
	put_le32(bytes + LOG_CRC, 0);
	if (record_size < LOG_HEADER_SIZE || record_size > size)
		record_size = size;
	crc = crc32_of(0, bytes, record_size);
	put_le32(bytes + LOG_CRC, crc);
	crc = crc32_of(0, bytes, LOG_HEADER_SIZE);
	put_le32(bytes + LOG_HEADER_CRC, crc);
}

static bool try_log(uint8_t *bytes, size_t size)
{
	static uint8_t again[BYTES_MAX];
	struct uuid array = uuid_at(bytes + LOG_ARRAY);
	struct log_record record;
	uint64_t stated = 0;

	size = (size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
	log_mend(bytes, size);
	if (log_record_decode(&record, bytes, size, &array))
		return false;
	must(log_record_peek(&(struct log_record){ 0 }, &stated, bytes, &array, size) == 0);
	must(log_record_size(&record) == stated && stated <= size);
	log_record_encode(again, &record);
	must(memcmp(again, bytes, stated) == 0);
	log_record_reset(&record);
	return true;
}

/* Seals of a data extent, and of a check extent with witnesses of three columns. */
static struct seal *seal_of(uint32_t which)
{
	static struct seal seals[2];
	const struct uuid array = { { 7 } };
	struct group *group;

	if (seals[which].entries)
		return &seals[which];
	group = calloc(1, sizeof(*group) + 4 * sizeof(group->extents[0]));
	must(group != NULL);
	group->segment_blocks = 600;
	group->shape = (struct code_shape){ .layout = LAYOUT_PARITY, .columns = 4, .checks = 1 };
	for (uint32_t i = 0; i < 4; i++)
		group->extents[i] = (struct extent){ .id = i + 1, .body_blocks = 600 };
	must(seal_init(&seals[which], &array, group, which ? 3 : 0) == 0);
	free(group);
	return &seals[which];
}

static bool try_page(uint8_t *bytes, uint32_t shape)
{
	struct seal *seal = seal_of(shape & 1);
	uint32_t page = shape / 2 % seal_entry_pages(&seal->shape);
	uint8_t again[BLOCK_SIZE];
	static const uint8_t zero[4];
	uint32_t crc = crc32_of(seal->uuid_seed, bytes, PAGE_CRC);

	crc = crc32_of(crc, zero, sizeof(zero));
	put_le32(bytes + PAGE_CRC, crc32_of(crc, bytes + PAGE_CRC + 4, BLOCK_SIZE - PAGE_CRC - 4));
	seal_decode_page(seal, page, bytes);
	if (!seal->page_good[page])
		return false;
	seal_encode_page(seal, page, again);
	must(memcmp(again, bytes, BLOCK_SIZE) == 0);
	return true;
}

/* Two headers like this one, anywhere: they tell a geometry that passes its check, or none. */
static void find_use(const struct seal_header *header)
{
	struct seal_place at[2] = { { .offset = header->span_offset,
				      .frame = header->frame,
				      .body_blocks = header->body_blocks,
				      .columns = header->shape.columns,
				      .size_class = header->size_class } };
	const struct seal_found found = { .places = { at, 2, 2 } };
	struct geometry geometry;
	struct err err = { 0 };

	at[1] = at[0];
	at[1].offset = header->span_length;
	at[1].frame ^= header->unit_blocks;
	if (seal_find_geometry(&geometry, &found, 1, &err))
		must(err.code < 0 && err.text[0]);
	else
		must(map_check_geometry(&geometry, &err) == 0);
}

static bool try_header(uint8_t *bytes)
{
	static const uint8_t zero[4];
	struct uuid array = uuid_at(bytes + SEAL_ARRAY), guess;
	uint32_t crc = crc32_of(0, array.bytes, sizeof(array.bytes));
	struct seal_header header;
	uint8_t again[BLOCK_SIZE];

	crc = crc32_of(crc, bytes, PAGE_CRC);
	crc = crc32_of(crc, zero, sizeof(zero));
	put_le32(bytes + PAGE_CRC, crc32_of(crc, bytes + PAGE_CRC + 4, BLOCK_SIZE - PAGE_CRC - 4));
	if (seal_header_decode(&header, bytes, &array))
		return false;
	must(seal_header_guess(&guess, bytes) && uuid_equal(&guess, &array));
	find_use(&header);
	seal_header_encode(again, &header, &array);
	must(memcmp(again, bytes, BLOCK_SIZE) == 0);
	return true;
}

bool native_try_kind(uint32_t kind, const uint8_t *data, size_t size)
{
	static uint8_t bytes[BYTES_MAX];
	static size_t used = BYTES_MAX; /* what may not be zero */
	uint32_t first = size ? data[0] : 0;

	if (kind == 4 && size) {
		data++;
		size--;
	}
	if (size == 0 || size > BYTES_MAX)
		return false;
	memset(bytes, 0, used);
	used = (size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
	memcpy(bytes, data, size);
	switch (kind) {
	case 0:
		return try_super(bytes);
	case 1:
		return try_half(bytes, size);
	case 2:
		return try_items(data, size);
	case 3:
		return try_log(bytes, size);
	case 4:
		return try_page(bytes, first);
	default:
		return try_header(bytes);
	}
}

bool native_try(const uint8_t *data, size_t size)
{
	return size > 0 && native_try_kind(data[0] % NATIVE_TRY_KINDS, data + 1, size - 1);
}
