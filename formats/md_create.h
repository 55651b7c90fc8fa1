/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new array of Linux MD: how its members are cut, and the superblocks and bitmaps that say so. It begins clean:
 * whoever writes them has made all of its data zero before, so parity and copies are true.
 *
 *	md_create_plan()	sizes and places, or why not; pure
 *	md_create_write()	zeros, bitmaps, then the superblocks, each flushed before the next
 *
 * Where things lie follows mdadm: data of 1.1 and 1.2 begin at a whole MiB, 1 to 129 of them by the size of the
 * smallest member; between the superblock and them there is room for a bitmap of 4 to 128 KiB by that size and for a
 * list of bad blocks of 4 KiB, in 1.0 before the superblock. 0.90 has its bitmap behind the superblock.
 *
 * Source: mdadm(8) and md(4); that both agree with mdadm 4.2 is shown by arrays that it made (tests/unit).
 */
#ifndef PG_FORMATS_MD_CREATE_H
#define PG_FORMATS_MD_CREATE_H

#include "formats/md_bitmap.h"
#include "formats/md_member.h"

#define MD_CREATE_CHUNK UINT64_C(524288) /* bytes, where none is named */

struct dev;

struct md_create_request {
	enum md_metadata metadata;
	struct md_shape shape; /* component_sectors: 0 */
	bool raid0_layout;     /* shape.layout was named; else it is recorded where it matters */
	bool bitmap;
	const char *name; /* of 1.x, borrowed */
	struct uuid uuid;
	uint64_t now_s;
	/* Bytes of the device in each slot, 0 for one that is missing; then of each spare. Borrowed. */
	const uint64_t *sizes;
	uint32_t spare_count;
};

struct md_create_plan {
	struct md_create_request request;
	struct md_shape shape; /* with its component, and the layout of a raid0 */
	bool raid0_layout;     /* to be recorded */
	uint64_t array_bytes;
	uint64_t data_offset;        /* sectors, on every member */
	uint32_t bitmap_room;        /* sectors kept for one */
	uint32_t bitmap_chunk_bytes; /* 0: none */
	uint64_t super_bytes;        /* what superblocks and bitmaps are */
};

/* Chunk and layout where the level has them and none was named; 0 where it has none. */
uint64_t md_create_chunk(int32_t level);
uint32_t md_create_layout(int32_t level);

/*
 * Returns 0; ERR_LIMIT for too many or too large members; ERR_SIZE, ERR_NAME; ERR_UNSAFE where too many are missing;
 * ERR_UNSUPPORTED for what the format or level has not. Texts name members by their number, slots first.
 */
int md_create_plan(struct md_create_plan *plan_out, const struct md_create_request *request,
		   struct err *err) MUST_CHECK;

/* Sectors of the member's device that hold data. */
uint64_t md_create_data_sectors(const struct md_create_plan *plan, uint32_t member);

/* The superblock of a member, and the sector that it goes to. */
uint64_t md_create_super(uint8_t bytes[static MD_SUPER_SIZE], const struct md_create_plan *plan,
			 uint32_t member, const struct uuid *device);

/* The head of its bitmap, in a plan that has one, and the sector that it goes to; zeros follow it. */
uint64_t md_create_bitmap(uint8_t bytes[static MD_BITMAP_SIZE], const struct md_create_plan *plan,
			  uint32_t member);

struct md_create_target {
	struct dev *dev;    /* borrowed; NULL for a slot that is missing */
	struct uuid device; /* of 1.x: random */
	bool is_zero;       /* a new image: nothing is in it */
};
/* Called before each piece of zeros; false stops with ERR_STOPPED. */
typedef bool md_create_watch(void *arg, uint64_t done, uint64_t total);

/* Bytes of zeros that md_create_write() begins with. */
uint64_t md_create_zero_bytes(const struct md_create_plan *plan,
			      const struct md_create_target *targets);
/*
 * Make it. After ERR_STOPPED and after an error no superblock was written, or not all of them: it is no array.
 * `watch` may be NULL.
 */
int md_create_write(const struct md_create_plan *plan, const struct md_create_target *targets,
		    md_create_watch *watch, void *arg, struct err *err) MUST_CHECK;

/*
 * Take away what superblocks lie at either end of a device that is to be filled: until all of it is there, nothing shall
 * say that it is somebody's member.
 */
int md_create_wipe(struct dev *dev, struct err *err) MUST_CHECK;

#endif
