/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/bare_pieces.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>

#define PIECE_BLOCKS 256u      /* of each column at least */
#define CHUNK_BLOCKS_MAX 4096u /* 16 MiB of each column: what is longer is no chunk */

/* Groups that are gone through in turn. */
struct bare_band {
	uint32_t first, group_count; /* of the list */
	uint32_t blocks;             /* of each column in a piece */
	uint64_t first_piece;
};

/* Of each group the chunk of its span, 0 where it is not wanted; by its place in the map. NULL without memory. */
static uint32_t *list_units(const struct map *map, const struct volume *only)
{
	uint32_t *units = mem_calloc(map->group_count + UINT64_C(1), sizeof(*units));

	for (uint32_t v = 0; units && v < map->volume_count; v++) {
		const struct volume *volume = map->volumes[v];

		for (uint32_t s = 0; s < volume->span_count && (!only || only == volume); s++) {
			const struct span *span = &volume->spans[s];

			for (uint32_t i = 0; i < span->extent_count; i++) {
				uint32_t column;
				const struct group *group =
					map_extent(map, span->extents[i], &column);

				assert(group); /* map_check() saw to it */
				units[map_group_number(map, group->id)] =
					span->unit_blocks ? span->unit_blocks
							  : group->segment_blocks;
			}
		}
	}
	return units;
}

/* Two groups with the same members in the same roles: one lies behind the other. */
static bool is_behind(const struct group *a, const struct group *b)
{
	if (a->shape.columns != b->shape.columns)
		return false;
	for (uint32_t c = 0; c < a->shape.columns; c++) {
		if (a->extents[c].slot != b->extents[c].slot)
			return false;
	}
	return true;
}

/* Does the band of the groups from `first` on end before this one? */
static bool ends_before(const struct bare_pieces *pieces, uint32_t first, uint32_t number)
{
	for (uint32_t i = first; i < number; i++) {
		if (is_behind(pieces->groups[i], pieces->groups[number]))
			return true;
	}
	return false;
}

static void add_band(struct bare_pieces *pieces, uint32_t first, uint32_t end, uint32_t unit)
{
	struct bare_band *band = &pieces->bands[pieces->band_count++];
	uint32_t longest = 0;

	*band = (struct bare_band){ .first = first,
				    .group_count = end - first,
				    .blocks = PIECE_BLOCKS,
				    .first_piece = pieces->count };
	if (unit <= CHUNK_BLOCKS_MAX)
		band->blocks = (uint32_t)size_max(PIECE_BLOCKS / unit, 1) * unit;
	for (uint32_t i = first; i < end; i++) {
		const struct group *group = pieces->groups[i];

		longest = (uint32_t)size_max(longest, group->segment_blocks);
		pieces->bytes +=
			(uint64_t)group->segment_blocks * group->shape.columns * BLOCK_SIZE;
	}
	pieces->count += size_divide_up(longest, band->blocks) * band->group_count;
}

int bare_pieces_plan(struct bare_pieces *pieces_out, const struct map *map,
		     const struct volume *volume)
{
	struct bare_pieces pieces = {
		.bands = mem_calloc(map->group_count + UINT64_C(1), sizeof(*pieces.bands)),
		.groups = mem_calloc(map->group_count + UINT64_C(1), sizeof(*pieces.groups)),
	};
	uint32_t *units = list_units(map, volume);
	int rc = pieces.bands && pieces.groups && units ? 0 : ERR_NOMEM;
	uint32_t count = 0, first = 0, unit = 0;

	for (uint32_t g = 0; !rc && g < map->group_count; g++) {
		if (!group_is_bare(map->groups[g]) || units[g] == 0)
			continue;
		pieces.groups[count] = map->groups[g];
		if (count > first && ends_before(&pieces, first, count)) {
			add_band(&pieces, first, count, unit);
			first = count;
		}
		unit = units[g];
		count++;
	}
	if (count > first)
		add_band(&pieces, first, count, unit);
	mem_free(units);
	*pieces_out = pieces;
	return rc;
}

void bare_pieces_reset(struct bare_pieces *pieces)
{
	mem_free(pieces->bands);
	mem_free(pieces->groups);
	*pieces = (struct bare_pieces){ 0 };
}

/* The band that this piece is of. */
static const struct bare_band *find_band(const struct bare_pieces *pieces, uint64_t number)
{
	uint32_t low = 0, high = pieces->band_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (pieces->bands[middle].first_piece <= number)
			low = middle;
		else
			high = middle;
	}
	return &pieces->bands[low];
}

struct bare_piece bare_piece(const struct bare_pieces *pieces, uint64_t number)
{
	assert(number < pieces->count);
	const struct bare_band *band = find_band(pieces, number);
	uint64_t within = number - band->first_piece;
	uint64_t first = within / band->group_count * band->blocks;
	struct bare_piece piece = {
		.group = pieces->groups[band->first + within % band->group_count],
	};

	if (first >= piece.group->segment_blocks)
		return piece;
	piece.first = (uint32_t)first;
	piece.count = (uint32_t)size_min(band->blocks, piece.group->segment_blocks - first);
	return piece;
}
