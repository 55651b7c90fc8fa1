/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scrub is asked for and what it reports; scrub.h is the manual. */
#ifndef PG_JOB_SCRUB_TYPES_H
#define PG_JOB_SCRUB_TYPES_H

#include "core/job/job.h"
#include "core/job/mismatch.h"

/* Slices of a group: block first..first+count-1 of every segment of every column. */
struct scrub_rows {
	uint64_t group;
	uint32_t first, count;
};

struct scrub_request {
	enum scrub_mode mode;
	/*
	 * Nothing but these rows, in any order; a group that is not there is passed over. Seals of
	 * their groups are looked at as well. Not with SCRUB_QUICK, `percent` or `resume`.
	 */
	bool only_rows;
	const struct scrub_rows *rows; /* borrowed */
	uint32_t row_count;
	/* Of a bare array: where nothing tells who is wrong and all data can be read, make the checks anew. */
	bool accept_data;
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

#endif
