/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/pipe_wait.h"

#include <poll.h>

#define TURN_MS 100 /* what a person does not notice between Ctrl-C and the end */

int pipe_wait(int fd, short events, const struct job_watch *watch, struct err *err)
{
	struct pollfd wanted = { .fd = fd, .events = events };

	/* Whatever else poll() says, the read or write behind it says better. */
	while (poll(&wanted, 1, TURN_MS) <= 0) {
		if (watch->stop && watch->stop(watch->arg))
			return err_set(err, ERR_STOPPED, "stopped by a signal");
	}
	return 0;
}
