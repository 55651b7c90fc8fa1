/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/scrub_bare.h"

#include "core/array/array_internal.h"
#include "core/array/bare_write.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/bare_pieces.h"
#include "core/job/runner.h"
#include "core/job/scrub_bare_rows.h"
#include "core/job/scrub_tally.h"

#include <inttypes.h>

struct bare_run {
	struct array *array;
	struct scrub_bare_request request;
	const struct scrub_request *asked;
	struct runner runner;
	struct scrub_tally tally;
	struct bare_pieces pieces;
	struct rows *rows; /* per task */
};

static int scrub_piece(void *arg, uint32_t task, uint64_t number, struct err *err)
{
	struct bare_run *run = arg;
	const struct bare_piece piece = bare_piece(&run->pieces, number);
	struct scrub_counts counts = { 0 };

	if (piece.count == 0)
		return 0;
	int rc = scrub_bare_rows(&run->rows[task], run->array, piece.group, piece.first,
				 piece.count, &run->request, &counts, err);

	scrub_tally_add(&run->tally, &counts);
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

/* All is there, and every row of it was compared, in this one run, and holds. */
static bool is_in_step(const struct bare_run *run)
{
	const struct scrub_request *asked = run->asked;

	return asked->mode == SCRUB_REPAIR && (asked->percent == 0 || asked->percent == 100) &&
	       !asked->volume && !asked->resume && run->tally.counts.left == 0 &&
	       array_health(run->array) == HEALTH_HEALTHY;
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
						   scrub_tally_found, &run.tally };
	runner_init(&run.runner, array, &request->watch, "scrub", 0);
	scrub_tally_init(&run.tally, run.runner.env, request);
	run.runner.tasks = array_tasks_waiting(array);
	run.rows = mem_calloc(run.runner.tasks, sizeof(*run.rows));
	if (!run.rows ||
	    bare_pieces_plan(&run.pieces, array->map,
			     request->volume ? map_volume_named(array->map, request->volume)
					     : NULL))
		rc = err_set(err, ERR_NOMEM, "no memory to scrub");
	if (!rc)
		rc = runner_run(&run.runner, 0, choose_count(&run), scrub_piece, &run, err);
	if (!rc && is_in_step(&run))
		rc = bare_write_in_step(array, err);
	rc = end_session(&run, rc, err);
	runner_report(&run.runner);
	*report_out = scrub_tally_report(&run.tally);
	for (uint32_t i = 0; run.rows && i < run.runner.tasks; i++)
		rows_free(&run.rows[i]);
	mem_free(run.rows);
	bare_pieces_reset(&run.pieces);
	scrub_tally_reset(&run.tally);
	runner_reset(&run.runner);
	return rc;
}
