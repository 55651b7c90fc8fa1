/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Map records: the map, or a commit's changes to it, as bytes. FORMAT.md section 3.
 *
 * A half of the map region holds one full record and then deltas. Decoding takes any bytes: every
 * count is checked against what is left before memory is asked for, so a hostile map costs no more
 * than its own size. What decodes still has to pass map_check().
 */
#ifndef PG_STORE_MAP_RECORD_H
#define PG_STORE_MAP_RECORD_H

#include "core/base/bytes.h"
#include "core/map/map.h"

/*
 * Bytes of a map that are read at all: 16 million extents. More would take a gigabyte of memory and
 * seconds for each commit. A sparse file that lies does not cost even that: commit.c reads a map in pieces
 * and refuses holes.
 */
#define MAP_LENGTH_MAX (UINT64_C(1) << 30)

#define MAP_RECORD_HEADER 64u

/* Where a record stands in its chain. */
struct map_record_place {
	uint64_t generation;
	uint32_t crc_before; /* CRC of the record before in the half; 0 for a full one */
};

/* The whole map as one record. Returns 0 or ERR_NOMEM; *crc_out is the record's CRC. */
int map_record_encode_full(struct buffer *out, const struct map *map,
			   const struct map_record_place *place, uint32_t *crc_out) MUST_CHECK;

/* What changed since the last commit, by the map's edits. */
int map_record_encode_delta(struct buffer *out, const struct map *map,
			    const struct map_record_place *place, uint32_t *crc_out) MUST_CHECK;

/*
 * Read the records of a half. `bytes` are map_length bytes; the last record must have `generation` and
 * `crc`. Returns 0 and a map whose edits are clear, or ERR_CHECKSUM, ERR_FORMAT, ERR_LIMIT, ERR_NOMEM.
 * geometry is not in the record: the caller sets it from the superblock.
 */
int map_record_decode(struct map **map_out, const uint8_t *bytes, uint64_t size,
		      const struct uuid *array, uint64_t generation, uint32_t crc,
		      struct err *err) MUST_CHECK;

#endif
