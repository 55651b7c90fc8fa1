/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seal scan: which extents lie on a set of devices, by their header pages alone (FORMAT.md section 6).
 *
 *	(fill in array, geometry, members)
 *	seal_scan_run()		read the place of every header that there could be
 *	seal_scan_settle()	keep one header of each extent, and of those that overlap the living one
 *	seal_scan_find(), seal_scan_header()
 *	seal_scan_reset()
 *
 * A header may lie where an extent of another size keeps a user's data, so bytes that a user stored can
 * look like a header. They are known by this: that extent's checksum of the block holds, so the block is
 * its data. Where it does not hold, the header was written later.
 *
 * Bounded by the frames of the devices: two reads a frame, and eight for each pair that overlaps.
 */
#ifndef PG_JOB_SEAL_SCAN_H
#define PG_JOB_SEAL_SCAN_H

#include "core/base/vec.h"
#include "core/dev/dev.h"
#include "core/store/seal.h"
#include "core/store/super.h"

#define SCAN_ID_MAX (UINT64_C(1) << 61) /* of ids and generations: no real one comes near */

struct scan_member {
	struct dev *dev; /* borrowed */
	struct uuid uuid;
	bool named; /* uuid is known; else seal_scan_run() finds it */
	uint32_t slot;
	struct member_regions regions;
};

/* An extent as its header says. */
struct found_extent {
	uint64_t extent, header_generation;
	uint64_t group, group_generation;
	uint64_t volume, span_offset, span_length;
	struct uuid uuid; /* of the member */
	uint32_t member;  /* position in scan->members */
	uint32_t frame;
	uint32_t body_blocks, segment_blocks, unit_blocks;
	uint16_t position, span_extents;
	uint8_t column, size_class;
	struct code_shape shape;
	bool forged;      /* bytes of another extent that look like a header; settling drops it */
	bool overwritten; /* another extent was put on its frames later */
	bool taken;       /* for the caller */
};

VEC_DEFINE(found_vec, struct found_extent);

struct scan {
	struct uuid array;
	struct geometry geometry; /* passed map_check_geometry() */
	struct scan_member members[MEMBERS_MAX];
	uint32_t member_count;
	uint64_t published_max; /* headers of a later generation were never published */
	/* out */
	struct found_vec found; /* after settling ascending by extent id, each once */
	uint64_t generation_max, extent_max, group_max, volume_max;
};

/* Returns 0, ERR_NOMEM, or ERR_NOT_MEMBER for an unnamed member without any header. */
int seal_scan_run(struct scan *scan, struct err *err) MUST_CHECK;
int seal_scan_settle(struct scan *scan, struct err *err) MUST_CHECK;
void seal_scan_reset(struct scan *scan);

/* The extent of this id, also when it was overwritten; NULL when there is none. After settling. */
struct found_extent *seal_scan_find(const struct scan *scan, uint64_t extent);

/* Read the whole header again. Returns 0 or what is wrong with it now; no text. */
int seal_scan_header(struct seal_header *header_out, const struct scan *scan,
		     const struct found_extent *found) MUST_CHECK;

#endif
