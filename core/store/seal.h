/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seal: what an extent says about itself, and about each of its blocks. FORMAT.md section 6.
 *
 * The header page names array, extent, place, group and volume, so that the map can be rebuilt. Entry
 * pages hold {crc, generation} of every block, and for check blocks the witnesses: the low 16 bits of
 * the generation of each block that the check covers.
 *
 * `struct seal` is the entry pages in memory: decoded, each page known to be good or not.
 *
 *	seal_init()	for an extent: memory for all entries
 *	seal_decode()	from the bytes of the pages; bad pages are noted, not an error
 *	(entries and witnesses are read and set by index)
 *	seal_encode()	one page back to bytes
 *	seal_reset()
 */
#ifndef PG_STORE_SEAL_H
#define PG_STORE_SEAL_H

#include "core/base/bytes.h"
#include "core/map/map.h"

/* Which blocks have witnesses: blocks plain_blocks.. have witness_count each. */
struct seal_shape {
	uint32_t plain_blocks;
	uint32_t witness_blocks;
	uint32_t witness_count; /* 0 when witness_blocks is 0 */
};

struct seal_entry {
	uint32_t crc;
	uint32_t generation; /* low 32 bits of the commit or log generation of the last write */
};

struct seal {
	struct seal_shape shape;
	uint64_t extent;
	uint32_t uuid_seed; /* crc32 of the array's uuid: what the pages' checksums begin with */
	struct seal_entry *entries; /* one per block of the body */
	uint16_t *witnesses;        /* witness_count per witness block */
	bool *page_good;            /* one per entry page */
};

struct seal_shape seal_shape_of(const struct group *group, uint32_t column);
uint32_t seal_entry_pages(const struct seal_shape *shape);
/* The entry page (from 0) that holds block `block`; the blocks that page `page` holds. */
uint32_t seal_page_of(const struct seal_shape *shape, uint32_t block);
void seal_page_blocks(const struct seal_shape *shape, uint32_t page, uint32_t *first_out,
		      uint32_t *count_out);

/* Allocates; returns 0 or ERR_NOMEM. All entries zero, all pages good. */
int seal_init(struct seal *seal, const struct uuid *array, const struct group *group,
	      uint32_t column) MUST_CHECK;
void seal_reset(struct seal *seal);

/* Decode page `page` (from 0); sets page_good[page] and, when good, its entries. */
void seal_decode_page(struct seal *seal, uint32_t page, const uint8_t bytes[static BLOCK_SIZE]);
void seal_encode_page(const struct seal *seal, uint32_t page, uint8_t bytes[static BLOCK_SIZE]);

/* The witnesses of block `block`, witness_count of them. */
uint16_t *seal_witnesses(const struct seal *seal, uint32_t block);
/* Is the entry of this block known? */
bool seal_knows(const struct seal *seal, uint32_t block);

/* The checksum of block `block` begins with seal_block_seed(seal_extent_seed(...), block). */
uint32_t seal_extent_seed(const struct uuid *array, uint64_t extent);
uint32_t seal_block_seed(uint32_t extent_seed, uint32_t block);

/* The header page. */
struct seal_header {
	uint64_t extent;
	uint64_t header_generation;
	uint64_t group;
	uint64_t group_generation;
	struct uuid member;
	uint32_t frame;
	uint8_t size_class;
	uint32_t body_blocks;
	uint32_t segment_blocks;
	uint32_t column;
	struct code_shape shape;
	uint64_t extents[CODE_COLUMNS_MAX]; /* ids of the group in column order */
	uint64_t volume;                    /* 0: no data */
	uint64_t span_offset, span_length;
	uint32_t unit_blocks;
	uint16_t position, span_extents;
	char name[NAME_SIZE]; /* of the volume */
};

void seal_header_encode(uint8_t bytes[static BLOCK_SIZE], const struct seal_header *header,
			const struct uuid *array);
/* The array that a page names if it is a header, for who does not know the array; nothing of it is checked. */
bool seal_header_guess(struct uuid *array_out, const uint8_t bytes[static BLOCK_SIZE]);
/* Returns 0 or ERR_CHECKSUM, ERR_VERSION, ERR_FORMAT. No texts on the data path. */
int seal_header_decode(struct seal_header *header_out, const uint8_t bytes[static BLOCK_SIZE],
		       const struct uuid *array) MUST_CHECK;

/*
 * Is this page the header of that extent, as the map says? Data extents that change their group keep the page of
 * their former one until they move: what forms a group is what its check extents say.
 */
bool seal_header_is_of(const uint8_t bytes[static BLOCK_SIZE], const struct map *map,
		       const struct group *group, uint32_t column);

/* What the header of this extent must say by the map; volume and span may be NULL. */
void seal_header_fill(struct seal_header *header, const struct map *map, const struct group *group,
		      uint32_t column, const struct volume *volume, const struct span *span,
		      uint32_t position);

#endif
