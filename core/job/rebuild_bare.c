/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/rebuild_bare.h"

#include "core/array/array_internal.h"
#include "core/array/bare_write.h"
#include "core/array/row.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/bare_pieces.h"
#include "core/job/runner.h"
#include "core/map/address.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct rebuild {
	struct array *array;
	const struct rebuild_request *request;
	struct runner runner;
	struct env_lock lock; /* guards the report, the callback and what is lost */
	struct bare_pieces pieces;
	struct rows *rows; /* per task */
	uint64_t blocks_lost;
	struct rebuild_report report;
};

/* The column of the group that is to be made anew; false when the member has none there. */
static bool find_column(const struct group *group, uint32_t slot, uint32_t *column_out)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (group->extents[c].slot == slot && group->extents[c].stale) {
			*column_out = c;
			return true;
		}
	}
	return false;
}

/* A block that cannot be known: what the volume loses by it, if it holds any of it. */
static void tell_lost(struct rebuild *work, const struct group *group, uint32_t column,
		      uint32_t block)
{
	const struct address address = { group, column, block };
	struct volume_part part;

	env_lock(work->runner.env, &work->lock);
	work->blocks_lost++;
	if (work->request->lost && address_to_volume(&part, work->array->map, &address)) {
		const struct job_loss loss = { part.volume->name, part.offset, part.length };

		work->request->lost(work->request->lost_arg, &loss);
	}
	env_unlock(work->runner.env, &work->lock);
}

static int write_window(struct rebuild *work, const struct rows *rows, uint32_t column,
			struct err *err)
{
	const struct extent *extent = &rows->group->extents[column];
	const struct iovec iov = { rows_block(rows, column, 0, rows->first),
				   (size_t)rows->count * BLOCK_SIZE };
	struct io io = {
		.dev = array_dev(work->array, extent->slot),
		.op = IO_WRITE,
		.role = rows_role(rows, column, 0),
		.offset = extent_offset(work->array->map, extent, rows->first),
		.size = iov.iov_len,
		.iov = &iov,
		.iov_count = 1,
	};

	return bare_write(work->array, extent->slot, &io, err);
}

static int rebuild_window(struct rebuild *work, struct rows *rows, uint32_t column, uint32_t first,
			  uint32_t count, struct err *err)
{
	uint32_t lost;

	if (rows_load(rows, first, count) || rows_solve(rows, &lost))
		return err_set(err, ERR_NOMEM, "no memory to rebuild rows");
	for (uint32_t t = first; t < first + count; t++) {
		if (rows_stands(rows, column, 0, t))
			continue;
		memset(rows_block(rows, column, 0, t), 0, BLOCK_SIZE);
		tell_lost(work, rows->group, column, t);
	}
	return write_window(work, rows, column, err);
}

static int rebuild_piece(void *arg, uint32_t task, uint64_t number, struct err *err)
{
	struct rebuild *work = arg;
	struct rows *rows = &work->rows[task];
	const struct bare_piece piece = bare_piece(&work->pieces, number);
	uint32_t column;

	if (piece.count == 0 || !find_column(piece.group, work->request->from, &column))
		return 0;
	uint32_t window = rows_window(work->array, piece.group);
	int rc = rows_open(rows, work->array, piece.group, 0, window, ROWS_WHOLE, err);

	if (rc)
		return rc;
	for (uint32_t done = 0; !rc && done < piece.count; done += window)
		rc = rebuild_window(work, rows, column, piece.first + done,
				    (uint32_t)size_min(window, piece.count - done), err);
	uint64_t bytes = (uint64_t)piece.count * BLOCK_SIZE, bytes_read = rows->bytes_read;

	rows_close(rows);
	env_lock(work->runner.env, &work->lock);
	work->report.bytes_read += bytes_read;
	work->report.bytes_written += bytes;
	env_unlock(work->runner.env, &work->lock);
	runner_note(&work->runner, bytes, bytes_read, bytes);
	return rc;
}

/* All rows are there: the member counts from now on. */
static int take_in(struct rebuild *work, struct err *err)
{
	struct map *map = work->array->map;
	uint32_t slot = work->request->from, column;

	if (work->blocks_lost) {
		err_set(err, ERR_DATA_LOST,
			"member %u: %" PRIu64 " bytes of it cannot be known; it has zeros there "
			"and is not taken in",
			slot, work->blocks_lost * BLOCK_SIZE);
		return err_hint(err, "bring members back and rebuild again");
	}
	int rc = bare_write_member_in(work->array, slot, err);

	for (uint32_t g = 0; !rc && g < map->group_count; g++) {
		if (find_column(map->groups[g], slot, &column))
			map->groups[g]->extents[column].stale = false;
	}
	if (!rc)
		work->array->members[slot].presence = PRESENT;
	return rc;
}

/* Which extents, and how many bytes. */
static struct rebuild_report count_extents(const struct map *map, uint32_t slot)
{
	struct rebuild_report report = { 0 };
	uint32_t column;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		if (!find_column(group, slot, &column))
			continue;
		report.extents_moved++;
		report.bytes_written += (uint64_t)group->segment_blocks * BLOCK_SIZE;
	}
	return report;
}

static int check_request(const struct array *array, const struct rebuild_request *request,
			 struct err *err)
{
	int rc = 0;

	if (!map_member(array->map, request->from))
		rc = err_set(err, ERR_NOT_FOUND, "the array has no member %u", request->from);
	else if (request->to != request->from || request->replace)
		rc = array_need_native(array, err);
	else if (!array_member_usable(array, request->from))
		rc = err_set(err, ERR_STATE, "there is no device for member %u", request->from);
	else if (count_extents(array->map, request->from).extents_moved == 0)
		rc = err_set(err, ERR_STATE, "member %u is current, it needs no rebuild",
			     request->from);
	return rc;
}

int rebuild_bare_plan(const struct array *array, const struct rebuild_request *request,
		      struct rebuild_report *report_out, struct err *err)
{
	int rc = check_request(array, request, err);

	if (!rc)
		*report_out = count_extents(array->map, request->from);
	return rc;
}

/* Also after an error: what was written is flushed, and the array marked clean as it was before. */
static int end_session(struct rebuild *work, int rc, struct err *err)
{
	struct err late = { 0 };
	int ended = bare_write_end(work->array, &late);

	if (ended && !rc)
		*err = late;
	return rc ? rc : ended;
}

int rebuild_bare_run(struct array *array, const struct rebuild_request *request,
		     struct rebuild_report *report_out, struct err *err)
{
	struct rebuild work = { .array = array, .request = request };
	int rc = check_request(array, request, err);

	if (!rc)
		rc = bare_write_check(array, err);
	if (rc)
		return rc;
	const struct rebuild_report all = count_extents(array->map, request->from);

	runner_init(&work.runner, array, &request->watch, "rebuild", all.bytes_written);
	env_lock_init(work.runner.env, &work.lock);
	work.runner.tasks = array_tasks_waiting(array);
	work.rows = mem_calloc(work.runner.tasks, sizeof(*work.rows));
	if (!work.rows || bare_pieces_plan(&work.pieces, array->map, NULL))
		rc = err_set(err, ERR_NOMEM, "no memory to rebuild");
	if (!rc)
		rc = runner_run(&work.runner, 0, work.pieces.count, rebuild_piece, &work, err);
	if (!rc)
		rc = take_in(&work, err);
	rc = end_session(&work, rc, err);
	runner_report(&work.runner);
	work.report.extents_moved = rc ? 0 : all.extents_moved;
	work.report.degraded = array_health(array) != HEALTH_HEALTHY;
	*report_out = work.report;
	for (uint32_t i = 0; work.rows && i < work.runner.tasks; i++)
		rows_free(&work.rows[i]);
	mem_free(work.rows);
	bare_pieces_reset(&work.pieces);
	env_lock_reset(work.runner.env, &work.lock);
	runner_reset(&work.runner);
	return rc;
}
