/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/put_strips.h"

#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* What a strip takes of the source. */
struct strip {
	uint8_t *bytes;
	uint64_t offset; /* in the source */
	size_t size;     /* of the source; zeros follow up to `room` */
	size_t room;
	struct iovec iov;
	struct io io; /* reads the whole blocks of it; size 0: there are none */
};

static size_t strip_room(const struct put_strips_job *job)
{
	const struct group *group = job->group;
	size_t segments = group_data_blocks(group) / group->segment_blocks;

	return segments * group_write_strip_slices(job->writer) * group_data_columns(group) *
	       BLOCK_SIZE;
}

static uint32_t strip_count(const struct put_strips_job *job)
{
	return (uint32_t)size_divide_up(job->group->segment_blocks,
					group_write_strip_slices(job->writer));
}

/* A page buffer of at least `size` bytes; its content is not kept. */
static int reserve(struct put_strips *strips, uint32_t i, size_t size)
{
	if (strips->capacity[i] >= size)
		return 0;
	mem_pages_free(strips->buffers[i]);
	strips->buffers[i] = mem_pages(size);
	strips->capacity[i] = strips->buffers[i] ? size : 0;
	return strips->buffers[i] ? 0 : ERR_NOMEM;
}

void put_strips_reset(struct put_strips *strips)
{
	for (uint32_t i = 0; i < 2; i++)
		mem_pages_free(strips->buffers[i]);
	*strips = (struct put_strips){ 0 };
}

/* Where strip `number` comes from. `strip` may not move while its operation runs. */
static void plan(const struct put_strips *strips, const struct put_strips_job *job, uint32_t number,
		 struct strip *strip)
{
	struct dev *dev = job->request->source_dev;
	size_t room = strip_room(job);
	uint64_t done = (uint64_t)number * room;
	uint64_t offset = job->offset + done, size = dev_info(dev)->size;

	assert(offset % BLOCK_SIZE == 0); /* only the last group has a length that is not whole */
	*strip = (struct strip){
		.bytes = strips->buffers[number % 2],
		.offset = offset,
		.size = job->length > done ? (size_t)size_min(job->length - done, room) : 0,
		.room = room,
	};
	size_t whole = size > offset ? (size_t)size_min(size - offset, strip->size) : 0;
	whole -= whole % BLOCK_SIZE;
	strip->iov = (struct iovec){ strip->bytes, whole };
	strip->io = (struct io){ .dev = dev,
				 .op = IO_READ,
				 .offset = offset,
				 .size = whole,
				 .iov = &strip->iov,
				 .iov_count = 1 };
}

/* Its whole blocks have been read: add the rest of the last one, and zeros. */
static int complete(const struct put_request *request, struct strip *strip, struct err *err)
{
	size_t whole = strip->iov.iov_len, tail = strip->size - whole, got = 0;
	int rc = whole ? strip->io.result : 0;

	if (rc && rc != ERR_TRUNCATED)
		return err_set(err, rc, "%s: cannot be read at %" PRIu64,
			       dev_name(request->source_dev), strip->offset);
	if (!rc && tail > 0) {
		rc = request->source(request->source_arg, strip->bytes + whole, tail, &got, err);
		if (rc)
			return rc;
	}
	if (rc || got < tail)
		return err_set(err, ERR_CHANGED, "%s became shorter while it was read",
			       dev_name(request->source_dev));
	memset(strip->bytes + strip->size, 0, strip->room - strip->size);
	return 0;
}

/* Write `now` while `next` is read; next->io.size 0: nothing is. */
static int write_strip(const struct put_strips_job *job, struct strip *now, struct strip *next,
		       struct err *err)
{
	uint64_t before = group_write_bytes(job->writer);
	int rc = complete(job->request, now, err);

	if (!rc)
		rc = group_write_strip(job->writer, now->bytes,
				       next->io.size > 0 ? &next->io : NULL, err);
	if (!rc)
		runner_note(job->runner, now->size, now->iov.iov_len,
			    group_write_bytes(job->writer) - before);
	return rc;
}

int put_strips_run(struct put_strips *strips, const struct put_strips_job *job, struct err *err)
{
	uint32_t count = strip_count(job);
	struct strip pair[2];
	int rc = reserve(strips, 0, strip_room(job));

	if (!rc && count > 1)
		rc = reserve(strips, 1, strip_room(job));
	if (rc)
		return err_set(err, rc, "no memory to read %s", dev_name(job->request->source_dev));
	plan(strips, job, 0, &pair[0]);
	if (pair[0].io.size > 0)
		(void)!io_run(&pair[0].io, 1); /* complete() looks at its result */
	for (uint32_t i = 0; !rc && i < count; i++) {
		struct strip *next = &pair[(i + 1) % 2];

		*next = (struct strip){ 0 };
		if (i + 1 < count)
			plan(strips, job, i + 1, next);
		rc = write_strip(job, &pair[i % 2], next, err);
	}
	return rc;
}
