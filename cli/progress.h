/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Progress of a job for whoever waits: a bar on a terminal, JSON lines for programs, or nothing.
 *
 * Commands do not call this; dispatch opens it and commands pass inv->watch on (job/job.h).
 *
 *	--progress auto		a bar on stderr when that is a terminal, and neither -q nor --json
 *	--progress never	nothing
 *	--progress json		one line each: {"kind":"put","done":N,"total":N,"bytes_read":N,
 *				"bytes_written":N,"bytes_per_s":N,"eta_s":N}; total and eta_s are null
 *				while unknown
 *
 * Promises: `done` never falls, also when a job reports it falling; at most PROGRESS_PER_S lines a
 * second, but the first and the last are always shown; a reader that goes away stops nothing; the
 * bar never stands on a line with other output (dispatch has output.h call progress_hide()).
 */
#ifndef PG_CLI_PROGRESS_H
#define PG_CLI_PROGRESS_H

#include "cli/command.h"
#include "core/job/job.h"

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_PER_S 5u

struct env;
struct progress; /* opaque */

struct progress_config {
	struct env *env;
	enum progress_mode mode;
	int fd;      /* where it goes; borrowed */
	bool silent; /* -q: no bar; JSON lines were asked for and still come */
	bool color;
	uint64_t rate_max;
	bool (*stop)(void); /* asked by job_watch.stop; may be NULL */
};

int progress_open(struct progress **progress_out, const struct progress_config *config,
		  struct err *err) MUST_CHECK;
/* What a request takes; borrowed, valid until progress_close(). */
struct job_watch progress_watch(struct progress *progress);
/* Take the bar off the terminal's line, because something else is about to be printed there. */
void progress_hide(struct progress *progress);
/* Say the last state in JSON, take the bar away. NULL is allowed. */
void progress_close(struct progress *progress);

#endif
