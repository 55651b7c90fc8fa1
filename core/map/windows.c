/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/windows.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <stdlib.h>

static void tables_free(struct map_windows *tables)
{
	for (uint32_t slot = 0; tables && slot < MEMBERS_MAX; slot++)
		mem_free(tables[slot].at);
	mem_free(tables);
}

static int compare_windows(const void *a, const void *b)
{
	const struct window *left = a, *right = b;

	return left->begin < right->begin ? -1 : left->begin > right->begin;
}

static void fill_tables(struct map_windows *tables, const struct map *map)
{
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; group_is_bare(group) && c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];
			struct map_windows *table = &tables[extent->slot];

			table->at[table->count] = group->windows[c];
			table->at[table->count++].begin = extent_offset(map, extent, 0);
		}
	}
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (tables[slot].count > 1)
			qsort(tables[slot].at, tables[slot].count, sizeof(*tables[slot].at),
			      compare_windows);
	}
}

int map_windows_make(struct map *map)
{
	uint32_t counts[MEMBERS_MAX] = { 0 };
	struct map_windows *tables = NULL;
	bool any = false;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; group_is_bare(group) && c < group->shape.columns; c++)
			counts[group->extents[c].slot]++;
		any = any || group_is_bare(group);
	}
	if (any && !(tables = mem_calloc(MEMBERS_MAX, sizeof(*tables))))
		return ERR_NOMEM;
	for (uint32_t slot = 0; any && slot < MEMBERS_MAX; slot++) {
		tables[slot].at = mem_calloc(counts[slot] + UINT64_C(1), sizeof(*tables[slot].at));
		if (!tables[slot].at) {
			tables_free(tables);
			return ERR_NOMEM;
		}
	}
	if (any)
		fill_tables(tables, map);
	tables_free(map->windows);
	map->windows = tables;
	return 0;
}

uint64_t bare_frames(const struct map *map, uint32_t body_blocks)
{
	return size_divide_up(body_blocks, map->geometry.frame_blocks);
}

uint64_t bare_frame_next(const struct map *map, uint32_t slot)
{
	uint64_t next = BARE_FRAME_FIRST;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; group_is_bare(group) && c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];

			if (extent->slot == slot)
				next = size_max(next,
						extent->frame +
							bare_frames(map, extent->body_blocks));
		}
	}
	return next;
}

struct window window_part(const struct window *window, uint32_t first, uint32_t count)
{
	uint64_t at = (uint64_t)first * BLOCK_SIZE, size = (uint64_t)count * BLOCK_SIZE;
	struct window part = *window;

	assert(at < window->length && (window_in_a_row(window) || at % window->run == 0));
	part.begin = 0;
	part.origin = window_place(window, at, NULL);
	part.length = size_min(size, window->length - at);
	if (window_in_a_row(window) || part.run >= part.length)
		part.run = part.stride = part.length;
	return part;
}

const struct window *map_windows_of(const struct map *map, uint32_t slot, uint32_t *count_out)
{
	assert(slot < MEMBERS_MAX);
	*count_out = map->windows ? map->windows[slot].count : 0;
	return map->windows ? map->windows[slot].at : NULL;
}

/* Where the addresses of bare extents begin. */
static uint64_t bare_begin(const struct map *map, uint32_t slot)
{
	const struct member *member = map_member(map, slot);

	assert(member);
	return member->data_offset +
	       (uint64_t)BARE_FRAME_FIRST * map->geometry.frame_blocks * BLOCK_SIZE;
}

/* The window of `offset`; NULL: native. */
static const struct window *find(const struct map *map, uint32_t slot, uint64_t offset)
{
	uint32_t count;

	if (!map->windows || offset < bare_begin(map, slot))
		return NULL;
	const struct window *windows = map_windows_of(map, slot, &count);
	const struct window *window = window_find(windows, count, offset);

	assert(window);
	return window;
}

const struct window *extent_window(const struct map *map, const struct extent *extent)
{
	return find(map, extent->slot, extent_offset(map, extent, 0));
}

uint64_t member_address(const struct map *map, uint32_t slot, uint64_t offset)
{
	const struct window *window = find(map, slot, offset);

	return window ? window_place(window, offset - window->begin, NULL) : offset;
}

bool member_offset(uint64_t *offset_out, const struct map *map, uint32_t slot, uint64_t place)
{
	uint32_t count;
	const struct window *windows = map_windows_of(map, slot, &count);
	uint64_t at;

	for (uint32_t i = 0; i < count; i++) {
		if (window_byte(&windows[i], place, &at)) {
			*offset_out = windows[i].begin + at;
			return true;
		}
	}
	*offset_out = place;
	return !map_is_bare(map);
}
