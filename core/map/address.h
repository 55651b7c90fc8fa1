/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Addresses: byte of a volume <-> block of a group <-> byte of a member, and which blocks protect each
 * other (FORMAT.md section 5, "Address of a byte"; SPEC 2.6 for the sequential layout).
 *
 * This is for questions and reports; the data path walks spans by itself (core/array/span_read.h).
 *
 * Promises, each tested under its name in tests/unit/test_address.c, for all small shapes:
 *	bijection	every byte below a volume's length has one address, and it leads back to that byte
 *	no_overlap	no two bytes share an address; check and padding blocks lead to no volume
 *	member_bytes	what an address says of a member leads back to that address
 *	rows		the blocks named with an address are those of the equations that cover it
 *
 * Pure: functions of the map, which does not change meanwhile.
 */
#ifndef PG_MAP_ADDRESS_H
#define PG_MAP_ADDRESS_H

#include "core/map/map.h"

/* One block of a group. Pointers are the map's. */
struct address {
	const struct group *group;
	uint32_t column;
	uint32_t block; /* of the extent's body */
};

/*
 * Where byte `offset` of a volume lies. *run_out, if not NULL, is how many bytes from it on lie behind each
 * other on that extent and are the volume's. False when `offset` is not below the volume's length or
 * the map has no such extent.
 */
bool address_of_volume(struct address *address_out, uint64_t *run_out, const struct map *map,
		       const struct volume *volume, uint64_t offset);

/* The part of a volume that a block holds. */
struct volume_part {
	const struct volume *volume;
	uint64_t offset; /* of the block's first byte, in the volume */
	uint64_t length; /* BLOCK_SIZE, less at the end of the volume */
};
/* False for check blocks, and for padding behind the end of a span or volume. O(spans). */
bool address_to_volume(struct volume_part *part_out, const struct map *map,
		       const struct address *address);

/* Byte of the member where the block begins. */
uint64_t address_to_member(const struct map *map, const struct address *address);

enum member_area {
	AREA_METADATA, /* before the frames: superblocks, map, log */
	AREA_FREE,     /* a frame of no extent */
	AREA_BODY,     /* a block of a group: `address` */
	AREA_PADDING,  /* in an extent, between body and seal */
	AREA_SEAL,     /* a page of the seal of `address`'s extent; its block is 0 */
	AREA_OUTSIDE,  /* behind the frames; of a bare array whatever is in no extent */
};
const char *member_area_name(enum member_area area);

struct member_place {
	enum member_area area;
	uint64_t frame;         /* not for METADATA and OUTSIDE */
	struct address address; /* BODY, PADDING, SEAL */
	uint32_t seal_page;     /* SEAL: 0 is the header */
};
/* What lies at byte `lba` of a member that the map knows. O(groups). */
struct member_place address_of_member(const struct map *map, uint32_t slot, uint64_t lba);

/* What a block is in its group. */
enum block_role {
	BLOCK_DATA,
	BLOCK_PARITY,
	BLOCK_PURE,
	BLOCK_PRIMARY,
	BLOCK_SECONDARY,
};
const char *block_role_name(enum block_role role);
enum block_role address_role(const struct address *address);

/*
 * Rows of a group: sequential: row j is segment j of all columns (r * (columns - 1) of them, of
 * segment_blocks blocks); other layouts: row b is block b of all columns.
 */
uint64_t group_row_count(const struct group *group);
uint32_t group_row_blocks(const struct group *group); /* of one column: segment_blocks, or 1 */
/* The row of a block; false for pure parity, which belongs to a level of rows. */
bool address_row(uint64_t *row_out, const struct address *address);

/* What a tail segment of a sequential group holds. */
struct tail {
	bool is_pure;
	uint32_t level;
	uint64_t row; /* of a row parity */
};
/* `tail` is 0..checks-1; only for sequential groups. */
struct tail group_tail(const struct group *group, uint32_t column, uint32_t tail);

#define ADDRESS_PEERS_MAX (CODE_COLUMNS_MAX + 2u) /* a row, its parity, the pure parity */

/*
 * The block itself, then all others of its row with their check blocks (sequential: also the pure parity
 * of the row's level; for a pure block the row parities that it sums). Returns how many.
 */
uint32_t address_peers(struct address peers_out[static ADDRESS_PEERS_MAX],
		       const struct address *address);

#endif
