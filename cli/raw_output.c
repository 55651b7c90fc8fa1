/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/raw_output.h"

#include "cli/output.h"
#include "cli/pipe_wait.h"
#include "cli/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int raw_output_open(struct raw_output *raw, const struct invocation *inv, bool asked,
		    struct err *err)
{
	struct stat facts;

	if (!asked && isatty(STDOUT_FILENO)) {
		err_set(err, ERR_USAGE, "standard output is a terminal, and a volume is bytes");
		return err_hint(err,
				"write to a file with -o FILE, or add -o - to see them anyway");
	}
	out_use_stderr(inv->out);
	*raw = (struct raw_output){ .inv = inv, .fd = STDOUT_FILENO };

	/* A pipe that is full must not hold us. Opened anew, for others share what 1 stands for. */
	if (fstat(STDOUT_FILENO, &facts) == 0 && S_ISFIFO(facts.st_mode)) {
		int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

		raw->own = fd >= 0;
		raw->fd = raw->own ? fd : STDOUT_FILENO;
	}
	return 0;
}

void raw_output_close(struct raw_output *raw)
{
	if (raw->own)
		close(raw->fd);
	*raw = (struct raw_output){ 0 };
}

bool raw_output_reports(const struct invocation *inv)
{
	return inv->common->json || inv->common->verbose;
}

static int failed(int number, struct err *err)
{
	err_set(err, number == ENOSPC ? ERR_NOSPACE : ERR_IO, "standard output: %s",
		strerrordesc_np(number));
	return number == ENOSPC ? err_hint(err, OUTPUT_ROOM_HINT) : err->code;
}

int raw_output_write(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	const struct raw_output *raw = arg;
	const char *at = bytes;

	(void)offset; /* they come in order */
	while (size > 0) {
		int rc = pipe_wait(raw->fd, POLLOUT, &raw->inv->watch, err);
		ssize_t part = rc ? 0 : write(raw->fd, at, size);

		if (rc)
			return rc;
		if (part < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (part < 0 && errno == EPIPE) {
			err_set(err, ERR_IO, "standard output: whoever read it has gone away");
			return err_hint(err,
					"for a part of a volume: pgctl read --offset --length");
		}
		if (part < 0)
			return failed(errno, err);
		at += part;
		size -= (size_t)part;
	}
	return 0;
}
