/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/layout_try.h"

#include "formats/layout_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "layout_try: %s\n", what);
	abort();
}

static void same_when_printed(const struct layout_file *layout)
{
	struct layout_file again = { 0 };
	struct text text = { 0 };
	struct err err = { 0 };

	layout_file_print(layout, &text);
	need(!text.failed, "no memory");
	need(layout_file_is(text.chars, text.size), "printed it is no layout file");
	need(layout_file_parse(&again, text.chars, text.size, "printed", &err) == 0, err.text);
	need(strcmp(again.name, layout->name) == 0 && uuid_equal(&again.uuid, &layout->uuid) &&
		     again.level == layout->level && again.order == layout->order &&
		     again.near == layout->near && again.far == layout->far &&
		     again.offset_copies == layout->offset_copies && again.chunk == layout->chunk &&
		     again.size == layout->size && again.member_count == layout->member_count,
	     "printed and read it differs");
	for (uint32_t i = 0; i < layout->member_count; i++) {
		const struct layout_member *one = &layout->members[i], *other = &again.members[i];

		need(one->offset == other->offset && !one->path == !other->path &&
			     (!one->path || strcmp(one->path, other->path) == 0),
		     "printed and read a member differs");
	}
	layout_file_reset(&again);
	text_reset(&text);
}

/* Devices of three sizes: the map is made or refused, and what is made is a map. */
static void map_or_error(const struct layout_file *layout)
{
	static const uint64_t sizes[] = { 4096, UINT64_C(1) << 24, UINT64_C(1) << 44 };

	for (uint32_t s = 0; s < 3; s++) {
		uint64_t all[MEMBERS_MAX];
		struct map *map = NULL;
		struct err err = { 0 };

		for (uint32_t i = 0; i < MEMBERS_MAX; i++)
			all[i] = sizes[s] + i % 5 * (sizes[s] / 16) + i;
		if (layout_map_make(&map, layout, all, &err)) {
			need(err.code != 0, "an error without a code");
			continue;
		}
		need(map && map->member_count == layout->member_count, "a map of other members");
		map_free(map);
	}
}

bool layout_try_some(const uint8_t *data, size_t size, bool mapped)
{
	struct layout_file layout = { 0 };
	struct err err = { 0 };

	if (layout_file_parse(&layout, (const char *)data, size, "layout", &err)) {
		need(err.code != 0 && err.text[0], "an error without a text");
		return false;
	}
	same_when_printed(&layout);
	if (mapped)
		map_or_error(&layout);
	layout_file_reset(&layout);
	return true;
}

bool layout_try(const uint8_t *data, size_t size)
{
	return layout_try_some(data, size, true);
}
