/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scrub: the loop over groups. What a group's scrub is, scrub_group.h says.
 *
 * A check writes nothing, and a repair writes only what it repairs. Its place is noted in the map only when
 * it is stopped, so that an undisturbed repair changes no byte beside the damaged ones.
 */
#include "core/job/scrub.h"

#include "core/array/array_internal.h"
#include "core/array/row.h"
#include "core/array/seal_cache.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/runner.h"
#include "core/job/scrub_bare.h"
#include "core/job/scrub_group.h"
#include "core/job/scrub_tally.h"

#include <inttypes.h>
#include <string.h>

struct scrub_run {
	struct array *array;
	const struct scrub_request *request;
	struct scrub_group_request group_request;
	struct runner runner;
	struct scrub_tally tally;
	const struct group **groups; /* to do, in order */
	bool *finished;
	uint64_t group_count;
	struct rows *rows; /* per task */
	uint32_t task_count;
};

static uint64_t group_bytes(const struct group *group)
{
	return (uint64_t)group_body_blocks(group) * group->shape.columns * BLOCK_SIZE;
}

/* Put slices into the ascending list, and join what overlaps or adjoins. */
static uint32_t slices_add(struct scrub_slices *list, uint32_t count, struct scrub_slices added)
{
	uint32_t kept = 0, at = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t end = list[i].first + list[i].count;

		if (end < added.first || added.first + added.count < list[i].first) {
			at += end < added.first;
			list[kept++] = list[i];
			continue;
		}
		end = (uint32_t)size_max(end, added.first + added.count);
		added.first = (uint32_t)size_min(list[i].first, added.first);
		added.count = end - added.first;
	}
	memmove(list + at + 1, list + at, (kept - at) * sizeof(*list));
	list[at] = added;
	return kept + 1;
}

/* The slices of the group that were asked for, as far as it has them. */
static int choose_slices(struct scrub_slices **slices_out, uint32_t *count_out,
			 const struct scrub_request *request, const struct group *group,
			 struct err *err)
{
	struct scrub_slices *slices = mem_calloc((size_t)request->row_count + 1, sizeof(*slices));
	uint32_t count = 0;

	if (!slices)
		return err_set(err, ERR_NOMEM, "no memory for the list of rows");
	for (uint32_t i = 0; i < request->row_count; i++) {
		const struct scrub_rows *rows = &request->rows[i];
		struct scrub_slices one = { rows->first, rows->count };

		if (rows->group != group->id || one.first >= group->segment_blocks)
			continue;
		one.count = (uint32_t)size_min(one.count, group->segment_blocks - one.first);
		if (one.count)
			count = slices_add(slices, count, one);
	}
	*slices_out = slices;
	*count_out = count;
	return 0;
}

static int scrub_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct scrub_run *run = arg;
	struct scrub_counts counts = { 0 };
	const struct group *group = run->groups[piece];
	struct scrub_group_request request = run->group_request;
	struct scrub_slices *slices = NULL;
	int rc = 0;

	if (run->request->only_rows) {
		rc = choose_slices(&slices, &request.slice_count, run->request, group, err);
		request.slices = slices;
	}
	if (!rc)
		rc = scrub_group(&run->rows[task], run->array, group, &request, &counts, err);
	mem_free(slices);

	run->finished[piece] = rc == 0;
	scrub_tally_add(&run->tally, &counts);
	runner_note(&run->runner, group_bytes(group), counts.bytes_read, 0);
	return rc;
}

/* Does any data extent of the group belong to the volume? */
static bool is_of_volume(const struct map *map, const struct group *group,
			 const struct volume *volume)
{
	for (uint32_t s = 0; s < volume->span_count; s++) {
		for (uint32_t i = 0; i < volume->spans[s].extent_count; i++) {
			uint32_t column;

			if (map_extent(map, volume->spans[s].extents[i], &column) == group)
				return true;
		}
	}
	return false;
}

static struct job *find_job(const struct map *map)
{
	for (uint32_t i = 0; i < map->job_count; i++) {
		if (map->jobs[i].kind == JOB_SCRUB && map->jobs[i].state != JOB_DONE)
			return &map->jobs[i];
	}
	return NULL;
}

/* Which groups the rows are of, by their place in the map; NULL without memory. */
static bool *mark_named(const struct map *map, const struct scrub_request *request)
{
	bool *named = mem_calloc((size_t)map->group_count + 1, sizeof(bool));

	for (uint32_t i = 0; named && i < request->row_count; i++) {
		uint32_t low = 0, high = map->group_count;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (map->groups[middle]->id < request->rows[i].group)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < map->group_count && map->groups[low]->id == request->rows[i].group)
			named[low] = true;
	}
	return named;
}

static int find_volume(const struct volume **volume_out, const struct scrub_run *run,
		       struct err *err)
{
	const char *name = run->request->volume;

	*volume_out = name ? map_volume_named(run->array->map, name) : NULL;
	if (name && !*volume_out)
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", name);
	return 0;
}

static void list_groups(struct scrub_run *run, const struct volume *volume, const bool *named)
{
	const struct map *map = run->array->map;
	const struct job *job = run->request->resume ? find_job(map) : NULL;

	for (uint32_t i = 0; i < map->group_count; i++) {
		if (group_is_bare(map->groups[i]) || (job && map->groups[i]->id < job->cursor) ||
		    (named && !named[i]) || (volume && !is_of_volume(map, map->groups[i], volume)))
			continue;
		run->groups[run->group_count++] = map->groups[i];
	}
}

/* The groups to look at: of the volume, from the place of the stopped scrub on, so many percent. */
static int choose_groups(struct scrub_run *run, struct err *err)
{
	const struct map *map = run->array->map;
	const struct volume *volume;
	bool *named = NULL;
	int rc = find_volume(&volume, run, err);

	if (rc)
		return rc;
	run->groups = mem_calloc((size_t)map->group_count + 1, sizeof(const struct group *));
	run->finished = mem_calloc((size_t)map->group_count + 1, sizeof(bool));
	if (run->request->only_rows)
		named = mark_named(map, run->request);
	if (run->groups && run->finished && (named || !run->request->only_rows))
		list_groups(run, volume, named);
	else
		rc = err_set(err, ERR_NOMEM, "no memory for the list of groups");
	mem_free(named);
	if (run->request->percent > 0 && run->request->percent < 100)
		run->group_count = size_divide_up(run->group_count * run->request->percent, 100);
	return rc;
}

/* Stopped: note the first group that is not done. Only for an array that may be written. */
static int note_place(struct scrub_run *run, struct scrub_report *report, struct err *err)
{
	struct map *map = run->array->map;
	struct job *old = find_job(map);
	struct job job = { .kind = JOB_SCRUB, .from = MEMBER_NONE, .to = MEMBER_NONE };
	uint64_t first = 0;

	if (old)
		job = *old;
	else
		job.id = map->job_id_next++;
	while (first < run->group_count && run->finished[first])
		first++;
	job.state = JOB_PAUSED;
	job.cursor = first < run->group_count ? run->groups[first]->id : 0;
	job.total = run->runner.progress.total;
	job.done = run->runner.progress.done;
	job.started_s = env_clock_s(run->runner.env);
	report->job = job.id;
	if (map_put_job(map, &job))
		return array_edit_failed(run->array, "note the place", err);
	return array_commit(run->array, err);
}

/* A scrub that ends takes the note of a stopped one away. */
static int drop_note(struct scrub_run *run, struct err *err)
{
	const struct job *job = find_job(run->array->map);

	if (!job || run->array->access != ARRAY_WRITE)
		return 0;
	if (map_remove_job(run->array->map, job->id))
		return array_edit_failed(run->array, "note the end", err);
	return array_commit(run->array, err);
}

static int prepare(struct scrub_run *run, struct err *err)
{
	uint64_t total = 0;
	int rc = choose_groups(run, err);

	if (rc)
		return rc;
	run->rows = mem_calloc(run->task_count, sizeof(*run->rows));
	if (!run->rows)
		return err_set(err, ERR_NOMEM, "no memory to scrub");
	for (uint64_t i = 0; i < run->group_count; i++)
		total += group_bytes(run->groups[i]);
	run->runner.progress.total = total;
	return 0;
}

static void finish(struct scrub_run *run)
{
	for (uint32_t i = 0; run->rows && i < run->task_count; i++)
		rows_free(&run->rows[i]);
	mem_free(run->rows);
	mem_free(run->groups);
	mem_free(run->finished);
	scrub_tally_reset(&run->tally);
	runner_reset(&run->runner);
}

/* Every block of the array was compared, in this one run. */
static bool was_all(const struct scrub_request *request)
{
	return (request->mode == SCRUB_CHECK || request->mode == SCRUB_REPAIR) &&
	       !request->volume && !request->resume &&
	       (request->percent == 0 || request->percent == 100);
}

/*
 * What is in memory of a group is laid over its seals: a damaged page would not be seen, and what is mended on the
 * disk would not be known in memory. So rows that a failed write left half-way come first: the next open's business.
 */
static int refuse_repair(struct err *err)
{
	err_set(err, ERR_NOSPACE, "a write failed half-way, and its rows are not recovered yet");
	return err_hint(err, "open the array anew, which recovers them, and repair then");
}

/* Can it be done as it is asked? Seals that are late would be mismatches, so they are written. */
static int get_ready(struct array *array, const struct scrub_request *request, struct err *err)
{
	if (request->accept_data && !map_has_bare(array->map)) {
		err_set(err, ERR_UNSUPPORTED, "array \"%s\" has checksums, which say what is wrong",
			array->map->name);
		return err_hint(err, "pgctl scrub --repair ARRAY");
	}
	if (request->mode == SCRUB_REPAIR && array->access != ARRAY_WRITE)
		return err_set(err, ERR_STATE, "the array is open for reading only");
	int rc = array_write_settle(array, err);

	if (!rc && request->mode == SCRUB_REPAIR && !seal_cache_is_empty(array->seal_cache))
		rc = refuse_repair(err);
	return rc;
}

/* Groups that other software made, after our own: they have no seals to be quick with, and no rows that somebody named. */
static int scrub_adopted(struct array *array, const struct scrub_request *request,
			 struct scrub_report *report, struct err *err)
{
	struct scrub_report bare = { 0 };

	if (!map_has_bare(array->map) || request->mode == SCRUB_QUICK || request->only_rows)
		return 0;
	int rc = scrub_bare_run(array, request, &bare, err);

	report->bytes_read += bare.bytes_read;
	report->rows_checked += bare.rows_checked;
	report->mismatches += bare.mismatches;
	report->repaired += bare.repaired;
	report->left += bare.left;
	return rc;
}

int scrub_run(struct array *array, const struct scrub_request *request,
	      struct scrub_report *report_out, struct err *err)
{
	struct scrub_run run = { .array = array, .request = request };
	struct scrub_report report = { 0 };

	if (map_is_bare(array->map))
		return scrub_bare_run(array, request, report_out, err);
	int rc = get_ready(array, request, err);

	if (rc)
		return rc;
	run.group_request =
		(struct scrub_group_request){ request->mode, scrub_tally_found, &run.tally };
	runner_init(&run.runner, array, &request->watch, "scrub", 0);
	scrub_tally_init(&run.tally, run.runner.env, request);
	run.task_count = run.runner.tasks = array_tasks_waiting(array);
	rc = prepare(&run, err);
	if (!rc)
		rc = runner_run(&run.runner, 0, run.group_count, scrub_piece, &run, err);
	report = scrub_tally_report(&run.tally);
	runner_report(&run.runner);
	bool noted = rc == ERR_STOPPED;

	if (!rc)
		rc = scrub_adopted(array, request, &report, err);
	if (noted && array->access == ARRAY_WRITE && !request->only_rows) {
		struct err second = { 0 };

		if (note_place(&run, &report, &second)) {
			*err = second;
			rc = second.code;
		}
	} else if (!rc && !request->only_rows) {
		rc = drop_note(&run, err);
		if (!rc && report.left == 0 && was_all(request) && array->access == ARRAY_WRITE)
			rc = array_trust_log(array, err);
	}
	*report_out = report;
	finish(&run);
	return rc;
}
