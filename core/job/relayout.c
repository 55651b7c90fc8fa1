/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/relayout.h"

#include "core/array/hold.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/job_map.h"
#include "core/job/reshape_write.h"
#include "core/job/runner.h"
#include "core/map/goal.h"
#include "core/map/model.h"
#include "core/map/place.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define PLAN_BLOCKS ((UINT64_C(256) << 20) / BLOCK_SIZE) /* of a batch on paper */
#define STAGES_MAX 2u

VEC_DEFINE(id_vec, uint64_t);

/* The goals of a job, one after the other. */
struct stages {
	uint32_t count;
	struct goal at[STAGES_MAX];
};

enum outcome {
	OUTCOME_NONE,       /* not begun, or of a batch that failed */
	OUTCOME_DONE,       /* written: to be committed */
	OUTCOME_IMPOSSIBLE, /* data of it are lost: left as it is */
	OUTCOME_CHANGED,    /* its groups missed writes since it was planned: to be planned again */
};

struct relayout {
	struct array *array;
	struct relayout_request request;
	struct runner runner;
	struct env_lock lock; /* guards the report */
	struct job job;
	struct job_meter meter;
	struct stages stages;
	struct id_vec left; /* groups that cannot be changed */
	struct places places;
	struct batch batch;
	struct id_vec held;
	enum outcome *outcomes; /* one a reshape of the batch */
	struct rewrite_index *index;
	struct reshape_writer **writers; /* one a task */
	uint32_t task_count;
	struct relayout_report report;
};

/* The widest group that new data would get on the members there are. */
static uint32_t columns_wanted(const struct places *places, const struct relayout_request *request)
{
	const struct map *map = places->map;

	if (request->columns)
		return request->columns;
	if (map->policy.layout == LAYOUT_PARITY && map->policy.columns)
		return map->policy.columns;
	return place_default_width(LAYOUT_PARITY, 1, map_online_count(map));
}

static struct stages stages_of(const struct places *places, const struct relayout_request *request)
{
	const struct goal rebalance = { .kind = GOAL_REBALANCE };
	const struct goal recombine = { .kind = GOAL_RECOMBINE,
					.columns = columns_wanted(places, request) };
	const struct goal topology = { .kind = GOAL_TOPOLOGY };
	const struct goal evacuate = { .kind = GOAL_EVACUATE, .member = request->member };

	switch (request->kind) {
	case JOB_REBALANCE:
		return (struct stages){ 1, { rebalance } };
	case JOB_RECOMBINE:
		return (struct stages){ 1, { recombine } };
	case JOB_EVACUATE:
		return (struct stages){ 1, { evacuate } };
	case JOB_EXPAND:
		return (struct stages){ 2, { recombine, rebalance } };
	case JOB_TOPOLOGY:
		return (struct stages){ 1, { topology } };
	case JOB_REBUILD:
	case JOB_REPLACE:
	case JOB_SCRUB:
	case JOB_REMOVE:
	case JOB_MIGRATE:
		break;
	}
	assert(false); /* no job of relayout */
	return (struct stages){ 0 };
}

/* ---- the plan: all batches on a copy */

static int keep_freed(void *arg, const struct extent *extent)
{
	const struct places *places = arg;

	/* A copy has no readers: what is free may be used by the next batch. */
	space_give(places->space, extent->slot, extent->size_class, extent->frame);
	return 0;
}

static int plan_batch(struct model *model, struct batch *batch, struct relayout_report *report)
{
	int rc = 0;

	for (size_t i = 0; i < batch->list.count; i++) {
		const struct reshape *reshape = &batch->list.at[i];
		struct reshape_bytes bytes = reshape_bytes(model->places.map, reshape);

		report->bytes_read += bytes.read;
		report->bytes_written += bytes.written;
		report->extents_moved += bytes.extents;
	}
	for (size_t i = 0; !rc && i < batch->list.count; i++)
		rc = reshape_apply(model->places.map, &batch->list.at[i], keep_freed,
				   &model->places);
	map_edits_clear(model->places.map);
	return rc;
}

static int plan_goal(struct model *model, const struct relayout_request *request, struct goal *goal,
		     const struct id_vec *left, struct relayout_report *report, struct err *err)
{
	bool more = true;
	int rc = 0;

	goal->skip = left->at;
	goal->skip_count = left->count;
	while (!rc && more) {
		struct batch batch = { .places = &model->places,
				       .blocks_max = request->batch_blocks ? request->batch_blocks
									   : PLAN_BLOCKS };

		rc = goal_next(&batch, goal, err);
		more = batch.list.count > 0;
		if (!rc && plan_batch(model, &batch, report))
			rc = err_set(err, ERR_NOMEM, "no memory to plan moves");
		batch_reset(&batch);
	}
	return rc;
}

static int plan_on(struct model *model, const struct relayout_request *request,
		   const struct id_vec *left, struct relayout_report *report_out, struct err *err)
{
	struct stages stages = stages_of(&model->places, request);
	struct relayout_report report = { .groups_before = model->places.map->group_count };
	int rc = 0;

	for (uint32_t i = 0; !rc && i < stages.count; i++)
		rc = plan_goal(model, request, &stages.at[i], left, &report, err);
	report.groups_after = model->places.map->group_count;
	*report_out = report;
	return rc;
}

int relayout_plan_on(struct model *model, const struct relayout_request *request,
		     struct relayout_report *report_out, struct err *err)
{
	const struct id_vec none = { 0 };

	return plan_on(model, request, &none, report_out, err);
}

/* From the map as it is to the goal. */
static int plan_from(const struct places *places, const struct relayout_request *request,
		     const struct id_vec *left, struct relayout_report *report_out, struct err *err)
{
	struct model *model = NULL;
	int rc = model_create(&model, places, err);

	if (rc)
		return rc;
	rc = plan_on(model, request, left, report_out, err);
	model_free(model);
	return rc;
}

/* Who is being emptied gets nothing. */
static struct places places_of(const struct array *array, const struct relayout_request *request)
{
	struct places places = array_places(array);

	if (request->kind == JOB_EVACUATE)
		places.usable.bits &= ~(UINT64_C(1) << request->member);
	return places;
}

static int check_request(const struct array *array, const struct relayout_request *request,
			 struct err *err)
{
	if (array_need_sealed(array, err))
		return err->code;
	if (request->kind == JOB_EVACUATE && !map_member(array->map, request->member))
		return err_set(err, ERR_NOT_FOUND, "the array has no member %u", request->member);
	return 0;
}

int relayout_plan(const struct array *array, const struct relayout_request *request,
		  struct relayout_report *report_out, struct err *err)
{
	const struct places places = places_of(array, request);
	const struct id_vec none = { 0 };
	int rc = check_request(array, request, err);

	return rc ? rc : plan_from(&places, request, &none, report_out, err);
}

/* ---- the run */

const struct job *relayout_find_job(const struct array *array,
				    const struct relayout_request *request)
{
	const struct map *map = array->map;

	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->kind == request->kind && job->from == request->member &&
		    job->state != JOB_DONE)
			return job;
	}
	return NULL;
}

static int begin_job(struct relayout *work, struct err *err)
{
	struct map *map = work->array->map;
	const struct job *unfinished = relayout_find_job(work->array, &work->request);
	struct relayout_report plan;
	struct model *model = NULL;

	work->job = (struct job){ .kind = work->request.kind,
				  .from = work->request.member,
				  .to = MEMBER_NONE,
				  .started_s = env_clock_s(work->runner.env),
				  .policy.columns = (uint16_t)work->request.columns };
	if (unfinished) {
		work->job = *unfinished;
		if (work->request.columns)
			work->job.policy.columns = (uint16_t)work->request.columns;
		work->request.columns = work->job.policy.columns;
	}
	work->stages = stages_of(&work->places, &work->request);
	int rc = job_map_model(&model, work->array, &work->places, err);
	if (rc)
		return rc;
	rc = plan_on(model, &work->request, &work->left, &plan, err);
	model_free(model);
	if (rc)
		return rc;
	if (!unfinished)
		work->job.id = map->job_id_next++;
	work->job.state = JOB_RUNNING;
	job_meter_begin(&work->meter, &work->job, plan.bytes_written);
	work->report.job = work->job.id;
	work->report.groups_before = map->group_count;
	work->runner.progress.total = work->job.total;
	work->runner.progress.done = work->job.done;
	if (plan.extents_moved == 0 && !unfinished)
		return 0; /* nothing to do: no commit */
	return job_map_put(work->array, &work->job, err);
}

/*
 * Between plan and hold a writer may have gone round a column: what stays in place would then be taken for whole.
 */
static bool is_current(struct relayout *work, const struct reshape *reshape)
{
	struct map *map = work->array->map;
	bool current = true;

	env_lock(work->array->env, &work->array->change);
	for (uint32_t g = 0; current && g < reshape->fresh_count; g++) {
		const struct group *fresh = reshape->fresh[g];

		for (uint32_t c = 0; current && c < fresh->shape.columns; c++) {
			const struct group *old;
			uint32_t column;

			current = reshape_way(map, fresh, c, &old, &column) != RESHAPE_STAYS ||
				  old->extents[column].stale == fresh->extents[c].stale;
		}
	}
	env_unlock(work->array->env, &work->array->change);
	return current;
}

static int relayout_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct relayout *work = arg;
	const struct reshape *reshape = &work->batch.list.at[piece];
	struct reshape_report report = { 0 };

	if (!is_current(work, reshape)) {
		work->outcomes[piece] = OUTCOME_CHANGED;
		return 0;
	}
	int rc =
		reshape_write(work->writers[task], work->array, reshape, work->index, &report, err);
	if (rc)
		return rc;
	env_lock(work->runner.env, &work->lock);
	work->outcomes[piece] = report.impossible ? OUTCOME_IMPOSSIBLE : OUTCOME_DONE;
	work->report.bytes_read += report.bytes_read;
	work->report.bytes_written += report.bytes_written;
	work->report.extents_moved += report.impossible ? 0 : report.extents;
	env_unlock(work->runner.env, &work->lock);
	runner_note(&work->runner, 0, report.bytes_read, report.bytes_written);
	return 0;
}

static int free_extent(void *arg, const struct extent *extent)
{
	return array_free_later(arg, extent);
}

/* One reshape of the batch becomes the map, or is given up. */
static int settle_reshape(struct relayout *work, struct reshape *reshape, bool done,
			  struct err *err)
{
	struct map *map = work->array->map;
	int rc = 0;

	if (!done) {
		reshape_drop(&work->places, reshape);
		return 0;
	}
	work->meter.done += reshape_bytes(map, reshape).written;
	rc = reshape_apply(map, reshape, free_extent, work->array);
	return rc ? array_edit_failed(work->array, "note moved extents", err) : 0;
}

static int note_left(struct relayout *work, const struct reshape *reshape, struct err *err)
{
	for (uint32_t i = 0; i < reshape->old_count; i++) {
		if (id_vec_push(&work->left, reshape->old[i]))
			return err_set(err, ERR_NOMEM, "no memory to note what is left out");
	}
	work->report.groups_left += reshape->old_count;
	return 0;
}

static struct member_set members_written(const struct relayout *work)
{
	struct member_set written = { 0 };

	for (size_t i = 0; i < work->batch.list.count; i++) {
		const struct reshape *reshape = &work->batch.list.at[i];

		for (uint32_t g = 0; g < reshape->fresh_count; g++)
			written.bits |= reshape_members(work->array->map, reshape->fresh[g]).bits;
	}
	return written;
}

/* Groups, freed frames and progress in one commit, which nobody sees a half of. */
static int flip(struct relayout *work, enum job_state state, struct err *err)
{
	struct array *array = work->array;
	int rc = 0;

	hold_alone(array);
	for (size_t i = 0; i < work->batch.list.count; i++) {
		struct reshape *reshape = &work->batch.list.at[i];

		if (!rc && work->outcomes[i] == OUTCOME_IMPOSSIBLE)
			rc = note_left(work, reshape, err);
		if (rc)
			reshape_drop(&work->places, reshape);
		else
			rc = settle_reshape(work, reshape, work->outcomes[i] == OUTCOME_DONE, err);
	}
	work->job.state = state;
	work->job.done = job_meter_at(&work->meter);
	if (!rc && map_put_job(array->map, &work->job))
		rc = array_edit_failed(array, "note the progress", err);
	if (!rc)
		rc = array_commit(array, err);
	hold_together(array);
	return rc;
}

/* What was written before a stop or an error is committed as well. */
static int run_batch(struct relayout *work, struct err *err)
{
	struct err why = { 0 };

	mem_free(work->outcomes);
	work->outcomes = mem_calloc(work->batch.list.count, sizeof(*work->outcomes));
	if (!work->outcomes)
		return err_set(err, ERR_NOMEM, "no memory to move extents");
	int ran = runner_run(&work->runner, 0, work->batch.list.count, relayout_piece, work, &why);
	int rc = runner_flush(work->array, members_written(work), err);
	if (!rc)
		rc = flip(work, ran == ERR_STOPPED ? JOB_PAUSED : JOB_RUNNING, err);
	if (!rc && ran) {
		*err = why;
		rc = ran;
	}
	if (!rc)
		runner_done(&work->runner, work->job.done);
	return rc;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* All groups that go: no group takes part in two reshapes of a batch. */
static int name_groups(struct relayout *work, struct err *err)
{
	work->held.count = 0;
	for (size_t i = 0; i < work->batch.list.count; i++) {
		const struct reshape *reshape = &work->batch.list.at[i];

		for (uint32_t g = 0; g < reshape->old_count; g++) {
			if (id_vec_push(&work->held, reshape->old[g]))
				return err_set(err, ERR_NOMEM, "no memory to move extents");
		}
	}
	if (work->held.count > 1)
		qsort(work->held.at, work->held.count, sizeof(*work->held.at), compare_ids);
	return 0;
}

/* The next batch, from the map as it is; writers may mark members meanwhile. */
static int plan_next(struct relayout *work, struct goal *goal, struct err *err)
{
	struct array *array = work->array;

	work->batch = (struct batch){ .places = &work->places,
				      .blocks_max = job_batch_blocks(work->request.batch_blocks,
								     &work->request.watch) };
	goal->skip = work->left.at;
	goal->skip_count = work->left.count;
	env_lock(array->env, &array->change);
	work->places = places_of(array, &work->request);
	int rc = goal_next(&work->batch, goal, err);
	env_unlock(array->env, &array->change);
	return rc ? rc : name_groups(work, err);
}

static int run_goal(struct relayout *work, struct goal *goal, struct err *err)
{
	bool more = true;
	int rc = 0;

	while (!rc && more) {
		rc = plan_next(work, goal, err);
		more = work->batch.list.count > 0;
		if (!rc && more)
			rc = array_hold(work->array, work->held.at, work->held.count, err);
		if (!rc && more) {
			rc = run_batch(work, err);
			array_release(work->array);
		}
		batch_reset(&work->batch);
	}
	return rc;
}

static int finish_job(struct relayout *work, struct err *err)
{
	if (!map_job(work->array->map, work->job.id))
		return 0; /* there was nothing to do */
	int rc = job_map_remove(work->array, work->job.id, err);
	if (!rc)
		runner_done(&work->runner, work->job.total);
	return rc;
}

static int prepare(struct relayout *work, struct err *err)
{
	int rc = rewrite_index_create(&work->index, work->array->map);

	work->writers = mem_calloc(work->task_count, sizeof(struct reshape_writer *));
	if (!work->writers)
		rc = ERR_NOMEM;
	for (uint32_t i = 0; !rc && i < work->task_count; i++)
		rc = reshape_writer_create(&work->writers[i]);
	return rc ? err_set(err, rc, "no memory to move extents") : 0;
}

static void finish(struct relayout *work)
{
	for (uint32_t i = 0; work->writers && i < work->task_count; i++)
		reshape_writer_free(work->writers[i]);
	mem_free(work->writers);
	mem_free(work->outcomes);
	id_vec_reset(&work->left);
	id_vec_reset(&work->held);
	rewrite_index_free(work->index);
	env_lock_reset(work->runner.env, &work->lock);
	runner_reset(&work->runner);
}

uint32_t relayout_columns(const struct array *array, uint32_t asked)
{
	const struct relayout_request request = { .columns = asked };
	const struct places places = array_places(array);

	return columns_wanted(&places, &request);
}

int relayout_run(struct array *array, const struct relayout_request *request,
		 struct relayout_report *report_out, struct err *err)
{
	struct relayout work = { .array = array, .request = *request };
	int rc = check_request(array, request, err);

	if (rc)
		return rc;
	runner_init(&work.runner, array, &work.request.watch, job_kind_name(request->kind), 0);
	env_lock_init(work.runner.env, &work.lock);
	work.task_count = work.runner.tasks = array_tasks_waiting(array);
	work.places = places_of(array, request);
	rc = prepare(&work, err);
	if (!rc)
		rc = begin_job(&work, err);
	for (uint32_t i = 0; !rc && i < work.stages.count; i++)
		rc = run_goal(&work, &work.stages.at[i], err);
	if (!rc)
		rc = finish_job(&work, err);
	runner_report(&work.runner);
	work.report.groups_after = array->map->group_count;
	*report_out = work.report;
	finish(&work);
	return rc;
}
