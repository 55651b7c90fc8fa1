/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/row_sectors.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/code/kernel.h"
#include "core/map/windows.h"

#include <assert.h>
#include <string.h>

#define SECTOR_SIZE (BLOCK_SIZE / ROW_SECTORS)
#define ALL_SECTORS UINT8_MAX

bool row_sector_place(const struct rows *rows, uint32_t column, uint32_t block, uint32_t sector,
		      uint64_t *place_out)
{
	const struct map *map = rows->array->map;
	const struct extent *extent = &rows->group->extents[column];
	const struct window *window = extent_window(map, extent);
	uint64_t offset = extent_offset(map, extent, block) + (uint64_t)sector * SECTOR_SIZE;

	if (window && offset - window->begin >= window->length)
		return false;
	*place_out = window ? window_place(window, offset - window->begin, NULL) : offset;
	return true;
}

/* The member as its own addresses are; a bare array sees it through windows. */
static struct dev *member_dev(const struct rows *rows, uint32_t column)
{
	struct dev *dev = array_dev(rows->array, rows->group->extents[column].slot);

	assert(dev && (!rows->bare || dev->below));
	return rows->bare ? dev->below : dev;
}

/*
 * The sectors of a block one by one. Where a window makes blocks of the map lie across two of the member, each of these is
 * read when the first of its sectors is wanted.
 */
static uint8_t read_block(struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice,
			  uint8_t *page)
{
	struct dev *dev = member_dev(rows, column);
	uint8_t *out = rows_block(rows, column, segment, slice);
	uint32_t block = segment * rows->segment_blocks + slice;
	uint64_t in_page = UINT64_MAX, place;
	uint8_t bad = 0, missing = 0;

	for (uint32_t sector = 0; sector < ROW_SECTORS; sector++) {
		uint8_t *bytes = out + (size_t)sector * SECTOR_SIZE;

		if (!row_sector_place(rows, column, block, sector, &place)) {
			memset(bytes, 0, SECTOR_SIZE);
			continue;
		}
		if (place / BLOCK_SIZE != in_page) {
			in_page = place / BLOCK_SIZE;
			bad = io_read_sectors(dev, rows_role(rows, column, segment),
					      in_page * BLOCK_SIZE, page);
		}
		memcpy(bytes, page + place % BLOCK_SIZE, SECTOR_SIZE);
		if (bad >> (place % BLOCK_SIZE / SECTOR_SIZE) & 1)
			missing = (uint8_t)(missing | 1u << sector);
	}
	return missing;
}

static int read_cells(struct rows *rows, uint32_t slice, struct cell_sectors *cells)
{
	uint8_t *page = mem_pages(BLOCK_SIZE);

	if (!page)
		return ERR_NOMEM;
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++) {
		uint32_t column = cell / rows->segments, segment = cell % rows->segments;

		if (rows_stands(rows, column, segment, slice))
			cells[cell].unread = 0;
		else if (rows_fate(rows, column, segment, slice) == BLOCK_UNREADABLE)
			cells[cell].unread = read_block(rows, column, segment, slice, page);
		else
			cells[cell].unread = ALL_SECTORS;
		cells[cell].unsolved = cells[cell].unread;
	}
	mem_pages_free(page);
	return 0;
}

/* The cells without this sector, as bits. */
static bool lost_cells(const struct rows *rows, const struct cell_sectors *cells, uint32_t sector,
		       uint64_t lost[CODE_LOST_WORDS])
{
	bool any = false;

	memset(lost, 0, CODE_LOST_WORDS * sizeof(*lost));
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++) {
		if (!(cells[cell].unread >> sector & 1))
			continue;
		lost[cell / 64] |= UINT64_C(1) << cell % 64;
		any = true;
	}
	return any;
}

static uint8_t *sector_bytes(const struct rows *rows, uint32_t cell, uint32_t slice,
			     uint32_t sector)
{
	return rows_block(rows, cell / rows->segments, cell % rows->segments, slice) +
	       (size_t)sector * SECTOR_SIZE;
}

/* Compute the target of a step in sectors first..end-1. */
static void run_step(struct rows *rows, const struct code_step *step, uint32_t slice,
		     uint32_t first, uint32_t end, struct cell_sectors *cells)
{
	struct kernel_source sources[KERNEL_SOURCES_MAX];

	assert(step->term_count <= KERNEL_SOURCES_MAX);
	for (uint32_t i = 0; i < step->term_count; i++) {
		sources[i].bytes = sector_bytes(rows, step->terms[i].cell, slice, first);
		sources[i].coefficient = step->terms[i].coefficient;
	}
	kernel_combine(sector_bytes(rows, step->target, slice, first), sources, step->term_count,
		       (size_t)(end - first) * SECTOR_SIZE);
	for (uint32_t s = first; s < end; s++)
		cells[step->target].unsolved = (uint8_t)(cells[step->target].unsolved & ~(1u << s));
}

static int solve_sectors(struct rows *rows, uint32_t slice, uint32_t first, uint32_t end,
			 const uint64_t *lost, struct cell_sectors *cells)
{
	struct code_plan plan;
	int rc = code_solve(&plan, rows->code, lost, NULL);

	if (rc)
		return rc;
	for (uint16_t i = 0; i < plan.step_count; i++)
		run_step(rows, &plan.steps[i], slice, first, end, cells);
	code_plan_reset(&plan);
	return 0;
}

/* Blocks that are whole now; with a checksum they are held against it. */
static void judge(struct rows *rows, uint32_t slice, struct cell_sectors *cells)
{
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++) {
		size_t at = rows_at(rows, cell / rows->segments, cell % rows->segments, slice);

		cells[cell].missing = cells[cell].unsolved;
		if (cells[cell].unread && !cells[cell].missing)
			rows->rebuilt[at] = ROWS_REBUILT;
	}
	if (rows->bare)
		return;
	(void)rows_verify_rebuilt(rows, slice);
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++) {
		if (!rows_stands(rows, cell / rows->segments, cell % rows->segments, slice))
			cells[cell].missing = ALL_SECTORS;
	}
}

int row_sectors_solve(struct rows *rows, uint32_t slice, struct cell_sectors *cells_out)
{
	uint64_t lost[CODE_LOST_WORDS], next[CODE_LOST_WORDS];
	int rc;

	assert(slice >= rows->first && slice - rows->first < rows->count);
	rc = read_cells(rows, slice, cells_out);
	for (uint32_t first = 0, end; rc == 0 && first < ROW_SECTORS; first = end) {
		bool any = lost_cells(rows, cells_out, first, lost);

		/* Neighbours that lack the same cells go together. */
		for (end = first + 1; end < ROW_SECTORS; end++) {
			(void)lost_cells(rows, cells_out, end, next);
			if (memcmp(lost, next, sizeof(lost)) != 0)
				break;
		}
		if (any)
			rc = solve_sectors(rows, slice, first, end, lost, cells_out);
	}
	if (rc == 0)
		judge(rows, slice, cells_out);
	return rc;
}
