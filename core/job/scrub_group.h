/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One group's scrub: judge every block, seal page and equation; write back what is proven.
 *
 * Repair order within a group: damaged bodies, flush, seal pages, flush, read back. A crash in between
 * leaves a block that its old seal does not match, which the next scrub rebuilds again to the same
 * bytes; so no log is needed. Nothing that verifies is ever written over (FAULTS 4.4, I8).
 */
#ifndef PG_JOB_SCRUB_GROUP_H
#define PG_JOB_SCRUB_GROUP_H

#include "core/array/row.h"
#include "core/job/scrub_tell.h"

struct scrub_slices {
	uint32_t first, count;
};

struct scrub_group_request {
	enum scrub_mode mode;
	/* Told of each finding; the caller sees to it that it is one task at a time. */
	void (*found)(void *arg, const struct mismatch *mismatch);
	void *found_arg;
	/* Only these slices of the group, ascending and apart; NULL: all. Not with SCRUB_QUICK. */
	const struct scrub_slices *slices;
	uint32_t slice_count; /* of `slices` */
};

/* `rows` is the task's own and keeps its buffers. Adds to `counts`. Returns 0 or an error. */
int scrub_group(struct rows *rows, struct array *array, const struct group *group,
		const struct scrub_group_request *request, struct scrub_counts *counts,
		struct err *err) MUST_CHECK;

#endif
