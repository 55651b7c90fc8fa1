/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/counts.h"

struct counts counts;

const char *checked_name(enum checked kind)
{
	static const char *const names[CHECKED_KINDS] = {
		[CHECKED_BYTES] = "I1-I3,I12 every byte of every volume, in bounded operations",
		[CHECKED_BEYOND] = "I16 more is lost than the code survives: nothing is wrong",
		[CHECKED_NAMED] = "I4 blocks written in place, named by a durable record",
		[CHECKED_REPAIRS] = "I8 blocks written in place that did not verify",
		[CHECKED_SUPERS] = "I5 superblocks, none older than the one before",
		[CHECKED_AGAIN] = "I6 recovered twice",
		[CHECKED_SCRUBS] = "I7,I11 metadata and scrub",
		[CHECKED_RETURNS] = "I10 a commit, and what was absent comes back",
		[CHECKED_TWICE] = "I13 recordings made twice",
		[CHECKED_READ_ONLY] = "I15 openings for reading",
		[CHECKED_LIES] = "A13 a disk that lied about its flushes",
		[CHECKED_RESUMED] = "I9 a job that was cut off is finished, its progress",
	};

	return names[kind];
}
