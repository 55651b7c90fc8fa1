/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Devices of other makers' arrays, compared: which belong to one set (container, volume group, file system,
 * pool), which are behind the newest, and which the set has besides. Pure.
 */
#ifndef PG_FORMATS_OTHER_SET_H
#define PG_FORMATS_OTHER_SET_H

#include "formats/other_probe.h"

/* One device, as the caller has it. */
struct other_input {
	const struct other_found *found; /* borrowed for as long as the sets */
	uint32_t device;                 /* which of the caller's devices */
};

struct other_set {
	struct other_input *members; /* in the order given; owned */
	uint32_t member_count;
	const struct other_found *newest; /* whose record counts */
	struct fact_tree missing; /* ids of members that are not here: texts without names */
};

struct other_sets {
	struct other_set *at; /* owned */
	uint32_t count;
};

/* Inputs whose set is not known are left out. Returns 0 or ERR_NOMEM. */
int other_sets_compare(struct other_sets *sets_out, const struct other_input *inputs,
		       uint32_t count, struct err *err) MUST_CHECK;
void other_sets_reset(struct other_sets *sets);

#endif
