/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_finish.h"

#include "core/array/degrade.h"
#include "core/array/row_lock.h"
#include "core/array/write_through.h"

#include <inttypes.h>

/* The cells of one writer's run that lie on usable columns; returns how many. */
static size_t make_writes(struct row_writer *writer, struct io *ios)
{
	const struct write_plan *plan = &writer->plan;
	size_t count = 0;

	for (uint16_t i = 0; i < plan->cell_count; i++) {
		if (writer_is_absent(writer, plan->cells[i]))
			continue;
		ios[count] = writer_cell_io(writer, IO_WRITE, plan->cells[i], writer->run.first,
					    writer->run.count, writer->fresh[plan->cells[i]],
					    &writer->iovs[count]);
		count++;
	}
	return count;
}

/* Members may have failed meanwhile, here or elsewhere: is what is left enough, and what it missed noted? */
static int look_again(struct array *array, const struct row_writer *writer, struct err *err)
{
	const struct sealed_group *sealed = writer->sealed;
	uint32_t all = (uint32_t)((UINT64_C(1) << sealed->columns) - 1);
	uint32_t absent = ~array_usable_columns(array, sealed->group) & all;

	if (absent == writer->absent)
		return 0;
	if (!code_survives(sealed->code, absent))
		return err_set(err, ERR_IO,
			       "group %" PRIu64 " lost more members while it was written than it "
			       "survives",
			       sealed->group->id);
	return array_mark_missed(array, sealed->group->id, err);
}

int write_finish_cells(struct array *array, struct row_writer *const *writers, size_t count,
		       struct io *ios, struct err *err)
{
	size_t io_count = 0;
	int rc;

	for (size_t i = 0; i < count; i++)
		io_count += make_writes(writers[i], ios + io_count);
	rc = array_write_through(array, ios, io_count, err);
	for (size_t i = 0; !rc && i < count; i++)
		rc = look_again(array, writers[i], err);
	return rc;
}

/*
 * What failed half-way stays named until somebody finishes it, or without content until the next open: its content
 * and its generations are kept.
 */
static void leave_named(struct array *array, struct row_writer *writer)
{
	const struct log_rows rows = writer_rows(writer);

	seal_cache_note_failed(array->seal_cache, writer->sealed, writer->generation_max);
	if (writer->content)
		write_half_keep(array, writer);
	else
		seal_cache_note_half(array->seal_cache, writer->sealed, &rows);
}

static void set_seals(struct array *array, struct row_writer *writer)
{
	intent_log_note_done(array->log, writer->intent);
	writer_drop_content(writer);
	const struct log_rows rows = writer_rows(writer);

	seal_cache_set(array->seal_cache, writer->sealed, &rows, writer->late, writer->intent);
	writer->late = NULL;
}

void write_finish_note(struct array *array, struct row_writer *const *writers, size_t count,
		       bool written)
{
	for (size_t i = 0; i < count; i++) {
		if (written)
			set_seals(array, writers[i]);
		else
			leave_named(array, writers[i]);
		write_state_done(array);
	}
}

int write_finish(struct array *array, struct row_writer *const *writers, size_t count,
		 struct io *ios, struct err *err)
{
	int rc = write_finish_cells(array, writers, count, ios, err);

	write_finish_note(array, writers, count, rc == 0);
	return rc;
}

/* Holds its row lock. */
static int finish_half(struct array *array, struct write_half *half, struct err *err)
{
	struct row_writer *writer = &half->writer;
	struct sealed_group *sealed;
	int rc = seal_cache_hold(array->seal_cache, half->group, &sealed, err);

	if (rc)
		return rc;
	writer->sealed = sealed;
	rc = write_finish_cells(array, &writer, 1, writer->ios, err);
	if (!rc) {
		set_seals(array, writer);
		write_half_forget(array, half);
	}
	seal_cache_release(array->seal_cache, sealed);
	return rc;
}

int write_finish_halves(struct array *array, const struct half_place *where, struct err *err)
{
	struct half_place place, same;
	int rc = 0;

	while (!rc && write_half_find(array, where, &place)) {
		struct row_lock lock;

		rc = row_lock_take(array->row_locks, &lock, place.group, place.first, place.count);
		if (rc)
			return err_set(err, rc, "rows of group %" PRIu64 " wait for space",
				       place.group);
		/* Who held the rows meanwhile may have finished it. */
		struct write_half *half = write_half_find(array, &place, &same);

		if (half)
			rc = finish_half(array, half, err);
		row_lock_give(array->row_locks, &lock);
	}
	return rc;
}
