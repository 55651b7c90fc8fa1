/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/btrfs.h"

#include "core/base/bytes.h"
#include "core/base/size.h"
#include "formats/crc32c.h"
#include "formats/sha.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

const uint64_t btrfs_places[BTRFS_MIRRORS] = { UINT64_C(64) << 10, UINT64_C(64) << 20,
					       UINT64_C(256) << 30 };

/* Byte offsets in a superblock. */
enum {
	SUPER_SUM = 0, /* 32 bytes, of all behind them */
	SUPER_FSID = 32,
	SUPER_OFFSET = 48,
	SUPER_FLAGS = 56,
	SUPER_MAGIC = 64,
	SUPER_GENERATION = 72,
	SUPER_ROOT = 80,
	SUPER_CHUNK_ROOT = 88,
	SUPER_LOG_ROOT = 96,
	SUPER_TOTAL_BYTES = 112,
	SUPER_BYTES_USED = 120,
	SUPER_ROOT_DIRECTORY = 128,
	SUPER_DEVICES = 136,
	SUPER_SECTOR_SIZE = 144, /* u32, as the next four */
	SUPER_NODE_SIZE = 148,
	SUPER_LEAF_SIZE = 152,
	SUPER_STRIPE_SIZE = 156,
	SUPER_SYSTEM_ARRAY_SIZE = 160,
	SUPER_CHUNK_ROOT_GENERATION = 164,
	SUPER_COMPATIBLE = 172,
	SUPER_COMPATIBLE_TO_READ = 180,
	SUPER_INCOMPATIBLE = 188,
	SUPER_SUM_TYPE = 196, /* u16 */
	SUPER_ROOT_LEVEL = 198,
	SUPER_CHUNK_ROOT_LEVEL = 199,
	SUPER_LOG_ROOT_LEVEL = 200,
	SUPER_DEVICE = 201,
	SUPER_LABEL = 299,
	SUPER_CACHE_GENERATION = 555,
	SUPER_UUID_TREE_GENERATION = 563,
	SUPER_METADATA_UUID = 571,
	SUPER_SYSTEM_ARRAY = 811,

	DEVICE_TOTAL = 8,
	DEVICE_USED = 16,
	DEVICE_IO_ALIGN = 24,
	DEVICE_IO_WIDTH = 28,
	DEVICE_SECTOR_SIZE = 32,
	DEVICE_TYPE = 36,
	DEVICE_GENERATION = 44,
	DEVICE_START_OFFSET = 52,
	DEVICE_GROUP = 60,
	DEVICE_SEEK_SPEED = 64,
	DEVICE_BANDWIDTH = 65,
	DEVICE_UUID = 66,
	DEVICE_FSID = 82,

	CHUNK_LENGTH = 0,
	CHUNK_OWNER = 8,
	CHUNK_STRIPE_LENGTH = 16,
	CHUNK_TYPE = 24,
	CHUNK_IO_ALIGN = 32,
	CHUNK_IO_WIDTH = 36,
	CHUNK_SECTOR_SIZE = 40,
	CHUNK_STRIPES = 44,
	CHUNK_SUB_STRIPES = 46,
	CHUNK_FIRST_STRIPE = 48,
};
_Static_assert(SUPER_SYSTEM_ARRAY + BTRFS_SYSTEM_ARRAY_SIZE <= BTRFS_SUPER_SIZE, "the array fits");
_Static_assert(SUPER_DEVICE + BTRFS_DEVICE_SIZE == SUPER_LABEL, "the device fits");

bool btrfs_sum_check(bool *right_out, uint16_t type, const uint8_t *bytes, size_t size)
{
	uint8_t sum[SHA256_SIZE];

	assert(size > BTRFS_SUM_SIZE);
	if (type == BTRFS_CRC32C) {
		put_le32(sum,
			 ~crc32c_of(UINT32_MAX, bytes + BTRFS_SUM_SIZE, size - BTRFS_SUM_SIZE));
		*right_out = memcmp(sum, bytes, 4) == 0;
		return true;
	}
	if (type == BTRFS_SHA256) {
		sha256_of(sum, bytes + BTRFS_SUM_SIZE, size - BTRFS_SUM_SIZE);
		*right_out = memcmp(sum, bytes, SHA256_SIZE) == 0;
		return true;
	}
	*right_out = false;
	return false;
}

void btrfs_device_decode(struct btrfs_device *device, const uint8_t *at)
{
	*device = (struct btrfs_device){
		.id = get_le64(at),
		.total_bytes = get_le64(at + DEVICE_TOTAL),
		.bytes_used = get_le64(at + DEVICE_USED),
		.type = get_le64(at + DEVICE_TYPE),
		.generation = get_le64(at + DEVICE_GENERATION),
		.start_offset = get_le64(at + DEVICE_START_OFFSET),
		.io_align = get_le32(at + DEVICE_IO_ALIGN),
		.io_width = get_le32(at + DEVICE_IO_WIDTH),
		.sector_size = get_le32(at + DEVICE_SECTOR_SIZE),
		.group = get_le32(at + DEVICE_GROUP),
		.seek_speed = at[DEVICE_SEEK_SPEED],
		.bandwidth = at[DEVICE_BANDWIDTH],
	};
	memcpy(device->uuid, at + DEVICE_UUID, 16);
	memcpy(device->fsid, at + DEVICE_FSID, 16);
}

int btrfs_super_decode(struct btrfs_super *super_out, const uint8_t bytes[static BTRFS_SUPER_SIZE],
		       struct err *err)
{
	struct btrfs_super super = {
		.offset = get_le64(bytes + SUPER_OFFSET),
		.flags = get_le64(bytes + SUPER_FLAGS),
		.generation = get_le64(bytes + SUPER_GENERATION),
		.root = get_le64(bytes + SUPER_ROOT),
		.chunk_root = get_le64(bytes + SUPER_CHUNK_ROOT),
		.log_root = get_le64(bytes + SUPER_LOG_ROOT),
		.total_bytes = get_le64(bytes + SUPER_TOTAL_BYTES),
		.bytes_used = get_le64(bytes + SUPER_BYTES_USED),
		.root_directory = get_le64(bytes + SUPER_ROOT_DIRECTORY),
		.device_count = get_le64(bytes + SUPER_DEVICES),
		.chunk_root_generation = get_le64(bytes + SUPER_CHUNK_ROOT_GENERATION),
		.compatible = get_le64(bytes + SUPER_COMPATIBLE),
		.compatible_to_read = get_le64(bytes + SUPER_COMPATIBLE_TO_READ),
		.incompatible = get_le64(bytes + SUPER_INCOMPATIBLE),
		.cache_generation = get_le64(bytes + SUPER_CACHE_GENERATION),
		.uuid_tree_generation = get_le64(bytes + SUPER_UUID_TREE_GENERATION),
		.sector_size = get_le32(bytes + SUPER_SECTOR_SIZE),
		.node_size = get_le32(bytes + SUPER_NODE_SIZE),
		.leaf_size = get_le32(bytes + SUPER_LEAF_SIZE),
		.stripe_size = get_le32(bytes + SUPER_STRIPE_SIZE),
		.system_array_size = get_le32(bytes + SUPER_SYSTEM_ARRAY_SIZE),
		.sum_type = get_le16(bytes + SUPER_SUM_TYPE),
		.root_level = bytes[SUPER_ROOT_LEVEL],
		.chunk_root_level = bytes[SUPER_CHUNK_ROOT_LEVEL],
		.log_root_level = bytes[SUPER_LOG_ROOT_LEVEL],
		.system_array = bytes + SUPER_SYSTEM_ARRAY,
	};

	if (memcmp(bytes + SUPER_MAGIC, BTRFS_MAGIC, 8) != 0)
		return err_set(err, ERR_NOT_MEMBER, "no btrfs superblock");
	memcpy(super.fsid, bytes + SUPER_FSID, 16);
	/* What the nodes of trees carry: another one once the file system got a new uuid. */
	memcpy(super.metadata_uuid,
	       bytes + (super.incompatible & BTRFS_HAS_METADATA_UUID ? SUPER_METADATA_UUID
								     : SUPER_FSID),
	       16);
	btrfs_device_decode(&super.device, bytes + SUPER_DEVICE);
	memcpy(super.label, bytes + SUPER_LABEL, BTRFS_LABEL_SIZE - 1);
	super.sum_known =
		btrfs_sum_check(&super.sum_right, super.sum_type, bytes, BTRFS_SUPER_SIZE);
	*super_out = super;
	return 0;
}

static bool is_power(uint64_t number)
{
	return number && (number & (number - 1)) == 0;
}

static void sizes_validate(struct md_faults *faults, const struct btrfs_super *super)
{
	if (!is_power(super->sector_size) || super->sector_size < 512 || super->sector_size > 65536)
		md_fault(faults, "sectorsize", "%" PRIu32 " is no sector size", super->sector_size);
	if (!is_power(super->node_size) || super->node_size < 4096 ||
	    super->node_size > BTRFS_NODE_MAX)
		md_fault(faults, "nodesize", "%" PRIu32 " is no node size", super->node_size);
	if (super->system_array_size > BTRFS_SYSTEM_ARRAY_SIZE)
		md_fault(faults, "sys_array_size", "%" PRIu32 " bytes, there is room for %u",
			 super->system_array_size, BTRFS_SYSTEM_ARRAY_SIZE);
	if (super->chunk_root_level >= BTRFS_LEVELS)
		md_fault(faults, "chunk_root_level", "%u, a tree has at most %u levels",
			 super->chunk_root_level, BTRFS_LEVELS);
	if (super->bytes_used > super->total_bytes)
		md_fault(faults, "bytes_used", "more than total_bytes");
}

void btrfs_super_validate(struct md_faults *faults, const struct btrfs_super *super,
			  uint64_t offset)
{
	if (super->sum_known && !super->sum_right)
		md_fault(faults, "csum", "the sum is wrong: some of the following may be, too");
	if (super->sum_type >= BTRFS_SUM_COUNT)
		md_fault(faults, "csum_type", "%u is none that is known", super->sum_type);
	if (super->offset != offset)
		md_fault(faults, "bytenr", "%" PRIu64 ", but it lies at %" PRIu64, super->offset,
			 offset);
	sizes_validate(faults, super);
	if (super->device_count == 0 || super->device.id == 0)
		md_fault(faults, "num_devices", "device %" PRIu64 " of %" PRIu64, super->device.id,
			 super->device_count);
	if (memcmp(super->device.fsid, super->metadata_uuid, 16) != 0 &&
	    memcmp(super->device.fsid, super->fsid, 16) != 0)
		md_fault(faults, "dev_item", "of another file system");
}

int btrfs_chunk_decode(struct btrfs_chunk *chunk_out, size_t *used_out, uint64_t logical,
		       const uint8_t *bytes, size_t size, struct err *err)
{
	struct btrfs_chunk chunk = { .logical = logical };

	if (size < CHUNK_FIRST_STRIPE + BTRFS_STRIPE_SIZE)
		return err_set(err, ERR_FORMAT, "chunk %" PRIu64 ": cut short", logical);
	chunk.length = get_le64(bytes + CHUNK_LENGTH);
	chunk.owner = get_le64(bytes + CHUNK_OWNER);
	chunk.stripe_length = get_le64(bytes + CHUNK_STRIPE_LENGTH);
	chunk.type = get_le64(bytes + CHUNK_TYPE);
	chunk.io_align = get_le32(bytes + CHUNK_IO_ALIGN);
	chunk.io_width = get_le32(bytes + CHUNK_IO_WIDTH);
	chunk.sector_size = get_le32(bytes + CHUNK_SECTOR_SIZE);
	chunk.stripe_count = get_le16(bytes + CHUNK_STRIPES);
	chunk.sub_stripes = get_le16(bytes + CHUNK_SUB_STRIPES);
	chunk.stripes = bytes + CHUNK_FIRST_STRIPE;
	if (chunk.stripe_count == 0 ||
	    chunk.stripe_count > (size - CHUNK_FIRST_STRIPE) / BTRFS_STRIPE_SIZE)
		return err_set(err, ERR_FORMAT, "chunk %" PRIu64 ": %u stripes do not fit", logical,
			       chunk.stripe_count);
	*used_out = CHUNK_FIRST_STRIPE + (size_t)chunk.stripe_count * BTRFS_STRIPE_SIZE;
	*chunk_out = chunk;
	return 0;
}

struct btrfs_stripe btrfs_chunk_stripe(const struct btrfs_chunk *chunk, uint32_t which)
{
	const uint8_t *at = chunk->stripes + (size_t)which * BTRFS_STRIPE_SIZE;

	assert(which < chunk->stripe_count);
	return (struct btrfs_stripe){ get_le64(at), get_le64(at + 8) };
}

const char *btrfs_profile_name(uint64_t type)
{
	switch (type >> 3 & UINT64_C(0xff)) {
	case 0:
		return "single";
	case 1 << 0:
		return "raid0";
	case 1 << 1:
		return "raid1";
	case 1 << 2:
		return "dup";
	case 1 << 3:
		return "raid10";
	case 1 << 4:
		return "raid5";
	case 1 << 5:
		return "raid6";
	case 1 << 6:
		return "raid1c3";
	case 1 << 7:
		return "raid1c4";
	default:
		return NULL;
	}
}

/* Which copies of a stripe of `index` lie where, by its profile: the first position, how many. */
struct turn {
	uint64_t first, copies, row;
};

static bool turn_of(struct turn *turn_out, const struct btrfs_chunk *chunk, uint64_t index)
{
	const char *name = btrfs_profile_name(chunk->type);
	uint64_t count = chunk->stripe_count, data, sub = chunk->sub_stripes;

	if (!name)
		return false;
	if (strcmp(name, "raid0") == 0) {
		*turn_out = (struct turn){ index % count, 1, index / count };
	} else if (strcmp(name, "raid10") == 0) {
		if (sub == 0 || count % sub)
			return false;
		data = count / sub;
		*turn_out = (struct turn){ index % data * sub, sub, index / data };
	} else if (strcmp(name, "raid5") == 0 || strcmp(name, "raid6") == 0) {
		uint64_t checks = name[4] == '5' ? 1 : 2;

		if (count <= checks)
			return false;
		data = count - checks;
		*turn_out = (struct turn){ (index % data + index / data) % count, 1, index / data };
	} else {
		*turn_out = (struct turn){ 0, count, index };
	}
	return true;
}

bool btrfs_chunk_find(uint64_t *offset_out, const struct btrfs_chunk *chunk, uint64_t logical,
		      uint64_t device)
{
	uint64_t inside, skip;
	struct turn turn;

	if (logical < chunk->logical || logical - chunk->logical >= chunk->length ||
	    chunk->stripe_length == 0)
		return false;
	inside = logical - chunk->logical;
	if (!turn_of(&turn, chunk, inside / chunk->stripe_length) ||
	    !size_multiply(turn.row, chunk->stripe_length, &skip) ||
	    !size_add(skip, inside % chunk->stripe_length, &skip))
		return false;
	for (uint64_t copy = 0; copy < turn.copies; copy++) {
		struct btrfs_stripe stripe =
			btrfs_chunk_stripe(chunk, (uint32_t)(turn.first + copy));

		if (stripe.device == device)
			return size_add(stripe.offset, skip, offset_out);
	}
	return false;
}
