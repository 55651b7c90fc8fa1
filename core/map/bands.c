/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/bands.h"

#include "core/base/bytes.h"
#include "core/base/size.h"
#include "core/map/foreign.h"
#include "core/map/windows.h"

#include <assert.h>
#include <string.h>

struct cutting {
	const struct map *map;
	struct foreign *foreign;
	uint64_t blocks; /* of the volume, in a band */
};

/* Blocks first..first+count-1 of a group's bodies as a group; ids of its extents follow *first_out. */
static int cut_group(struct cutting *cutting, const struct group *group, uint32_t first,
		     uint32_t count, uint64_t *first_out, struct err *err)
{
	struct foreign_place places[CODE_COLUMNS_MAX];

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		const struct window part = window_part(&group->windows[c], first, count);

		places[c] = (struct foreign_place){
			.slot = group->extents[c].slot,
			.origin = part.origin,
			.length = part.length,
			.run = part.run,
			.stride = part.stride,
			.stale = group->extents[c].stale,
		};
	}
	return foreign_add_group(cutting->foreign, &group->shape, count, places, first_out, err);
}

/* The extents' blocks first..first+count-1, which are a part of the span that follows what was cut before. */
static int cut_part(struct cutting *cutting, const struct span *span, uint32_t first,
		    uint32_t count, uint64_t length, struct err *err)
{
	uint64_t ids[SPAN_EXTENTS_MAX];
	const struct group *groups[MEMBERS_MAX]; /* each begins on another member */
	uint64_t firsts[MEMBERS_MAX];
	uint32_t group_count = 0, columns = 0;
	int rc = 0;

	if (span->extent_count > SPAN_EXTENTS_MAX)
		return err_set(err, ERR_LIMIT, "spans over %u extents, at most %u are possible",
			       span->extent_count, SPAN_EXTENTS_MAX);
	for (uint32_t i = 0; !rc && i < span->extent_count; i++) {
		uint32_t column, g = 0;
		const struct group *group = map_extent(cutting->map, span->extents[i], &column);

		while (g < group_count && groups[g] != group)
			g++;
		if (g == group_count) {
			if (group_count == MEMBERS_MAX)
				return err_set(err, ERR_LIMIT, "a span over more than %u groups",
					       MEMBERS_MAX);
			groups[group_count++] = group;
			columns += group_data_columns(group);
			rc = cut_group(cutting, group, first, count, &firsts[g], err);
		}
		ids[i] = firsts[g] + column;
	}
	if (!rc && columns != span->extent_count)
		return err_set(err, ERR_FORMAT, "a group that two spans have a part of");
	return rc ? rc
		  : foreign_add_span(cutting->foreign, length, span->unit_blocks, ids,
				     span->extent_count, err);
}

/* No run of any column is cut. */
static uint32_t smallest_cut(const struct map *map, const struct span *span, uint32_t data_blocks)
{
	uint64_t unit = span->unit_blocks ? span->unit_blocks : 1;

	if (span->unit_blocks == 0 && span->extent_count > 1)
		return data_blocks;
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			const struct window *window = &group->windows[c];

			/* Chunks are runs; what else there may be is left in one. */
			if (!window_in_a_row(window) && unit * BLOCK_SIZE % window->run != 0)
				unit = window->run % (unit * BLOCK_SIZE) == 0
					       ? window->run / BLOCK_SIZE
					       : data_blocks;
		}
	}
	return (uint32_t)size_min(unit, data_blocks);
}

static int cut_span(struct cutting *cutting, const struct span *span, struct err *err)
{
	uint32_t column;
	const struct group *group = map_extent(cutting->map, span->extents[0], &column);
	uint32_t data_blocks = group_data_blocks(group);
	uint32_t least = smallest_cut(cutting->map, span, data_blocks);
	uint64_t wanted = size_round_up(
		size_max(size_divide_up(cutting->blocks, span->extent_count), least), least);
	uint64_t left = span->length;
	int rc = 0;

	for (uint32_t first = 0, count; !rc && left > 0; first += count) {
		count = (uint32_t)size_min(wanted, data_blocks - first);
		assert(count > 0); /* the span has no more than its extents */
		uint64_t length = size_min(left, (uint64_t)count * span->extent_count * BLOCK_SIZE);

		/* Padding behind the end stays with the last part. */
		if (length == left)
			count = data_blocks - first;
		rc = cut_part(cutting, span, first, count, length, err);
		left -= length;
	}
	return rc;
}

int bands_cut(struct map **map_out, const struct map *map, uint32_t bands, struct err *err)
{
	assert(map_is_bare(map) && map->volume_count == 1 && bands > 0);
	const struct volume *volume = map->volumes[0];
	struct cutting cutting = {
		.map = map,
		.foreign = foreign_create(map->name, volume->name, &map->uuid),
		.blocks = size_divide_up(size_divide_up(volume->length, BLOCK_SIZE), bands),
	};
	int rc = 0;

	if (!cutting.foreign)
		return err_set(err, ERR_NOMEM, "no memory for the map of an array");
	for (uint32_t i = 0; !rc && i < map->member_count; i++)
		rc = foreign_add_member(cutting.foreign, map->members[i].slot,
					&map->members[i].uuid, map->members[i].size, err);
	for (uint32_t s = 0; !rc && s < volume->span_count; s++)
		rc = cut_span(&cutting, &volume->spans[s], err);
	if (rc) {
		foreign_free(cutting.foreign);
		return rc;
	}
	return foreign_finish(cutting.foreign, map_out, err);
}
