/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/scrub_bare.h"

#include "core/array/array_internal.h"
#include "core/array/bare_write.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/bare_pieces.h"
#include "core/job/runner.h"
#include "core/job/scrub_bare_rows.h"

#include <inttypes.h>

struct bare_run {
	struct array *array;
	struct scrub_bare_request request;
	const struct scrub_request *asked;
	struct runner runner;
	struct env_lock lock; /* guards counts and reports */
	struct scrub_counts counts;
	struct bare_pieces pieces;
	struct rows *rows; /* per task */
};

/* Findings of all tasks go out one at a time. */
static void found_locked(void *arg, const struct mismatch *mismatch)
{
	struct bare_run *run = arg;

	env_lock(run->runner.env, &run->lock);
	if (run->asked->found)
		run->asked->found(run->asked->found_arg, mismatch);
	env_unlock(run->runner.env, &run->lock);
}

static int scrub_piece(void *arg, uint32_t task, uint64_t number, struct err *err)
{
	struct bare_run *run = arg;
	const struct bare_piece piece = bare_piece(&run->pieces, number);
	struct scrub_counts counts = { 0 };

	if (piece.count == 0)
		return 0;
	int rc = scrub_bare_rows(&run->rows[task], run->array, piece.group, piece.first,
				 piece.count, &run->request, &counts, err);

	env_lock(run->runner.env, &run->lock);
	run->counts.bytes_read += counts.bytes_read;
	run->counts.rows += counts.rows;
	run->counts.mismatches += counts.mismatches;
	run->counts.repaired += counts.repaired;
	run->counts.left += counts.left;
	env_unlock(run->runner.env, &run->lock);
	runner_note(&run->runner, (uint64_t)piece.count * piece.group->shape.columns * BLOCK_SIZE,
		    counts.bytes_read, 0);
	return rc;
}

/* How many pieces are asked for: of all columns the first so many percent. */
static uint64_t choose_count(struct bare_run *run)
{
	uint64_t percent = run->asked->percent ? run->asked->percent : 100;

	run->runner.progress.total = run->pieces.bytes * percent / 100;
	return size_divide_up(run->pieces.count * percent, 100);
}

static int check_request(const struct array *array, const struct scrub_request *request,
			 struct err *err)
{
	if (request->mode == SCRUB_QUICK || request->only_rows)
		return array_need_native(array, err);
	if (request->volume && !map_volume_named(array->map, request->volume))
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", request->volume);
	return request->mode == SCRUB_REPAIR ? bare_write_check(array, err) : 0;
}

/* Also after an error: what was written is flushed, and marked clean if all of it is there. */
static int end_session(struct bare_run *run, int rc, struct err *err)
{
	struct err late = { 0 };
	int ended = bare_write_end(run->array, &late);

	if (ended && !rc)
		*err = late;
	return rc ? rc : ended;
}

int scrub_bare_run(struct array *array, const struct scrub_request *request,
		   struct scrub_report *report_out, struct err *err)
{
	struct bare_run run = { .array = array, .asked = request };
	int rc = check_request(array, request, err);

	if (rc)
		return rc;
	run.request = (struct scrub_bare_request){ request->mode, request->accept_data,
						   found_locked, &run };
	runner_init(&run.runner, array, &request->watch, "scrub", 0);
	env_lock_init(run.runner.env, &run.lock);
	run.runner.tasks = array_tasks_waiting(array);
	run.rows = mem_calloc(run.runner.tasks, sizeof(*run.rows));
	if (!run.rows ||
	    bare_pieces_plan(&run.pieces, array->map,
			     request->volume ? map_volume_named(array->map, request->volume)
					     : NULL))
		rc = err_set(err, ERR_NOMEM, "no memory to scrub");
	if (!rc)
		rc = runner_run(&run.runner, 0, choose_count(&run), scrub_piece, &run, err);
	rc = end_session(&run, rc, err);
	runner_report(&run.runner);
	*report_out = (struct scrub_report){ .bytes_read = run.counts.bytes_read,
					     .rows_checked = run.counts.rows,
					     .mismatches = run.counts.mismatches,
					     .repaired = run.counts.repaired,
					     .left = run.counts.left };
	for (uint32_t i = 0; run.rows && i < run.runner.tasks; i++)
		rows_free(&run.rows[i]);
	mem_free(run.rows);
	bare_pieces_reset(&run.pieces);
	env_lock_reset(run.runner.env, &run.lock);
	runner_reset(&run.runner);
	return rc;
}
