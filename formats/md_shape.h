/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shape of a Linux MD array: level, layout, chunk and members, what they are called, which of them go
 * together, how many bytes they make, and which slots may be missing. Pure; the records of both
 * superblock formats and whoever opens an array use it.
 *
 * Sources: Linux Documentation/admin-guide/md.rst and include/uapi/linux/raid/md_p.h; mdadm(8) and md(4)
 * for the names of the layouts; the sizes agree with what the kernel said of the test arrays.
 */
#ifndef PG_FORMATS_MD_SHAPE_H
#define PG_FORMATS_MD_SHAPE_H

#include "formats/md_fault.h"

#include <stdbool.h>
#include <stdint.h>

#define MD_SECTOR 512u
#define MD_SLOTS_MAX 1920u /* roles that fit behind a superblock 1.x; 0.90 has 27 */
#define MD_LAYOUT_NAME_SIZE 48u

enum md_level {
	MD_CONTAINER = -100, /* of disks of others (other_md.h); no superblock says so */
	MD_FAULTY = -5,      /* a test device, no array */
	MD_MULTIPATH = -4,
	MD_LINEAR = -1,
	MD_RAID0 = 0,
	MD_RAID1 = 1,
	MD_RAID4 = 4,
	MD_RAID5 = 5,
	MD_RAID6 = 6,
	MD_RAID10 = 10,
};

/* Layouts of raid5; raid6 has them too, and further ones. */
enum md_rotation {
	MD_LEFT_ASYMMETRIC = 0,
	MD_RIGHT_ASYMMETRIC = 1,
	MD_LEFT_SYMMETRIC = 2,
	MD_RIGHT_SYMMETRIC = 3,
	MD_PARITY_FIRST = 4,
	MD_PARITY_LAST = 5,
	MD_DDF_ZERO_RESTART = 8, /* from here raid6 only: rotations of DDF */
	MD_DDF_N_RESTART = 9,
	MD_DDF_N_CONTINUE = 10,
	MD_LEFT_ASYMMETRIC_6 = 16, /* as raid5 over all members but the last, which is Q */
	MD_RIGHT_ASYMMETRIC_6 = 17,
	MD_LEFT_SYMMETRIC_6 = 18,
	MD_RIGHT_SYMMETRIC_6 = 19,
	MD_PARITY_FIRST_6 = 20,
};

/* Layouts of raid0, where members differ in size: how the later zones are numbered. */
enum md_raid0_layout {
	MD_RAID0_UNKNOWN = 0, /* not recorded */
	MD_RAID0_ORIGINAL = 1,
	MD_RAID0_ALTERNATE = 2,
};

/* What the layout of a raid10 says. */
struct md_raid10 {
	uint32_t near_copies; /* beside each other in one row */
	uint32_t far_copies;  /* in further zones, or in further rows with `offset` */
	bool offset;
	uint32_t far_sets; /* 0: copies shift over all members; 1, 2: within sets of them */
};

struct md_shape {
	int32_t level; /* one of enum md_level, or anything when not validated */
	uint32_t layout;
	uint64_t chunk_bytes;
	uint32_t raid_disks;
	uint64_t component_sectors; /* used on each member; 0 for linear, and raid0 of format 1.x */
};

/* "raid5"; NULL for a level that is none. */
const char *md_level_name(int32_t level);

/*
 * The layout's name, "left-symmetric", "near=2, far=2"; "" where the level has none or the value is none.
 */
void md_layout_name(char name_out[static MD_LAYOUT_NAME_SIZE], int32_t level, uint32_t layout);

/* False when the layout is none of raid10's. */
bool md_raid10_of(struct md_raid10 *raid10_out, uint32_t layout);

/* Names of the faulty fields of a shape, which differ between before and after a reshape. */
struct md_shape_fields {
	const char *level, *layout, *chunk, *raid_disks;
};
void md_shape_validate(struct md_faults *faults, const struct md_shape *shape,
		       const struct md_shape_fields *fields);

/* The other way round. "5", "raid5", "linear"; false for what is none that holds data. */
bool md_level_named(int32_t *level_out, const char *name);
/* A name as above, "near=2,far=3", or mdadm's short ones: "ls", "n2", "f3", "o2". */
bool md_layout_named(uint32_t *layout_out, int32_t level, const char *name);

/* Has it data on which others depend: can members be missing, is there anything to resync? */
bool md_level_is_redundant(int32_t level);

/*
 * Bytes of the array, from one member's record. False for linear and raid0 (the sum of what the members
 * have, md_data_sectors() of each), for a shape that is not valid, and for more than fit in 64 bits.
 */
bool md_array_bytes(uint64_t *bytes_out, const struct md_shape *shape);

/* What the level uses of `sectors` that a member has room for: whole chunks, for linear and raid0. */
uint64_t md_data_sectors(const struct md_shape *shape, uint64_t sectors);

/* Can the data be read with only the slots of `present`, `shape->raid_disks` of them? */
bool md_slots_suffice(const struct md_shape *shape, const bool *present);

#endif
