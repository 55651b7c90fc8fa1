/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_solve.h"

#include "core/array/heal.h"
#include "core/array/row_lock.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static int open_rows(struct row_writer *writer, struct err *err)
{
	struct array *array = writer->array;
	const struct group *group = writer->sealed->group;

	return rows_open(&writer->rows, array, group, writer->absent, rows_window(array, group),
			 ROWS_WHOLE, err);
}

/* Load, judge and solve some slices; the window becomes whoever's asks for them. */
static int load_window(struct rows *rows, uint32_t first, uint32_t count)
{
	uint32_t lost;
	int rc = rows_load(rows, first, count);

	if (rc)
		return rc;
	rows_judge(rows);
	return rows_solve(rows, &lost);
}

/* ---- one slice */

/* The cells of a slice that stand, and where. */
static void standing_cells(struct row_writer *writer, uint32_t slice,
			   uint64_t standing[CODE_LOST_WORDS])
{
	const struct rows *rows = &writer->rows;

	memset(standing, 0, CODE_LOST_WORDS * sizeof(*standing));
	for (uint32_t cell = 0; cell < code_cell_count(rows->code); cell++) {
		uint32_t column = cell / rows->segments, segment = cell % rows->segments;

		writer->old[cell] = NULL;
		if (!rows_stands(rows, column, segment, slice))
			continue;
		standing[cell / 64] |= UINT64_C(1) << cell % 64;
		writer->old[cell] = rows_block(rows, column, segment, slice);
	}
}

/* The seal entry of what a cell has to be; of one that nobody knows, an entry that fits no content. */
static void make_entry(struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice,
		       struct seal *seal)
{
	bool stands = rows_stands(rows, column, segment, slice);

	if (!stands)
		memset(rows_block(rows, column, segment, slice), 0, BLOCK_SIZE);
	rows_restore_entry(rows, column, segment, slice, seal);
	if (!stands) {
		struct seal_entry *entry = &seal->entries[segment * rows->segment_blocks + slice];

		entry->crc = ~entry->crc;
	}
}

/*
 * A check that missed writes is written anew, its witnesses of what is not written too: they are what the others
 * say. Nothing is written yet, and may never be: so the entry fits what can be rebuilt, and where that is
 * nothing, nothing. A check that only cannot be read, or is damaged, has the right witnesses.
 */
static int restore_witnesses(struct row_writer *writer, const struct write_plan *plan,
			     uint32_t slice)
{
	struct sealed_group *sealed = writer->sealed;

	for (uint16_t i = plan->data_count; i < plan->cell_count; i++) {
		uint32_t column = plan->cells[i] / sealed->segments;
		uint32_t segment = plan->cells[i] % sealed->segments;
		struct seal seal;

		if (writer->absent >> column & 1 ||
		    rows_fate(&writer->rows, column, segment, slice) != BLOCK_STALE)
			continue;
		int rc = seal_init(&seal, &writer->array->map->uuid, sealed->group, column);
		if (rc)
			return rc;
		uint32_t block = writer_block(writer, plan->cells[i], slice);

		make_entry(&writer->rows, column, segment, slice, &seal);
		seal_cache_restore_entry(writer->array->seal_cache, sealed, column, block, &seal);
		seal_reset(&seal);
	}
	return 0;
}

static int merge_slice(struct row_writer *writer, uint32_t slice, struct err *err)
{
	for (uint32_t i = 0; i < writer->partial_count; i++) {
		const struct write_partial *partial = &writer->partials[i];

		if (partial->slice != slice)
			continue;
		if (!writer->old[partial->cell])
			return err_set(err, ERR_DATA_LOST,
				       "block %u of column %u of group %" PRIu64
				       " is lost, and only a part of it is written",
				       writer_block(writer, partial->cell, slice),
				       partial->cell / writer->sealed->segments,
				       writer->sealed->group->id);
		writer_merge(writer, partial, writer->old[partial->cell]);
	}
	return 0;
}

/* Bad blocks that the run does not write itself. */
static void note_damage(struct row_writer *writer, uint32_t slice)
{
	const struct rows *rows = &writer->rows;

	for (uint32_t cell = 0; cell < code_cell_count(rows->code); cell++) {
		bool written = false;

		for (uint16_t i = 0; i < writer->plan.cell_count; i++)
			written |= writer->plan.cells[i] == cell;
		if (!written)
			heal_note(writer->heal, rows, cell / rows->segments, cell % rows->segments,
				  slice);
	}
}

static int solve_slice(struct row_writer *writer, uint32_t slice, struct err *err)
{
	struct write_plan plan = writer->plan;
	uint64_t standing[CODE_LOST_WORDS];
	uint8_t *fresh[CODE_CELLS_MAX] = { NULL };
	uint32_t t = slice - writer->run.first;

	standing_cells(writer, slice, standing);
	note_damage(writer, slice);
	int rc = merge_slice(writer, slice, err);
	if (!rc && restore_witnesses(writer, &plan, slice))
		rc = err_set(err, ERR_NOMEM, "no memory to write a row");
	if (rc)
		return rc;
	for (uint16_t i = 0; i < plan.cell_count; i++)
		fresh[plan.cells[i]] = writer->fresh[plan.cells[i]] + (size_t)t * BLOCK_SIZE;
	write_plan_adapt(&plan, writer->sealed->code, standing);
	write_plan_compute(&plan, writer->sealed->code, fresh, (const uint8_t *const *)writer->old,
			   BLOCK_SIZE);
	writer_note_cells(writer, &plan, t);
	return 0;
}

int write_solve(struct row_writer *writer, struct err *err)
{
	uint32_t end = writer->run.first + writer->run.count;
	int rc = open_rows(writer, err);

	for (uint32_t slice = writer->run.first; !rc && slice < end;) {
		uint32_t count = (uint32_t)size_min(writer->rows.slices_max, end - slice);

		rc = load_window(&writer->rows, slice, count);
		if (rc)
			err_set(err, rc, "no memory to solve rows");
		for (uint32_t i = 0; !rc && i < count; i++)
			rc = solve_slice(writer, slice + i, err);
		slice += count;
	}
	writer->result->bytes_read += writer->rows.bytes_read;
	rows_close(&writer->rows);
	memset(writer->old, 0, sizeof(writer->old));
	return rc;
}

/* ---- damaged pages */

static bool is_damaged(const struct row_writer *writer, uint32_t column, uint32_t page)
{
	return !(writer->absent >> column & 1) && !writer->sealed->seals[column].page_good[page];
}

bool write_pages_damaged(const struct row_writer *writer)
{
	const struct write_plan *plan = &writer->plan;
	uint32_t last = writer->run.first + writer->run.count - 1;

	for (uint16_t i = 0; i < plan->cell_count; i++) {
		uint32_t column = plan->cells[i] / writer->sealed->segments;
		const struct seal_shape *shape = &writer->sealed->seals[column].shape;
		uint32_t page = seal_page_of(
			shape, writer_block(writer, plan->cells[i], writer->run.first));
		uint32_t end = seal_page_of(shape, writer_block(writer, plan->cells[i], last));

		for (; page <= end; page++) {
			if (is_damaged(writer, column, page))
				return true;
		}
	}
	return false;
}

static int restore_entry(struct row_writer *writer, uint32_t column, uint32_t block,
			 struct seal *seal)
{
	struct rows *rows = &writer->rows;
	uint32_t segment = block / rows->segment_blocks, slice = block % rows->segment_blocks;
	uint8_t scratch[BLOCK_SIZE];
	bool stands, rebuilt;
	int rc = rows_fetch(rows, column, block, scratch, &stands, &rebuilt);

	if (!rc && !rows_bounds_generation(rows, column, segment, slice))
		rc = ERR_DATA_LOST;
	if (rc)
		return rc;
	make_entry(rows, column, segment, slice, seal);
	return 0;
}

/*
 * The page stays damaged where nobody knows how often one of its blocks was written: what the member holds may be
 * readable one day, and a generation that it has already must not name another content.
 */
static int restore_page(struct row_writer *writer, uint32_t column, uint32_t page)
{
	struct sealed_group *sealed = writer->sealed;
	const struct seal *again = &writer->rows.seals[column];
	struct seal seal;
	uint32_t first, count;

	if (again->page_good[page]) { /* the disk erred for once */
		seal_cache_restore_page(writer->array->seal_cache, sealed, column, page, again);
		return 0;
	}
	int rc = seal_init(&seal, &writer->array->map->uuid, sealed->group, column);

	if (rc)
		return rc;
	seal_page_blocks(&seal.shape, page, &first, &count);
	for (uint32_t i = 0; !rc && i < count; i++)
		rc = restore_entry(writer, column, first + i, &seal);
	if (!rc)
		seal_cache_restore_page(writer->array->seal_cache, sealed, column, page, &seal);
	seal_reset(&seal);
	return rc == ERR_DATA_LOST ? 0 : rc;
}

int write_restore_pages(struct row_writer *writer, struct err *err)
{
	struct row_locks *locks = writer->array->row_locks;
	const struct group *group = writer->sealed->group;
	struct row_lock lock;
	int rc;

	rc = row_lock_take(locks, &lock, group->id, 0, group->segment_blocks);
	if (rc)
		return err_set(err, rc, "rows of group %" PRIu64 " wait for space", group->id);
	rc = open_rows(writer, err);
	for (uint32_t c = 0; !rc && c < writer->sealed->columns; c++) {
		const struct seal_shape *shape = &writer->sealed->seals[c].shape;

		for (uint32_t page = 0; !rc && page < seal_entry_pages(shape); page++) {
			if (is_damaged(writer, c, page))
				rc = restore_page(writer, c, page);
		}
	}
	if (rc && !err->code)
		err_set(err, rc, "no memory to make a seal again");
	if (!rc && write_pages_damaged(writer))
		rc = err_set(err, ERR_DATA_LOST,
			     "a seal of group %" PRIu64
			     " cannot be read, and no other member knows "
			     "how often its blocks were written",
			     group->id);
	writer->result->bytes_read += writer->rows.bytes_read;
	rows_close(&writer->rows);
	row_lock_give(locks, &lock);
	return rc;
}
