/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/heal.h"

#include "core/array/array_internal.h"
#include "core/array/row.h"
#include "core/array/row_lock.h"
#include "core/array/seal_cache.h"
#include "core/array/write_half.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

/* The block was solved, and its own seal says that it was solved right. */
static bool can_heal(const struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice)
{
	enum block_fate fate = rows_fate(rows, column, segment, slice);

	return (fate == BLOCK_UNREADABLE || fate == BLOCK_MISMATCH) &&
	       rows_is_rebuilt(rows, column, segment, slice) &&
	       seal_knows(&rows->seals[column], segment * rows->segment_blocks + slice);
}

void heal_note(struct heal_list *list, const struct rows *rows, uint32_t column, uint32_t segment,
	       uint32_t slice)
{
	uint64_t group = rows->group->id;

	if (!list || list->count == HEAL_MAX || !can_heal(rows, column, segment, slice))
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->at[i].group == group && list->at[i].slice == slice)
			return;
	}
	list->at[list->count].group = group;
	list->at[list->count++].slice = slice;
}

static bool is_whole(struct array *array, const struct group *group)
{
	uint32_t all = (uint32_t)((UINT64_C(1) << group->shape.columns) - 1);

	return array_usable_columns(array, group) == all;
}

/* Did a write fail half-way in this slice? Then what is there is not what its seals say. */
static bool is_half(struct array *array, uint64_t group, uint32_t slice)
{
	const struct half_place place = { group, slice, 1 };
	struct half_place found;

	return write_half_find(array, &place, &found) != NULL ||
	       seal_cache_has_half(array->seal_cache, group, slice);
}

/* No member is written to that did not take a block, and none any more where writing has stopped. */
static bool takes_blocks(struct array *array, uint32_t slot)
{
	env_lock(array->env, &array->change);
	bool takes = !array->members[slot].heals_not && !array_poisoned(array);
	env_unlock(array->env, &array->change);
	return takes;
}

static void give_up(struct array *array, uint32_t slot)
{
	env_lock(array->env, &array->change);
	array->members[slot].heals_not = true;
	env_unlock(array->env, &array->change);
}

/* Write one block and read it back. A member that is written to fails as for any writer: with its next write. */
static bool write_back(struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice,
		       uint8_t *scratch)
{
	struct array *array = rows->array;
	const struct extent *extent = &rows->group->extents[column];
	uint64_t offset = extent_offset(array->map, extent, segment * rows->segment_blocks + slice);
	const uint8_t *bytes = rows_block(rows, column, segment, slice);
	enum io_role role = rows_role(rows, column, segment);
	struct dev *dev = array_dev(array, extent->slot);

	if (!takes_blocks(array, extent->slot))
		return false;
	if (io_write(dev, role, offset, bytes, BLOCK_SIZE) == 0 &&
	    io_read(dev, role, offset, scratch, BLOCK_SIZE) == 0 &&
	    memcmp(bytes, scratch, BLOCK_SIZE) == 0)
		return true;
	give_up(array, extent->slot);
	return false;
}

/* Holds the row lock. Returns the blocks that were written back. */
static uint32_t heal_slice(struct rows *rows, uint32_t slice, uint8_t *scratch)
{
	uint32_t lost, healed = 0;

	if (rows_load(rows, slice, 1))
		return 0;
	rows_judge(rows);
	if (rows_solve(rows, &lost))
		return 0;
	for (uint32_t c = 0; c < rows->columns; c++) {
		for (uint32_t s = 0; s < rows->segments; s++) {
			if (can_heal(rows, c, s, slice) && write_back(rows, c, s, slice, scratch))
				healed++;
		}
	}
	return healed;
}

static uint32_t heal_locked(struct rows *rows, struct array *array, const struct group *group,
			    uint32_t slice, uint8_t *scratch)
{
	struct err err = { 0 };
	uint32_t healed;

	if (!is_whole(array, group) || is_half(array, group->id, slice) ||
	    rows_open(rows, array, group, 0, 1, ROWS_WHOLE, &err))
		return 0;
	healed = heal_slice(rows, slice, scratch);
	rows_close(rows);
	return healed;
}

uint64_t heal_run(struct array *array, const struct heal_list *list)
{
	struct rows rows = { 0 };
	uint8_t *scratch = list->count > 0 ? mem_pages(BLOCK_SIZE) : NULL;
	uint64_t healed = 0;

	assert(array->access == ARRAY_WRITE && array->row_locks);
	for (uint32_t i = 0; scratch && i < list->count; i++) {
		const struct group *group = map_group(array->map, list->at[i].group);
		struct row_lock lock;

		assert(group); /* the map is shared since it was noted */
		if (row_lock_take(array->row_locks, &lock, group->id, list->at[i].slice, 1))
			continue;
		healed += heal_locked(&rows, array, group, list->at[i].slice, scratch);
		row_lock_give(array->row_locks, &lock);
	}
	rows_free(&rows);
	mem_pages_free(scratch);
	return healed * BLOCK_SIZE;
}
