/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Adopting an array of Linux MD, as far as MD is concerned (docs/ADOPT.md): may it be, what is kept of each member, the mark
 * by which the kernel leaves it alone, and the way back.
 *
 *	md_adopt_check()	is the array one that can be adopted?
 *	md_adopt_keep()		what is kept of a member; nothing is written
 *	(adopt_keep_write() on all members)
 *	md_adopt_mark()		one superblock after the other, each durable
 *
 *	md_adopt_undo()		of any members that have a record, as often as it takes
 *
 * Promises, each tested under its name in tests/unit/test_md_adopt.c:
 *	same_bytes	undo of what was kept, after anything was written where adoption writes, gives the bytes as they were
 *	crash		so it does after a crash at any of its own writes, when it is repeated
 *	used_since	a superblock that MD has written since then is not put back, nor what belongs to it
 *	refused		what cannot be adopted is named; nothing was written
 */
#ifndef PG_FORMATS_MD_ADOPT_H
#define PG_FORMATS_MD_ADOPT_H

#include "formats/adopt_keep.h"
#include "formats/md_map.h"
#include "formats/md_probe.h"

struct md_adopt_array {
	const struct md_set *set;
	const struct md_seats *seats;
	const struct md_found *const *found; /* by the set's device numbers */
	const char *const *paths;            /* of the same */
	const char *name;                    /* as the operator calls it, for hints */
};

/*
 * Clean, complete, nothing under way, nothing that data may lie in besides its members, and room before the data. Returns 0;
 * ERR_STATE, ERR_TOO_FEW or ERR_UNSUPPORTED with what is in the way, and a hint how it gets out of it.
 */
int md_adopt_check(const struct md_adopt_array *array, struct err *err) MUST_CHECK;

/*
 * Add to kept->blocks, ascending, what has to be kept of a member whose superblock is `member`'s, when these areas,
 * ascending, will be written; the superblock is read again: ERR_CHANGED when it is another by now. The record is the
 * caller's to fill but for block_count, super_offset, origin and data_begin.
 */
int md_adopt_keep(struct adopt_kept *kept, struct dev *dev, const struct md_member *member,
		  const struct adopt_area *areas, uint32_t area_count, struct err *err) MUST_CHECK;

/* The superblock is as it was kept, or marked already; afterwards it is marked, durably. */
int md_adopt_mark(const struct adopt_kept *kept, struct dev *dev, struct err *err) MUST_CHECK;

/* A member on its way back. */
struct md_adopt_back {
	struct dev *dev; /* writable; borrowed */
	struct adopt_kept kept;
	bool has_ours;   /* superblocks of ours, of the array of the record */
	uint64_t newest; /* byte of the newest of these; 0: not known */
	bool used;       /* out: MD has used the array since: its superblock stays */
};
/*
 * Put back all that was kept: first everything else on all members, then the superblocks of MD, then the records go. Before
 * anything is written every copy is read and checked. Returns 0; ERR_CHECKSUM for a copy that is damaged; ERR_CHANGED for a
 * member that belongs to somebody else by now.
 */
int md_adopt_undo(struct md_adopt_back *members, uint32_t count, struct err *err) MUST_CHECK;

#endif
