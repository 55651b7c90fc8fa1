/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The adoption record on a member (adopt_record.h): kept before anything is written, put back when the adoption is undone.
 *
 *	adopt_keep_look()	which blocks have to be kept
 *	adopt_keep_room()	is there nothing where the record will lie?
 *	adopt_keep_write()	a header that is void, copies and table, the header: a record is whole or void
 *
 *	adopt_kept_read()	what a member has
 *	adopt_kept_verify()	every copy is what was kept: before the first of them is put back
 *	adopt_kept_restore()	all but the other superblock
 *	adopt_kept_super()	that, when the rest is durable on all members: from then on it is as it was
 *	adopt_kept_finish()	the record itself
 *
 * Each step may be repeated after a crash, by whoever reads the record again. It refuses to know what the other format
 * is: only that it has a superblock of one block.
 */
#ifndef PG_FORMATS_ADOPT_KEEP_H
#define PG_FORMATS_ADOPT_KEEP_H

#include "core/base/vec.h"
#include "formats/adopt_record.h"

struct dev;

VEC_DEFINE(adopt_block_vec, struct adopt_block);

/* A record and its table; released by adopt_kept_reset(). */
struct adopt_kept {
	struct adopt_record record;
	struct adopt_block_vec blocks;
};
void adopt_kept_reset(struct adopt_kept *kept);

/* Bytes of a member; multiples of BLOCK_SIZE. */
struct adopt_area {
	uint64_t offset, end;
};

/*
 * The blocks of `area` that are not zero, added to `blocks`. Returns 0, ERR_NOMEM, ERR_IO, or ERR_LIMIT for more than a
 * record has room for.
 */
int adopt_keep_look(struct adopt_block_vec *blocks, struct dev *dev, struct adopt_area area,
		    struct err *err) MUST_CHECK;

/* ERR_IN_USE with the range where something lies in the place of a record of `size` bytes. */
int adopt_keep_room(struct dev *dev, uint64_t size, struct err *err) MUST_CHECK;

/*
 * Write it, durably: kept->record without its table's CRC, and the blocks, ascending. ERR_CHANGED when a block is not any
 * more what adopt_keep_look() saw.
 */
int adopt_keep_write(struct adopt_kept *kept, struct dev *dev, struct err *err) MUST_CHECK;

/* ERR_NOT_MEMBER where there is none; of one that is void the table is not read. */
int adopt_kept_read(struct adopt_kept *kept_out, struct dev *dev, struct err *err) MUST_CHECK;
/* The header alone. */
int adopt_record_read(struct adopt_record *record_out, struct dev *dev, struct err *err) MUST_CHECK;

int adopt_kept_verify(const struct adopt_kept *kept, struct dev *dev, struct err *err) MUST_CHECK;

/*
 * Zeros and copies to all that adoption wrote, but for the superblock and the areas `spared`, which the other format has
 * written to since; durable. `newest`: the byte of our newest superblock, which goes behind the others; 0: not known.
 */
int adopt_kept_restore(const struct adopt_kept *kept, struct dev *dev, uint64_t newest,
		       const struct adopt_area *spared, uint32_t spared_count,
		       struct err *err) MUST_CHECK;
int adopt_kept_super(const struct adopt_kept *kept, struct dev *dev, struct err *err) MUST_CHECK;
/* First it is made void, so that a crash leaves no half of a record. */
int adopt_kept_finish(struct adopt_kept *kept, struct dev *dev, struct err *err) MUST_CHECK;

/* The copy of block `number`, checked, to a page of the caller's. */
int adopt_kept_copy(const struct adopt_kept *kept, struct dev *dev, uint32_t number, uint8_t *page,
		    struct err *err) MUST_CHECK;
/* Which one is the superblock. */
uint32_t adopt_kept_super_number(const struct adopt_kept *kept);

#endif
