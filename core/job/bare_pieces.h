/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rows of a bare array in pieces, in about the order in which they lie on the members: whole chunks, all groups in turn, so
 * that tasks side by side read members from the beginning to the end. Pure.
 */
#ifndef PG_JOB_BARE_PIECES_H
#define PG_JOB_BARE_PIECES_H

#include "core/map/map.h"

struct bare_pieces {
	const struct map *map; /* borrowed */
	uint32_t blocks;       /* of each column in a piece */
	uint64_t count;
	uint64_t bytes; /* of all columns of all groups */
};
struct bare_pieces bare_pieces_plan(const struct map *map);

struct bare_piece {
	const struct group *group;
	uint32_t first, count; /* slices; count 0: the group has ended before */
};
struct bare_piece bare_piece(const struct bare_pieces *pieces, uint64_t number);

#endif
