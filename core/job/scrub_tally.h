/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tasks of one scrub found, gathered: counts are added up, and findings go out one at a time.
 *
 *	scrub_tally_init()	before the tasks
 *	scrub_tally_found()	from any of them, for each finding
 *	scrub_tally_add()	from any of them, once a piece
 *	scrub_tally_report()	when they have ended
 *	scrub_tally_reset()
 */
#ifndef PG_JOB_SCRUB_TALLY_H
#define PG_JOB_SCRUB_TALLY_H

#include "core/env/env.h"
#include "core/job/scrub_tell.h"
#include "core/job/scrub_types.h"

struct scrub_tally {
	struct env *env;
	const struct scrub_request *request; /* borrowed: whom findings are told */
	struct env_lock lock;                /* guards what follows, and found() */
	struct scrub_counts counts;
};

void scrub_tally_init(struct scrub_tally *tally, struct env *env,
		      const struct scrub_request *request);
void scrub_tally_reset(struct scrub_tally *tally);

/* `arg` is a struct scrub_tally: what the requests of groups and rows take as their found(). */
void scrub_tally_found(void *arg, const struct mismatch *mismatch);
void scrub_tally_add(struct scrub_tally *tally, const struct scrub_counts *counts);
struct scrub_report scrub_tally_report(const struct scrub_tally *tally);

#endif
