/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/span_judge.h"

#include "core/array/array_internal.h"
#include "core/array/span_place.h"
#include "core/array/span_read.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum verdict {
	VERDICT_NONE, /* it is absent, or its seal cannot be read */
	VERDICT_SUM,  /* its checksum is known */
	VERDICT_STALE,
};

struct span_judge_block {
	uint32_t seed, crc;
	enum verdict verdict;
};

static const struct group *group_of(const struct span_judge *judge, uint32_t position,
				    uint32_t *column_out)
{
	const struct group *group =
		map_extent(judge->array->map, judge->span->extents[position], column_out);

	assert(group); /* map_check() saw to it */
	return group;
}

static int open_group(struct span_judge *judge, const struct group *group, struct err *err)
{
	if (judge->rows.group == group)
		return 0;
	if (judge->rows.group)
		rows_close(&judge->rows);
	int rc = rows_open(&judge->rows, judge->array, group, 0, rows_window(judge->array, group),
			   ROWS_WHOLE, err);
	judge->bytes_read += rc ? 0 : judge->rows.bytes_read;
	return rc;
}

/* What the seals say of block `block` of a column; of a mirror all copies are it. The window holds its slice. */
static struct span_judge_block verdict_of(const struct rows *rows, uint32_t column, uint32_t block)
{
	uint32_t segment = block / rows->segment_blocks, slice = block % rows->segment_blocks;
	bool mirror = rows->group->shape.layout == LAYOUT_MIRROR, stale = false;

	for (uint32_t c = mirror ? 0 : column; c < (mirror ? rows->columns : column + 1); c++) {
		enum block_fate fate = rows_fate(rows, c, segment, slice);

		if (fate == BLOCK_GOOD)
			return (struct span_judge_block){ seal_block_seed(rows->seeds[c], block),
							  rows->seals[c].entries[block].crc,
							  VERDICT_SUM };
		stale = stale || fate == BLOCK_STALE;
	}
	return (struct span_judge_block){ .verdict = stale ? VERDICT_STALE : VERDICT_NONE };
}

/* The span's blocks on one extent that lie in the window. */
static void judge_extent(struct span_judge *judge, uint32_t position, uint32_t column)
{
	const struct span *span = judge->span;
	const struct rows *rows = &judge->rows;
	uint32_t data_blocks = group_data_blocks(rows->group);
	uint64_t unit = span->unit_blocks ? span->unit_blocks : data_blocks;
	uint64_t count = size_divide_up(span->length, BLOCK_SIZE);

	for (uint32_t s = 0; s < data_blocks / rows->segment_blocks; s++) {
		for (uint32_t t = rows->first; t < rows->first + rows->count; t++) {
			uint32_t block = s * rows->segment_blocks + t;
			uint64_t stripe = block / unit;
			uint64_t at =
				(stripe * span->extent_count + position) * unit + block % unit;

			if (at < count)
				judge->blocks[at] = verdict_of(rows, column, block);
		}
	}
}

/* All of the span that lies in the group of its extent `position`, which no extent before is in. */
static int judge_group(struct span_judge *judge, uint32_t position, struct err *err)
{
	struct rows *rows = &judge->rows;
	uint32_t column;
	const struct group *group = group_of(judge, position, &column);
	int rc = open_group(judge, group, err);

	for (uint32_t first = 0, count; !rc && first < rows->segment_blocks; first += count) {
		count = (uint32_t)size_min(rows->slices_max, rows->segment_blocks - first);
		rc = rows_load_columns(rows, 0, first, count);
		if (rc)
			return err_set(err, rc, "no memory to judge a group");
		rows_judge(rows);
		for (uint32_t i = position; i < judge->span->extent_count; i++) {
			if (group_of(judge, i, &column) == group)
				judge_extent(judge, i, column);
		}
	}
	rows->count = 0; /* no block of it was read */
	return rc;
}

static bool is_first_of_group(const struct span_judge *judge, uint32_t position)
{
	uint32_t column;
	const struct group *group = group_of(judge, position, &column);

	for (uint32_t i = 0; i < position; i++) {
		if (group_of(judge, i, &column) == group)
			return false;
	}
	return true;
}

static int reserve(struct span_judge *judge, size_t blocks)
{
	if (judge->capacity >= blocks)
		return 0;
	mem_free(judge->blocks);
	judge->blocks = mem_calloc(blocks, sizeof(*judge->blocks));
	judge->capacity = judge->blocks ? blocks : 0;
	return judge->blocks ? 0 : ERR_NOMEM;
}

int span_judge_open(struct span_judge *judge, struct array *array, const struct span *span,
		    struct err *err)
{
	size_t blocks = (size_t)size_divide_up(span->length, BLOCK_SIZE);
	int rc;

	if (judge->span == span && judge->generation == array->map->generation)
		return 0;
	judge->span = NULL;
	rc = reserve(judge, blocks);
	if (rc)
		return err_set(err, rc, "no memory to judge a span");
	if (judge->rows.group) /* it may have been written since */
		rows_close(&judge->rows);
	judge->array = array;
	judge->span = span;
	judge->generation = array->map->generation;
	if (span_is_bare(array->map, span)) { /* nothing but its equations would tell */
		memset(judge->blocks, 0, blocks * sizeof(*judge->blocks));
		return 0;
	}
	for (uint32_t i = 0; !rc && i < span->extent_count; i++) {
		if (is_first_of_group(judge, i))
			rc = judge_group(judge, i, err);
	}
	if (rc)
		judge->span = NULL;
	return rc;
}

bool span_judge_allows(const struct span_judge *judge, uint64_t block, const uint8_t *bytes)
{
	const struct span_judge_block *known = &judge->blocks[block];

	return known->verdict == VERDICT_NONE ||
	       (known->verdict == VERDICT_SUM &&
		crc32_of(known->seed, bytes, BLOCK_SIZE) == known->crc);
}

int span_judge_fetch(struct span_judge *judge, uint64_t block, uint8_t *out, bool *stands_out,
		     struct err *err)
{
	uint32_t column;
	const struct group *group = group_of(judge, 0, &column);
	struct span_place place = span_locate(judge->span, group_data_blocks(group), block);
	bool rebuilt;

	group = group_of(judge, place.position, &column);
	int rc = open_group(judge, group, err);
	if (rc)
		return rc;
	uint64_t before = judge->rows.bytes_read;
	rc = rows_fetch(&judge->rows, column, place.block, out, stands_out, &rebuilt);
	judge->bytes_read += judge->rows.bytes_read - before;
	return rc ? err_set(err, rc, "no memory to rebuild a block of group %" PRIu64, group->id)
		  : 0;
}

void span_judge_free(struct span_judge *judge)
{
	rows_free(&judge->rows);
	mem_free(judge->blocks);
	*judge = (struct span_judge){ 0 };
}
