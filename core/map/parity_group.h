/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making parity groups of extents that are there already; for goals. */
#ifndef PG_MAP_PARITY_GROUP_H
#define PG_MAP_PARITY_GROUP_H

#include "core/map/places.h"

/* May data extents of one join the other: the same checks and length of bodies? */
bool parity_alike(const struct group *a, const struct group *b);

/* An index for one more data column beside the first `data`: its own if it is free, else the smallest that is. */
uint8_t parity_free_index(const struct group *group, uint32_t data, uint8_t own);

/*
 * `data` columns of `fresh` are filled in; its checks get new ids, and places on the roomiest members that
 * suit. False, with nothing taken, when there is no room.
 */
bool parity_add_checks(const struct places *places, struct group *fresh, uint32_t data);

#endif
