/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bands: the groups of an array that somebody else made, cut across into bands of rows in the order of addresses, so that one
 * band after the other can become groups of ours and leave its place (docs/ADOPT.md, section 2). Pure.
 *
 * Promises, each tested under its name in tests/unit/test_bands.c:
 *	same_places	every byte of the volume lies where it did, and every check beside the same data
 *	bounded		at most so many bands and one more for each span that there was
 */
#ifndef PG_MAP_BANDS_H
#define PG_MAP_BANDS_H

#include "core/map/map.h"

/*
 * A bare map with the same uuids, members and volume, in about `bands` bands (> 0), of at least a chunk of each extent. Returns
 * 0, ERR_NOMEM, ERR_LIMIT or ERR_FORMAT as foreign.h.
 */
int bands_cut(struct map **map_out, const struct map *map, uint32_t bands,
	      struct err *err) MUST_CHECK;

#endif
