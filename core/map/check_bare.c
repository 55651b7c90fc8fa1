/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/check_bare.h"

#include "core/base/mem.h"
#include "core/base/window.h"
#include "core/map/windows.h"

#include <inttypes.h>
#include <stdlib.h>

#define BETWEEN_MAX                                                                                \
	256u /* windows of a member over one byte; an array of other software has no more members than that */

struct bare {
	uint64_t id;
	uint32_t slot;
	uint64_t first, end; /* numbers */
	const struct window *window;
};

static size_t list_bare(struct bare *list, const struct map *map)
{
	size_t count = 0;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; group_is_bare(group) && c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];

			if (list)
				list[count] = (struct bare){
					.id = extent->id,
					.slot = extent->slot,
					.first = extent->frame,
					.end = extent->frame +
					       bare_frames(map, extent->body_blocks),
					.window = &group->windows[c],
				};
			count++;
		}
	}
	return count;
}

static int compare(const struct bare *a, const struct bare *b, uint64_t key_a, uint64_t key_b)
{
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	return key_a < key_b ? -1 : key_a > key_b;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct bare *left = a, *right = b;

	return compare(left, right, left->first, right->first);
}

static int compare_places(const void *a, const void *b)
{
	const struct bare *left = a, *right = b;

	return compare(left, right, left->window->origin, right->window->origin);
}

static int refuse(const struct bare *a, const struct bare *b, const char *what, struct err *err)
{
	return err_set(err, ERR_FORMAT,
		       "map: extents %" PRIu64 " and %" PRIu64 " have one %s on member %u", a->id,
		       b->id, what, b->slot);
}

static int check_numbers(struct bare *list, size_t count, struct err *err)
{
	qsort(list, count, sizeof(*list), compare_numbers);
	for (size_t i = 1; i < count; i++) {
		if (list[i].slot == list[i - 1].slot && list[i].first < list[i - 1].end)
			return refuse(&list[i - 1], &list[i], "number", err);
	}
	return 0;
}

/* `b` does not begin before `a`. Where they lie between each other only chunks of one period are apart. */
static bool overlap(const struct window *a, const struct window *b)
{
	uint64_t apart = b->origin - a->origin;

	if (b->origin >= window_place_end(a))
		return false;
	if (window_in_a_row(a) || window_in_a_row(b) || a->stride != b->stride)
		return true;
	apart %= a->stride;
	return apart < a->run || a->stride - apart < b->run;
}

/* Each with those before it that have not ended where it begins. */
static int check_places(struct bare *list, size_t count, struct err *err)
{
	const struct bare *open[BETWEEN_MAX];
	size_t open_count = 0;

	qsort(list, count, sizeof(*list), compare_places);
	for (size_t i = 0; i < count; i++) {
		size_t kept = 0;

		for (size_t k = 0; k < open_count; k++) {
			if (open[k]->slot != list[i].slot ||
			    window_place_end(open[k]->window) <= list[i].window->origin)
				continue;
			if (overlap(open[k]->window, list[i].window))
				return refuse(open[k], &list[i], "byte", err);
			open[kept++] = open[k];
		}
		if (kept == BETWEEN_MAX)
			return refuse(open[0], &list[i], "place with too many others", err);
		open[kept++] = &list[i];
		open_count = kept;
	}
	return 0;
}

int map_check_bare(const struct map *map, struct err *err)
{
	size_t count = list_bare(NULL, map);

	if (count == 0)
		return 0;
	struct bare *list = mem_calloc(count, sizeof(*list));

	if (!list)
		return err_set(err, ERR_NOMEM, "no memory to check the map");
	list_bare(list, map);
	int rc = check_numbers(list, count, err);
	if (!rc && !map_is_bare(map)) /* of other software's own arrays their readers see to it */
		rc = check_places(list, count, err);
	mem_free(list);
	return rc;
}
