/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bands: the groups of an array that somebody else made, cut across into bands of rows in the order of addresses, so that one
 * band after the other can become groups of ours and leave its place (docs/ADOPT.md, section 2). Pure.
 *
 * Promises, each tested under its name in tests/unit/test_bands.c:
 *	same_places	every byte of the volume lies where it did, and every check beside the same data
 *	bounded		at most so many bands and one more for each span that there was
 *	cut_in_place	a map of ours is cut with the same promise, at any period
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

/* Of a bare span: a number of blocks whose multiples may be cut off its front. */
uint64_t bands_period(const struct map *map, const struct span *span);

/*
 * Cut bare span `number` of a volume behind its first `blocks` blocks, fewer than it has, in a map of ours: its groups keep their
 * ids and what is behind the cut, new ones have what is before it. Nothing moves on any member. Returns 0, or ERR_NOMEM and
 * ERR_LIMIT: then the map is half changed.
 */
int bands_cut_span(struct map *map, struct volume *volume, uint32_t number,
		   uint64_t blocks) MUST_CHECK;

#endif
