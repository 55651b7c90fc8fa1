/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Groups in memory: their extents, and windows where they are bare, are one piece with them. */
#include "core/base/mem.h"
#include "core/base/window.h"
#include "core/map/map.h"

#include <assert.h>
#include <string.h>

struct group *map_group_create(uint32_t columns)
{
	assert(columns >= 1 && columns <= CODE_COLUMNS_MAX);
	return mem_calloc(1, sizeof(struct group) + columns * sizeof(struct extent));
}

struct group *map_group_create_bare(uint32_t columns)
{
	size_t size = sizeof(struct group) + columns * sizeof(struct extent);

	assert(columns >= 1 && columns <= CODE_COLUMNS_MAX);
	_Static_assert(sizeof(struct extent) % _Alignof(struct window) == 0, "windows follow");
	struct group *group = mem_calloc(1, size + columns * sizeof(struct window));
	if (group)
		group->windows = (void *)((char *)group + size);
	return group;
}

struct group *map_group_copy(const struct group *group)
{
	uint32_t columns = group->shape.columns;
	struct group *copy =
		group_is_bare(group) ? map_group_create_bare(columns) : map_group_create(columns);

	if (!copy)
		return NULL;
	struct window *windows = copy->windows;

	memcpy(copy, group, sizeof(*group) + columns * sizeof(group->extents[0]));
	copy->windows = windows;
	if (windows)
		memcpy(windows, group->windows, columns * sizeof(*windows));
	return copy;
}
