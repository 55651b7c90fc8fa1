/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/names.h"

#include "cli/members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How many members have a label of this value. */
static uint32_t label_count(const struct map *map, const char *value)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		for (uint32_t l = 0; l < member->label_count; l++)
			count += strcmp(member->labels[l].value, value) == 0;
	}
	return count;
}

static void each_member(const struct map *map, void (*each)(void *arg, const char *name), void *arg)
{
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		char number[12];

		snprintf(number, sizeof(number), "%" PRIu32, member->slot);
		each(arg, number);
		for (uint32_t l = 0; l < member->label_count; l++) {
			if (label_count(map, member->labels[l].value) == 1)
				each(arg, member->labels[l].value);
		}
	}
}

int names_each(const struct invocation *inv, const char *array, enum name_kind kind,
	       void (*each)(void *arg, const char *name), void *arg, struct err *err)
{
	struct array *open = NULL;
	int rc = cli_array_open(&open, inv, array, ACCESS_SALVAGE, err);
	const struct map *map;

	if (rc)
		return rc;
	map = array_map(open);
	if (kind == NAMES_MEMBERS)
		each_member(map, each, arg);
	for (uint32_t i = 0; kind == NAMES_VOLUMES && i < map->volume_count; i++)
		each(arg, map->volumes[i]->name);
	array_close(open);
	return 0;
}
