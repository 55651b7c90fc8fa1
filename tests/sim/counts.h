/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a program of the simulator has checked, by invariant and by array: for its report. */
#ifndef PG_TESTS_SIM_COUNTS_H
#define PG_TESTS_SIM_COUNTS_H

#include <stdint.h>

#define COUNTS_SHAPES_MAX 16u

enum checked {
	CHECKED_BYTES,
	CHECKED_BEYOND,
	CHECKED_NAMED,
	CHECKED_REPAIRS,
	CHECKED_SUPERS,
	CHECKED_AGAIN,
	CHECKED_SCRUBS,
	CHECKED_RETURNS,
	CHECKED_TWICE,
	CHECKED_READ_ONLY,
	CHECKED_LIES,
	CHECKED_RESUMED,
	CHECKED_KINDS
};
const char *checked_name(enum checked kind);

struct counts {
	uint64_t checks[CHECKED_KINDS];
	uint64_t states[COUNTS_SHAPES_MAX]; /* by rig_shapes */
	uint64_t trace;                     /* sum of the hashes of all recordings */
};
extern struct counts counts; /* of the program */

#endif
