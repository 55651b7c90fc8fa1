/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/map_record.h"

#include "core/base/crc.h"
#include "core/base/size.h"
#include "core/store/map_item.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define RECORD_VERSION_NOW 1u

enum { RECORD_FULL = 1, RECORD_DELTA = 2 };

enum {
	RECORD_MAGIC = 0,
	RECORD_VERSION = 4,
	RECORD_KIND = 8,
	RECORD_ITEMS = 12,
	RECORD_SIZE = 16,
	RECORD_PAYLOAD = 24,
	RECORD_GENERATION = 32,
	RECORD_ARRAY = 40,
	RECORD_CRC_BEFORE = 56,
	RECORD_CRC = 60,
};
_Static_assert(RECORD_CRC + 4 == MAP_RECORD_HEADER, "the CRC ends the header");

static const uint8_t magic[4] = { 'P', 'G', 'M', 'R' };

/* CRC over the record as if its CRC field were zero. */
static uint32_t record_crc(const uint8_t *bytes, uint64_t size)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32_of(0, bytes, RECORD_CRC);

	crc = crc32_of(crc, zero, sizeof(zero));
	return crc32_of(crc, bytes + MAP_RECORD_HEADER, size - MAP_RECORD_HEADER);
}

/* Fill in the header of the record that begins at `start`, and pad it. */
static int finish(struct buffer *out, size_t start, const struct map *map, uint32_t kind,
		  uint32_t items, const struct map_record_place *place, uint32_t *crc_out)
{
	uint64_t payload = out->size - start - MAP_RECORD_HEADER;
	uint64_t size = size_round_up(MAP_RECORD_HEADER + payload, BLOCK_SIZE);

	buffer_add(out, size - MAP_RECORD_HEADER - payload);
	if (out->failed)
		return ERR_NOMEM;
	uint8_t *bytes = out->bytes + start;
	memcpy(bytes + RECORD_MAGIC, magic, sizeof(magic));
	put_le32(bytes + RECORD_VERSION, RECORD_VERSION_NOW);
	put_le32(bytes + RECORD_KIND, kind);
	put_le32(bytes + RECORD_ITEMS, items);
	put_le64(bytes + RECORD_SIZE, size);
	put_le64(bytes + RECORD_PAYLOAD, payload);
	put_le64(bytes + RECORD_GENERATION, place->generation);
	memcpy(bytes + RECORD_ARRAY, map->uuid.bytes, sizeof(map->uuid.bytes));
	put_le32(bytes + RECORD_CRC_BEFORE, place->crc_before);
	*crc_out = record_crc(bytes, size);
	put_le32(bytes + RECORD_CRC, *crc_out);
	return 0;
}

int map_record_encode_full(struct buffer *out, const struct map *map,
			   const struct map_record_place *place, uint32_t *crc_out)
{
	size_t start = out->size;
	uint32_t items = 1;

	assert(place->crc_before == 0);
	buffer_add(out, MAP_RECORD_HEADER);
	map_item_array(out, map);
	for (uint32_t i = 0; i < map->member_count; i++, items++)
		map_item_member(out, &map->members[i]);
	for (uint32_t i = 0; i < map->group_count; i++, items++)
		map_item_group(out, map->groups[i]);
	for (uint32_t i = 0; i < map->volume_count; i++, items++)
		map_item_volume(out, map->volumes[i]);
	for (uint32_t i = 0; i < map->job_count; i++, items++)
		map_item_job(out, &map->jobs[i]);
	if (map->adoption.state != ADOPT_NONE) {
		map_item_adopted(out, &map->adoption);
		items++;
	}
	return finish(out, start, map, RECORD_FULL, items, place, crc_out);
}

int map_record_encode_delta(struct buffer *out, const struct map *map,
			    const struct map_record_place *place, uint32_t *crc_out)
{
	size_t start = out->size;
	uint32_t items = 1;

	buffer_add(out, MAP_RECORD_HEADER);
	map_item_array(out, map);
	for (uint32_t i = 0; i < map_edit_count(map); i++, items++)
		map_item_edit(out, map, map_edit_at(map, i));
	return finish(out, start, map, RECORD_DELTA, items, place, crc_out);
}

struct record_header {
	uint32_t kind, items, crc_before, crc;
	uint64_t size, payload, generation;
};

static int decode_header(struct record_header *header, const uint8_t *bytes, uint64_t left,
			 const struct uuid *array, struct err *err)
{
	if (left < BLOCK_SIZE || memcmp(bytes + RECORD_MAGIC, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_FORMAT, "map record: bad magic");
	header->kind = get_le32(bytes + RECORD_KIND);
	header->items = get_le32(bytes + RECORD_ITEMS);
	header->size = get_le64(bytes + RECORD_SIZE);
	header->payload = get_le64(bytes + RECORD_PAYLOAD);
	header->generation = get_le64(bytes + RECORD_GENERATION);
	header->crc_before = get_le32(bytes + RECORD_CRC_BEFORE);
	header->crc = get_le32(bytes + RECORD_CRC);
	if (header->size == 0 || header->size % BLOCK_SIZE || header->size > left ||
	    header->payload > header->size - MAP_RECORD_HEADER ||
	    header->size - MAP_RECORD_HEADER - header->payload >= BLOCK_SIZE)
		return err_set(err, ERR_FORMAT,
			       "map record: %" PRIu64 " bytes with a payload of %" PRIu64
			       ", %" PRIu64 " bytes are left",
			       header->size, header->payload, left);
	if (header->crc != record_crc(bytes, header->size))
		return err_set(err, ERR_CHECKSUM,
			       "map record of generation %" PRIu64 ": bad checksum",
			       header->generation);
	if (get_le32(bytes + RECORD_VERSION) != RECORD_VERSION_NOW)
		return err_set(err, ERR_VERSION, "map record: version %u, can read %u",
			       get_le32(bytes + RECORD_VERSION), RECORD_VERSION_NOW);
	if (memcmp(bytes + RECORD_ARRAY, array->bytes, sizeof(array->bytes)) != 0)
		return err_set(err, ERR_FORMAT, "map record: of another array");
	if (!bytes_are_zero(bytes + MAP_RECORD_HEADER + header->payload,
			    header->size - MAP_RECORD_HEADER - header->payload))
		return err_set(err, ERR_FORMAT, "map record: reserved bytes are in use");
	return 0;
}

static int apply_items(struct map *map, const uint8_t *bytes, const struct record_header *header,
		       struct err *err)
{
	struct cursor cursor = { bytes + MAP_RECORD_HEADER, header->payload, false };

	for (uint32_t i = 0; i < header->items; i++) {
		int rc = map_item_apply(map, &cursor, err);

		if (rc)
			return rc;
	}
	if (cursor.left != 0)
		return err_set(err, ERR_FORMAT, "map record: %zu bytes behind its items",
			       cursor.left);
	return 0;
}

/* All records of the half into `map`; *last_out is the last one's header. */
static int decode_records(struct map *map, const uint8_t *bytes, uint64_t size,
			  const struct uuid *array, struct record_header *last_out, struct err *err)
{
	struct record_header before = { 0 };

	for (uint64_t at = 0; at < size;) {
		struct record_header header = { 0 };
		int rc = decode_header(&header, bytes + at, size - at, array, err);

		if (rc)
			return rc;
		if (header.kind != (at == 0 ? RECORD_FULL : RECORD_DELTA) ||
		    header.crc_before != before.crc || header.generation <= before.generation)
			return err_set(err, ERR_FORMAT,
				       "map record of generation %" PRIu64
				       " does not follow %" PRIu64,
				       header.generation, before.generation);
		rc = apply_items(map, bytes + at, &header, err);
		if (rc)
			return rc;
		before = header;
		at += header.size;
	}
	*last_out = before;
	return 0;
}

static int finish_load(struct map *map, struct err *err)
{
	int rc = map_load_end(map);

	if (rc == ERR_LIMIT)
		return err_set(err, ERR_FORMAT, "map: ids of extents that no counter gave");
	return rc ? err_set(err, rc, "no memory for the map") : 0;
}

int map_record_decode(struct map **map_out, const uint8_t *bytes, uint64_t size,
		      const struct uuid *array, uint64_t generation, uint32_t crc, struct err *err)
{
	struct record_header last = { 0 };
	struct map *map = map_create();

	if (!map)
		return err_set(err, ERR_NOMEM, "no memory for the map");
	map->uuid = *array;
	int rc = map_load_begin(map);
	if (rc)
		err_set(err, rc, "no memory for the map");
	else
		rc = decode_records(map, bytes, size, array, &last, err);
	if (!rc)
		rc = finish_load(map, err);
	if (!rc && (last.generation != generation || last.crc != crc))
		rc = err_set(err, ERR_FORMAT,
			     "map ends with generation %" PRIu64
			     ", checksum %08x, the superblock says %" PRIu64 ", %08x",
			     last.generation, last.crc, generation, crc);
	if (rc) {
		map_free(map);
		return rc;
	}
	map->generation = generation;
	map_edits_clear(map);
	*map_out = map;
	return 0;
}
