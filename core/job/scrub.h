/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scrub: compare every block with its checksum, every seal with its group, every group with its
 * equations; repair if asked. Check writes nothing. Repair rewrites only blocks and seal pages that do
 * not verify, only with bytes that are proven, and reads them back.
 */
#ifndef PG_JOB_SCRUB_H
#define PG_JOB_SCRUB_H

#include "core/array/array.h"
#include "core/job/job.h"
#include "core/job/mismatch.h"

struct scrub_request {
	enum scrub_mode mode;
	const char *volume; /* NULL: all */
	uint64_t percent; /* 0 or 100: everything; else stop after so many percent of the groups */
	bool resume;      /* go on where a stopped scrub was; else from the beginning */
	void (*found)(void *arg, const struct mismatch *mismatch); /* from one task at a time */
	void *found_arg;
	struct job_watch watch;
};

struct scrub_report {
	uint64_t bytes_read;
	uint64_t rows_checked;
	uint64_t mismatches;
	uint64_t repaired;
	uint64_t left;
	uint64_t job; /* 0 when none was needed */
};

int scrub_run(struct array *array, const struct scrub_request *request,
	      struct scrub_report *report_out, struct err *err) MUST_CHECK;

#endif
