/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linux MD on a device: looks at the four places where a superblock may lie, takes whatever version is found
 * at each, and reads the records that a superblock points at: bitmap, bad-block log, partial parity log,
 * journal. A device may hold several superblocks, of an array it left long ago or of a partition on it: all
 * are listed. Nothing is written.
 *
 * What cannot be read or makes no sense is a fault of the record, not an error: the rest is still shown.
 */
#ifndef PG_FORMATS_MD_PROBE_H
#define PG_FORMATS_MD_PROBE_H

#include "core/map/map.h"
#include "formats/md_bad_blocks.h"
#include "formats/md_bitmap.h"
#include "formats/md_journal.h"
#include "formats/md_member.h"
#include "formats/md_ppl.h"

#define MD_FOUND_MAX 4u /* places: 0.90, 1.0, 1.1, 1.2 */

struct dev;

#define MD_VOLUMES_MAX 256u /* of a container: Intel Matrix has no more, and DDF seldom a few */

/* A volume of a container, in the words of an array (other_md.h). */
struct md_volume {
	struct md_member member; /* of this disk in the volume; a spare where it has no part */
	uint32_t number;         /* in the container's list; at most MD_VOLUMES_MAX: not there */
	uint32_t disks[MEMBERS_MAX]; /* by slot: its number in the container, or MD_SLOT_NONE */
	const char *unfit;           /* why it cannot be read, a constant; NULL: it can */
};

/* One superblock and what belongs to it. A record that was not there to be read has `found` false. */
struct md_found {
	uint64_t offset; /* bytes, of the superblock */
	bool decoded;    /* member and one of the two records; else only `damage` */
	struct err damage;
	struct md_member member;
	bool is_md0;
	struct md0 md0;
	struct md1 md1;

	bool bitmap_found;
	struct md_bitmap bitmap;
	bool dirty_known;
	uint64_t dirty_chunks;
	bool bad_blocks_found;
	struct md_bad_blocks bad_blocks;
	bool ppl_found; /* the newest header */
	struct md_ppl ppl;
	uint64_t ppl_at; /* byte of the log where it lies */
	bool journal_found;
	struct md_journal journal;
	struct md_faults faults; /* of these records; those of the superblock are the member's */

	struct md_volume *volumes; /* of a container: those that this disk knows; owned */
	uint32_t volume_count;
};

struct md_probe {
	uint32_t count;
	struct md_found *at[MD_FOUND_MAX]; /* in the order of their offsets; owned */
	uint32_t unreadable;               /* places that could not be read */
};

/* Probe an open device. Returns 0, also with nothing found, or ERR_NOMEM. */
int md_probe_device(struct md_probe *probe_out, struct dev *dev, struct err *err) MUST_CHECK;
void md_probe_reset(struct md_probe *probe);

/* All facts of the superblock, in the order in which they are shown. */
void md_found_print(struct facts *facts, const struct md_found *found);

#endif
