/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/imsm.h"
#include "formats/sha.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RESERVED_BLOCKS                                                                            \
	10402u /* at the end of a disk that is no spare: 8192, and 2210 for the MPB */
#define UUID_SIZE 36u

/* The container's: volumes have their number and name in the sum as well. As mdadm makes and shows it. */
static void uuid_make(char out[static UUID_SIZE], const struct imsm *imsm, uint32_t which)
{
	uint8_t bytes[64], sum[SHA1_SIZE];
	size_t size = strlen(IMSM_SIGNATURE);

	memcpy(bytes, IMSM_SIGNATURE, size);
	put_le32(bytes + size, imsm->original_family ? imsm->original_family : imsm->family);
	size += 4;
	if (which < imsm->volume_count) {
		put_le32(bytes + size, which);
		memcpy(bytes + size + 4, imsm->volumes[which].name_raw, IMSM_SERIAL_SIZE);
		size += 4 + IMSM_SERIAL_SIZE;
	}
	sha1_of(sum, bytes, size);
	snprintf(out, UUID_SIZE, "%08" PRIx32 ":%08" PRIx32 ":%08" PRIx32 ":%08" PRIx32,
		 get_le32(sum), get_le32(sum + 4), get_le32(sum + 8), get_le32(sum + 12));
}

/* What one probe keeps. */
struct container {
	struct imsm imsm;
	uint32_t block_size;
	uint32_t self; /* which disk this is; disk_count when that cannot be told */
};

static void container_free(void *record)
{
	struct container *container = record;

	imsm_reset(&container->imsm);
	mem_free(container);
}

/* The MPB as one piece: its first sector stands behind the others. */
static uint8_t *mpb_read(struct other_found *found, struct reader *reader, uint32_t size)
{
	const struct container *container = found->record;
	uint32_t block = container->block_size, rest = size > block ? size - block : 0;
	uint64_t before = size_round_up(rest, block);
	uint8_t *bytes, *tail;

	if (before > found->offset)
		return NULL;
	bytes = reader_copy(reader, found->offset, block);
	if (!bytes || !rest)
		return bytes;
	tail = reader_copy(reader, found->offset - before, rest);
	if (tail) {
		uint8_t *whole = mem_realloc(bytes, size, 1);

		if (whole) {
			memcpy(whole + block, tail, rest);
			mem_free(tail);
			return whole;
		}
	}
	mem_free(tail);
	mem_free(bytes);
	return NULL;
}

/* All of the MPB whose first sector was seen. */
static void mpb_take(struct other_found *found, struct reader *reader, uint32_t size,
		     struct err *err)
{
	struct container *container = found->record;
	uint8_t *mpb = mpb_read(found, reader, size);

	if (!mpb)
		md_fault(&found->faults, "mpb", "it cannot be read");
	else if (imsm_decode(&container->imsm, mpb, size, err))
		md_fault(&found->faults, "mpb", "%s", err->text);
	mem_free(mpb);
}

static bool mpb_find(struct other_found *found, struct reader *reader, struct err *err)
{
	static const uint32_t block_sizes[] = { 512, 4096 };
	struct container *container = found->record;
	uint32_t size;

	for (uint32_t i = 0; i < 2 && reader->size >= 4 * (uint64_t)block_sizes[i]; i++) {
		const uint8_t *bytes;
		int rc;

		container->block_size = block_sizes[i];
		found->offset = reader->size - 2 * (uint64_t)block_sizes[i];
		bytes = reader_read(reader, found->offset, 512);
		rc = bytes ? imsm_size(&size, bytes, err) : ERR_IO;
		if (rc == 0)
			mpb_take(found, reader, size, err);
		if (rc == ERR_FORMAT)
			md_fault(&found->faults, "mpb_size", "%s", err->text);
		if (rc == 0 || rc == ERR_FORMAT)
			return true;
	}
	return false;
}

static bool name_has(const char *path, const char *serial)
{
	const char *slash = strrchr(path, '/');

	return serial[0] && strstr(slash ? slash + 1 : path, serial);
}

/* Nothing on the disk says which one it is: its serial number does, where the path has it. */
static void self_find(struct container *container, const char *path)
{
	const struct imsm *imsm = &container->imsm;
	size_t longest = 0;

	container->self = imsm->disk_count;
	if (imsm->disk_count == 1) /* a spare's own */
		container->self = 0;
	for (uint32_t i = 0; path && i < imsm->disk_count; i++) {
		size_t size = strlen(imsm->disks[i].serial);

		if (size > longest && name_has(path, imsm->disks[i].serial)) {
			container->self = i;
			longest = size;
		}
	}
}

static const char *const attribute_names[32] = {
	"raid0",
	"raid1",
	"raid10",
	"raid1e",
	"raid5",
	"clone-and-go",
	"large-strips",
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	"nvm",
	"disks-over-2TB",
	"bad-block-log",
	NULL,
	"volumes-over-2TB",
	NULL,
	"checksum-verify",
};

static void head_print(struct fact_tree *facts, const struct container *container)
{
	const struct imsm *imsm = &container->imsm;

	tree_text(facts, "version", "%s", imsm->version);
	tree_text(facts, "original_family", "%08" PRIx32, imsm->original_family);
	tree_text(facts, "family", "%08" PRIx32, imsm->family);
	tree_number(facts, "generation", imsm->generation);
	tree_number(facts, "creation_time", imsm->creation_time);
	tree_bits(facts, "attributes", imsm->attributes, attribute_names, 32);
	tree_text(facts, "checksum", "0x%08" PRIx32, imsm->checksum);
	tree_text(facts, "checksum_expected", "0x%08" PRIx32, imsm->checksum_expected);
	tree_text(facts, "checksum_state", "%s",
		  imsm->checksum == imsm->checksum_expected ? "correct" : "wrong");
	tree_number(facts, "mpb_bytes", imsm->size);
	tree_number(facts, "mpb_sectors", size_divide_up(imsm->size, container->block_size));
	tree_number(facts, "sector_size", container->block_size);
	tree_number(facts, "error_log_bytes", imsm->error_log_size);
	tree_number(facts, "bad_block_log_bytes", imsm->bad_block_size);
	tree_number(facts, "cache_megabytes", imsm->cache_size);
	tree_number(facts, "power_cycles", imsm->power_cycles);
	tree_number(facts, "volumes_created", imsm->volumes_created);
}

static const char *disk_state(const struct imsm_disk *disk)
{
	if (disk->status & IMSM_DISK_FAILED)
		return "failed";
	if (disk->status & IMSM_DISK_SPARE)
		return "spare";
	return disk->status & IMSM_DISK_CONFIGURED ? "active" : "unconfigured";
}

static void disks_print(struct fact_tree *facts, const struct container *container)
{
	const struct imsm *imsm = &container->imsm;

	if (container->self < imsm->disk_count) {
		tree_number(facts, "disk", container->self);
		tree_text(facts, "serial", "%s", imsm->disks[container->self].serial);
		tree_text(facts, "state", "%s", disk_state(&imsm->disks[container->self]));
	} else {
		tree_none(facts, "disk");
		tree_none(facts, "serial");
		tree_none(facts, "state");
	}
	tree_list_begin(facts, "disks");
	for (uint32_t i = 0; i < imsm->disk_count; i++) {
		const struct imsm_disk *disk = &imsm->disks[i];

		tree_row_begin(facts);
		tree_number(facts, "disk", i);
		tree_text(facts, "serial", "%s", disk->serial);
		tree_text(facts, "state", "%s", disk_state(disk));
		tree_text(facts, "status", "0x%08" PRIx32, disk->status);
		tree_text(facts, "id", "%08" PRIx32, disk->scsi_id);
		tree_number(facts, "sectors", disk->blocks);
		tree_number(facts, "usable_sectors",
			    disk->blocks > RESERVED_BLOCKS && !(disk->status & IMSM_DISK_SPARE)
				    ? disk->blocks - RESERVED_BLOCKS
				    : disk->blocks);
		tree_number(facts, "owner", disk->owner);
		tree_end(facts);
	}
	tree_end(facts);
}

static const char *migration_name(const struct imsm_volume *volume)
{
	static const char *const names[IMSM_MIGRATIONS] = {
		"initialize", "rebuild", "check", "general migration", "state change", "repair",
	};

	if (!volume->migrating)
		return "idle";
	return volume->migration < IMSM_MIGRATIONS ? names[volume->migration] : "unknown";
}

static const char *map_state_name(uint8_t state)
{
	static const char *const names[] = { "normal", "uninitialized", "degraded", "failed" };

	return state <= IMSM_FAILED ? names[state] : "unknown";
}

static void map_text(struct fact_tree *facts, const char *key, const struct imsm_map *map)
{
	tree_text(facts, key, "level %u of %u, %u blocks a strip, %s", map->level,
		  map->member_count, map->blocks_per_strip, map_state_name(map->state));
}

static void volume_print(struct fact_tree *facts, const struct imsm_volume *volume)
{
	static const char *const policies[] = {
		"off",
		"PPL distributed",
		"PPL journaling drive",
		"multiple distributed PPLs",
		"multiple PPLs on journaling drive",
		"off",
		"write-intent bitmap",
	};
	const struct imsm_map *map = &volume->maps[0];

	tree_number(facts, "per_member_sectors", map->blocks_per_member);
	tree_number(facts, "first_sector", map->first_block);
	tree_number(facts, "stripes", map->stripes);
	tree_number(facts, "domains", map->domains);
	tree_number(facts, "reserved_blocks", volume->reserved_blocks);
	tree_text(facts, "map_state", "%s", map_state_name(map->state));
	if (map->failed_disk == UINT8_MAX)
		tree_none(facts, "failed_disk");
	else
		tree_number(facts, "failed_disk", map->failed_disk);
	tree_text(facts, "migration", "%s", migration_name(volume));
	if (volume->migrating)
		map_text(facts, "migrates_from", &volume->maps[1]);
	else
		tree_none(facts, "migrates_from");
	tree_number(facts, "migration_unit", volume->migration_unit);
	tree_number(facts, "checkpoint", volume->checkpoint);
	tree_text(facts, "dirty_state", "%s", volume->dirty & 1 ? "dirty" : "clean");
	if (volume->write_hole_policy < sizeof(policies) / sizeof(policies[0]))
		tree_text(facts, "write_hole_policy", "%s", policies[volume->write_hole_policy]);
	else
		tree_number(facts, "write_hole_policy", volume->write_hole_policy);
	tree_text_or_none(facts, "journal_serial", volume->journal_serial);
	tree_text(facts, "status", "0x%08" PRIx32, volume->status);
	tree_number(facts, "volume_id", volume->number);
	tree_number(facts, "migration_priority", volume->migration_priority);
	tree_number(facts, "sub_volumes", volume->sub_volumes);
	tree_number(facts, "tid", volume->tid);
	tree_number(facts, "cache_policy", volume->cache_policy);
	tree_number(facts, "fast_sync_state", volume->fast_sync_state);
	tree_number(facts, "verify_errors", volume->verify_errors);
	tree_number(facts, "bad_blocks_in_verify", volume->bad_blocks);
}

static void volume_explain(struct other_found *found, uint32_t which)
{
	const struct container *container = found->record;
	const struct imsm_volume *volume = &container->imsm.volumes[which];
	char text[120];

	other_volume_text(text, sizeof(text), &found->volumes[which]);
	other_say(found, "volume %u \"%s\": %s", which, volume->name, text);
	if (volume->migrating)
		other_say(found, "volume %u: %s under way, at unit %" PRIu64, which,
			  migration_name(volume), volume->migration_unit);
	if (volume->dirty & 1)
		other_say(found,
			  "volume %u: not stopped in order: parity or copies may be out of step",
			  which);
}

static void volumes_print(struct other_found *found)
{
	const struct container *container = found->record;
	const struct imsm *imsm = &container->imsm;

	found->volumes = mem_calloc(imsm->volume_count, sizeof(*found->volumes));
	if (!found->volumes)
		found->facts.failed = true;
	tree_list_begin(&found->facts, "volumes");
	for (uint32_t i = 0; found->volumes && i < imsm->volume_count; i++) {
		struct other_volume *volume = &found->volumes[i];

		if (imsm_volume_shape(volume, imsm, i, container->block_size)) {
			found->facts.failed = true;
			break;
		}
		found->volume_count++;
		uuid_make(volume->uuid, imsm, i);
		tree_row_begin(&found->facts);
		tree_number(&found->facts, "subarray", i);
		other_volume_print(&found->facts, volume, found->member);
		volume_print(&found->facts, &imsm->volumes[i]);
		tree_end(&found->facts);
		volume_explain(found, i);
	}
	tree_end(&found->facts);
}

static void bad_blocks_print(struct fact_tree *facts, const struct imsm *imsm)
{
	tree_list_begin(facts, "bad_blocks");
	for (uint32_t i = 0; i < imsm->bad_block_count; i++) {
		tree_row_begin(facts);
		tree_number(facts, "disk", imsm->bad_blocks[i].disk);
		tree_number(facts, "first_sector", imsm->bad_blocks[i].first_block);
		tree_number(facts, "sector_count", imsm->bad_blocks[i].block_count);
		tree_end(facts);
	}
	tree_end(facts);
}

static void set_note(struct other_found *found)
{
	const struct container *container = found->record;
	const struct imsm *imsm = &container->imsm;
	bool known = container->self < imsm->disk_count;

	uuid_make(found->uuid, imsm, UINT32_MAX);
	found->generation = imsm->generation;
	found->volumes_expected = imsm->volume_count;
	if (known)
		snprintf(found->member, sizeof(found->member), "%s",
			 imsm->disks[container->self].serial);
	snprintf(found->summary, sizeof(found->summary), "%u disks, %u volumes%s%s",
		 imsm->disk_count, imsm->volume_count, known ? ", disk " : "",
		 known ? found->member : "");
	for (uint32_t i = 0; i < imsm->disk_count; i++)
		other_expect(found, "%s", imsm->disks[i].serial);
	if (!known)
		other_say(found,
			  "which of the %u disks this is stands nowhere on it: name the file "
			  "after its serial number",
			  imsm->disk_count);
	else if (imsm->disks[container->self].status & IMSM_DISK_SPARE)
		other_say(found, "a spare: it holds no data of a volume");
}

static bool imsm_probe(struct other_found *found, struct reader *reader, const char *path)
{
	struct container *container = mem_calloc(1, sizeof(*container));
	struct err err = { 0 };

	found->record = container;
	if (!container) {
		found->facts.failed = true;
		return false;
	}
	if (!mpb_find(found, reader, &err))
		return false;
	snprintf(found->hint, sizeof(found->hint),
		 "mdadm --examine DEVICE; IMSM_NO_PLATFORM=1 mdadm --assemble --readonly "
		 "/dev/md/imsm DEVICE…");
	if (!container->imsm.disks)
		return true; /* a fault says why */
	imsm_validate(&found->faults, &container->imsm);
	self_find(container, path);
	set_note(found);
	head_print(&found->facts, container);
	tree_text(&found->facts, "uuid", "%s", found->uuid);
	disks_print(&found->facts, container);
	volumes_print(found);
	bad_blocks_print(&found->facts, &container->imsm);
	return true;
}

const struct other_format imsm_format = {
	.name = "imsm",
	.blkid_type = "isw_raid_member",
	.title = "Intel Matrix Storage",
	.tool = "mdadm",
	.probe = imsm_probe,
	.record_free = container_free,
};
