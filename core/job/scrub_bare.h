/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scrub of a bare array: the loop over its rows, in the order in which they lie on the members, all groups in turn. What
 * is compared, scrub_bare_rows.h says. A repair is one session of core/array/bare_write.h; where it is stopped nothing
 * remembers its place.
 */
#ifndef PG_JOB_SCRUB_BARE_H
#define PG_JOB_SCRUB_BARE_H

#include "core/array/array.h"
#include "core/job/scrub_types.h"

/* As scrub_run(), which calls it; of an array of ours its bare groups. ERR_FOREIGN also for what needs seals or a log: SCRUB_QUICK and single rows. */
int scrub_bare_run(struct array *array, const struct scrub_request *request,
		   struct scrub_report *report_out, struct err *err) MUST_CHECK;

#endif
