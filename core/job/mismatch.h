/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scrub finds: one damaged block or seal page, who is suspected, and why. */
#ifndef PG_JOB_MISMATCH_H
#define PG_JOB_MISMATCH_H

#include "core/array/row_judge.h"

enum scrub_mode {
	SCRUB_CHECK,
	SCRUB_REPAIR,
	SCRUB_QUICK, /* sequential: tails and their seals only; other layouts: check extents' seals */
	SCRUB_MEDIA, /* read every block in use; no comparison but checksums */
};

#define SUSPECT_UNDECIDABLE MEMBER_NONE

struct mismatch_block {
	uint32_t slot;    /* member */
	uint64_t lba;     /* byte offset on the member */
	const char *role; /* data, parity, pure, primary, secondary, seal */
	enum block_fate state;
};

struct mismatch {
	uint64_t group;
	uint64_t row;
	const char *volume; /* NULL when the damage touches no data block */
	uint64_t offset;    /* in the volume */
	uint64_t length;
	const char *kind; /* read-error, checksum, stale, parity, identity */
	const char *
		basis; /* checksum, witness, generation, pure-parity, second-parity, mirror-majority, read-error; NULL: nothing tells */
	uint32_t suspect; /* slot or SUSPECT_UNDECIDABLE */
	bool repaired;
	uint32_t block_count;
	const struct mismatch_block *blocks; /* the suspect first; borrowed for the call */
};

#endif
