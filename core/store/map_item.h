/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Items of a map record: one object of the map each, as FORMAT.md section 3 lists them.
 *
 * Encoders append to a buffer, whose `failed` tells of memory; map_item_apply() reads one item and puts
 * its object into the map, or takes it out.
 */
#ifndef PG_STORE_MAP_ITEM_H
#define PG_STORE_MAP_ITEM_H

#include "core/base/bytes.h"
#include "core/map/map.h"

void map_item_array(struct buffer *out, const struct map *map);
void map_item_member(struct buffer *out, const struct member *member);
void map_item_group(struct buffer *out, const struct group *group);
void map_item_volume(struct buffer *out, const struct volume *volume);
void map_item_job(struct buffer *out, const struct job *job);
void map_item_adopted(struct buffer *out, const struct adoption *adoption); /* not ADOPT_NONE */

/* The object that an edit names as it is now, or a delete item when it is gone. */
void map_item_edit(struct buffer *out, const struct map *map, struct map_edit edit);

/* Returns 0 or ERR_FORMAT, ERR_LIMIT, ERR_NOMEM. */
int map_item_apply(struct map *map, struct cursor *cursor, struct err *err) MUST_CHECK;

#endif
