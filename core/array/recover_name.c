/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/recover_name.h"

#include "core/array/write_plan.h"
#include "core/base/size.h"

bool slice_entry_fits(const struct rows *rows, const struct log_rows *entry)
{
	uint32_t columns = code_data_columns(rows->code);
	struct write_plan plan;

	/* Generations are not given out up to the end, so a limit there was written by nobody. */
	return entry->generation_limit < UINT32_MAX && entry->count > 0 &&
	       entry->first < rows->segment_blocks &&
	       entry->count <= rows->segment_blocks - entry->first &&
	       entry->segment < code_data_segments(rows->code) && entry->columns != 0 &&
	       (columns == 32 || entry->columns >> columns == 0) &&
	       write_plan_make(&plan, rows->code, entry->segment, entry->columns, 0) == 0 &&
	       plan.cell_count == entry->cell_count;
}

/* Levels of a sequential group have no cell in common. */
uint32_t slice_part(const struct rows *rows, const struct log_rows *entry)
{
	return code_shape(rows->code)->layout == LAYOUT_SEQUENTIAL
		       ? entry->segment / (rows->columns - 1)
		       : 0;
}

uint32_t slice_generation(const struct log_rows *entry, uint32_t slice)
{
	const struct log_cell *cells =
		entry->cells + (size_t)(slice - entry->first) * entry->cell_count;
	uint32_t generation = 0;

	for (uint32_t i = 0; i < entry->cell_count; i++)
		generation = (uint32_t)size_max(generation, cells[i].generation);
	return generation;
}
