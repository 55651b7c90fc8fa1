/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/imsm.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Byte offsets. */
enum {
	MPB_VERSION = 24, /* behind the signature, in its 32 bytes */
	MPB_SUM = 32,
	MPB_SIZE = 36,
	MPB_FAMILY = 40,
	MPB_GENERATION = 44,
	MPB_ERROR_LOG_SIZE = 48,
	MPB_ATTRIBUTES = 52,
	MPB_DISKS = 56,   /* u8 */
	MPB_VOLUMES = 57, /* u8 */
	MPB_CACHE_SIZE = 60,
	MPB_ORIGINAL_FAMILY = 64,
	MPB_POWER_CYCLES = 68,
	MPB_BAD_BLOCK_SIZE = 72,
	MPB_VOLUMES_CREATED = 76, /* u16 */
	MPB_CREATION_TIME = 80,   /* u64 */
	MPB_FIRST_DISK = 216,

	DISK_BLOCKS_LOW = 16,
	DISK_SCSI_ID = 20,
	DISK_STATUS = 24,
	DISK_OWNER = 28,
	DISK_BLOCKS_HIGH = 32,
	DISK_SIZE = 48,

	VOLUME_BLOCKS = 16, /* u64 */
	VOLUME_STATUS = 24,
	VOLUME_RESERVED = 28,
	VOLUME_PRIORITY = 32,
	VOLUME_SUB_VOLUMES = 33,
	VOLUME_TID = 34,
	VOLUME_CACHE_POLICY = 36,
	VOLUME_NUMBER = 40,
	VOLUME_WRITE_HOLE = 50,
	VOLUME_JOURNAL = 51,
	VOLUME_UNIT_LOW = 80,
	VOLUME_CHECKPOINT = 84,
	VOLUME_MIGRATING = 88,
	VOLUME_MIGRATION = 89,
	VOLUME_DIRTY = 90,
	VOLUME_FAST_SYNC = 91,
	VOLUME_VERIFY_ERRORS = 92,
	VOLUME_BAD_BLOCKS = 94,
	VOLUME_UNIT_HIGH = 96,
	VOLUME_FIRST_MAP = 112,

	MAP_FIRST_LOW = 0,
	MAP_PER_MEMBER_LOW = 4,
	MAP_STRIPES_LOW = 8,
	MAP_STRIP = 12, /* u16 */
	MAP_STATE = 14,
	MAP_LEVEL = 15,
	MAP_MEMBERS = 16,
	MAP_DOMAINS = 17,
	MAP_FAILED = 18,
	MAP_DDF = 19,
	MAP_FIRST_HIGH = 20,
	MAP_PER_MEMBER_HIGH = 24,
	MAP_STRIPES_HIGH = 28,
	MAP_ORDER = 48,

	BAD_MAGIC = 0,
	BAD_COUNT = 4,
	BAD_FIRST = 8,
	BAD_ENTRY_SIZE = 8,
};
#define BAD_MAGIC_VALUE 0xabadb10cu

static uint64_t halves(const uint8_t *at, size_t low, size_t high)
{
	return get_le32(at + low) | (uint64_t)get_le32(at + high) << 32;
}

uint32_t imsm_sum(const uint8_t *bytes, uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t at = 0; size - at >= 4; at += 4)
		sum += get_le32(bytes + at);
	return sum - get_le32(bytes + MPB_SUM);
}

int imsm_size(uint32_t *size_out, const uint8_t bytes[static 512], struct err *err)
{
	uint32_t size = get_le32(bytes + MPB_SIZE);

	if (memcmp(bytes, IMSM_SIGNATURE, strlen(IMSM_SIGNATURE)) != 0)
		return err_set(err, ERR_NOT_MEMBER, "no MPB of Intel Matrix");
	if (size < MPB_FIRST_DISK || size > IMSM_SIZE_MAX)
		return err_set(err, ERR_FORMAT, "MPB of %" PRIu32 " bytes", size);
	*size_out = size;
	return 0;
}

static bool disks_decode(struct imsm *imsm, struct cursor *cursor)
{
	for (uint32_t i = 0; i < imsm->disk_count; i++) {
		const uint8_t *at = cursor_take(cursor, DISK_SIZE);
		struct imsm_disk *disk = &imsm->disks[i];

		if (!at)
			return false;
		other_text(disk->serial, sizeof(disk->serial), at, IMSM_SERIAL_SIZE);
		disk->blocks = halves(at, DISK_BLOCKS_LOW, DISK_BLOCKS_HIGH);
		disk->scsi_id = get_le32(at + DISK_SCSI_ID);
		disk->status = get_le32(at + DISK_STATUS);
		disk->owner = get_le32(at + DISK_OWNER);
	}
	return true;
}

static bool map_decode(struct imsm_map *map, struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, MAP_ORDER), *order;

	if (!at)
		return false;
	map->first_block = halves(at, MAP_FIRST_LOW, MAP_FIRST_HIGH);
	map->blocks_per_member = halves(at, MAP_PER_MEMBER_LOW, MAP_PER_MEMBER_HIGH);
	map->stripes = halves(at, MAP_STRIPES_LOW, MAP_STRIPES_HIGH);
	map->blocks_per_strip = get_le16(at + MAP_STRIP);
	map->state = at[MAP_STATE];
	map->level = at[MAP_LEVEL];
	map->member_count = at[MAP_MEMBERS];
	map->domains = at[MAP_DOMAINS];
	map->failed_disk = at[MAP_FAILED];
	map->ddf = at[MAP_DDF];
	order = cursor_take(cursor, (size_t)4 * map->member_count);
	for (uint32_t i = 0; order && i < map->member_count; i++)
		map->order[i] = get_le32(order + (size_t)4 * i);
	return order != NULL && map->member_count > 0;
}

static bool volume_decode(struct imsm_volume *volume, struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, VOLUME_FIRST_MAP);

	if (!at)
		return false;
	other_text(volume->name, sizeof(volume->name), at, IMSM_SERIAL_SIZE);
	memcpy(volume->name_raw, at, IMSM_SERIAL_SIZE);
	volume->blocks = get_le64(at + VOLUME_BLOCKS);
	volume->status = get_le32(at + VOLUME_STATUS);
	volume->reserved_blocks = get_le32(at + VOLUME_RESERVED);
	volume->migration_priority = at[VOLUME_PRIORITY];
	volume->sub_volumes = at[VOLUME_SUB_VOLUMES];
	volume->tid = at[VOLUME_TID];
	volume->cache_policy = get_le16(at + VOLUME_CACHE_POLICY);
	volume->number = get_le16(at + VOLUME_NUMBER);
	volume->write_hole_policy = at[VOLUME_WRITE_HOLE];
	other_text(volume->journal_serial, sizeof(volume->journal_serial), at + VOLUME_JOURNAL,
		   IMSM_SERIAL_SIZE);
	volume->migration_unit = halves(at, VOLUME_UNIT_LOW, VOLUME_UNIT_HIGH);
	volume->checkpoint = get_le32(at + VOLUME_CHECKPOINT);
	volume->migrating = at[VOLUME_MIGRATING] != 0;
	volume->migration = at[VOLUME_MIGRATION];
	volume->dirty = at[VOLUME_DIRTY];
	volume->fast_sync_state = at[VOLUME_FAST_SYNC];
	volume->verify_errors = get_le16(at + VOLUME_VERIFY_ERRORS);
	volume->bad_blocks = get_le16(at + VOLUME_BAD_BLOCKS);
	volume->map_count = volume->migrating ? 2 : 1;
	for (uint32_t i = 0; i < volume->map_count; i++) {
		if (!map_decode(&volume->maps[i], cursor))
			return false;
	}
	return true;
}

/* The log is the last of the MPB; one that is none is a fault, nothing else hangs on it. */
static bool bad_blocks_decode(struct imsm *imsm, const uint8_t *bytes)
{
	const uint8_t *at = bytes + (imsm->size - imsm->bad_block_size);
	uint32_t count;

	if (imsm->bad_block_size > imsm->size - MPB_FIRST_DISK ||
	    imsm->bad_block_size < BAD_FIRST || get_le32(at + BAD_MAGIC) != BAD_MAGIC_VALUE)
		return true;
	count = get_le32(at + BAD_COUNT);
	if (count > IMSM_BAD_BLOCKS_MAX ||
	    count > (imsm->bad_block_size - BAD_FIRST) / BAD_ENTRY_SIZE)
		return true;
	imsm->bad_blocks = mem_calloc(count, sizeof(*imsm->bad_blocks));
	if (!imsm->bad_blocks)
		return false;
	imsm->bad_block_count = count;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *entry = at + BAD_FIRST + (size_t)i * BAD_ENTRY_SIZE;

		imsm->bad_blocks[i] = (struct imsm_bad_block){
			.block_count = entry[0] + 1u,
			.disk = entry[1],
			.first_block = get_le16(entry + 2) | (uint64_t)get_le32(entry + 4) << 16,
		};
	}
	return true;
}

static void head_decode(struct imsm *imsm, const uint8_t *bytes, uint32_t size)
{
	*imsm = (struct imsm){
		.checksum = get_le32(bytes + MPB_SUM),
		.checksum_expected = imsm_sum(bytes, size),
		.size = size,
		.family = get_le32(bytes + MPB_FAMILY),
		.generation = get_le32(bytes + MPB_GENERATION),
		.attributes = get_le32(bytes + MPB_ATTRIBUTES),
		.error_log_size = get_le32(bytes + MPB_ERROR_LOG_SIZE),
		.cache_size = get_le32(bytes + MPB_CACHE_SIZE),
		.original_family = get_le32(bytes + MPB_ORIGINAL_FAMILY),
		.power_cycles = get_le32(bytes + MPB_POWER_CYCLES),
		.bad_block_size = get_le32(bytes + MPB_BAD_BLOCK_SIZE),
		.volumes_created = get_le16(bytes + MPB_VOLUMES_CREATED),
		.creation_time = get_le64(bytes + MPB_CREATION_TIME),
		.disk_count = bytes[MPB_DISKS],
		.volume_count = bytes[MPB_VOLUMES],
	};
	other_text(imsm->version, sizeof(imsm->version), bytes + MPB_VERSION, 8);
}

int imsm_decode(struct imsm *imsm_out, const uint8_t *bytes, uint32_t size, struct err *err)
{
	struct cursor cursor = { .at = bytes + MPB_FIRST_DISK, .left = size - MPB_FIRST_DISK };
	struct imsm imsm;
	int rc = 0;

	assert(size >= MPB_FIRST_DISK && size <= IMSM_SIZE_MAX);
	head_decode(&imsm, bytes, size);
	if ((size_t)imsm.disk_count * DISK_SIZE > cursor.left ||
	    (size_t)imsm.volume_count * (VOLUME_FIRST_MAP + MAP_ORDER) > cursor.left)
		return err_set(err, ERR_FORMAT, "MPB: %u disks and %u volumes do not fit",
			       imsm.disk_count, imsm.volume_count);
	imsm.disks = mem_calloc(imsm.disk_count, sizeof(*imsm.disks));
	imsm.volumes = mem_calloc(imsm.volume_count, sizeof(*imsm.volumes));
	if (!imsm.disks || !imsm.volumes || !bad_blocks_decode(&imsm, bytes))
		rc = err_set(err, ERR_NOMEM, "no memory for an MPB");
	else if (!disks_decode(&imsm, &cursor))
		rc = err_set(err, ERR_FORMAT, "MPB: its %u disks do not fit", imsm.disk_count);
	for (uint32_t i = 0; rc == 0 && i < imsm.volume_count; i++) {
		if (!volume_decode(&imsm.volumes[i], &cursor))
			rc = err_set(err, ERR_FORMAT, "MPB: volume %u does not fit", i);
	}
	if (rc)
		imsm_reset(&imsm);
	else
		*imsm_out = imsm;
	return rc;
}

static void map_validate(struct md_faults *faults, const struct imsm *imsm, uint32_t volume,
			 const struct imsm_map *map)
{
	if (map->state > IMSM_FAILED)
		md_fault(faults, "map_state", "volume %u: state %u is none", volume, map->state);
	if (map->blocks_per_strip == 0)
		md_fault(faults, "blocks_per_strip", "volume %u: 0", volume);
	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t disk = map->order[i] & IMSM_ORDER_DISK;

		if (disk >= imsm->disk_count)
			md_fault(faults, "disk_ord_tbl",
				 "volume %u: slot %u is disk %" PRIu32 " of %u", volume, i, disk,
				 imsm->disk_count);
	}
}

void imsm_validate(struct md_faults *faults, const struct imsm *imsm)
{
	if (imsm->checksum != imsm->checksum_expected)
		md_fault(faults, "checksum", "0x%08" PRIx32 ", the bytes sum to 0x%08" PRIx32,
			 imsm->checksum, imsm->checksum_expected);
	if (imsm->disk_count == 0)
		md_fault(faults, "disks", "none");
	if (imsm->bad_block_size && !imsm->bad_blocks)
		md_fault(faults, "bad_blocks", "the log cannot be read");
	for (uint32_t i = 0; i < imsm->volume_count; i++) {
		const struct imsm_volume *volume = &imsm->volumes[i];

		if (volume->migrating && volume->migration >= IMSM_MIGRATIONS)
			md_fault(faults, "migration", "volume %u: %u is none", i,
				 volume->migration);
		for (uint32_t map = 0; map < volume->map_count; map++)
			map_validate(faults, imsm, i, &volume->maps[map]);
	}
}

void imsm_reset(struct imsm *imsm)
{
	mem_free(imsm->disks);
	mem_free(imsm->volumes);
	mem_free(imsm->bad_blocks);
	*imsm = (struct imsm){ 0 };
}

/* Level and layout of a map; how many members' worth of data it has, 0 for none that is known. */
static uint32_t shape_of(struct md_shape *shape, const struct imsm_map *map)
{
	uint32_t members = map->member_count;

	shape->raid_disks = members;
	shape->level = map->level;
	if (map->level == 0)
		return members;
	if (map->level == 5) {
		shape->layout = MD_LEFT_ASYMMETRIC;
		return members > 1 ? members - 1 : 0;
	}
	if (map->level == 1 && members <= 2)
		return 1;
	if (map->level != 1 && map->level != 10)
		return 0;
	/* A mirror of more than two is one of pairs. */
	shape->level = MD_RAID10;
	shape->layout = 0x102;
	return members % 2 ? 0 : members / 2;
}

static const char *unfit_of(const struct imsm_volume *volume, uint32_t data_members)
{
	if (data_members == 0)
		return "its level is not known";
	if (volume->migrating && volume->migration == IMSM_GENERAL)
		return "it is being migrated to another shape";
	return NULL;
}

static void slot_fill(struct other_slot *slot, const struct imsm *imsm,
		      const struct imsm_volume *volume, uint32_t which)
{
	uint32_t order = volume->maps[0].order[which], disk = order & IMSM_ORDER_DISK;

	slot->missing = order & IMSM_ORDER_REBUILD;
	if (volume->map_count > 1 && which < volume->maps[1].member_count)
		slot->missing |= (volume->maps[1].order[which] & IMSM_ORDER_REBUILD) != 0;
	if (disk >= imsm->disk_count) {
		slot->missing = true;
		return;
	}
	snprintf(slot->member, sizeof(slot->member), "%s", imsm->disks[disk].serial);
	slot->missing |= (imsm->disks[disk].status & IMSM_DISK_FAILED) != 0;
}

int imsm_volume_shape(struct other_volume *volume_out, const struct imsm *imsm, uint32_t which,
		      uint32_t block_size)
{
	const struct imsm_volume *from = &imsm->volumes[which];
	const struct imsm_map *map = &from->maps[0];
	uint64_t scale = block_size / MD_SECTOR, first;
	struct other_volume volume = { 0 };
	uint32_t data_members = shape_of(&volume.shape, map);

	assert(which < imsm->volume_count);
	snprintf(volume.name, sizeof(volume.name), "%s", from->name);
	volume.number = which;
	for (uint32_t i = 0; i < imsm->volume_count; i++)
		volume.name_shared |= i != which && strcmp(imsm->volumes[i].name, from->name) == 0;
	volume.unfit = unfit_of(from, data_members);
	volume.dirty = from->dirty & 1;
	volume.shape.chunk_bytes = (uint64_t)map->blocks_per_strip * block_size;
	if (!size_multiply(from->blocks, scale, &volume.array_sectors) ||
	    !size_multiply(map->first_block, scale, &first)) {
		volume.array_sectors = first = 0;
		volume.unfit = "its sizes make no sense";
	}
	if (data_members)
		volume.shape.component_sectors = volume.array_sectors / data_members;
	volume.slots = mem_calloc(volume.shape.raid_disks, sizeof(*volume.slots));
	if (!volume.slots)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < volume.shape.raid_disks; i++) {
		volume.slots[i].first_sector = first;
		volume.slots[i].sectors = volume.shape.component_sectors;
		slot_fill(&volume.slots[i], imsm, from, i);
	}
	*volume_out = volume;
	return 0;
}
