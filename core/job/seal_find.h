/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seals without superblocks: what the header pages on a device say of the array whose member it was, where nothing else
 * says so any more (FORMAT.md section 6).
 *
 *	seal_find_run()		look for header pages, page by page; those of most headers' array and member count
 *	seal_find_geometry()	how frames lie, from where the headers of all members lie
 *	seal_find_reset()
 *
 * A header names its frame and its size class, so two headers of different frames tell how long a frame is, and the only
 * body that makes frames of that length says where the first one begins. Bounded: SEAL_FIND_HEADERS pages are found, or
 * SEAL_FIND_BYTES read.
 */
#ifndef PG_JOB_SEAL_FIND_H
#define PG_JOB_SEAL_FIND_H

#include "core/base/vec.h"
#include "core/dev/dev.h"
#include "core/store/seal.h"
#include "core/store/super.h"

#define SEAL_FIND_HEADERS 1024u
#define SEAL_FIND_BYTES (UINT64_C(4) << 30)
#define SEAL_FIND_VOLUMES 8u

/* Where one header lies, and what of the geometry it tells. */
struct seal_place {
	uint64_t offset;
	struct uuid array, member;
	uint32_t frame, body_blocks, columns;
	uint8_t size_class;
	char name[NAME_SIZE]; /* of the volume; empty: none */
};
VEC_DEFINE(seal_place_vec, struct seal_place);

struct seal_found {
	struct uuid array, member;
	struct seal_place_vec places; /* empty: this is no member, as far as was read */
	uint64_t size;                /* of the device */
};

/* Up to `bytes_max` from the beginning are read. Returns 0 or ERR_NOMEM; what cannot be read holds no headers. */
int seal_find_run(struct seal_found *found_out, struct dev *dev, uint64_t bytes_max,
		  struct err *err) MUST_CHECK;
void seal_find_reset(struct seal_found *found);

/*
 * The geometry of the array of these members, one of which at least has headers; regions of a member come out as
 * super_regions() makes them. ERR_NOT_MEMBER where the headers do not tell it, as when all are of one frame.
 */
int seal_find_geometry(struct geometry *geometry_out, const struct seal_found *found,
		       uint32_t count, struct err *err) MUST_CHECK;

#endif
