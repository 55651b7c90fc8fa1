/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/recover_window.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>

uint32_t recover_window_slices(const struct array *array, const struct group *group,
			       const struct slice_name *names, size_t count)
{
	uint32_t most = rows_window(array, group), slices = 1;
	uint32_t spread = names[count - 1].slice + 1 - names[0].slice;

	assert(count > 0);
	while (slices < spread && slices < most)
		slices *= 2;
	return (uint32_t)size_min(slices, most);
}

int recover_window_read(struct rows *rows, const struct slice_name *names, size_t count)
{
	uint32_t first = names[0].slice, slices = names[count - 1].slice + 1 - first;
	bool *wanted = mem_calloc(slices, sizeof(*wanted));

	assert(count > 0);
	if (!wanted)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		wanted[names[i].slice - first] = true;
	int rc = rows_load_some(rows, first, slices, wanted);
	mem_free(wanted);
	return rc;
}

/* Blocks that follow each other in a column, on the member and in memory. */
struct run {
	uint32_t column;
	struct iovec iov;
};

struct batch {
	const struct rows *rows;
	struct run *runs;
	struct io *ios;
	size_t count;
};

static void add_block(struct batch *batch, uint32_t column, uint32_t segment, uint32_t slice)
{
	const struct rows *rows = batch->rows;
	const struct extent *extent = &rows->group->extents[column];
	struct run *run = &batch->runs[batch->count];

	*run = (struct run){ column, { rows_block(rows, column, segment, slice), BLOCK_SIZE } };
	batch->ios[batch->count++] = (struct io){
		.dev = array_dev(rows->array, extent->slot),
		.op = IO_WRITE,
		.role = rows_role(rows, column, segment),
		.offset = extent_offset(rows->array->map, extent,
					segment * rows->segment_blocks + slice),
		.size = BLOCK_SIZE,
		.iov = &run->iov,
		.iov_count = 1,
	};
}

/* The slices of one cell of the window. */
static void add_cell(struct batch *batch, uint32_t column, uint32_t segment, const bool *changed)
{
	const struct rows *rows = batch->rows;
	bool goes_on = false;

	for (uint32_t slice = rows->first; slice < rows->first + rows->count; slice++) {
		bool wanted = changed[rows_at(rows, column, segment, slice)];

		if (wanted && goes_on) {
			batch->runs[batch->count - 1].iov.iov_len += BLOCK_SIZE;
			batch->ios[batch->count - 1].size += BLOCK_SIZE;
		} else if (wanted) {
			add_block(batch, column, segment, slice);
		}
		goes_on = wanted;
	}
}

static int run_batch(const struct batch *batch, bool *wrote, uint32_t *failed_column_out)
{
	int rc = 0;

	for (size_t i = 0; i < batch->count; i++)
		wrote[batch->runs[i].column] = true;
	if (batch->count == 0 || io_run(batch->ios, batch->count) == 0)
		return 0;
	for (size_t i = 0; i < batch->count; i++) {
		int result = batch->ios[i].result;

		if (result == 0 || (rc && result == ERR_NOSPACE))
			continue;
		*failed_column_out = batch->runs[i].column;
		rc = result;
		if (rc != ERR_NOSPACE)
			break;
	}
	assert(rc);
	return rc;
}

int recover_window_write(const struct rows *rows, const bool *changed, bool wrote[CODE_COLUMNS_MAX],
			 uint32_t *failed_column_out)
{
	size_t blocks = (size_t)rows->columns * rows->segments * rows->count;
	struct batch batch = { .rows = rows,
			       .runs = mem_calloc(blocks, sizeof(*batch.runs)),
			       .ios = mem_calloc(blocks, sizeof(*batch.ios)) };
	int rc = batch.runs && batch.ios ? 0 : ERR_NOMEM;

	if (!rc) {
		for (uint32_t column = 0; column < rows->columns; column++) {
			for (uint32_t segment = 0; segment < rows->segments; segment++)
				add_cell(&batch, column, segment, changed);
		}
		rc = run_batch(&batch, wrote, failed_column_out);
	}
	mem_free(batch.runs);
	mem_free(batch.ios);
	return rc;
}
