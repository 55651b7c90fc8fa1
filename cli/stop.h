/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Signals: SIGINT and SIGTERM ask the running job to stop at its next commit; nothing else happens.
 *
 * System calls that wait are not restarted: a read of standard input returns EINTR, and whoever loops
 * over it asks stop_requested(). SIGPIPE and SIGXFSZ are ignored: the write fails with an error instead.
 */
#ifndef PG_CLI_STOP_H
#define PG_CLI_STOP_H

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
/* Which signal it was, 0 for none. */
int stop_signal(void);
/* Forget a signal; the shell does before each line. */
void stop_clear(void);

#endif
