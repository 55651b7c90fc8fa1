/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How scrubs tell what they find: counted, and with everything that protects the block (mismatch.h). */
#ifndef PG_JOB_SCRUB_TELL_H
#define PG_JOB_SCRUB_TELL_H

#include "core/job/mismatch.h"
#include "core/map/address.h"

struct scrub_counts {
	uint64_t bytes_read;
	uint64_t rows;
	uint64_t mismatches;
	uint64_t repaired;
	uint64_t left;
};

/* All borrowed. `rows` has the window that the blocks are of. */
struct scrub_teller {
	const struct rows *rows;
	void (*found)(void *arg, const struct mismatch *mismatch); /* may be NULL */
	void *found_arg;
	struct scrub_counts *counts;
};

void scrub_tell(const struct scrub_teller *teller, const struct mismatch *mismatch);

/* Fill in group, row, volume range and the blocks of the row, that `at` first, and tell it. */
void scrub_tell_block(const struct scrub_teller *teller, const struct mismatch *mismatch,
		      const struct address *at);

#endif
