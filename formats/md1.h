/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Superblock 1.x of Linux MD: 256 bytes and two for each device, little-endian, in one block of 4 KiB. The
 * minor version is where it lies: 1.0 between 8 and 12 KiB before the end, 1.1 at the start, 1.2 at 4 KiB.
 * Offsets and lengths are in sectors of 512 bytes.
 *
 * Decoding takes any bytes with the magic, the major version and a table that fits; whether they make
 * sense, and whether the sum is right, md1_validate() says. Reserved bytes are kept, so whatever decodes
 * encodes to the same bytes but for the sum, which encode computes.
 *
 * Sources: Linux include/uapi/linux/raid/md_p.h (mdp_superblock_1, with logical_block_size of Linux 6.19)
 * and Documentation/admin-guide/md.rst, raid5-ppl.rst; mdadm's md_superblock_formats.txt.
 */
#ifndef PG_FORMATS_MD1_H
#define PG_FORMATS_MD1_H

#include "core/base/uuid.h"
#include "formats/facts.h"
#include "formats/md_fault.h"
#include "formats/md_shape.h"
#include "formats/md_word.h"

#define MD1_NAME_SIZE 32u
#define MD1_ROLES_MAX 1920u  /* what fits into the 4 KiB */
#define MD1_PLACES 3u        /* minor versions */
#define MD1_NEVER UINT64_MAX /* resync_sectors of a clean array */

/* Features: a superblock with a bit that a program does not know must be left alone. */
enum {
	MD1_BITMAP_OFFSET = 1 << 0,
	MD1_RECOVERY_OFFSET = 1 << 1,
	MD1_RESHAPE_ACTIVE = 1 << 2,
	MD1_BAD_BLOCKS = 1 << 3,
	MD1_REPLACEMENT = 1 << 4,
	MD1_RESHAPE_BACKWARDS = 1 << 5,
	MD1_NEW_OFFSET = 1 << 6,
	MD1_RECOVERY_BITMAP = 1 << 7,
	MD1_BITMAP_VERSIONED = 1 << 8, /* also "clustered" */
	MD1_JOURNAL = 1 << 9,
	MD1_PPL = 1 << 10,
	MD1_MULTIPLE_PPLS = 1 << 11,
	MD1_RAID0_LAYOUT = 1 << 12,
	MD1_FEATURES_ALL = (1 << 13) - 1,
};
/*
 * No feature of Linux, which for that leaves the superblock alone: pgctl has adopted the array (docs/ADOPT.md). A fault
 * here too, until the adoption is undone.
 */
#define MD1_ADOPTED (UINT32_C(1) << 31)

/* Roles that are no slot. */
enum {
	MD1_ROLE_SPARE = 0xffff,
	MD1_ROLE_FAULTY = 0xfffe,
	MD1_ROLE_JOURNAL = 0xfffd,
	MD1_ROLE_SLOT_MAX = 0xff00,
};

/* devflags */
enum { MD1_WRITE_MOSTLY = 1, MD1_FAILFAST = 2, MD1_DEVFLAGS_ALL = 3 };

/* The fields as they are on disk. */
struct md1 {
	uint32_t features;
	uint32_t pad0;
	struct uuid set_uuid;
	char set_name[MD1_NAME_SIZE + 1]; /* "HOST:NAME" or "NAME"; all 32 bytes, then NUL */
	uint64_t ctime;                   /* 40 bits of seconds, above them microseconds */
	int32_t level;
	uint32_t layout;
	uint64_t size_sectors; /* used on each device */
	uint32_t chunk_sectors;
	uint32_t raid_disks;
	uint32_t bitmap_or_ppl; /* see md1_bitmap_offset(), md1_ppl_offset() */
	int32_t new_level;
	uint64_t reshape_sectors; /* of the array */
	int32_t delta_disks;
	uint32_t new_layout, new_chunk_sectors;
	int32_t new_offset_sectors; /* to be added to the data offset */
	uint64_t data_offset_sectors, data_size_sectors;
	uint64_t super_offset_sectors;
	uint64_t recovery_sectors; /* of a journal its tail; from the data offset */
	uint32_t dev_number;       /* which of the roles is its own */
	uint32_t corrected_reads;
	struct uuid device_uuid;
	uint8_t devflags;
	uint8_t bblog_shift;
	uint16_t bblog_sectors;
	int32_t bblog_offset_sectors; /* from the superblock */
	uint64_t utime;               /* as ctime */
	uint64_t events;
	uint64_t resync_sectors; /* in step up to here; MD1_NEVER: clean */
	uint32_t checksum;
	uint32_t checksum_expected; /* computed by decode; encode writes its own */
	uint32_t max_dev;
	uint32_t logical_block_size; /* 0: not recorded */
	uint8_t pad3[28];
	uint16_t roles[MD1_ROLES_MAX]; /* max_dev of them, by device number */
};

/* Where 1.`minor` lies on a device of `device_sectors`; false when the device is too small for it. */
bool md1_place(uint64_t *sector_out, uint32_t minor, uint64_t device_sectors);

/*
 * ERR_NOT_MEMBER without the magic, ERR_VERSION for another major version, ERR_FORMAT for more roles than
 * fit: without their number there is no sum either.
 */
int md1_decode(struct md1 *super_out, const uint8_t bytes[static MD_SUPER_SIZE],
	       struct err *err) MUST_CHECK;
/* With the sum of what is written; zero behind the roles. */
void md1_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md1 *super);

/* Every field of a superblock found at the place of 1.`minor` on a device of `device_sectors`. */
void md1_validate(struct md_faults *faults, const struct md1 *super, uint32_t minor,
		  uint64_t device_sectors);

/* What only this format has; the rest is md_member_print()'s. */
void md1_print(struct facts *facts, const struct md1 *super);

/* Its own role: a slot or one of MD1_ROLE_; MD1_ROLE_SPARE for a number outside the table. */
uint32_t md1_role(const struct md1 *super);

/* With MD1_BITMAP_OFFSET: sectors from the superblock to the bitmap. */
static inline int32_t md1_bitmap_offset(const struct md1 *super)
{
	return (int32_t)super->bitmap_or_ppl;
}

/* With MD1_PPL or MD1_MULTIPLE_PPLS: sectors from the superblock to the log, and its size. */
static inline int32_t md1_ppl_offset(const struct md1 *super)
{
	return (int16_t)(super->bitmap_or_ppl & 0xffff);
}

static inline uint32_t md1_ppl_sectors(const struct md1 *super)
{
	return super->bitmap_or_ppl >> 16;
}

static inline bool md1_has_ppl(const struct md1 *super)
{
	return super->features & (MD1_PPL | MD1_MULTIPLE_PPLS);
}

static inline uint64_t md1_time_s(uint64_t time)
{
	return time & ((UINT64_C(1) << 40) - 1);
}

#endif
