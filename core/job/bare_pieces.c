/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/bare_pieces.h"

#include "core/base/bytes.h"
#include "core/base/size.h"

#include <assert.h>

#define PIECE_BLOCKS 256u      /* of each column at least */
#define CHUNK_BLOCKS_MAX 4096u /* 16 MiB of each column: what is longer is no chunk */

struct bare_pieces bare_pieces_plan(const struct map *map)
{
	struct bare_pieces pieces = { .map = map, .blocks = PIECE_BLOCKS };
	uint32_t unit = map->policy.unit_blocks, longest = 0;

	assert(unit > 0); /* foreign_finish() saw to it */
	if (unit <= CHUNK_BLOCKS_MAX)
		pieces.blocks = (uint32_t)size_max(PIECE_BLOCKS / unit, 1) * unit;
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		longest = (uint32_t)size_max(longest, group->segment_blocks);
		pieces.bytes += (uint64_t)group->segment_blocks * group->shape.columns * BLOCK_SIZE;
	}
	pieces.count = size_divide_up(longest, pieces.blocks) * map->group_count;
	return pieces;
}

struct bare_piece bare_piece(const struct bare_pieces *pieces, uint64_t number)
{
	uint32_t groups = pieces->map->group_count;
	struct bare_piece piece = { .group = pieces->map->groups[number % groups] };
	uint64_t first = number / groups * pieces->blocks;

	assert(number < pieces->count);
	if (first >= piece.group->segment_blocks)
		return piece;
	piece.first = (uint32_t)first;
	piece.count = (uint32_t)size_min(pieces->blocks, piece.group->segment_blocks - first);
	return piece;
}
