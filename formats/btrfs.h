/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * btrfs: the superblock with its mirrors, the chunks of its system array, and the chunk tree as far as this
 * device holds it: which devices there are, and which profile each chunk has. Integers are little-endian.
 *
 * Sources: Linux include/uapi/linux/btrfs_tree.h and fs/btrfs/ctree.h; btrfs(5) and the on-disk format pages
 * of its documentation for the names.
 */
#ifndef PG_FORMATS_BTRFS_H
#define PG_FORMATS_BTRFS_H

#include "formats/other.h"

#define BTRFS_SUPER_SIZE 4096u
#define BTRFS_MIRRORS 3u
#define BTRFS_LABEL_SIZE 256u
#define BTRFS_SYSTEM_ARRAY_SIZE 2048u
#define BTRFS_MAGIC "_BHRfS_M"
#define BTRFS_SUM_SIZE 32u    /* at the front of superblocks and nodes */
#define BTRFS_DEVICE_SIZE 98u /* an item of the chunk tree, and in the superblock */
#define BTRFS_STRIPE_SIZE 32u
#define BTRFS_NODE_MAX 65536u
#define BTRFS_LEVELS 8u
#define BTRFS_HAS_METADATA_UUID (UINT64_C(1) << 10) /* of `incompatible` */

extern const uint64_t btrfs_places[BTRFS_MIRRORS]; /* bytes */

enum btrfs_sum { BTRFS_CRC32C, BTRFS_XXHASH64, BTRFS_SHA256, BTRFS_BLAKE2B, BTRFS_SUM_COUNT };

struct btrfs_device {
	uint64_t id, total_bytes, bytes_used, type, generation, start_offset;
	uint32_t io_align, io_width, sector_size, group;
	uint8_t seek_speed, bandwidth;
	uint8_t uuid[16], fsid[16];
};

struct btrfs_super {
	uint8_t fsid[16], metadata_uuid[16];
	uint64_t offset, flags, generation, root, chunk_root, log_root, total_bytes, bytes_used;
	uint64_t root_directory, device_count, chunk_root_generation;
	uint64_t compatible, compatible_to_read, incompatible;
	uint64_t cache_generation, uuid_tree_generation;
	uint32_t sector_size, node_size, leaf_size, stripe_size, system_array_size;
	uint16_t sum_type;
	uint8_t root_level, chunk_root_level, log_root_level;
	struct btrfs_device device;
	char label[BTRFS_LABEL_SIZE];
	const uint8_t
		*system_array; /* BTRFS_SYSTEM_ARRAY_SIZE bytes; borrowed from what was decoded */
	bool sum_known, sum_right; /* CRC-32C and SHA-256 are computed */
};

struct btrfs_stripe {
	uint64_t device, offset;
};

struct btrfs_chunk {
	uint64_t logical, length, owner, stripe_length, type;
	uint32_t io_align, io_width, sector_size;
	uint16_t stripe_count, sub_stripes;
	const uint8_t *stripes; /* stripe_count of them, borrowed */
};

/* Returns 0, ERR_NOT_MEMBER (no magic) or ERR_FORMAT. `bytes` outlive the record. */
int btrfs_super_decode(struct btrfs_super *super_out, const uint8_t bytes[static BTRFS_SUPER_SIZE],
		       struct err *err) MUST_CHECK;
/* What cannot be as it is; `offset` is where it lay. */
void btrfs_super_validate(struct md_faults *faults, const struct btrfs_super *super,
			  uint64_t offset);

/*
 * A chunk of `logical` address at the front of `bytes`, at most `size` of them; *used_out is what it took.
 * Returns 0 or ERR_FORMAT.
 */
int btrfs_chunk_decode(struct btrfs_chunk *chunk_out, size_t *used_out, uint64_t logical,
		       const uint8_t *bytes, size_t size, struct err *err) MUST_CHECK;
struct btrfs_stripe btrfs_chunk_stripe(const struct btrfs_chunk *chunk, uint32_t which);

/*
 * Where this device has the byte at `logical`; false when it has none, or the chunk makes no sense. A node
 * never crosses a stripe.
 */
bool btrfs_chunk_find(uint64_t *offset_out, const struct btrfs_chunk *chunk, uint64_t logical,
		      uint64_t device);

void btrfs_device_decode(struct btrfs_device *device, const uint8_t *at);

/* False when sums of this type are not computed. */
bool btrfs_sum_check(bool *right_out, uint16_t type, const uint8_t *bytes, size_t size);

/* "raid1c3", "dup", "single"; NULL for bits that are no profile. */
const char *btrfs_profile_name(uint64_t type);

extern const struct other_format btrfs_format;

#endif
