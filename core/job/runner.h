/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runner: pieces of work side by side, with progress, pace and a way to stop. All jobs loop through it.
 *
 * Pieces are numbered and taken in order by as many tasks as the array allows. The first error ends the
 * loop: pieces that are under way are finished, no new one is begun. Progress is reported by the
 * caller's task, a few times a second at most.
 */
#ifndef PG_JOB_RUNNER_H
#define PG_JOB_RUNNER_H

#include "core/array/array.h"
#include "core/job/job.h"

struct runner {
	struct env *env;
	struct env_lock lock;
	const struct job_watch *watch;
	struct job_progress progress;
	uint64_t started_ns, reported_ns;
	uint64_t paced_bytes; /* read and written since the start, for rate_max */
	uint64_t next, end;
	uint32_t tasks;
	int (*work)(void *arg, uint32_t task, uint64_t piece, struct err *err);
	void *arg;
	_Atomic bool stop; /* asked for, or an error happened */
	bool asked_to_stop;
	struct err err;
};

void runner_init(struct runner *runner, struct array *array, const struct job_watch *watch,
		 const char *kind, uint64_t total);
void runner_reset(struct runner *runner);

/*
 * Do pieces first..end-1: work(arg, task, piece, err), `task` from 0 to runner->tasks - 1 names the
 * task's own buffers. `end` UINT64_MAX: until a piece returns RUNNER_END. Returns 0, the first error, or
 * ERR_STOPPED.
 */
#define RUNNER_END 1
int runner_run(struct runner *runner, uint64_t first, uint64_t end,
	       int (*work)(void *arg, uint32_t task, uint64_t piece, struct err *err), void *arg,
	       struct err *err) MUST_CHECK;

/* Note what a piece has done; sleeps when the rate is bounded. Any task. */
void runner_note(struct runner *runner, uint64_t done, uint64_t bytes_read, uint64_t bytes_written);

/* A job that counts what it committed: so much is done. It never falls. Reports when it is time; the caller's task. */
void runner_done(struct runner *runner, uint64_t done);

/* Has the watcher asked to stop? Also true after an error. */
bool runner_stops(struct runner *runner);

/*
 * Flush the members that were written to. Returns 0 or the error of the first that failed, named; those that
 * failed are then marked, as after a failed flush of any writer.
 */
int runner_flush(struct array *array, struct member_set written, struct err *err) MUST_CHECK;

/* Report the present progress now, whatever the time. */
void runner_report(struct runner *runner);

#endif
