/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/migrate.h"

#include "core/array/group_write.h"
#include "core/array/hold.h"
#include "core/array/open_windows.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/job_map.h"
#include "core/job/recode_write.h"
#include "core/job/room_write.h"
#include "core/job/runner.h"

#include <assert.h>
#include <inttypes.h>

VEC_DEFINE(offset_vec, uint64_t);

struct migrate {
	struct array *array;
	const struct migrate_request *request;
	struct volume *volume; /* of the map; it stays where it is */
	struct runner runner;
	struct env_lock lock; /* guards the report, what is left, and the request's lost() */
	struct job job;
	struct job_meter meter;
	struct offset_vec left; /* spans that cannot be read */
	struct offset_vec
		fixed;  /* bare ones that make no room, because a column of them cannot be read */
	bool no_memory; /* to note one */
	struct places places;
	struct recode_goal goal;
	struct recode_batch batch;
	struct room room; /* to be made before the next batch; no moves: there is enough */
	struct recode_id_vec held;
	bool *impossible; /* one a group of the batch */
	struct recode_writer **writers;
	uint32_t task_count;
	struct migrate_report report;
};

const struct job *migrate_find_job(const struct array *array, const char *volume)
{
	const struct map *map = array->map;
	const struct volume *wanted = map_volume_named(map, volume);

	for (uint32_t i = 0; wanted && i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->kind == JOB_MIGRATE && job->volume == wanted->id && job->state != JOB_DONE)
			return job;
	}
	return NULL;
}

/* ---- the plan: all batches on a copy */

static int keep_freed(void *arg, const struct extent *extent)
{
	const struct places *places = arg;

	if (!extent_is_bare(extent)) /* else by space_set_bare() */
		space_give(places->space, extent->slot, extent->size_class, extent->frame);
	return 0;
}

static int plan_batch(struct model *model, struct recode_goal *goal, struct recode_batch *batch,
		      struct migrate_report *report, struct err *err)
{
	struct map *map = model->places.map;
	struct recode_bytes bytes =
		recode_bytes(map, batch, map_volume(map, goal->volume), batch->runs.count);
	const struct recode_run *last = &batch->runs.at[batch->runs.count - 1];

	report->bytes_read += bytes.read;
	report->bytes_written += bytes.written;
	report->extents_moved += bytes.extents;
	int rc = recode_apply(batch, goal, batch->runs.count, keep_freed, &model->places);

	goal->cursor = last->offset + last->length;
	map_edits_clear(map);
	return rc ? rc : space_set_bare(model->places.space, map, err);
}

/* Where there is no room for a batch on enough members: the columns that make it, of a part of the last span. */
static int next_room(struct recode_batch *batch, struct room *room, const struct recode_goal *goal,
		     bool *cut_out, struct err *err)
{
	const struct room_goal room_goal = {
		.volume = goal->volume,
		.cursor = goal->cursor,
		.skip = goal->fixed,
		.skip_count = goal->fixed_count,
	};
	bool cut = false;
	int rc = recode_cut(batch, goal, true, &cut);

	*cut_out |= cut;
	if (!rc)
		rc = room_next(room, batch->places, &room_goal);
	*err = (struct err){ 0 };
	return rc ? err_set(err, rc, "no memory to make room") : 0;
}

/*
 * The next batch, or what makes room for it. Groups are narrower than they were asked for only where nothing makes
 * room. *cut_out: spans of the map were cut, which a commit is to say with whatever comes next.
 */
static int next_act(struct recode_batch *batch, struct room *room, const struct recode_goal *goal,
		    bool *cut_out, struct err *err)
{
	int rc = 0;

	*room = (struct room){ 0 };
	*cut_out = false;
	batch->whole = map_has_bare(batch->places->map);
	if (batch->whole)
		rc = recode_cut(batch, goal, false, cut_out);
	if (rc)
		return err_set(err, rc, "no memory to plan a migration");
	rc = recode_next(batch, goal, err);
	if (rc != ERR_NOSPACE || !batch->whole)
		return rc;
	rc = next_room(batch, room, goal, cut_out, err);
	if (rc || room->moves.count > 0)
		return rc;
	batch->whole = false;
	return recode_next(batch, goal, err);
}

static int plan_room(struct model *model, struct room *room, struct migrate_report *report,
		     struct err *err)
{
	report->bytes_read += room->blocks * BLOCK_SIZE;
	report->bytes_written += room->blocks * BLOCK_SIZE;
	report->extents_moved += room->moves.count;
	int rc = room_apply(room, &model->places, keep_freed, &model->places);

	map_edits_clear(model->places.map);
	room_reset(room);
	return rc ? err_set(err, rc, "no memory to plan a migration")
		  : space_set_bare(model->places.space, model->places.map, err);
}

static int plan_on(struct model *model, struct recode_goal goal, struct migrate_report *report_out,
		   struct err *err)
{
	struct migrate_report report = { .groups_before = model->places.map->group_count };
	bool more = true;
	int rc = 0;

	while (!rc && more) {
		struct recode_batch batch = { .places = &model->places,
					      .blocks_max = RECODE_RUN_BLOCKS };
		struct room room;
		bool cut;

		rc = next_act(&batch, &room, &goal, &cut, err);
		more = batch.runs.count > 0 || room.moves.count > 0;
		if (!rc && room.moves.count > 0)
			rc = plan_room(model, &room, &report, err);
		else if (!rc && more && plan_batch(model, &goal, &batch, &report, err))
			rc = err_set(err, ERR_NOMEM, "no memory to plan a migration");
		recode_reset(&batch);
	}
	report.groups_after = model->places.map->group_count;
	if (!rc)
		*report_out = report;
	return rc;
}

static int check_request(const struct array *array, const struct policy *policy, const char *volume,
			 struct err *err)
{
	if (array_need_committed(array, err))
		return err->code;
	if (!map_volume_named(array->map, volume))
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", volume);
	return policy_check(policy, &array->map->geometry, map_online_count(array->map), err);
}

/* What an unfinished job was asked for, else what is asked for now. */
static struct recode_goal goal_of(const struct array *array, const struct migrate_request *request)
{
	const struct job *job = migrate_find_job(array, request->volume);

	return (struct recode_goal){
		.volume = map_volume_named(array->map, request->volume)->id,
		.policy = job ? &job->policy : &request->policy,
		.again = job ? job->cursor : 0,
	};
}

int migrate_plan(const struct array *array, const struct migrate_request *request,
		 struct migrate_report *report_out, struct err *err)
{
	const struct job *job = migrate_find_job(array, request->volume);
	const struct places places = array_places(array);
	struct model *model = NULL;
	int rc = check_request(array, job ? &job->policy : &request->policy, request->volume, err);

	if (!rc)
		rc = model_create(&model, &places, err);
	if (rc)
		return rc;
	rc = plan_on(model, goal_of(array, request), report_out, err);
	model_free(model);
	return rc;
}

/* ---- the run */

static int begin_job(struct migrate *work, struct err *err)
{
	struct array *array = work->array;
	const struct job *unfinished = migrate_find_job(array, work->request->volume);
	struct migrate_report plan;
	struct model *model = NULL;

	work->job = (struct job){ .kind = JOB_MIGRATE,
				  .from = MEMBER_NONE,
				  .to = MEMBER_NONE,
				  .started_s = env_clock_s(work->runner.env),
				  .volume = work->volume->id,
				  .policy = work->request->policy };
	if (unfinished)
		work->job = *unfinished;
	work->goal = (struct recode_goal){ .volume = work->volume->id,
					   .policy = &work->job.policy,
					   .again = work->job.cursor };
	int rc = check_request(array, &work->job.policy, work->request->volume, err);
	if (!rc)
		rc = job_map_model(&model, array, &work->places, err);
	if (rc)
		return rc;
	rc = plan_on(model, work->goal, &plan, err);
	model_free(model);
	if (rc)
		return rc;
	if (!unfinished)
		work->job.id = array->map->job_id_next++;
	work->job.state = JOB_RUNNING;
	job_meter_begin(&work->meter, &work->job, plan.bytes_written);
	work->report.job = work->job.id;
	work->report.groups_before = array->map->group_count;
	work->runner.progress.total = work->job.total;
	work->runner.progress.done = work->job.done;
	if (plan.extents_moved == 0 && !unfinished)
		return 0; /* no more than a policy changes */
	return job_map_put(array, &work->job, err);
}

static void note_left(struct migrate *work, uint64_t offset)
{
	for (size_t i = 0; i < work->left.count; i++) {
		if (work->left.at[i] == offset)
			return;
	}
	work->no_memory = work->no_memory || offset_vec_push(&work->left, offset);
	work->report.spans_left++;
}

static void note_loss(void *arg, const struct span *span, uint64_t offset, uint64_t length)
{
	struct migrate *work = arg;
	const struct job_loss loss = { work->volume->name, offset, length };

	env_lock(work->runner.env, &work->lock);
	note_left(work, span->offset);
	if (work->request->lost)
		work->request->lost(work->request->lost_arg, &loss);
	env_unlock(work->runner.env, &work->lock);
}

static const struct recode_run *run_of(const struct migrate *work, size_t group)
{
	size_t low = 0, high = work->batch.runs.count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (work->batch.runs.at[middle].group_first <= group)
			low = middle;
		else
			high = middle;
	}
	return &work->batch.runs.at[low];
}

static int migrate_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct migrate *work = arg;
	const struct recode_request request = {
		.volume = work->volume,
		.run = run_of(work, piece),
		.made = &work->batch.groups.at[piece],
		.lost = note_loss,
		.lost_arg = work,
	};
	struct recode_report report = { 0 };
	int rc = recode_write(work->writers[task], work->array, &request, &report, err);

	if (rc)
		return rc;
	env_lock(work->runner.env, &work->lock);
	work->impossible[piece] = report.impossible;
	work->report.bytes_read += report.bytes_read;
	work->report.bytes_written += report.bytes_written;
	env_unlock(work->runner.env, &work->lock);
	runner_note(&work->runner, 0, report.bytes_read, report.bytes_written);
	return 0;
}

/* Runs from the first on of which all groups were written: pieces below `pieces`. */
static size_t runs_done(const struct migrate *work, uint64_t pieces)
{
	size_t runs = 0;

	for (; runs < work->batch.runs.count; runs++) {
		const struct recode_run *run = &work->batch.runs.at[runs];

		if (run->group_first + run->group_count > pieces)
			return runs;
		for (size_t g = 0; g < run->group_count; g++) {
			if (work->impossible[run->group_first + g])
				return runs;
		}
	}
	return runs;
}

/* The last that is written, and then all of it is flushed. */
static int publish_groups(struct migrate *work, size_t runs, struct err *err)
{
	struct member_set written = { 0 };
	int rc = 0;

	for (size_t r = 0; !rc && r < runs; r++) {
		const struct recode_run *run = &work->batch.runs.at[r];

		for (size_t g = 0; !rc && g < run->group_count; g++) {
			const struct recode_group *made =
				&work->batch.groups.at[run->group_first + g];

			rc = group_write_headers(work->array, made->group, work->volume,
						 &made->span, err);
			for (uint32_t c = 0; c < made->group->shape.columns; c++)
				written = member_set_with(written, made->group->extents[c].slot);
			work->report.bytes_written +=
				(uint64_t)made->group->shape.columns * BLOCK_SIZE;
			work->report.extents_moved += made->group->shape.columns;
		}
	}
	return rc ? rc : runner_flush(work->array, written, err);
}

static int free_extent(void *arg, const struct extent *extent)
{
	return array_free_later(arg, extent);
}

/* Groups, spans, freed frames and progress in one commit, which nobody sees a half of. */
static int flip(struct migrate *work, size_t runs, enum job_state state, struct err *err)
{
	struct array *array = work->array;
	const struct recode_run *last = runs ? &work->batch.runs.at[runs - 1] : NULL;

	work->meter.done += recode_bytes(array->map, &work->batch, work->volume, runs).written;
	work->job.done = job_meter_at(&work->meter);
	work->job.state = state;
	if (last)
		work->goal.cursor = last->offset + last->length;
	work->job.cursor = size_max(work->job.cursor, work->goal.cursor);
	hold_alone(array);
	int rc = runs ? recode_apply(&work->batch, &work->goal, runs, free_extent, array) : 0;
	if (!rc)
		rc = map_put_job(array->map, &work->job);
	rc = rc ? array_edit_failed(array, "note new groups", err) : array_commit(array, err);
	hold_together(array);
	return rc;
}

/* Groups are taken in order: all before the first that was not begun are done, unless one failed. */
static int write_batch(struct migrate *work, struct err *err)
{
	struct err why = { 0 };

	mem_free(work->impossible);
	work->impossible = mem_calloc(work->batch.groups.count, sizeof(bool));
	if (!work->impossible)
		return err_set(err, ERR_NOMEM, "no memory to migrate a volume");
	int ran = runner_run(&work->runner, 0, work->batch.groups.count, migrate_piece, work, &why);
	if (ran && ran != ERR_STOPPED) {
		*err = why;
		return ran;
	}
	size_t runs = runs_done(work, size_min(work->runner.next, work->batch.groups.count));
	int rc = publish_groups(work, runs, err);
	if (!rc)
		rc = flip(work, runs, ran ? JOB_PAUSED : JOB_RUNNING, err);
	if (!rc && work->no_memory)
		rc = err_set(err, ERR_NOMEM, "no memory to note what is lost");
	if (!rc && ran) {
		*err = why;
		rc = ran;
	}
	if (!rc)
		runner_done(&work->runner, work->job.done);
	return rc;
}

/* Columns at their new places, and what they leave is free, in one commit. */
static int make_room(struct migrate *work, struct err *err)
{
	struct array *array = work->array;
	uint64_t bytes = work->room.blocks * BLOCK_SIZE, bytes_read = 0;
	int rc = room_write(array, &work->room, &bytes_read, err);

	work->report.bytes_read += bytes_read;
	if (rc == ERR_DATA_LOST) {
		*err = (struct err){ 0 };
		rc = offset_vec_push(&work->fixed, work->room.span);
		room_undo(&work->room, &work->places);
		return rc ? err_set(err, rc, "no memory to note what is lost") : 0;
	}
	if (rc) {
		room_undo(&work->room, &work->places);
		return rc;
	}
	work->report.bytes_written += bytes;
	work->report.extents_moved += work->room.moves.count;
	work->meter.done += bytes;
	work->job.done = job_meter_at(&work->meter);
	runner_note(&work->runner, 0, bytes_read, bytes);
	hold_alone(array);
	rc = room_apply(&work->room, &work->places, free_extent, array);
	if (!rc)
		rc = map_put_job(array->map, &work->job);
	rc = rc ? array_edit_failed(array, "note new places", err)
		: array_windows_renew(array, err);
	if (!rc)
		rc = array_commit(array, err);
	hold_together(array);
	room_reset(&work->room);
	if (!rc)
		runner_done(&work->runner, work->job.done);
	if (!rc && runner_stops(&work->runner))
		rc = err_set(err, ERR_STOPPED,
			     "stopped: the job goes on when it is asked for again");
	return rc;
}

/* Cutting a span takes being alone; only arrays that were adopted know it. */
static int plan_act(struct migrate *work, struct err *err)
{
	struct array *array = work->array;
	bool bare = map_has_bare(array->map), cut = false;

	if (bare)
		hold_alone(array);
	else
		env_lock(array->env, &array->change);
	work->places = array_places(array);
	int rc = next_act(&work->batch, &work->room, &work->goal, &cut, err);
	if (cut && rc == ERR_NOMEM)
		rc = array_edit_failed(array, "cut a span", err);
	if (cut && !rc)
		rc = array_windows_renew(array, err);
	if (bare)
		hold_together(array);
	else
		env_unlock(array->env, &array->change);
	return rc;
}

static int plan_next(struct migrate *work, struct err *err)
{
	work->batch =
		(struct recode_batch){ .places = &work->places,
				       .blocks_max = job_batch_blocks(work->request->batch_blocks,
								      &work->request->watch) };
	work->goal.skip = work->left.at;
	work->goal.skip_count = work->left.count;
	work->goal.fixed = work->fixed.at;
	work->goal.fixed_count = work->fixed.count;
	work->held.count = 0;
	int rc = plan_act(work, err);

	if (!rc && recode_groups(&work->held, &work->batch, &work->goal))
		rc = err_set(err, ERR_NOMEM, "no memory to migrate a volume");
	return rc;
}

static int run_batches(struct migrate *work, struct err *err)
{
	bool more = true;
	int rc = 0;

	while (!rc && more) {
		rc = plan_next(work, err);
		more = work->batch.runs.count > 0 || work->room.moves.count > 0;
		bool room = work->room.moves.count > 0;

		if (!rc && room)
			rc = make_room(work, err);
		else if (!rc && more)
			rc = array_hold(work->array, work->held.at, work->held.count, err);
		if (!rc && more && !room) {
			rc = write_batch(work, err);
			array_release(work->array);
		}
		recode_reset(&work->batch);
	}
	return rc;
}

/* The volume is what was asked for. */
static int finish_job(struct migrate *work, struct err *err)
{
	struct array *array = work->array;
	int rc;

	hold_alone(array);
	work->volume->policy = work->job.policy;
	rc = map_touch_volume(array->map, work->volume->id);
	if (!rc)
		rc = map_remove_job(array->map, work->job.id);
	rc = rc ? array_edit_failed(array, "finish the job", err) : array_commit(array, err);
	hold_together(array);
	if (!rc)
		runner_done(&work->runner, work->job.total);
	return rc;
}

static int prepare(struct migrate *work, struct err *err)
{
	int rc = 0;

	work->writers = mem_calloc(work->task_count, sizeof(struct recode_writer *));
	if (!work->writers)
		rc = ERR_NOMEM;
	for (uint32_t i = 0; !rc && i < work->task_count; i++)
		rc = recode_writer_create(&work->writers[i]);
	return rc ? err_set(err, rc, "no memory to migrate a volume") : 0;
}

static void finish(struct migrate *work)
{
	for (uint32_t i = 0; work->writers && i < work->task_count; i++)
		recode_writer_free(work->writers[i]);
	mem_free(work->writers);
	mem_free(work->impossible);
	offset_vec_reset(&work->left);
	offset_vec_reset(&work->fixed);
	recode_id_vec_reset(&work->held);
	env_lock_reset(work->runner.env, &work->lock);
	runner_reset(&work->runner);
}

int migrate_run(struct array *array, const struct migrate_request *request,
		struct migrate_report *report_out, struct err *err)
{
	struct migrate work = { .array = array, .request = request };
	int rc = array_need_committed(array, err);

	if (rc)
		return rc;
	work.volume = map_volume_named(array->map, request->volume);
	if (!work.volume)
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", request->volume);
	runner_init(&work.runner, array, &request->watch, job_kind_name(JOB_MIGRATE), 0);
	env_lock_init(work.runner.env, &work.lock);
	work.task_count = work.runner.tasks = array_tasks_waiting(array);
	work.places = array_places(array);
	rc = prepare(&work, err);
	if (!rc)
		rc = begin_job(&work, err);
	if (!rc)
		rc = run_batches(&work, err);
	if (!rc)
		rc = finish_job(&work, err);
	work.report.groups_after = array->map->group_count;
	runner_report(&work.runner);
	*report_out = work.report;
	finish(&work);
	return rc;
}
