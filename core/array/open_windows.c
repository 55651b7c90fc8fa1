/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/open_windows.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/dev/windows.h"
#include "core/map/windows.h"

#include <assert.h>
#include <string.h>

#define SECTOR_SIZE 512u

/* Of a member with `size` bytes, *count_out of them; NULL without memory. */
static struct window *list_windows(const struct map *map, uint32_t slot, uint64_t size,
				   uint32_t *count_out)
{
	uint32_t count;
	const struct window *bare = map_windows_of(map, slot, &count);
	struct window *windows = mem_calloc(count + UINT64_C(1), sizeof(*windows));

	if (!windows)
		return NULL;
	size -= size % SECTOR_SIZE;
	windows[0] = (struct window){ .length = size, .run = size, .stride = size };
	if (count > 0)
		memcpy(&windows[1], bare, count * sizeof(*windows));
	*count_out = count + 1;
	return windows;
}

int array_windows_open_member(struct array *array, uint32_t slot, struct err *err)
{
	struct array_member *member = &array->members[slot];
	uint32_t count = 0;

	assert(!map_is_bare(array->map) && !member->wrapped);
	if (!map_has_bare(array->map) || !member->dev)
		return 0;
	struct window *windows =
		list_windows(array->map, slot, dev_info(member->dev)->size_exact, &count);
	struct dev *wrapped = NULL;
	int rc = windows ? dev_windows_open(&wrapped, member->dev, windows, count) : ERR_NOMEM;

	mem_free(windows);
	if (rc)
		return err_set(err, rc, "no memory to open member %u", slot);
	member->dev = wrapped;
	member->wrapped = true;
	return 0;
}

int array_windows_open(struct array *array, struct err *err)
{
	int rc = 0;

	for (uint32_t slot = 0; !rc && slot < MEMBERS_MAX; slot++)
		rc = array_windows_open_member(array, slot, err);
	return rc;
}

int array_windows_renew(struct array *array, struct err *err)
{
	int rc = 0;

	for (uint32_t slot = 0; !rc && slot < MEMBERS_MAX; slot++) {
		const struct array_member *member = &array->members[slot];
		uint32_t count = 0;

		if (!member->wrapped)
			continue;
		struct window *windows = list_windows(
			array->map, slot, dev_info(member->dev->below)->size_exact, &count);

		rc = windows ? dev_windows_set(member->dev, windows, count) : ERR_NOMEM;
		mem_free(windows);
	}
	return rc ? err_set(err, rc, "no memory for the windows of members") : 0;
}

void array_windows_peel_member(struct array *array, uint32_t slot)
{
	struct array_member *member = &array->members[slot];

	if (!member->wrapped)
		return;
	member->dev = dev_peel(member->dev);
	member->wrapped = false;
}

void array_windows_peel(struct array *array)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		array_windows_peel_member(array, slot);
}
