/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Overlay: a member that is only read, and a side file that takes every write meant for it.
 *
 *	overlay_side_size()	how large the side has to be: sparse, mostly a hole
 *	overlay_format()	an empty overlay on a new side, durable
 *	dev_overlay_open()	member and side as one device, in this process or the next
 *	overlay_next_range()	what was written so far
 *
 * Promises, each tested under its name in tests/unit/test_dev_overlay.c:
 *	merged		a read sees what was written last, and the member where nothing was
 *	below_untouched	the member gets no write and no flush
 *	flushed		what was flushed is there after a power loss; what was not is, block by block, as before or
 *			after, as on a disk
 *	named_after	the record never names a block whose bytes are not durable
 *	same_member	an overlay does not open over other bytes than those it was made over: told by size and by sums
 *			of the blocks where superblocks and logs lie
 *	damaged		a record that does not check itself is an error, never a guess
 *
 * A block is data once the record says so, and the record is written by a flush, behind the data it names:
 * write, flush of the side, record, flush of the side. Zeros are written as holes. The record also keeps what
 * role the write had. docs/FORMAT.md has the bytes.
 *
 * `member` and `side` are any devices; paths, locks and directories are the caller's.
 */
#ifndef PG_DEV_OVERLAY_H
#define PG_DEV_OVERLAY_H

#include "core/dev/dev.h"

#define OVERLAY_PATH_SIZE 3500u              /* with the NUL */
#define OVERLAY_SIZE_MAX (UINT64_C(1) << 60) /* bytes of a member */

struct overlay_header {
	uint64_t size; /* bytes of the member, a multiple of BLOCK_SIZE */
	bool is_new;   /* there is no such file yet: zeros below */
	uint64_t identity[2];
	uint64_t modified_ns; /* of the file, when the overlay was made; 0: not known */
	uint32_t sums_crc;    /* of the sums; overlay_format() fills it in */
	char path[OVERLAY_PATH_SIZE];
};

/* Bytes of a side for a member of `member_size`; 0 when that is more than OVERLAY_SIZE_MAX or nothing. */
uint64_t overlay_side_size(uint64_t member_size);

/*
 * Make `side`, which is all zero and overlay_side_size() large, an empty overlay of `member`. Writes the sums, flushes,
 * then the header, flushes.
 */
int overlay_format(struct dev *side, struct dev *member, const struct overlay_header *header,
		   struct err *err) MUST_CHECK;
/* ERR_NOT_MEMBER for a side of which the header was never finished. */
int overlay_header_read(struct overlay_header *header_out, struct dev *side,
			struct err *err) MUST_CHECK;

/* Nothing was ever flushed to it. False also when that cannot be found out. */
bool overlay_is_empty(struct dev *side);

/*
 * The member, which is then owned, under what its side says. Read-only when the side is. On failure both are the
 * caller's.
 *
 * committing	the member may have got a part of the overlay already: each telling block may be as it was or as
 *		the overlay has it
 *
 * ERR_CHANGED: the member is not what the overlay was made over.
 */
int dev_overlay_open(struct dev **dev_out, struct dev *member, struct dev *side, bool committing,
		     struct err *err) MUST_CHECK;

/* A range of blocks that were written, all with one role. */
struct overlay_range {
	uint64_t offset; /* bytes */
	uint64_t size;
	enum io_role role;
};
/* The first range at or behind `from`, at most `size_max` bytes of it; false when there is none. */
bool overlay_next_range(struct overlay_range *range_out, struct dev *overlay, uint64_t from,
			uint64_t size_max);

/* A member that is to be: `size` zeros, read-only. `identity` is what tells it from others. */
int dev_blank_open(struct dev **dev_out, struct env *env, const char *name, uint64_t size,
		   const uint64_t identity[2]) MUST_CHECK;

#endif
