/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What bare extents must not be to each other, as a part of map_check(): one number twice, or one byte of a member. */
#ifndef PG_MAP_CHECK_BARE_H
#define PG_MAP_CHECK_BARE_H

#include "core/map/map.h"

/*
 * Each extent by itself has passed map_check_group(). Windows that lie between each other have one stride: no others are made.
 * Returns 0, ERR_FORMAT or ERR_NOMEM.
 */
int map_check_bare(const struct map *map, struct err *err) MUST_CHECK;

#endif
