/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Measure: how fast each part of each member is read, one part after the other, for zones (core/map/zones.h, SPEC 6).
 * A spinning disk reads its low addresses up to twice as fast as its high ones; others make no difference.
 *
 * Every part is read in several rounds, at another place in each; the fastest round counts, since what else
 * goes on only makes it slower. What is found is in the map, with the member: one commit.
 */
#ifndef PG_JOB_MEASURE_H
#define PG_JOB_MEASURE_H

#include "core/array/array.h"
#include "core/job/job.h"

struct measured_member {
	uint32_t slot;
	uint32_t rates[ZONE_RATES]; /* KiB a second; 0: never measured */
};

struct measure_report {
	uint32_t count;
	struct measured_member members[MEMBERS_MAX]; /* all of the array, ascending */
	uint64_t bytes_read;
};

/* Is a part of it worth more than another (zone_rates_differ())? */
bool measure_differs(const struct measured_member *measured);

/* What the map says; nothing is read. */
void measure_show(const struct array *array, struct measure_report *report_out);

/*
 * Measure the members in service; one that has fewer frames than parts, or is not in service, keeps what the map says
 * of it. With `plan` nothing is written. Returns 0, ERR_NOMEM, ERR_STOPPED, ERR_IO when all rounds of a part
 * failed, or what the commit returns; then the map is as it was.
 */
int measure_run(struct array *array, const struct job_watch *watch, bool plan,
		struct measure_report *report_out, struct err *err) MUST_CHECK;

#endif
