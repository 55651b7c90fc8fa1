/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commit: the only way the map changes on disk (DESIGN 2.3, FAULTS 3.1 M1 to M6).
 *
 *	map record to free space of a half on every member; flush; superblock slot on every member;
 *	flush; only then is it acknowledged
 *
 * A delta goes behind the records of the half in use; a full record goes to the start of the other
 * half, when there is no room or when a member does not hold the half in use. So nothing is ever
 * written over that the newest slot of a member in service points to:
 *
 *	- a try that failed after its records were durable may have left slots: the next try goes
 *	  behind them in the same half, never over them, nor over the last acknowledged commit;
 *	- a try skips the generation whose slot is that of the last acknowledged one;
 *	- a member that missed the last commit is brought up to it (commit_catch_up) before the
 *	  half that it still points to is used; what it has of a commit that is none goes before
 *	  that (commit_withdraw).
 *
 * A member that joins gets its slot before the others, with a flush between. Else a power loss could
 * leave them with a member that has no superblock and is missing for good. Where it alone has the slot
 * the commit counts, for its records are on all; unless the others, without it, have committed
 * something else since (choose_refuted).
 *
 * A member that fails is only named: the caller takes it out of service in the map and commits again.
 */
#ifndef PG_STORE_COMMIT_H
#define PG_STORE_COMMIT_H

#include "core/dev/dev.h"
#include "core/store/super.h"

/* One member in service. */
struct commit_member {
	struct dev *dev; /* borrowed */
	struct uuid uuid;
	uint32_t slot;
	struct member_regions regions;
	bool current; /* holds the newest records; also true after a try that came so far */
	bool joins;   /* has no superblock yet */
	int result;   /* out: 0 or the error that its writes met */
};

/* Where the newest records lie that are durable on all members in service; zero before the first. */
struct commit_state {
	uint64_t generation_seen; /* the greatest ever seen, also in a rejected slot */
	uint32_t half;
	uint64_t length;
	uint32_t crc;
	uint32_t half_acknowledged; /* of the last commit that succeeded */
};

/*
 * Write the map's edits; members that join come first in `members`. `map->generation` becomes the new
 * generation on success, and the edits are cleared. Returns 0; ERR_LIMIT when the map is too large for its
 * region (nothing was written); or the error of the first member that failed, each member's in its `result`.
 */
int commit_write(struct commit_state *state, struct map *map, struct commit_member *members,
		 uint32_t member_count, uint64_t now_s, struct err *err) MUST_CHECK;

/*
 * Bring `to`, which missed the last commit, up to it: its records as they are on `from`, flush, its
 * slot, flush. Nothing new is published. `to->current` is true afterwards. Returns 0, or why not: then
 * `to` is as good as it was before, as far as it was no older than one commit.
 */
int commit_catch_up(const struct commit_state *state, const struct map *map,
		    const struct commit_member *from, struct commit_member *to,
		    struct err *err) MUST_CHECK;

/*
 * Take back the superblocks of `from` whose commit is none beside the one that was chosen. That they are none is told by
 * their map, where the next records may go: a power loss would leave superblocks of a branch. And a later
 * epoch would outdo the commits behind the chosen one. Where no other would be left nothing is done.
 */
int commit_withdraw(const struct map *map, uint32_t map_crc, const struct commit_member *from,
		    struct err *err) MUST_CHECK;

/* Read the map that `super` points to from `dev`, verify and check it. */
int commit_read(struct map **map_out, struct dev *dev, const struct super *super,
		struct err *err) MUST_CHECK;

#endif
