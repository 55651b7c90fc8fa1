/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Choose: which commit to trust, and what each member's superblock means beside it. Pure.
 *
 * The newest commit is the greatest (epoch, generation) on any member: by the order of a commit (payload
 * durable everywhere before the first slot) even a lone newest slot is whole (FAULTS 3.1, M2, M3).
 * All others are judged by the list of epochs in its map. A commit that began an epoch, and that a member
 * which took part in it never heard of, is none (choose_refuted). Only when no copy of that map verifies, and a
 * member proves that the commit was never acknowledged, the commit before it may be taken.
 */
#ifndef PG_STORE_CHOOSE_H
#define PG_STORE_CHOOSE_H

#include "core/store/super.h"

/*
 * Does `witness`, which took part in the epoch of `super`, show that it was never acknowledged? So it does when it is in
 * another epoch of the same or a later number, which does not descend from it (of a descendant choose_judge() does
 * not say CHOOSE_FORK), or in an earlier one but at the same or a later generation. A power loss in a commit that
 * begins an epoch leaves this.
 */
bool choose_went_elsewhere(const struct super *super, const struct super *witness);

/*
 * That of a witness whose slot super->present has. Enough to choose by, not to call a branch none: the slot may be
 * another member's since, and only the map of that commit tells.
 */
bool choose_refuted(const struct super *super, const struct super *witness);

/* Position of the newest of `count` superblocks that is not refuted, unless all are; count > 0. */
uint32_t choose_newest(const struct super *supers, uint32_t count);

/*
 * No copy of the map of `supers[failed]` verifies. Position of the newest older commit of the same epoch
 * on a member that took part in it: as it does not know the commit, nobody was told that it succeeded.
 * `count` when there is none: then going back could lose what was acknowledged.
 */
uint32_t choose_fallback(const struct super *supers, uint32_t count, uint32_t failed);

/* Do both point to the same map bytes? */
bool choose_same_commit(const struct super *a, const struct super *b);

enum choose_verdict {
	CHOOSE_CURRENT, /* knows the commit */
	CHOOSE_STALE,   /* an ancestor: missed commits */
	CHOOSE_AHEAD,   /* has a commit that was never acknowledged: as stale */
	CHOOSE_FORK,    /* of a branch that was written separately */
	CHOOSE_UNKNOWN, /* of an epoch older than the map remembers */
};

/* What `super` is beside the map that was chosen. */
enum choose_verdict choose_judge(const struct map *map, uint32_t map_crc,
				 const struct super *super);

#endif
