/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/windows.h"

#include <assert.h>

const struct window *map_windows_of(const struct map *map, uint32_t slot, uint32_t *count_out)
{
	assert(slot < MEMBERS_MAX);
	*count_out = map->windows ? map->windows[slot].count : 0;
	return map->windows ? map->windows[slot].at : NULL;
}

/* The window of `offset`; NULL: native. */
static const struct window *find(const struct map *map, uint32_t slot, uint64_t offset)
{
	uint32_t count;
	const struct window *windows = map_windows_of(map, slot, &count);
	const struct window *window = window_find(windows, count, offset);

	assert(!map->windows || window);
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

	if (!map->windows) {
		*offset_out = place;
		return true;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (window_byte(&windows[i], place, &at)) {
			*offset_out = windows[i].begin + at;
			return true;
		}
	}
	return false;
}
