/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Adopting: an array that somebody else made becomes one of ours where it lies (docs/ADOPT.md). Superblocks, map and log
 * go into the room before its data; its groups are bare and stay where they are.
 *
 *	array_adopt_plan()	where everything goes; which bytes will be written
 *	(the caller keeps what was there: the adoption record, on all members, durable)
 *	array_adopt()		generation 1, `mark`, generation 2: it is ours
 *	array_adopt_set_state()	committed, or being undone
 *
 * What was there is kept and put back by the caller, who knows the other format. Nothing but the ranges of the plan is
 * written, whatever happens.
 *
 * Promises, each tested under its name in tests/unit/test_adopt.c:
 *	same_bytes	the volume reads as before, whole and degraded, also after it was closed and opened
 *	only_planned	no byte outside the ranges of the plan changes
 *	crash		after a crash at any write it opens as adopted, or is refused as never finished, or is no member
 *	no_room		a member without room is named with what is missing, and nothing is written
 */
#ifndef PG_ARRAY_ADOPT_H
#define PG_ARRAY_ADOPT_H

#include "core/array/array.h"
#include "core/store/super.h"

#define ADOPT_RECORD_OFFSET UINT64_C(0x30000) /* where what somebody else keeps begins: 192 KiB */

struct array_adopt_request {
	struct env *env;
	const char *name; /* of the array */
	/*
	 * Of foreign_finish(): bare, with one volume, none of its extents stale; freed by array_adopt() whatever happens. Its uuid and those of its members
	 * become those of our superblocks, so the caller gives it new ones first; the volume keeps its name.
	 */
	struct map *map;
	struct dev
		*devs[MEMBERS_MAX]; /* by slot, writable, not wrapped; of every member of the map */
	uint64_t data_begin
		[MEMBERS_MAX]; /* the first byte that is data of that array; multiple of 512 */
	uint64_t
		record_size; /* bytes from ADOPT_RECORD_OFFSET on that are the caller's; multiple of BLOCK_SIZE */
	struct uuid origin;         /* of the array as it was */
	uint32_t frame_body_blocks; /* 0: default; few make room in small arrays, for tests */
	/*
	 * Called once, when generation 1 is durable and before generation 2 is begun: marks the superblocks of the
	 * other format, durably. An error ends it. Not NULL.
	 */
	int (*mark)(void *arg, struct err *err);
	void *arg;
};

struct array_adopt_plan {
	struct geometry geometry;
	struct policy policy; /* of new groups */
	uint32_t bands;       /* that its groups are cut into (core/map/bands.h) */
	struct member_regions regions[MEMBERS_MAX];
	/*
	 * So many bytes are missing in a half of the map for the day when all groups are ours, as large as groups may be:
	 * `migrate` will end before. 0: none. It can be adopted all the same.
	 */
	uint64_t map_missing;
};

/*
 * Pure, but that it looks at the sizes of `devs`; `mark` may be NULL. Returns 0; ERR_NOSPACE with the member and the bytes
 * that are missing before its data; ERR_NAME; ERR_LIMIT for mirrors of more copies than ours have; ERR_SIZE for a member
 * that is too small; ERR_STATE when a member has no device or an extent is stale.
 */
int array_adopt_plan(struct array_adopt_plan *plan_out, const struct array_adopt_request *request,
		     struct err *err) MUST_CHECK;

/*
 * The ranges of a member that array_adopt() and everything after it may write as long as the array is reversible (labels,
 * members that are marked): superblocks, then map and log.
 */
struct adopt_range {
	uint64_t offset;
	uint64_t size; /* multiples of BLOCK_SIZE */
};
#define ADOPT_RANGES 2u
void array_adopt_ranges(struct adopt_range ranges_out[static ADOPT_RANGES],
			const struct array_adopt_plan *plan, uint32_t slot);

/*
 * Do it (docs/ADOPT.md, section 3, steps 3 to 5). On success the array, open for writing, owns the devices. On failure they are
 * the caller's still; what was written is what a crash would have left, which the caller
 * puts back from his record.
 */
int array_adopt(struct array **array_out, const struct array_adopt_request *request,
		struct err *err) MUST_CHECK;

/*
 * ADOPT_COMMITTED or ADOPT_UNDOING: one commit, of an array open for writing. Nothing is written when it is in that state
 * already. Returns ERR_STATE from committed to undone, or when the array was not adopted.
 */
int array_adopt_set_state(struct array *array, enum adopt_state state, struct err *err) MUST_CHECK;

/* The members show that it is being undone, which its map does not know: from now on as if it did, in memory alone. */
void array_adopt_note_undoing(struct array *array);

#endif
