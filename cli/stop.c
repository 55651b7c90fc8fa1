/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_int requested; /* set by the handler, read by any task */

static void request(int signal_number)
{
	requested = signal_number;
}

void stop_install(void)
{
	struct sigaction action = { .sa_handler = request };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
}

bool stop_requested(void)
{
	return requested != 0;
}

int stop_signal(void)
{
	return requested;
}

void stop_clear(void)
{
	requested = 0;
}
