/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/rebuild_delta.h"

#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/job/rewrite.h"
#include "core/job/runner.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define BATCH_EXTENTS 256u /* between two commits */

struct missed {
	uint64_t group;
	uint32_t column;
	uint32_t gone; /* columns of its group: the most endangered go first */
	bool done;
};

VEC_DEFINE(missed_vec, struct missed);

struct delta {
	struct array *array;
	uint32_t slot;
	struct runner runner;
	struct env_lock lock; /* guards the report */
	struct rewrite_index *index;
	struct missed_vec missed;
	size_t first;      /* of the batch */
	struct rows *rows; /* per task */
	struct rebuild_delta_report report;
};

static uint64_t extent_bytes(const struct extent *extent)
{
	return (uint64_t)extent->body_blocks * BLOCK_SIZE;
}

static int compare_missed(const void *a, const void *b)
{
	const struct missed *left = a, *right = b;

	if (left->gone != right->gone)
		return left->gone > right->gone ? -1 : 1;
	return left->group < right->group ? -1 : left->group > right->group;
}

uint64_t rebuild_delta_count(const struct array *array, uint32_t slot)
{
	uint64_t count = 0;

	for (uint32_t g = 0; g < array->map->group_count; g++) {
		const struct group *group = array->map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++)
			count += group->extents[c].slot == slot && group->extents[c].stale;
	}
	return count;
}

static int list_missed(struct delta *work)
{
	const struct map *map = work->array->map;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];
			const struct missed one = {
				.group = group->id,
				.column = c,
				.gone = array_columns_gone(work->array, group),
			};

			if (extent->slot != work->slot || !extent->stale)
				continue;
			if (missed_vec_push(&work->missed, one))
				return ERR_NOMEM;
			work->runner.progress.total += extent_bytes(extent);
		}
	}
	if (work->missed.count > 0)
		qsort(work->missed.at, work->missed.count, sizeof(*work->missed.at),
		      compare_missed);
	return 0;
}

static int delta_piece(void *arg, uint32_t task, uint64_t piece, struct err *err)
{
	struct delta *work = arg;
	struct missed *missed = &work->missed.at[work->first + piece];
	const struct group *group = map_group(work->array->map, missed->group);
	const struct rewrite_request request = {
		.group = group,
		.column = missed->column,
		.place = group->extents[missed->column],
		.index = work->index,
	};
	struct rewrite_report report = { 0 };
	int rc = rewrite_extent(&work->rows[task], work->array, &request, &report, err);

	if (rc)
		return rc;
	missed->done = report.blocks_lost == 0;
	env_lock(work->runner.env, &work->lock);
	work->report.bytes_read += report.bytes_read;
	work->report.bytes_written += report.bytes_written;
	work->report.extents_lost += report.blocks_lost > 0;
	work->report.extents_done += report.blocks_lost == 0;
	env_unlock(work->runner.env, &work->lock);
	mem_free(report.lost);
	runner_note(&work->runner, extent_bytes(&request.place), report.bytes_read,
		    report.bytes_written);
	return 0;
}

/* What is flushed is stale no longer. */
static int commit_batch(struct delta *work, size_t end, struct err *err)
{
	struct map *map = work->array->map;
	struct member_set written = { 0 };
	bool any = false;

	for (size_t i = work->first; i < end; i++) {
		const struct missed *missed = &work->missed.at[i];
		const struct group *group = map_group(map, missed->group);

		written = member_set_with(written, group->extents[missed->column].slot);
	}
	int rc = runner_flush(work->array, written, err);

	for (size_t i = work->first; !rc && i < end; i++) {
		const struct missed *missed = &work->missed.at[i];

		if (!missed->done)
			continue;
		map_group(map, missed->group)->extents[missed->column].stale = false;
		any = true;
		if (map_touch_group(map, missed->group))
			rc = array_edit_failed(work->array, "note what was rebuilt", err);
	}
	return rc || !any ? rc : array_commit(work->array, err);
}

static int run_batches(struct delta *work, struct err *err)
{
	int rc = 0;

	while (!rc && work->first < work->missed.count) {
		size_t end = size_min(work->first + BATCH_EXTENTS, work->missed.count);
		struct err why = { 0 };
		int ran = runner_run(&work->runner, 0, end - work->first, delta_piece, work, &why);

		rc = commit_batch(work, end, err);
		if (!rc && ran) {
			*err = why;
			rc = ran;
		}
		work->first = end;
	}
	return rc;
}

static void finish(struct delta *work)
{
	for (uint32_t i = 0; work->rows && i < work->runner.tasks; i++)
		rows_free(&work->rows[i]);
	mem_free(work->rows);
	missed_vec_reset(&work->missed);
	rewrite_index_free(work->index);
	env_lock_reset(work->runner.env, &work->lock);
	runner_reset(&work->runner);
}

int rebuild_delta_run(struct array *array, uint32_t slot, const struct job_watch *watch,
		      struct rebuild_delta_report *report_out, struct err *err)
{
	struct delta work = { .array = array, .slot = slot };
	int rc = 0;

	assert(array_member_usable(array, slot));
	runner_init(&work.runner, array, watch, "rebuild", 0);
	env_lock_init(work.runner.env, &work.lock);
	work.rows = mem_calloc(work.runner.tasks, sizeof(*work.rows));
	if (!work.rows || list_missed(&work) || rewrite_index_create(&work.index, array->map))
		rc = err_set(err, ERR_NOMEM, "no memory to rebuild");
	if (!rc)
		rc = run_batches(&work, err);
	runner_report(&work.runner);
	*report_out = work.report;
	finish(&work);
	return rc;
}
