/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Salvage goes through the ranges block by block. The window of rows around a block is loaded once, a slice of it is solved
 * by sectors once, whichever of its blocks comes first; then too it is asked what would help.
 */
#include "core/job/salvage.h"

#include "core/array/row_sectors.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/address.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define WINDOW_STEP 16u /* slices: 64 KiB, the usual unit: its begin is the same for each column */

_Static_assert(SALVAGE_SECTOR *ROW_SECTORS == BLOCK_SIZE, "sectors of a block");

struct salvage {
	struct array *array;
	const struct salvage_request *request;
	const struct volume *volume;
	const struct group *group; /* of the rows; NULL: none open */
	struct rows rows;
	bool *slices_done;          /* of the window */
	struct cell_sectors *cells; /* of the window: [slice][cell] */
	size_t cells_capacity, slices_capacity;
	struct salvage_want want;
	struct salvage_report report;
	struct job_progress progress;
};

static uint32_t cell_count(const struct salvage *salvage)
{
	return salvage->rows.columns * salvage->rows.segments;
}

static struct cell_sectors *cells_of(const struct salvage *salvage, uint32_t slice)
{
	return salvage->cells + (size_t)(slice - salvage->rows.first) * cell_count(salvage);
}

/* ---- what would help */

/* The hope to read a sector of a member, 0 if there is none. */
static uint32_t hope_of(const struct salvage *salvage, uint32_t column, uint64_t place)
{
	const struct salvage_request *request = salvage->request;
	uint32_t hope = request->hope(request->arg, salvage->group->extents[column].slot, place);

	assert(hope <= SALVAGE_HOPES);
	return hope;
}

/* The page of the seal that the entry of a block is in, when that could not be read. */
static bool page_is_unread(const struct salvage *salvage, uint32_t column, uint32_t block,
			   uint64_t *place_out)
{
	const struct rows *rows = &salvage->rows;
	const struct extent *extent = &salvage->group->extents[column];

	if (rows->bare || !rows->usable[column] || seal_knows(&rows->seals[column], block))
		return false;
	*place_out = extent_seal_offset(array_map(salvage->array), extent) +
		     (1 + (uint64_t)seal_page_of(&rows->seals[column].shape, block)) * BLOCK_SIZE;
	return true;
}

/* With a page that cannot be read, the worst hope of its sectors that could not be. */
static uint32_t page_hope(const struct salvage *salvage, uint32_t column, uint64_t page)
{
	uint32_t worst = 0;

	for (uint32_t s = 0; s < ROW_SECTORS; s++)
		worst = (uint32_t)size_max(
			worst, hope_of(salvage, column, page + (uint64_t)s * SALVAGE_SECTOR));
	return worst;
}

/* What must be read for sector `sector` of a cell to be known: the hope for all of it, 0 where there is none. */
static uint32_t cell_hope(const struct salvage *salvage, uint32_t cell, uint32_t slice,
			  uint32_t sector)
{
	const struct rows *rows = &salvage->rows;
	uint32_t column = cell / rows->segments, segment = cell % rows->segments, hope = 1;
	uint32_t block = segment * rows->segment_blocks + slice;
	enum block_fate fate = rows_fate(rows, column, segment, slice);
	uint64_t place;

	if (fate != BLOCK_UNREADABLE && fate != BLOCK_UNSEALED)
		return 0;
	if (fate == BLOCK_UNREADABLE && row_sector_place(rows, column, block, sector, &place))
		hope = hope_of(salvage, column, place);
	if (hope && page_is_unread(salvage, column, block, &place)) {
		uint32_t page = page_hope(salvage, column, place);

		hope = page ? (uint32_t)size_max(hope, page) : 0;
	}
	return hope;
}

static int want_cell(const struct salvage *salvage, uint32_t cell, uint32_t slice, uint32_t sector,
		     struct err *err)
{
	const struct salvage_request *request = salvage->request;
	const struct rows *rows = &salvage->rows;
	uint32_t column = cell / rows->segments, segment = cell % rows->segments;
	uint32_t block = segment * rows->segment_blocks + slice;
	uint32_t slot = salvage->group->extents[column].slot;
	uint64_t place, page;
	int rc = 0;

	if (rows_fate(rows, column, segment, slice) == BLOCK_UNREADABLE &&
	    row_sector_place(rows, column, block, sector, &place))
		rc = request->want(request->arg, slot, place, err);
	if (rc || !page_is_unread(salvage, column, block, &page))
		return rc;
	for (uint32_t s = 0; rc == 0 && s < ROW_SECTORS; s++) {
		place = page + (uint64_t)s * SALVAGE_SECTOR;
		if (hope_of(salvage, column, place))
			rc = request->want(request->arg, slot, place, err);
	}
	return rc;
}

/* Does the cell hold data of the volume? */
static bool is_asked_for(const struct salvage *salvage, uint32_t cell, uint32_t slice)
{
	const struct rows *rows = &salvage->rows;
	const struct address address = {
		.group = salvage->group,
		.column = cell / rows->segments,
		.block = cell % rows->segments * rows->segment_blocks + slice,
	};
	struct volume_part part;

	return address_to_volume(&part, array_map(salvage->array), &address) &&
	       part.volume == salvage->volume;
}

static void bit_set(uint64_t *bits, uint32_t cell)
{
	bits[cell / 64] |= UINT64_C(1) << cell % 64;
}

/* The cells of a slice that the volume has data in and that are not all known. */
static bool goal_find(const struct salvage *salvage, uint32_t slice, uint64_t goal[CODE_LOST_WORDS])
{
	const struct cell_sectors *cells = cells_of(salvage, slice);
	bool any = false;

	memset(goal, 0, CODE_LOST_WORDS * sizeof(*goal));
	for (uint32_t cell = 0; cell < cell_count(salvage); cell++) {
		if (!cells[cell].unsolved || !is_asked_for(salvage, cell, slice))
			continue;
		bit_set(goal, cell);
		any = true;
	}
	return any;
}

/* What would help sector `sector` of a slice; `goal_any` is of all its sectors. */
static int want_sector(struct salvage *salvage, uint32_t slice, uint32_t sector,
		       const uint64_t *goal_any, struct err *err)
{
	const struct cell_sectors *cells = cells_of(salvage, slice);
	uint64_t lost[CODE_LOST_WORDS] = { 0 }, goal[CODE_LOST_WORDS] = { 0 };
	uint8_t hopes[CODE_CELLS_MAX] = { 0 };
	bool any = false;
	int rc = 0;

	for (uint32_t cell = 0; cell < cell_count(salvage); cell++) {
		if (!(cells[cell].unread >> sector & 1))
			continue;
		bit_set(lost, cell);
		hopes[cell] = (uint8_t)cell_hope(salvage, cell, slice, sector);
		if (!(cells[cell].unsolved >> sector & goal_any[cell / 64] >> cell % 64 & 1))
			continue;
		bit_set(goal, cell);
		any = true;
	}
	if (!any)
		return 0;
	rc = salvage_want_find(&salvage->want, salvage->rows.code, lost, goal, hopes);
	if (rc)
		return err_set(err, rc, "no memory to salvage a row");
	for (uint32_t cell = 0; rc == 0 && cell < cell_count(salvage); cell++) {
		if (salvage->want.wanted[cell / 64] >> cell % 64 & 1)
			rc = want_cell(salvage, cell, slice, sector, err);
	}
	return rc;
}

/* ---- rows */

/* Room for what is known of the window's slices. */
static int reserve(struct salvage *salvage)
{
	size_t slices = salvage->rows.slices_max, cells = slices * cell_count(salvage);

	if (salvage->slices_capacity < slices) {
		mem_free(salvage->slices_done);
		salvage->slices_done = mem_calloc(slices, sizeof(bool));
		salvage->slices_capacity = salvage->slices_done ? slices : 0;
	}
	if (salvage->cells_capacity < cells) {
		mem_free(salvage->cells);
		salvage->cells = mem_calloc(cells, sizeof(struct cell_sectors));
		salvage->cells_capacity = salvage->cells ? cells : 0;
	}
	return salvage->slices_done && salvage->cells ? 0 : ERR_NOMEM;
}

static int group_open(struct salvage *salvage, const struct group *group, struct err *err)
{
	int rc;

	if (salvage->group == group)
		return 0;
	if (salvage->group)
		rows_close(&salvage->rows);
	salvage->group = NULL;
	rc = rows_open(&salvage->rows, salvage->array, group, 0, rows_window(salvage->array, group),
		       ROWS_WHOLE, err);
	if (rc)
		return rc;
	salvage->group = group;
	rc = reserve(salvage);
	return rc ? err_set(err, rc, "no memory to salvage a row") : 0;
}

/*
 * The window around a slice: up to the end of the run in which the volume goes on there, as far as there is room. In a
 * striped volume the next units are other columns of the same slices.
 */
static int window_load(struct salvage *salvage, uint32_t slice, uint64_t run, struct err *err)
{
	struct rows *rows = &salvage->rows;
	uint32_t first = slice - slice % (uint32_t)size_min(WINDOW_STEP, rows->slices_max), lost;
	uint32_t end = (uint32_t)size_min(size_min(slice + run, rows->segment_blocks),
					  (uint64_t)first + rows->slices_max);
	const struct job_watch *watch = &salvage->request->watch;
	int rc;

	if (rows->count && slice >= rows->first && slice - rows->first < rows->count)
		return 0;
	if (watch->stop && watch->stop(watch->arg))
		return err_set(err, ERR_STOPPED, "stopped");
	rc = rows_load(rows, first, end - first);
	if (rc == 0) {
		rows_judge(rows);
		rc = rows_solve(rows, &lost);
	}
	if (rc) {
		rows->count = 0;
		return err_set(err, rc, "no memory to salvage a row");
	}
	memset(salvage->slices_done, 0, rows->slices_max * sizeof(bool));
	salvage->progress.bytes_read = rows->bytes_read;
	if (watch->progress)
		watch->progress(watch->arg, &salvage->progress);
	return 0;
}

/* All that can be known of a slice, and what would help. */
static int slice_solve(struct salvage *salvage, uint32_t slice, struct err *err)
{
	bool *done = &salvage->slices_done[slice - salvage->rows.first];
	uint64_t goal[CODE_LOST_WORDS];
	int rc = 0;

	if (*done)
		return 0;
	if (row_sectors_solve(&salvage->rows, slice, cells_of(salvage, slice)))
		return err_set(err, ERR_NOMEM, "no memory to salvage a row");
	if (salvage->request->hope && goal_find(salvage, slice, goal)) {
		for (uint32_t s = 0; rc == 0 && s < ROW_SECTORS; s++)
			rc = want_sector(salvage, slice, s, goal, err);
	}
	*done = rc == 0;
	return rc;
}

/* ---- ranges */

/* Hand out what is known of a block, from byte `from` of the volume to `to`; its first byte is that of `begin`. */
static int block_give(struct salvage *salvage, const uint8_t *bytes, uint8_t missing,
		      uint64_t begin, uint64_t from, uint64_t to, struct err *err)
{
	const struct salvage_request *request = salvage->request;
	int rc = 0;

	for (uint64_t at = from, end; rc == 0 && at < to; at = end) {
		uint32_t sector = (uint32_t)((at - begin) / SALVAGE_SECTOR);
		bool lost = missing >> sector & 1;

		do
			sector++;
		while (sector < ROW_SECTORS && (missing >> sector & 1) == lost);
		end = size_min(to, begin + (uint64_t)sector * SALVAGE_SECTOR);
		if (lost) {
			salvage->report.lost += end - at;
			continue;
		}
		salvage->report.got += end - at;
		rc = request->got(request->arg, bytes + (at - begin), (size_t)(end - at), at, err);
	}
	return rc;
}

/* The block with byte `offset` of the volume; *next_out is the first byte behind it, or behind the range. */
static int block_salvage(struct salvage *salvage, uint64_t offset, uint64_t end, uint64_t *next_out,
			 struct err *err)
{
	const struct map *map = array_map(salvage->array);
	struct address address = { 0 };
	struct volume_part part = { 0 };
	uint64_t run = 0;
	bool found = address_of_volume(&address, &run, map, salvage->volume, offset) &&
		     address_to_volume(&part, map, &address);
	int rc;

	if (!found)
		return err_set(err, ERR_FORMAT, "volume \"%s\": byte %" PRIu64 " has no place",
			       salvage->volume->name, offset);
	assert(part.volume == salvage->volume && offset >= part.offset);
	rc = group_open(salvage, address.group, err);
	if (rc)
		return rc;
	uint32_t segment = address.block / salvage->rows.segment_blocks;
	uint32_t slice = address.block % salvage->rows.segment_blocks;
	uint32_t cell = address.column * salvage->rows.segments + segment;

	rc = window_load(salvage, slice, size_divide_up(size_min(run, end - offset), BLOCK_SIZE),
			 err);
	if (rc == 0)
		rc = slice_solve(salvage, slice, err);
	if (rc)
		return rc;
	*next_out = size_min(end, part.offset + part.length);
	return block_give(salvage, rows_block(&salvage->rows, address.column, segment, slice),
			  cells_of(salvage, slice)[cell].missing, part.offset, offset, *next_out,
			  err);
}

static int range_salvage(struct salvage *salvage, const struct salvage_range *range,
			 struct err *err)
{
	uint64_t end = range->offset + range->length, next = 0;
	int rc = 0;

	for (uint64_t at = range->offset; rc == 0 && at < end; at = next) {
		rc = block_salvage(salvage, at, end, &next, err);
		salvage->progress.done += rc ? 0 : next - at;
	}
	return rc;
}

int salvage_run(struct array *array, const struct salvage_request *request,
		struct salvage_report *report_out, struct err *err)
{
	struct salvage *salvage = mem_calloc(1, sizeof(*salvage));
	int rc = 0;

	if (!salvage)
		return err_set(err, ERR_NOMEM, "no memory to salvage a row");
	salvage->array = array;
	salvage->request = request;
	salvage->progress.kind = "salvage";
	salvage->volume = map_volume_named(array_map(array), request->volume);
	if (!salvage->volume)
		rc = err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", request->volume);
	for (size_t i = 0; i < request->range_count; i++)
		salvage->progress.total += request->ranges[i].length;
	for (size_t i = 0; rc == 0 && i < request->range_count; i++)
		rc = range_salvage(salvage, &request->ranges[i], err);
	*report_out = salvage->report;
	rows_free(&salvage->rows);
	mem_free(salvage->slices_done);
	mem_free(salvage->cells);
	mem_free(salvage);
	return rc;
}
