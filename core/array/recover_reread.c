/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/recover_reread.h"

#include "core/array/array_internal.h"

#include <string.h>

/* Does some entry, or its own seal, say that the cell has such a content? */
static bool is_told(struct slice_work *work, uint32_t cell, uint32_t crc)
{
	if (seal_is_known(work, cell) &&
	    seal_of(work, cell)->entries[block_of(work, cell)].crc == crc)
		return true;
	for (uint32_t n = 0; work->name_of[cell] && n < work->request->name_count; n++) {
		const struct log_rows *entry = work->request->names[n].rows;
		const struct write_plan *plan = plan_of(work, entry);

		for (uint32_t i = 0; i < entry->cell_count; i++) {
			if (plan->cells[i] == cell && entry_cells(work, entry)[i].crc == crc)
				return true;
		}
	}
	return false;
}

static bool is_doubtful(struct slice_work *work, uint32_t cell, const uint8_t *bytes)
{
	return !was_read(work, cell) || !is_told(work, cell, crc_of(work, cell, bytes));
}

/*
 * A disk may err for once, or read from another place (FAULTS A3, A10), and what is found may be kept. Two readings
 * that differ, and of which neither is known, are none.
 */
static void read_again(struct slice_work *work, uint32_t cell, uint8_t *block)
{
	const struct rows *rows = work->rows;
	uint32_t column = cell / rows->segments, segment = cell % rows->segments;
	const struct extent *extent = &rows->group->extents[column];
	uint8_t *found = work->found + (size_t)cell * BLOCK_SIZE;
	bool first = was_read(work, cell);

	if (io_read(array_dev(rows->array, extent->slot), rows_role(rows, column, segment),
		    extent_offset(rows->array->map, extent, block_of(work, cell)), block,
		    BLOCK_SIZE))
		return; /* the first reading must do */
	if (first && memcmp(block, found, BLOCK_SIZE) == 0)
		return;
	memcpy(found, block, BLOCK_SIZE);
	work->found_fates[cell] = BLOCK_GOOD;
	if (first && is_doubtful(work, cell, found))
		work->found_fates[cell] = BLOCK_UNREADABLE;
}

void recover_reread(struct slice_work *work, uint8_t block[static BLOCK_SIZE])
{
	for (uint32_t cell = 0; cell < work->cells; cell++) {
		const uint8_t *found = work->found + (size_t)cell * BLOCK_SIZE;

		if (is_usable(work, cell) && is_doubtful(work, cell, found))
			read_again(work, cell, block);
	}
}
