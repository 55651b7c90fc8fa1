/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild and replace: the loop. A batch of extents is rewritten by all tasks, then the targets are flushed, then
 * one commit flips the batch and notes the job's progress. A kill loses at most one batch of work.
 */
#include "core/job/rebuild.h"

#include "core/array/probe.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/job/rebuild_bare.h"
#include "core/job/rebuild_delta.h"
#include "core/job/rewrite.h"
#include "core/job/runner.h"
#include "core/map/address.h"
#include "core/map/allocate.h"
#include "core/map/homes.h"
#include "core/map/model.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES (UINT64_C(256) << 20) /* about a second of work between commits */
#define BATCH_EXTENTS 1024u

/* One extent to move. */
struct move {
	uint64_t group;
	uint32_t column;
	uint32_t lost_columns;  /* of its group: the most endangered go first */
	enum topology topology; /* that says where its copies lie, or free */
	struct extent place;
	bool placed, done, skipped;
};

struct rebuild {
	struct array *array;
	const struct rebuild_request *request;
	struct runner runner;
	struct env_lock lock; /* guards the report and the callback */
	struct rewrite_index *index;
	struct topology_ring ring; /* without `from` */
	struct job job;
	struct move *moves;
	size_t move_count;
	size_t batch_first, batch_end;
	struct rows *rows; /* per task */
	uint32_t task_count;
	struct rebuild_report report;
};

static enum job_kind job_kind_of(const struct rebuild_request *request)
{
	return request->replace ? JOB_REPLACE : JOB_REBUILD;
}

static uint64_t extent_bytes(const struct extent *extent)
{
	return (uint64_t)extent->body_blocks * BLOCK_SIZE;
}

static uint32_t lost_columns(const struct array *array, const struct group *group)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < group->shape.columns; i++)
		lost += !array_extent_usable(array, &group->extents[i]);
	return lost;
}

/* More endangered groups first, then in the order of their ids. */
static int compare_moves(const void *a, const void *b)
{
	const struct move *left = a, *right = b;

	if (left->lost_columns != right->lost_columns)
		return left->lost_columns > right->lost_columns ? -1 : 1;
	return left->group < right->group ? -1 : left->group > right->group;
}

VEC_DEFINE(move_vec, struct move);

static int add_moves(struct move_vec *moves, const struct rebuild *work, const struct group *group,
		     const struct volume *volume)
{
	bool has_homes = volume && homes_apply(&volume->policy, group);

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		const struct move move = { .group = group->id,
					   .column = c,
					   .topology = has_homes ? volume->policy.topology
								 : TOPOLOGY_FREE,
					   .lost_columns = lost_columns(work->array, group) };

		if (group->extents[c].slot == work->request->from && move_vec_push(moves, move))
			return ERR_NOMEM;
	}
	return 0;
}

/* Every extent on the member, most endangered first. */
static int list_moves(struct rebuild *work, struct err *err)
{
	const struct map *map = work->array->map;
	const struct places places = array_places(work->array);
	uint64_t *volumes = map_group_volumes(map);
	struct move_vec moves = { 0 };
	int rc = volumes ? 0 : ERR_NOMEM;

	homes_ring_to_be(&work->ring, &places, work->request->from);
	for (uint32_t g = 0; !rc && g < map->group_count; g++)
		rc = add_moves(&moves, work, map->groups[g], map_volume(map, volumes[g]));
	mem_free(volumes);
	if (moves.count > 0)
		qsort(moves.at, moves.count, sizeof(*moves.at), compare_moves);
	work->moves = moves.at;
	work->move_count = moves.count;
	return rc ? err_set(err, rc, "no memory for the list of extents") : 0;
}

/* A member that was being replaced may fail: then what is left is a rebuild, and the same job. */
static bool is_job_of(const struct job *job, const struct rebuild_request *request)
{
	return (job->kind == JOB_REBUILD || job->kind == JOB_REPLACE) &&
	       job->from == request->from && job->to == request->to;
}

/* The unfinished job of this request, or NULL. */
static const struct job *find_job(const struct map *map, const struct rebuild_request *request)
{
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->state != JOB_DONE && is_job_of(job, request))
			return job;
	}
	return NULL;
}

/* The target gives up its number at the end: no other job may name it. */
static int check_jobs(const struct map *map, const struct rebuild_request *request, struct err *err)
{
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->state == JOB_DONE || is_job_of(job, request) ||
		    (job->from != request->to && job->to != request->to))
			continue;
		err_set(err, ERR_STATE, "job %" PRIu64 " still works on member %u", job->id,
			request->to);
		return err_hint(err, "pgctl job cancel ARRAY %" PRIu64 " drops it", job->id);
	}
	return 0;
}

/*
 * Where an extent goes: to the target, but no member may hold two extents of one group. Without a target a copy of a
 * topology goes to its home in the ring that `from` has left.
 */
static uint32_t target_of(const struct rebuild *work, const struct places *places,
			  const struct move *move)
{
	const struct group *group = map_group(places->map, move->group);
	uint32_t to = work->request->to;

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (group->extents[c].slot == to)
			to = MEMBER_NONE;
	}
	if (to != MEMBER_NONE || move->topology == TOPOLOGY_FREE)
		return to;
	return homes_of_column(places, &work->ring, move->topology, group, move->column);
}

/*
 * A member that stands beside `from` in a group is no target. Once a job runs, groups that were made
 * since may hold extents on both; those of `from` then go where there is room.
 */
static int check_target(const struct map *map, const struct rebuild_request *request,
			struct err *err)
{
	bool goes_on = find_job(map, request) != NULL;
	int rc = check_jobs(map, request, err);

	if (rc)
		return rc;
	for (uint32_t g = 0; !goes_on && g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		uint32_t found = 0;

		for (uint32_t c = 0; c < group->shape.columns; c++)
			found += group->extents[c].slot == request->from ||
				 group->extents[c].slot == request->to;
		if (found > 1)
			return err_set(err, ERR_STATE,
				       "members %u and %u both hold extents of group %" PRIu64
				       ", so one cannot take over what the other holds",
				       request->from, request->to, group->id);
	}
	return 0;
}

static int check_request(const struct array *array, const struct rebuild_request *request,
			 struct err *err)
{
	const struct member *from = map_member(array->map, request->from);

	if (!from)
		return err_set(err, ERR_NOT_FOUND, "the array has no member %u", request->from);
	if (request->to == MEMBER_NONE)
		return 0;
	if (!map_member(array->map, request->to))
		return err_set(err, ERR_NOT_FOUND, "the array has no member %u", request->to);
	if (request->to == request->from && request->replace)
		return err_set(err, ERR_USAGE, "member %u cannot replace itself", request->to);
	if (!array_member_usable(array, request->to))
		return err_set(err, ERR_STATE, "member %u is not in service", request->to);
	return request->to == request->from ? 0 : check_target(array->map, request, err);
}

/* The unfinished job of this request, or a new one. */
static int begin_job(struct rebuild *work, struct err *err)
{
	struct map *map = work->array->map;
	const struct rebuild_request *request = work->request;
	struct member *to = request->to == MEMBER_NONE ? NULL : map_member(map, request->to);
	uint64_t left = 0;

	work->job = (struct job){ .kind = job_kind_of(request),
				  .from = request->from,
				  .to = request->to,
				  .started_s = env_clock_s(work->runner.env) };
	for (size_t i = 0; i < work->move_count; i++)
		left += extent_bytes(
			&map_group(map, work->moves[i].group)->extents[work->moves[i].column]);
	const struct job *unfinished = find_job(map, request);
	if (unfinished)
		work->job = *unfinished;
	else
		work->job.id = map->job_id_next++;
	/* What is done plus what is left is the total, whatever happened in between. */
	work->job.state = JOB_RUNNING;
	work->job.total = work->job.done + left;
	work->report.job = work->job.id;
	work->runner.progress.total = work->job.total;
	work->runner.progress.done = work->job.done;
	if (to && to->state == MEMBER_SPARE) { /* a spare that is used is one no longer */
		to->state = MEMBER_ONLINE;
		if (map_touch_member(map, to->slot))
			return array_edit_failed(work->array, "begin the job", err);
	}
	if (map_put_job(map, &work->job))
		return array_edit_failed(work->array, "begin the job", err);
	return array_commit(work->array, err);
}

/*
 * SPEC 4.6: where only members of the group itself have room, an extent of another group goes there and
 * leaves its own place. A commit of its own, since the place is free only after it.
 */
static int move_chain(struct rebuild *work, const struct allocate_chain *chain, struct err *err)
{
	struct map *map = work->array->map;
	struct group *group = map_group(map, chain->group);
	struct extent *extent = &group->extents[chain->column];
	struct rewrite_request request = {
		.group = group, .column = chain->column, .read_old = true, .index = work->index
	};
	struct rewrite_report report = { 0 };
	const struct places places = array_places(work->array);
	int rc = allocate_move(&places, group, chain->column, MEMBER_NONE, &request.place, err);

	if (rc)
		return rc;
	rc = rewrite_extent(&work->rows[0], work->array, &request, &report, err);
	if (!rc && report.blocks_lost > 0) /* it may come back where it is */
		rc = err_set(err, ERR_DATA_LOST, "extent %" PRIu64 " on member %u has lost blocks",
			     extent->id, extent->slot);
	mem_free(report.lost);
	if (!rc)
		rc = runner_flush(work->array,
				  member_set_with((struct member_set){ 0 }, request.place.slot),
				  err);
	if (rc) {
		space_give(work->array->space, request.place.slot, request.place.size_class,
			   request.place.frame);
		return rc;
	}
	work->report.bytes_read += report.bytes_read;
	work->report.bytes_written += report.bytes_written;
	work->report.extents_moved++;
	if (array_free_later(work->array, extent) || map_touch_group(map, group->id))
		return array_edit_failed(work->array, "note moved extents", err);
	*extent = request.place;
	return array_commit(work->array, err);
}

/* A place for one extent. With a batch begun, one that needs a chain move waits for the next batch. */
static int place_extent(struct rebuild *work, struct move *move, struct err *err)
{
	const struct group *group = map_group(work->array->map, move->group);
	struct allocate_chain chain;
	struct places places = array_places(work->array);
	uint32_t to = target_of(work, &places, move);
	int rc = allocate_move(&places, group, move->column, to, &move->place, err);

	if (rc == ERR_NOSPACE && to != work->request->to) { /* a home: anywhere is better */
		*err = (struct err){ 0 };
		to = MEMBER_NONE;
		rc = allocate_move(&places, group, move->column, to, &move->place, err);
	}
	if (rc != ERR_NOSPACE || to != MEMBER_NONE || work->batch_end > work->batch_first ||
	    !allocate_find_chain(&places, group, move->column, &chain))
		return rc;
	*err = (struct err){ 0 };
	rc = move_chain(work, &chain, err);
	places = array_places(work->array);
	return rc ? rc
		  : allocate_move(&places, group, move->column, MEMBER_NONE, &move->place, err);
}

/* Take the next extents and give each a new place. */
static int place_batch(struct rebuild *work, struct err *err)
{
	uint64_t bytes = 0;

	work->batch_first = work->batch_end;
	while (work->batch_end < work->move_count && bytes < BATCH_BYTES &&
	       work->batch_end - work->batch_first < BATCH_EXTENTS) {
		struct move *move = &work->moves[work->batch_end];
		int rc = place_extent(work, move, err);

		if (rc && work->batch_end > work->batch_first) {
			*err = (struct err){ 0 }; /* what was placed so far is worth doing */
			return 0;
		}
		if (rc)
			return rc;
		move->placed = true;
		bytes += extent_bytes(&move->place);
		work->batch_end++;
	}
	return 0;
}

/* Tell of the volume ranges that lost blocks stood for. */
static void report_losses(struct rebuild *work, const struct group *group, uint32_t column,
			  const struct rewrite_report *report)
{
	for (uint32_t i = 0; i < report->blocks_lost; i++) {
		struct address address = { group, column, report->lost[i] };
		struct volume_part part;

		if (!work->request->lost || !address_to_volume(&part, work->array->map, &address))
			continue;
		const struct job_loss loss = { part.volume->name, part.offset, part.length };
		work->request->lost(work->request->lost_arg, &loss);
	}
}

static int rebuild_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct rebuild *work = arg;
	struct move *move = &work->moves[work->batch_first + piece];
	const struct group *group = map_group(work->array->map, move->group);
	const struct rewrite_request request = {
		.group = group,
		.column = move->column,
		.place = move->place,
		.read_old = work->request->replace,
		.group_buffer = work->request->group_buffer,
		.index = work->index,
	};
	struct rewrite_report report = { 0 };
	int rc = rewrite_extent(&work->rows[task], work->array, &request, &report, err);

	if (rc)
		return rc;
	env_lock(work->runner.env, &work->lock);
	/* An extent of which nothing is left stays where it is, lost: it may come back. */
	move->skipped = report.blocks_lost == move->place.body_blocks;
	move->done = true;
	work->report.bytes_read += report.bytes_read;
	work->report.bytes_written += report.bytes_written;
	work->report.extents_lost += report.blocks_lost > 0;
	work->report.extents_moved += !move->skipped;
	work->report.buffer_peak = size_max(work->report.buffer_peak, report.buffer);
	report_losses(work, group, move->column, &report);
	env_unlock(work->runner.env, &work->lock);
	mem_free(report.lost);
	runner_note(&work->runner, extent_bytes(&move->place), report.bytes_read,
		    report.bytes_written);
	return 0;
}

/* Flip what is done, give back what is not, note the progress: one commit. */
static int commit_batch(struct rebuild *work, enum job_state state, struct err *err)
{
	struct map *map = work->array->map;
	struct member_set written = { 0 };

	for (size_t i = work->batch_first; i < work->batch_end; i++)
		written = member_set_with(written, work->moves[i].place.slot);
	int rc = runner_flush(work->array, written, err);
	for (size_t i = work->batch_first; i < work->batch_end; i++) {
		struct move *move = &work->moves[i];
		struct group *group = map_group(map, move->group);

		if (rc || !move->done || move->skipped) {
			space_give(work->array->space, move->place.slot, move->place.size_class,
				   move->place.frame);
			continue;
		}
		struct extent *extent = &group->extents[move->column];
		work->job.done += extent_bytes(extent);
		work->job.cursor = size_max(work->job.cursor, group->id);
		if (array_free_later(work->array, extent) || map_touch_group(map, group->id))
			rc = array_edit_failed(work->array, "note moved extents", err);
		*extent = move->place;
	}
	work->job.state = state;
	if (!rc && map_put_job(map, &work->job))
		rc = array_edit_failed(work->array, "note the progress", err);
	return rc ? rc : array_commit(work->array, err);
}

/* `to` takes over the slot of the member that it replaces, and that one leaves the array. */
static int take_over(struct rebuild *work, struct array_member *gone, struct err *err)
{
	struct array *array = work->array;
	struct map *map = array->map;
	uint32_t from = work->request->from, to = work->request->to;
	struct member member = *map_member(map, to);
	const struct member *old = map_member(map, from);
	int rc;

	member.slot = from;
	if (member.label_count == 0) { /* it stands in the same place */
		member.label_count = old->label_count;
		memcpy(member.labels, old->labels, sizeof(member.labels));
	}
	rc = map_remove_member(map, to);
	if (!rc)
		rc = map_put_member(map, &member);
	for (uint32_t g = 0; !rc && g < map->group_count; g++) {
		struct group *group = map->groups[g];

		for (uint32_t c = 0; !rc && c < group->shape.columns; c++) {
			if (group->extents[c].slot != to)
				continue;
			group->extents[c].slot = from;
			rc = map_touch_group(map, group->id);
		}
	}
	if (rc)
		return array_edit_failed(array, "finish the job", err);
	space_remove_member(array->space, from);
	space_rename_member(array->space, to, from);
	*gone = array->members[from];
	array->members[from] = array->members[to];
	array->members[to] = (struct array_member){ .presence = ABSENT };
	return 0;
}

static int declare_failed(struct rebuild *work, struct err *err)
{
	struct member *member = map_member(work->array->map, work->request->from);

	member->state = MEMBER_FAILED;
	if (map_touch_member(work->array->map, member->slot))
		return array_edit_failed(work->array, "finish the job", err);
	return 0;
}

/* All is moved: the job ends, and with a target the two members change places, in one commit. */
static int finish_job(struct rebuild *work, struct err *err)
{
	struct array_member gone = { 0 };
	bool empty = array_member_used(work->array, work->request->from) == 0;
	int rc = 0;

	if (map_remove_job(work->array->map, work->job.id))
		return array_edit_failed(work->array, "finish the job", err);
	if (work->request->to != MEMBER_NONE && empty)
		rc = take_over(work, &gone, err);
	else if (empty && !array_member_usable(work->array, work->request->from))
		rc = declare_failed(work, err); /* nothing misses it any more */
	if (!rc)
		rc = array_commit(work->array, err);
	/*
	 * The member that left says so itself from now on, if it can: it may well be the reason for all this. The
	 * map does not know it any more.
	 */
	if (!rc && gone.dev && gone.presence <= PRESENT_STALE) {
		struct err ignored = { 0 };

		(void)!probe_wipe(gone.dev, work->array->map->geometry.adopted, &ignored);
	}
	dev_close(gone.dev);
	return rc;
}

static int run_batches(struct rebuild *work, struct err *err)
{
	int rc = 0;

	while (!rc && work->batch_end < work->move_count) {
		struct err why = { 0 };

		rc = place_batch(work, err);
		if (rc)
			break;
		int ran = runner_run(&work->runner, 0, work->batch_end - work->batch_first,
				     rebuild_piece, work, &why);
		rc = commit_batch(work, ran == ERR_STOPPED ? JOB_PAUSED : JOB_RUNNING, err);
		if (!rc && ran) {
			*err = why;
			rc = ran;
		}
	}
	return rc;
}

static int prepare(struct rebuild *work, struct err *err)
{
	int rc = list_moves(work, err);

	if (rc)
		return rc;
	work->rows = mem_calloc(work->task_count, sizeof(*work->rows));
	if (!work->rows || rewrite_index_create(&work->index, work->array->map))
		return err_set(err, ERR_NOMEM, "no memory to rebuild");
	return 0;
}

static void finish(struct rebuild *work)
{
	for (uint32_t i = 0; work->rows && i < work->task_count; i++)
		rows_free(&work->rows[i]);
	mem_free(work->rows);
	mem_free(work->moves);
	rewrite_index_free(work->index);
	env_lock_reset(work->runner.env, &work->lock);
	runner_reset(&work->runner);
}

/* `from` is back: only what it missed. */
static int rebuild_in_place(struct array *array, const struct rebuild_request *request,
			    struct rebuild_report *report_out, struct err *err)
{
	struct rebuild_delta_report delta = { 0 };
	int rc = rebuild_delta_run(array, request->from, &request->watch, &delta, err);

	*report_out = (struct rebuild_report){
		.bytes_read = delta.bytes_read,
		.bytes_written = delta.bytes_written,
		.extents_moved = delta.extents_done,
		.extents_lost = delta.extents_lost,
		.degraded = array_health(array) != HEALTH_HEALTHY,
	};
	return rc;
}

int rebuild_run(struct array *array, const struct rebuild_request *request,
		struct rebuild_report *report_out, struct err *err)
{
	struct rebuild work = { .array = array, .request = request };

	if (map_is_bare(array->map))
		return rebuild_bare_run(array, request, report_out, err);
	int rc = array_need_sealed(array, err);

	if (!rc)
		rc = check_request(array, request, err);
	if (!rc)
		rc = array_write_settle(array, err); /* groups are going to move */
	if (rc)
		return rc;
	if (request->to == request->from)
		return rebuild_in_place(array, request, report_out, err);
	runner_init(&work.runner, array, &request->watch, request->replace ? "replace" : "rebuild",
		    0);
	env_lock_init(work.runner.env, &work.lock);
	work.task_count = work.runner.tasks = array_tasks_waiting(array);
	rc = prepare(&work, err);
	if (!rc)
		rc = begin_job(&work, err);
	if (!rc)
		rc = run_batches(&work, err);
	if (!rc)
		rc = finish_job(&work, err);
	runner_report(&work.runner);
	work.report.degraded = array_health(array) != HEALTH_HEALTHY;
	*report_out = work.report;
	finish(&work);
	return rc;
}

/* Is there room for all of it? Tried on a copy, in the order of the run. */
static int check_room(const struct array *array, const struct rebuild_request *request,
		      struct err *err)
{
	struct array seen = *array; /* list_moves() only looks */
	struct rebuild work = { .array = &seen, .request = request };
	const struct places places = array_places(array);
	struct model *model = NULL;
	size_t placed = 0;
	int rc = list_moves(&work, err);

	if (!rc)
		rc = model_create(&model, &places, err);
	for (; !rc && placed < work.move_count; placed++) {
		const struct move *move = &work.moves[placed];
		uint32_t to = target_of(&work, &model->places, move);

		if (!model_move(model, move->group, move->column, to) &&
		    (to == request->to ||
		     !model_move(model, move->group, move->column, MEMBER_NONE)))
			break;
	}
	if (!rc && placed < work.move_count)
		rc = err_set(err, ERR_NOSPACE,
			     "only %zu of the %zu extents of member %u find room%s", placed,
			     work.move_count, request->from,
			     request->to == MEMBER_NONE ? " on members outside their groups" : "");
	model_free(model);
	mem_free(work.moves);
	return rc;
}

int rebuild_plan(const struct array *array, const struct rebuild_request *request,
		 struct rebuild_report *report_out, struct err *err)
{
	struct rebuild_report report = { 0 };
	const struct map *map = array->map;

	if (map_is_bare(map))
		return rebuild_bare_plan(array, request, report_out, err);
	int rc = array_need_sealed(array, err);

	if (!rc)
		rc = check_request(array, request, err);

	if (!rc && request->to == request->from) { /* what differs is not known before */
		*report_out = (struct rebuild_report){
			.extents_moved = rebuild_delta_count(array, request->from),
		};
		return 0;
	}
	if (!rc)
		rc = check_room(array, request, err);
	if (rc)
		return rc;
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			uint64_t bytes = extent_bytes(&group->extents[c]);

			if (group->extents[c].slot != request->from)
				continue;
			report.extents_moved++;
			report.bytes_written += bytes;
			report.bytes_read +=
				request->replace ? bytes : bytes * (group->shape.columns - 1u);
		}
	}
	*report_out = report;
	return 0;
}

int job_cancel(struct array *array, uint64_t job, struct err *err)
{
	if (array_need_native(array, err))
		return err->code;
	if (!map_job(array->map, job))
		return err_set(err, ERR_NOT_FOUND, "there is no job %" PRIu64, job);
	int rc = array_write_settle(array, err); /* nobody else commits meanwhile */
	if (rc)
		return rc;
	if (map_remove_job(array->map, job))
		return array_edit_failed(array, "note the change", err);
	return array_commit(array, err);
}
