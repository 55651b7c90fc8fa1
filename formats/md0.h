/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Superblock 0.90 of Linux MD: 1024 words in the byte order of the machine that wrote them, at the last
 * multiple of 64 KiB that leaves 64 KiB behind it. It lists all devices of the array; `this` is the one
 * that it lies on. The minor version is 91 while the array changes its shape.
 *
 * Decoding takes any bytes with the magic and the major version; whether they make sense, and whether the
 * sum is right, md0_validate() says. Reserved words must be zero: with others set a superblock does not
 * encode to the same bytes, and is faulty.
 *
 * Sources: Linux include/uapi/linux/raid/md_p.h (mdp_superblock_s) and Documentation/admin-guide/md.rst;
 * mdadm's md_superblock_formats.txt. That events are one 64-bit number in the byte order of the machine
 * follows from the order of their two halves there.
 */
#ifndef PG_FORMATS_MD0_H
#define PG_FORMATS_MD0_H

#include "core/base/uuid.h"
#include "formats/facts.h"
#include "formats/md_fault.h"
#include "formats/md_shape.h"
#include "formats/md_word.h"

#define MD0_DISKS_MAX 27u
#define MD0_RESERVED_SECTORS 128u /* at the end of the device */

/* Bits of the state of a device. */
enum {
	MD0_DISK_FAULTY = 1 << 0,
	MD0_DISK_ACTIVE = 1 << 1,
	MD0_DISK_SYNC = 1 << 2,
	MD0_DISK_REMOVED = 1 << 3,
	MD0_DISK_WRITEMOSTLY = 1 << 9,
	MD0_DISK_FAILFAST = 1 << 10,
	MD0_DISK_ALL = MD0_DISK_FAULTY | MD0_DISK_ACTIVE | MD0_DISK_SYNC | MD0_DISK_REMOVED |
		       MD0_DISK_WRITEMOSTLY | MD0_DISK_FAILFAST,
};

/* Bits of the state of the array. */
enum {
	MD0_CLEAN = 1 << 0,
	MD0_ERRORS = 1 << 1,
	MD0_BITMAP_PRESENT = 1 << 8,
	MD0_STATE_ALL = MD0_CLEAN | MD0_ERRORS | MD0_BITMAP_PRESENT,
};

struct md0_disk {
	uint32_t number; /* its place in the table */
	uint32_t major, minor;
	uint32_t raid_disk; /* slot */
	uint32_t state;     /* MD0_DISK_ bits */
};

/* The fields as they are on disk. */
struct md0 {
	bool big_endian;
	bool reserved_used; /* a reserved word is not zero */
	uint32_t minor_version, patch_version;
	uint32_t gvalid_words;
	uint32_t set_uuid[4];
	uint32_t ctime_s, utime_s;
	int32_t level;
	uint32_t size_kib; /* used on each device */
	uint32_t nr_disks, raid_disks;
	uint32_t md_minor;
	uint32_t not_persistent;
	uint32_t state; /* MD0_ bits */
	uint32_t active_disks, working_disks, failed_disks, spare_disks;
	uint32_t checksum;
	uint32_t checksum_expected; /* computed by decode; encode writes its own */
	uint64_t events, checkpoint_events;
	uint32_t resync_sectors;  /* in step up to here, when not clean and the two events agree */
	uint64_t reshape_sectors; /* of the array; these six when minor_version is 91 */
	int32_t new_level, delta_disks;
	uint32_t new_layout, new_chunk_bytes;
	uint32_t layout, chunk_bytes;
	uint32_t root_pv, root_block;
	struct md0_disk disks[MD0_DISKS_MAX];
	struct md0_disk this;
};

/* Where it lies on a device of `device_sectors`; false when the device is too small for one. */
bool md0_place(uint64_t *sector_out, uint64_t device_sectors);

/* ERR_NOT_MEMBER without the magic in either byte order, ERR_VERSION for another major version. */
int md0_decode(struct md0 *super_out, const uint8_t bytes[static MD_SUPER_SIZE],
	       struct err *err) MUST_CHECK;
/* With the sum of what is written. */
void md0_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md0 *super);

/* Every field of a superblock found at `sector` of a device of `device_sectors`. */
void md0_validate(struct md_faults *faults, const struct md0 *super, uint64_t sector,
		  uint64_t device_sectors);

/* What only this format has; the rest is md_member_print()'s. */
void md0_print(struct facts *facts, const struct md0 *super);

/* In both byte orders the four words in order, as mdadm shows them. */
struct uuid md0_uuid(const struct md0 *super);
static inline bool md0_is_reshaping(const struct md0 *super)
{
	return super->minor_version == 91;
}

#endif
