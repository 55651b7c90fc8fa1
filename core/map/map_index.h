/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where is extent N? A hash table from extent id to the group that holds it and its column.
 *
 * An extent may move from one group to another within one edit: entries remember their group, and
 * removing a group takes away only entries that still point to it.
 *
 * Ids come from a disk and may have been chosen so that they crowd: a look-up ends after PROBES_MAX
 * entries, and what would lie further away is not taken in.
 */
#ifndef PG_MAP_MAP_INDEX_H
#define PG_MAP_MAP_INDEX_H

#include "core/base/err.h"

#include <stdint.h>

struct group;
struct map_index;

struct map_index *map_index_create(void);
void map_index_free(struct map_index *index);

/* Enter or replace; `id` is not 0. Returns 0, ERR_NOMEM, or ERR_LIMIT when too many ids crowd. */
int map_index_put(struct map_index *index, uint64_t id, struct group *group,
		  uint32_t column) MUST_CHECK;

/* Forget `id` if it still points to `group`. */
void map_index_remove(struct map_index *index, uint64_t id, const struct group *group);

/* NULL when unknown. */
struct group *map_index_find(const struct map_index *index, uint64_t id, uint32_t *column_out);

#endif
