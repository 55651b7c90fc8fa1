/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waiting for a pipe without missing a signal.
 *
 * A signal may come just before read() begins to wait, or to another thread: then nothing interrupts
 * the wait, and a command whose pipe stands still could not be stopped. So it waits in short turns and
 * asks in between.
 */
#ifndef PG_CLI_PIPE_WAIT_H
#define PG_CLI_PIPE_WAIT_H

#include "core/base/err.h"
#include "core/job/job.h"

/* Until `fd` has bytes (POLLIN) or room (POLLOUT), or an end or error. ERR_STOPPED when asked to. */
int pipe_wait(int fd, short events, const struct job_watch *watch, struct err *err) MUST_CHECK;

#endif
