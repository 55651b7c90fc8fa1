/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Intel Matrix Storage (IMSM, "isw"): the MPB, a record in the sector before the last one of every disk and,
 * where it is longer than a sector, in those before it. It is the same on all disks of a container, so a disk
 * is told by its serial number. Integers are little-endian, blocks have 512 bytes (4096 on such disks).
 *
 * Sources: the structures of mdadm's super-intel.c, and mdadm's manual for the names.
 */
#ifndef PG_FORMATS_IMSM_H
#define PG_FORMATS_IMSM_H

#include "formats/other.h"
#include "formats/other_volume.h"

#define IMSM_SIGNATURE "Intel Raid ISM Cfg Sig. "
#define IMSM_SERIAL_SIZE 16u
#define IMSM_MEMBERS_MAX 255u
#define IMSM_SIZE_MAX (2210u * 512u) /* of an MPB: the sectors that are kept for it */
#define IMSM_BAD_BLOCKS_MAX 254u

struct imsm_disk {
	char serial[IMSM_SERIAL_SIZE + 1];
	uint64_t blocks;
	uint32_t scsi_id, status, owner;
};

enum { IMSM_DISK_SPARE = 1, IMSM_DISK_CONFIGURED = 2, IMSM_DISK_FAILED = 4 }; /* of `status` */

enum imsm_map_state { IMSM_NORMAL, IMSM_UNINITIALIZED, IMSM_DEGRADED, IMSM_FAILED };

struct imsm_map {
	uint64_t first_block, blocks_per_member, stripes;
	uint16_t blocks_per_strip;
	uint8_t state, level, member_count, domains, failed_disk, ddf;
	uint32_t order[IMSM_MEMBERS_MAX]; /* number of the disk, and IMSM_ORDER_REBUILD */
};
#define IMSM_ORDER_REBUILD (UINT32_C(1) << 24)
#define IMSM_ORDER_DISK UINT32_C(0xffffff)

enum imsm_migration {
	IMSM_INITIALIZE,
	IMSM_REBUILD,
	IMSM_VERIFY,
	IMSM_GENERAL,
	IMSM_STATE_CHANGE,
	IMSM_REPAIR,
	IMSM_MIGRATIONS
};

struct imsm_volume {
	char name[IMSM_SERIAL_SIZE + 1];
	uint8_t name_raw[IMSM_SERIAL_SIZE];
	uint64_t blocks;
	uint32_t status, reserved_blocks;
	uint8_t migration_priority, sub_volumes, tid;
	uint16_t cache_policy, number;
	uint8_t write_hole_policy;
	char journal_serial[IMSM_SERIAL_SIZE + 1];
	uint64_t migration_unit;
	uint32_t checkpoint;
	bool migrating;
	uint8_t migration, dirty, fast_sync_state;
	uint16_t verify_errors, bad_blocks;
	uint32_t map_count; /* 2 while migrating: the first one is what it is to become */
	struct imsm_map maps[2];
};

struct imsm_bad_block {
	uint64_t first_block;
	uint32_t block_count;
	uint8_t disk;
};

struct imsm {
	char version[8];
	uint32_t checksum, checksum_expected, size, family, generation, attributes;
	uint32_t error_log_size, cache_size, original_family, power_cycles, bad_block_size;
	uint16_t volumes_created;
	uint64_t creation_time;
	uint32_t disk_count, volume_count, bad_block_count;
	struct imsm_disk *disks; /* owned, as the other two */
	struct imsm_volume *volumes;
	struct imsm_bad_block *bad_blocks;
};

/* From the first sector: bytes of the whole MPB. Returns 0, ERR_NOT_MEMBER or ERR_FORMAT. */
int imsm_size(uint32_t *size_out, const uint8_t bytes[static 512], struct err *err) MUST_CHECK;

/* All of an MPB of `size` bytes, which imsm_size() gave. Returns 0, ERR_FORMAT or ERR_NOMEM. */
int imsm_decode(struct imsm *imsm_out, const uint8_t *bytes, uint32_t size,
		struct err *err) MUST_CHECK;
void imsm_validate(struct md_faults *faults, const struct imsm *imsm);
void imsm_reset(struct imsm *imsm);

/* The sum of all words but itself. */
uint32_t imsm_sum(const uint8_t *bytes, uint32_t size);

/*
 * Volume `which` in MD's words; blocks of `block_size` bytes. Returns 0 or ERR_NOMEM; one that makes no sense
 * has no slots and says why it is unfit.
 */
int imsm_volume_shape(struct other_volume *volume_out, const struct imsm *imsm, uint32_t which,
		      uint32_t block_size) MUST_CHECK;

extern const struct other_format imsm_format;

#endif
