/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Damage members on purpose, on the medium, by seed: what `pgctl fault add` does, so that operators and
 * tests can see what scrub says. Only blocks of extents in use are touched, and every place is reported.
 */
#ifndef PG_JOB_FAULT_INJECT_H
#define PG_JOB_FAULT_INJECT_H

#include "core/array/array.h"

enum inject_kind {
	INJECT_FLIP,      /* one bit of a block changes */
	INJECT_LOST,      /* block and its seal entry as if the last write had never landed */
	INJECT_MISDIRECT, /* another block of the same member lands on this one */
	INJECT_TORN,      /* the last sectors of a block hold other bytes */
};

struct inject_request {
	enum inject_kind kind;
	uint32_t slot;       /* member */
	uint64_t first, end; /* only byte offsets of the member in this range; 0, UINT64_MAX: all */
	uint32_t count;
	uint64_t seed;
	void (*done)(void *arg, uint64_t offset, uint64_t group, const char *role);
	void *done_arg;
};

int inject_run(struct array *array, const struct inject_request *request,
	       struct err *err) MUST_CHECK;

#endif
