/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trace: a wrapper that writes one JSON line for each operation, and the file the lines go to.
 */
#include "core/base/mem.h"
#include "core/dev/devices.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SINK_BUFFER_SIZE ((size_t)64 << 10) /* a few hundred lines per system call */
#define LINE_SIZE 256u                      /* the longest line has 190 characters */
#define LINE_BEGIN "{\"t\":"
#define SLOT_UNKNOWN UINT32_MAX

struct trace_sink {
	struct env *env;
	struct env_lock lock;
	int fd;
	uint64_t opened_ns;
	int failed_errno; /* of the first write that failed; later lines are dropped */
	size_t used;
	char *path;
	char buffer[SINK_BUFFER_SIZE];
};

struct trace_dev {
	struct dev dev;
	struct trace_sink *sink; /* borrowed */
	uint32_t slot;
};

/* Write out what was gathered. Holds the lock, except when the sink is closed. */
static void sink_drain(struct trace_sink *sink)
{
	const char *at = sink->buffer;

	while (sink->used && !sink->failed_errno) {
		ssize_t written = write(sink->fd, at, sink->used);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			sink->failed_errno = errno;
			break;
		}
		at += written;
		sink->used -= (size_t)written;
	}
	sink->used = 0;
}

static void sink_add(struct trace_sink *sink, const char *line, size_t size)
{
	env_lock(sink->env, &sink->lock);
	if (size > SINK_BUFFER_SIZE - sink->used)
		sink_drain(sink);
	memcpy(sink->buffer + sink->used, line, size);
	sink->used += size;
	env_unlock(sink->env, &sink->lock);
}

/* Nobody types the name of a member here and loses it: only an older trace is written over. */
static int content_check(int fd, const char *path, struct err *err)
{
	char begin[sizeof(LINE_BEGIN) - 1];
	struct stat facts;
	ssize_t got;

	if (fstat(fd, &facts))
		return err_set(err, ERR_ACCESS, "%s: %s", path, strerrordesc_np(errno));
	if (!S_ISREG(facts.st_mode))
		return err_set(err, ERR_KIND, "%s: a trace is written to a regular file only",
			       path);
	if (facts.st_size == 0)
		return 0;
	got = pread(fd, begin, sizeof(begin), 0);
	if (got == (ssize_t)sizeof(begin) && memcmp(begin, LINE_BEGIN, sizeof(begin)) == 0)
		return 0;
	err_set(err, ERR_IN_USE, "%s holds something that is not a trace", path);
	return err_hint(err, "name a new file for the trace, or remove this one");
}

static int trace_file_open(int *fd_out, const char *path, struct err *err)
{
	int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return err_set(err, errno == EISDIR ? ERR_KIND : ERR_ACCESS,
			       "%s: the trace cannot be opened: %s", path, strerrordesc_np(errno));
	rc = content_check(fd, path, err);
	if (rc == 0 && ftruncate(fd, 0))
		rc = err_set(err, ERR_IO, "%s: %s", path, strerrordesc_np(errno));
	if (rc) {
		close(fd);
		return rc;
	}
	*fd_out = fd;
	return 0;
}

int trace_sink_open(struct trace_sink **sink_out, struct env *env, const char *path,
		    struct err *err)
{
	struct trace_sink *sink = mem_calloc(1, sizeof(*sink));
	int rc;

	if (!sink)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	sink->path = mem_strdup(path);
	if (!sink->path) {
		mem_free(sink);
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	}
	rc = trace_file_open(&sink->fd, path, err);
	if (rc) {
		mem_free(sink->path);
		mem_free(sink);
		return rc;
	}
	sink->env = env;
	sink->opened_ns = env_now_ns(env);
	env_lock_init(env, &sink->lock);
	*sink_out = sink;
	return 0;
}

int trace_sink_close(struct trace_sink *sink, struct err *err)
{
	int rc = 0;

	if (!sink)
		return 0;
	sink_drain(sink);
	if (close(sink->fd) && !sink->failed_errno)
		sink->failed_errno = errno;
	if (sink->failed_errno)
		rc = err_set(err, dev_code_of_errno(sink->failed_errno),
			     "%s: the trace is not complete: %s", sink->path,
			     strerrordesc_np(sink->failed_errno));
	env_lock_reset(sink->env, &sink->lock);
	mem_free(sink->path);
	mem_free(sink);
	return rc;
}

static void trace_seen(struct dev *dev, const struct io *io, uint64_t begin_ns, uint64_t end_ns)
{
	struct trace_dev *trace = (struct trace_dev *)dev;
	char line[LINE_SIZE], member[12] = "null";
	int size;

	if (trace->slot != SLOT_UNKNOWN)
		snprintf(member, sizeof(member), "%" PRIu32, trace->slot);
	size = snprintf(line, sizeof(line),
			LINE_BEGIN "%" PRIu64 ",\"took\":%" PRIu64 ",\"member\":%s,\"op\":\"%s\","
				   "\"role\":\"%s\",\"offset\":%" PRIu64 ",\"length\":%" PRIu64
				   ",\"result\":%d}\n",
			begin_ns - trace->sink->opened_ns, end_ns - begin_ns, member,
			io_op_name(io->op), io_role_name(io->role), io->offset, io->size,
			io->result);
	assert(size > 0 && (size_t)size < sizeof(line));
	sink_add(trace->sink, line, (size_t)size);
}

static int trace_run(struct dev *dev, struct io *io)
{
	uint64_t begin_ns = env_now_ns(dev->env);

	io->result = dev_run_below(dev, io);
	trace_seen(dev, io, begin_ns, env_now_ns(dev->env));
	return io->result;
}

static void trace_read_sectors(struct dev *dev, struct io *io, uint8_t *bad_out)
{
	uint64_t begin_ns = env_now_ns(dev->env);

	dev_sectors_below(dev, io, bad_out);
	io->result = *bad_out ? ERR_IO : 0;
	trace_seen(dev, io, begin_ns, env_now_ns(dev->env));
}

static int trace_direct_fd(struct dev *dev, const struct io *io)
{
	return dev_direct_fd(dev->below, io);
}

static void trace_close(struct dev *dev)
{
	dev_reset(dev);
	mem_free(dev);
}

static const struct dev_ops trace_ops = {
	.name = "trace",
	.run = trace_run,
	.close = trace_close,
	.direct_fd = trace_direct_fd,
	.read_sectors = trace_read_sectors,
	.timed = true,
	.seen = trace_seen,
};

void trace_sink_set_member(struct dev *dev, uint32_t slot)
{
	assert(dev->ops == &trace_ops);
	((struct trace_dev *)dev)->slot = slot;
}

int dev_trace_open(struct dev **dev_out, struct dev *below, struct trace_sink *sink)
{
	struct trace_dev *trace = mem_calloc(1, sizeof(*trace));

	assert(sink);
	if (!trace)
		return ERR_NOMEM;
	if (dev_init_above(&trace->dev, &trace_ops, below)) {
		mem_free(trace);
		return ERR_NOMEM;
	}
	trace->sink = sink;
	trace->slot = SLOT_UNKNOWN;
	*dev_out = &trace->dev;
	return 0;
}
