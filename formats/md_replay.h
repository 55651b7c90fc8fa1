/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The logs that close the write hole of a Linux MD array, replayed: the partial parity log on the members of a raid5,
 * and the write journal on a device of its own. An array that was stopped in order has nothing in them.
 *
 * Writes go to the devices given, which for reading are patches in memory (dev_patch_open()): the members stay as they
 * are, and what reads through the devices sees the rows as the kernel would have them after assembling.
 *
 * Sources: Linux Documentation/driver-api/md/raid5-ppl.rst and raid5-cache.rst; drivers/md/raid5-ppl.c
 * (ppl_recover_entry) and raid5-cache.c (r5c_recovery_analyze_meta_block) for what the records mean.
 */
#ifndef PG_FORMATS_MD_REPLAY_H
#define PG_FORMATS_MD_REPLAY_H

#include "core/base/vec.h"
#include "core/map/rule.h"
#include "formats/md_map.h"
#include "formats/md_probe.h"

struct dev;

#define MD_REPLAY_BYTES_MAX (UINT64_C(256) << 20) /* of patches of one member */

/* A sector of parity that nothing says the value of: to be an erasure for whoever reads through the devices. */
struct md_doubt {
	uint32_t slot;
	uint64_t sector; /* of the member */
};
VEC_DEFINE(md_doubt_vec, struct md_doubt);

struct md_replay {
	struct dev *const
		*devs; /* MEMBERS_MAX, by slot, with the members' own addresses; NULL: absent */
	const struct md_set *set;
	const struct md_seats *seats;
	struct md_doubt_vec *doubts; /* added to */
};

struct md_replayed {
	uint64_t ranges; /* of the log, that were written to their place */
	uint64_t bytes;
	uint64_t
		skipped; /* that could not be: their own bytes are damaged, or members are absent */
};

/* Does a log have to be looked at? Not a partial parity log of an array that was stopped in order. */
bool md_replay_is_due(const struct md_set *set);

/*
 * The partial parity log of the member in `slot`: parity of what was being written is computed from the log and the data
 * as they are, so that it is right whichever of them had arrived. Where data that were being written cannot be read the
 * parity of these sectors is in doubt. Adds to *replayed. Returns 0, ERR_NOMEM or ERR_IO when a patch cannot be written.
 */
int md_ppl_replay(const struct md_replay *replay, const struct md_found *log, uint32_t slot,
		  struct md_replayed *replayed, struct err *err) MUST_CHECK;

/*
 * The journal, on a device of its own. What was logged with its parity is written to its places; data that were only
 * in the journal are, and their checks computed anew. It is read from its tail on, as far as blocks follow each other
 * and have their sums. Returns as md_ppl_replay().
 */
int md_journal_replay(const struct md_replay *replay, struct dev *journal,
		      const struct md_found *found, struct md_replayed *replayed,
		      struct err *err) MUST_CHECK;

#endif
