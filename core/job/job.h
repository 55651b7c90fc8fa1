/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What all jobs share: how they are watched, stopped and reported.
 */
#ifndef PG_JOB_JOB_H
#define PG_JOB_JOB_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct job_progress {
	const char *kind; /* "put", "scrub", ... */
	uint64_t done;    /* bytes; never falls, ends at `total` */
	uint64_t total;   /* 0: not known */
	uint64_t bytes_read;
	uint64_t bytes_written;
};

/* Called a few times a second from the task that runs the job. */
struct job_watch {
	void (*progress)(void *arg, const struct job_progress *progress); /* may be NULL */
	bool (*stop)(void *arg); /* true: stop at the next commit with ERR_STOPPED; may be NULL */
	void *arg;
	uint64_t rate_max; /* bytes a second; 0: no bound */
};

/* A byte range of a volume that was lost. */
struct job_loss {
	const char *volume;
	uint64_t offset;
	uint64_t length;
};

#endif
