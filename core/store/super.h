/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Superblock: one block that says whose member this is, which commit it knows, and where the map of
 * that commit lies. FORMAT.md section 2; four slots a member, at offsets that depend on its uuid.
 */
#ifndef PG_STORE_SUPER_H
#define PG_STORE_SUPER_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/map/map.h"

#define SUPER_SLOTS 4u
#define SUPER_POSITIONS 48u /* where a slot may lie, for whoever does not know the uuid */
#define SUPER_NEAR UINT64_C(0x10000)
#define SUPER_FAR UINT64_C(0x100000)
#define SUPER_SECOND                                                                               \
	UINT64_C(0x20000) /* of an adopted array, in place of SUPER_FAR: there may be data */
#define SUPER_AREA_SIZE UINT64_C(0x10000)
#define SUPER_GENERATION_MAX (UINT64_C(1) << 62) /* a commit each nanosecond takes 146 years */

/* Where things lie on one member. */
struct member_regions {
	uint64_t member_size;
	uint64_t map_offset;
	uint64_t log_offset;
	uint64_t data_offset;
	uint64_t frame_count;
};

struct super {
	uint32_t slot; /* of the superblock: generation mod SUPER_SLOTS */
	uint64_t offset;
	struct uuid array;
	struct uuid member;
	uint32_t member_slot;
	uint64_t epoch, epoch_id;
	uint64_t generation;
	uint32_t map_crc_before, map_crc;
	uint32_t map_half;
	uint64_t map_length;
	struct member_regions regions;
	struct geometry geometry;
	uint64_t written_s;
	struct member_set present;
	char name[NAME_SIZE];
};

/* Byte offset of slot `slot` on a member, which depends on geometry->adopted, and of the n-th position of all. */
uint64_t super_offset(const struct uuid *member, uint32_t slot, const struct geometry *geometry);
uint64_t super_position(uint32_t position);

/*
 * Lay out a member of `size` bytes for `geometry`; of an adopted array one that joins it. Returns 0, or ERR_SIZE when it is
 * too small, naming the least size.
 */
int super_regions(struct member_regions *regions_out, uint64_t size,
		  const struct geometry *geometry, struct err *err) MUST_CHECK;

void super_encode(uint8_t bytes[static BLOCK_SIZE], const struct super *super);

/* The same with the map from `map_offset` on, and frames right behind the log: a member that is adopted. */
int super_regions_from(struct member_regions *regions_out, uint64_t size, uint64_t map_offset,
		       const struct geometry *geometry, struct err *err) MUST_CHECK;

/* Most blocks where a slot may lie are none: known without a text that says so. */
bool super_has_magic(const uint8_t bytes[static BLOCK_SIZE]);

/*
 * Decode a block read at `offset`. Returns 0, ERR_NOT_MEMBER without the magic, ERR_CHECKSUM,
 * ERR_VERSION for a newer version or unknown features, ERR_FORMAT for anything else.
 */
int super_decode(struct super *super_out, const uint8_t bytes[static BLOCK_SIZE], uint64_t offset,
		 struct err *err) MUST_CHECK;

/*
 * What a block that does not verify seems to have been, for whoever asks whether a superblock was lost there. True
 * when two of magic, array and member are as in `like`, so that one damaged field does not hide it. Nothing
 * of it is checked.
 */
bool super_guess(struct super *super_out, const uint8_t bytes[static BLOCK_SIZE],
		 const struct super *like);

#endif
