/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Put: a stream or a file becomes a volume, or the end of one.
 *
 * From a file every task has a group of its own and fills it strip by strip. From a stream each task in turn
 * reads the next group's bytes (one at a time, in order), then encodes and writes that group while the
 * others read theirs. Nothing refers to the groups until the one commit at the end; before it all members
 * are flushed.
 */
#include "core/array/group_write.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/put_strips.h"
#include "core/job/runner.h"
#include "core/job/transfer.h"
#include "core/map/allocate.h"
#include "core/map/place.h"
#include "core/store/seal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A group that is written, in the order of its bytes. */
struct put_group {
	struct group *group;
	struct span span;
};

struct put_task {
	struct group_writer *writer;
	uint8_t *data;            /* from a stream: one group's bytes */
	struct put_strips strips; /* from a file */
};

struct put {
	struct array *array;
	const struct put_request *request;
	struct runner runner;
	struct volume *volume;       /* id, name and policy, for the seals; new unless appending */
	uint64_t start;              /* length of the volume before */
	struct env_lock source_lock; /* also guards what follows */
	uint8_t *carry;              /* bytes read that the last group had no room for */
	size_t carry_size;
	bool ended;
	uint64_t length;
	struct put_group *groups;
	uint32_t group_count, group_capacity;
	size_t buffer_size; /* from a stream: of each task, and of carry */
	uint32_t task_count;
	struct put_task *tasks;
	struct put_report report;
};

/* The most bytes that one group can take of `length` that come; the last one is padded. */
static size_t group_bytes(const struct map *map, const struct policy *policy, uint64_t length)
{
	uint64_t body = (uint64_t)map->geometry.frame_body_blocks << policy->size_class;
	uint64_t columns = policy->columns ? policy->columns : map->member_count;
	uint64_t padding = columns * policy->unit_blocks;

	if (policy->layout == LAYOUT_PLAIN || policy->layout == LAYOUT_MIRROR)
		columns = 1;
	if (policy->layout == LAYOUT_SEQUENTIAL)
		padding = columns * columns * policy->checks;
	uint64_t full = size_min(columns, CODE_COLUMNS_MAX) * body;
	return size_min(full, length / BLOCK_SIZE + 1 + padding) * BLOCK_SIZE;
}

/* Fill the task's buffer from what was carried over and from the source. */
static int read_source(struct put *put, uint8_t *data, size_t *got_out, struct err *err)
{
	size_t size = put->carry_size;

	memcpy(data, put->carry, size);
	put->carry_size = 0;
	while (size < put->buffer_size && !put->ended) {
		size_t got = 0;
		int rc = put->request->source(put->request->source_arg, data + size,
					      put->buffer_size - size, &got, err);

		if (rc)
			return rc;
		put->ended = got < put->buffer_size - size;
		size += got;
	}
	*got_out = size;
	return 0;
}

static int add_group(struct put *put, struct put_group added)
{
	if (put->group_count == put->group_capacity) {
		uint32_t larger = put->group_capacity ? put->group_capacity * 2 : 16;
		struct put_group *groups = mem_realloc(put->groups, larger, sizeof(*groups));

		if (!groups)
			return ERR_NOMEM;
		put->groups = groups;
		put->group_capacity = larger;
	}
	put->groups[put->group_count++] = added;
	return 0;
}

static int make_span(struct span *span, const struct group *group, const struct group_size *size,
		     uint64_t offset, uint64_t length)
{
	*span = (struct span){ .offset = offset,
			       .length = length,
			       .unit_blocks = size->unit_blocks,
			       .extent_count = group_data_columns(group) };
	span->extents = mem_calloc(span->extent_count, sizeof(uint64_t));
	if (!span->extents)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < span->extent_count; i++)
		span->extents[i] = group->extents[i].id;
	return 0;
}

/* `group` gets the next `length` bytes. Holds the lock. On failure the group is given back. */
static int keep_group(struct put *put, struct group *group, const struct group_size *size,
		      uint64_t length, struct put_group *made_out, struct err *err)
{
	struct put_group made = { .group = group };
	int rc = make_span(&made.span, group, size, put->start + put->length, length);

	if (!rc)
		rc = add_group(put, made);
	if (rc) {
		mem_free(made.span.extents);
		allocate_undo(put->array->space, group);
		return err_set(err, rc, "no memory for another group");
	}
	put->length += length;
	*made_out = made;
	return 0;
}

/*
 * The next group of a stream, and its bytes. Holds the lock. *made_out->group stays NULL at the end.
 */
static int next_of_stream(struct put *put, uint8_t *data, struct put_group *made_out,
			  struct err *err)
{
	struct group_size size;
	struct group *group;
	size_t got = 0;
	int rc = read_source(put, data, &got, err);

	if (rc || got == 0)
		return rc;
	const struct places places = array_places(put->array);
	rc = allocate_group(&places, &put->volume->policy, size_divide_up(got, BLOCK_SIZE), &group,
			    &size, err);
	if (rc)
		return rc;
	size_t taken = size_min(got, size.data_blocks * BLOCK_SIZE);
	put->carry_size = got - taken;
	memcpy(put->carry, data + taken, put->carry_size);
	/* Data behind the end is zero and counts in the equations (FORMAT.md section 5). */
	assert(size.data_blocks * BLOCK_SIZE <= put->buffer_size);
	memset(data + taken, 0, size.data_blocks * BLOCK_SIZE - taken);
	return keep_group(put, group, &size, taken, made_out, err);
}

/* The next group of a file. Holds the lock. *made_out->group stays NULL at the end. */
static int next_of_file(struct put *put, struct put_group *made_out, struct err *err)
{
	uint64_t left = put->request->length_hint - put->length;
	struct group_size size;
	struct group *group;

	if (left == 0)
		return 0;
	const struct places places = array_places(put->array);
	int rc = allocate_group(&places, &put->volume->policy, size_divide_up(left, BLOCK_SIZE),
				&group, &size, err);
	if (rc)
		return rc;
	return keep_group(put, group, &size, size_min(left, size.data_blocks * BLOCK_SIZE),
			  made_out, err);
}

static int write_from_stream(struct put *put, struct put_task *own, const struct put_group *made,
			     uint64_t *written_out, struct err *err)
{
	int rc = group_write(own->writer, put->array, made->group, &made->span, own->data,
			     written_out, err);

	if (!rc)
		runner_note(&put->runner, made->span.length, made->span.length, *written_out);
	return rc;
}

static int write_from_file(struct put *put, struct put_task *own, const struct put_group *made,
			   uint64_t *written_out, struct err *err)
{
	const struct put_strips_job job = {
		.request = put->request,
		.runner = &put->runner,
		.writer = own->writer,
		.group = made->group,
		.offset = made->span.offset - put->start,
		.length = made->span.length,
	};
	int rc = group_write_begin(own->writer, put->array, made->group, &made->span, err);

	if (rc)
		return rc;
	rc = put_strips_run(&own->strips, &job, err);
	if (rc) {
		group_write_abandon(own->writer);
		return rc;
	}
	uint64_t bodies = group_write_bytes(own->writer);
	rc = group_write_end(own->writer, written_out, err);
	if (!rc)
		runner_note(&put->runner, 0, 0, *written_out - bodies);
	return rc;
}

static int put_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct put *put = arg;
	struct put_task *own = &put->tasks[task];
	bool file = put->request->source_dev != NULL;
	struct put_group made = { 0 };
	uint64_t written = 0;

	(void)piece; /* the source gives the order, not the number */
	env_lock(put->runner.env, &put->source_lock);
	int rc = file ? next_of_file(put, &made, err) : next_of_stream(put, own->data, &made, err);
	env_unlock(put->runner.env, &put->source_lock);
	if (rc)
		return rc;
	if (!made.group)
		return RUNNER_END;
	rc = file ? write_from_file(put, own, &made, &written, err)
		  : write_from_stream(put, own, &made, &written, err);
	if (rc)
		return rc;
	env_lock(put->runner.env, &put->source_lock);
	put->report.bytes_written += written;
	env_unlock(put->runner.env, &put->source_lock);
	return 0;
}

/* The spans are the volume's from here on; a new volume is the map's. */
static int publish_volume(struct put *put, struct volume *volume)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < put->group_count; i++) {
		struct put_group *made = &put->groups[i];

		rc = map_volume_add_span(volume, &made->span);
		if (!rc)
			made->span.extents = NULL;
	}
	volume->length = put->start + put->length;
	if (volume != put->volume)
		return rc ? rc : map_touch_volume(put->array->map, volume->id);
	put->volume = NULL;
	if (!rc)
		return map_put_volume(put->array->map, volume);
	map_volume_free(volume);
	return rc;
}

/* In the order of the volume: what a crash leaves of them has no hole. */
static int write_headers(struct put *put, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < put->group_count; i++) {
		const struct put_group *made = &put->groups[i];

		rc = group_write_headers(put->array, made->group, put->volume, &made->span, err);
		put->report.bytes_written += (uint64_t)made->group->shape.columns * BLOCK_SIZE;
	}
	return rc;
}

static struct member_set members_written(const struct put *put)
{
	struct member_set written = { 0 };

	for (uint32_t i = 0; i < put->group_count; i++) {
		const struct group *group = put->groups[i].group;

		for (uint32_t c = 0; c < group->shape.columns; c++)
			written = member_set_with(written, group->extents[c].slot);
	}
	return written;
}

/* Publish: headers, groups, volume, one commit. From here on the map owns them. */
static int publish(struct put *put, struct err *err)
{
	struct map *map = put->array->map;
	struct volume *volume = map_volume(map, put->volume->id);
	int rc = write_headers(put, err);

	if (!rc)
		rc = runner_flush(put->array, members_written(put), err);
	if (rc)
		return rc;
	for (uint32_t i = 0; !rc && i < put->group_count; i++) {
		rc = map_put_group(map, put->groups[i].group);
		put->groups[i].group = NULL;
	}
	if (!rc && volume && volume->length == 0) /* it was made empty: this is its content */
		volume->policy = put->volume->policy;
	if (!rc)
		rc = publish_volume(put, volume ? volume : put->volume);
	return rc ? array_edit_failed(put->array, "publish a volume", err)
		  : array_commit(put->array, err);
}

/* Release everything; groups that were not published give their frames back. */
static void finish(struct put *put)
{
	for (uint32_t i = 0; i < put->group_count; i++) {
		allocate_undo(put->array->space, put->groups[i].group);
		mem_free(put->groups[i].span.extents);
	}
	mem_free(put->groups);
	map_volume_free(put->volume);
	mem_pages_free(put->carry);
	for (uint32_t i = 0; put->tasks && i < put->task_count; i++) {
		group_writer_free(put->tasks[i].writer);
		mem_pages_free(put->tasks[i].data);
		put_strips_reset(&put->tasks[i].strips);
	}
	mem_free(put->tasks);
	env_lock_reset(put->runner.env, &put->source_lock);
	runner_reset(&put->runner);
}

static int prepare_stream(struct put *put)
{
	put->buffer_size =
		group_bytes(put->array->map, &put->request->policy, put->request->length_hint);
	put->carry = mem_pages(put->buffer_size);
	if (!put->carry)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < put->task_count; i++) {
		put->tasks[i].data = mem_pages(put->buffer_size);
		if (!put->tasks[i].data)
			return ERR_NOMEM;
	}
	return 0;
}

static int prepare(struct put *put)
{
	struct map *map = put->array->map;
	const struct volume *old = map_volume_named(map, put->request->name);

	put->volume = map_volume_create();
	if (!put->volume)
		return ERR_NOMEM;
	put->volume->id = old ? old->id : map->volume_id_next++;
	put->start = old ? old->length : 0;
	put->volume->policy = put->request->policy;
	snprintf(put->volume->name, sizeof(put->volume->name), "%s", put->request->name);
	put->tasks = mem_calloc(put->task_count, sizeof(*put->tasks));
	if (!put->tasks)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < put->task_count; i++) {
		if (group_writer_create(&put->tasks[i].writer))
			return ERR_NOMEM;
	}
	return put->request->source_dev ? 0 : prepare_stream(put);
}

/* The volume is there when it has to be, and the new groups protect it as it says of itself. */
static int check_volume(const struct array *array, const struct put_request *request,
			struct err *err)
{
	const struct volume *volume = map_volume_named(array->map, request->name);
	const struct policy *policy = &request->policy;

	if (!request->append)
		return volume ? err_set(err, ERR_EXISTS, "there is a volume \"%s\" already",
					request->name)
			      : 0;
	if (!volume)
		return err_set(err, ERR_NOT_FOUND, "there is no volume \"%s\" to append to",
			       request->name);
	if (volume->length > 0 &&
	    (volume->policy.layout != policy->layout || volume->policy.checks != policy->checks))
		return err_set(err, ERR_USAGE,
			       "volume \"%s\" is %s with %u checks, and so is what is appended",
			       volume->name, layout_name(volume->policy.layout),
			       volume->policy.checks);
	return 0;
}

/* Name and policy are possible; nothing is touched. */
static int check_request(const struct array *array, const struct put_request *request,
			 struct err *err)
{
	int rc = array_need_committed(array, err);

	if (!rc)
		rc = map_name_check(request->name, err);
	if (!rc)
		rc = check_volume(array, request, err);
	if (rc)
		return rc;
	return policy_check(&request->policy, &array->map->geometry, map_online_count(array->map),
			    err);
}

int put_run(struct array *array, const struct put_request *request, struct put_report *report_out,
	    struct err *err)
{
	struct put put = { .array = array, .request = request };
	uint64_t total = request->length_hint == UINT64_MAX ? 0 : request->length_hint;
	int rc = check_request(array, request, err);

	if (!rc)
		rc = array_write_settle(array, err); /* nobody else commits meanwhile */
	if (rc)
		return rc;
	runner_init(&put.runner, array, &request->watch, "put", total);
	env_lock_init(put.runner.env, &put.source_lock);
	put.task_count = put.runner.tasks;
	rc = prepare(&put);
	if (rc)
		err_set(err, rc, "no memory to store a volume");
	else
		rc = runner_run(&put.runner, 0, UINT64_MAX, put_piece, &put, err);
	put.report.groups = put.group_count;
	put.report.length = put.length;
	if (!rc)
		rc = publish(&put, err);
	if (!rc) {
		put.runner.progress.total = put.runner.progress.done; /* now it is known */
		runner_report(&put.runner);
		*report_out = put.report;
	}
	finish(&put);
	return rc;
}

/* What is written of a group of this size: bodies and seals. */
static int written_bytes(const struct policy *policy, const struct group_size *size,
			 uint64_t *bytes_out)
{
	struct group *group = map_group_create(size->columns);

	if (!group)
		return ERR_NOMEM;
	group->shape = code_shape_make(policy->layout, (uint16_t)size->columns, policy->checks, 0);
	group->segment_blocks = size->segment_blocks;
	for (uint32_t i = 0; i < size->columns; i++)
		group->extents[i].body_blocks = size->body_blocks;
	*bytes_out = 0;
	for (uint32_t i = 0; i < size->columns; i++) {
		struct seal_shape seal = seal_shape_of(group, i);

		*bytes_out +=
			(size->body_blocks + UINT64_C(1) + seal_entry_pages(&seal)) * BLOCK_SIZE;
	}
	mem_free(group);
	return 0;
}

int put_plan(const struct array *array, const struct put_request *request,
	     struct put_report *report_out, struct err *err)
{
	const struct map *map = array->map;
	uint64_t left = size_divide_up(request->length_hint, BLOCK_SIZE);
	struct put_report report = { .length = request->length_hint };
	struct array_capacity capacity;
	uint64_t frames = 0, bytes;
	int rc = check_request(array, request, err);

	if (rc)
		return rc;
	if (request->length_hint == UINT64_MAX)
		return err_set(err, ERR_UNSUPPORTED, "the length of the source is not known");
	while (left > 0) {
		uint32_t columns = request->policy.columns;

		if (columns == 0)
			columns = place_default_width(request->policy.layout,
						      request->policy.checks, map->member_count);
		struct group_size size =
			group_size_choose(&request->policy, &map->geometry, columns,
					  request->policy.size_class, left);
		if (size.data_blocks == 0)
			return err_set(err, ERR_SIZE,
				       "an extent is too small for a group of %u columns", columns);
		report.groups++;
		frames += (UINT64_C(1) << size.size_class) * size.columns;
		if (written_bytes(&request->policy, &size, &bytes))
			return err_set(err, ERR_NOMEM, "no memory to plan");
		report.bytes_written += bytes;
		left -= size_min(left, size.data_blocks);
	}
	array_capacity(array, &capacity);
	bytes = frames * map->geometry.frame_blocks * BLOCK_SIZE;
	if (bytes > capacity.free)
		return err_set(err, ERR_NOSPACE,
			       "%" PRIu64 " bytes are needed on the members, %" PRIu64 " are free",
			       bytes, capacity.free);
	*report_out = report;
	return 0;
}

/* No bytes. */
static int empty_source(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	(void)arg;
	(void)bytes;
	(void)size;
	(void)err;
	*got_out = 0;
	return 0;
}

struct zeros {
	uint64_t left;
};

static int zero_source(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	struct zeros *zeros = arg;

	(void)err;
	*got_out = size_min(size, zeros->left);
	memset(bytes, 0, *got_out);
	zeros->left -= *got_out;
	return 0;
}

int volume_create_run(struct array *array, const char *name, const struct policy *policy,
		      uint64_t length, struct err *err)
{
	struct zeros zeros = { length };
	struct put_report report;
	const struct put_request request = {
		.name = name,
		.policy = *policy,
		.source = length ? zero_source : empty_source,
		.source_arg = &zeros,
		.length_hint = length,
	};

	return put_run(array, &request, &report, err);
}
