/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the superblocks of one device; the public half is array_probe() in array.h. */
#ifndef PG_ARRAY_PROBE_H
#define PG_ARRAY_PROBE_H

#include "core/dev/dev.h"
#include "core/store/super.h"

/* A superblock that cannot be read any more and seems to be later than all that can. */
struct forgotten {
	uint64_t epoch, epoch_id, generation;
	struct member_set present;
	uint32_t map_half, map_crc; /* of its map, not checked */
	uint64_t map_length;
};

/* What is left of a superblock that does not verify; generation 0: nothing to go by. */
struct half_super {
	uint64_t epoch_id, generation;
};

struct probe {
	uint32_t valid_slots;
	bool unreadable;          /* reading of superblocks failed, of some or all */
	struct super newest;      /* when valid_slots > 0 */
	uint64_t generation_seen; /* in any slot that decodes */
	uint32_t damaged_slots;   /* with the magic, but not valid */
	struct err damage;        /* what is wrong with one of them */
	struct forgotten forgotten[SUPER_SLOTS];
	uint32_t forgotten_count;
	struct half_super halves[SUPER_SLOTS];
	uint64_t held[SUPER_SLOTS]; /* generation of the superblock that verifies there; 0: none */
};

/*
 * Look at all positions there are: one that verifies at 64 KiB says which areas belong to it (FORMAT.md section 1). Slots of several identities: those of the one written last count.
 * Returns 0, or ERR_VERSION when all that is found needs a newer program, or ERR_NOMEM. Read errors
 * are as absent slots, and noted.
 */
int probe_device(struct probe *probe_out, struct dev *dev, struct err *err) MUST_CHECK;

/*
 * Zero all superblock areas and flush: nothing on the device is a member afterwards. Of one of an adopted array not the
 * area at 1 MiB, where data may be.
 */
int probe_wipe(struct dev *dev, bool adopted, struct err *err) MUST_CHECK;

#endif
