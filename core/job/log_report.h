/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the intent log on the members says, in the words of reports: which copies there are, and which rows
 * of which volumes the newest record names. It only reads; what recovery makes of it is array_recovery()'s.
 *
 *	log_report_read()	of an array opened with `leave_log`, so that the log is as it was left
 *	log_report_check()	do the copies and the entries keep the rules?
 *	log_report_try()	of the same array opened as usual: do all named rows stand, or are they lost?
 *	log_report_reset()
 */
#ifndef PG_JOB_LOG_REPORT_H
#define PG_JOB_LOG_REPORT_H

#include "core/array/array.h"
#include "core/job/scrub.h"

/* One slot of one member. */
struct log_report_copy {
	uint32_t member;
	uint32_t slot;
	uint64_t generation; /* 0: there is no record */
	uint64_t epoch;
	bool valid; /* the whole record verifies */
	bool torn;  /* a record is there, but not a whole one */
	int code;   /* why it is not valid */
};

/* Rows as `map` and `scrub` number them. */
struct log_report_entry {
	uint64_t volume;
	const char *name; /* the map's, borrowed; NULL: there is no such volume */
	uint64_t group;
	uint64_t row, rows;
	uint32_t first, count; /* slices; the same as the rows except in sequential groups */
	uint32_t segment;
	uint32_t columns; /* a bit for each data column that is written */
	uint64_t payload; /* bytes of content that the record carries for them */
};

struct log_report_page {
	uint64_t extent;
	uint64_t group; /* 0: there is no such extent */
	uint32_t page;
};

struct log_report {
	uint64_t generation; /* of the newest whole record; 0: there is none */
	uint64_t epoch;
	uint64_t written_s;
	uint64_t generation_seen; /* the greatest, also of damaged records */
	bool suspect;             /* a newer record is, or was, damaged on every copy */
	bool torn;                /* a newer record is torn, as a power loss leaves it */
	uint32_t copies_expected; /* members that the record was meant for */
	uint32_t copies_valid;    /* that hold it */
	uint32_t copy_count, entry_count, page_count;
	struct log_report_copy *copies;
	struct log_report_entry *entries;
	struct log_report_page *pages;
};

/* Read every slot of every member that is there. Returns 0, ERR_NOMEM, or why reading is impossible. */
int log_report_read(struct log_report *report_out, struct array *array, struct err *err) MUST_CHECK;
void log_report_reset(struct log_report *report);

/*
 * Hold the newest record against the rules: generation g lies in slot g mod 2, so that it shares no slot
 * with g - 1; volumes, groups, rows and columns exist; contents match their checksums. *found_out counts.
 */
int log_report_check(struct array *array, void (*found)(void *arg, const char *text), void *arg,
		     uint64_t *found_out, struct err *err) MUST_CHECK;

/* The named rows for a scrub of nothing else: release with mem_free(). NULL when there are none. */
int log_report_rows(struct scrub_rows **rows_out, uint32_t *count_out,
		    const struct log_report *report, struct err *err) MUST_CHECK;

/* What reading all data of the named rows gave. */
struct log_trial {
	uint64_t blocks;     /* read */
	uint64_t lost;       /* that are lost */
	uint64_t mismatches; /* of the rows with their checksums and equations */
};
/* `array` is open with its recovery done, on disk or in memory. */
int log_report_try(struct array *array, const struct log_report *report,
		   struct log_trial *trial_out, struct err *err) MUST_CHECK;

#endif
