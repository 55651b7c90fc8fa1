/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/bands.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
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

/* Of parts of a span's groups, which have ids of extents from firsts[] on: those that the span itself is over, in its order. */
static void part_extents(const struct map *map, const struct span *span, const uint64_t *groups,
			 const uint64_t *firsts, uint64_t *ids_out)
{
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column, g = 0;
		uint64_t id = map_extent(map, span->extents[i], &column)->id;

		while (groups[g] != id)
			g++;
		ids_out[i] = firsts[g] + column;
	}
}

/* The extents' blocks first..first+count-1, which are a part of the span that follows what was cut before. */
static int cut_part(struct cutting *cutting, const struct span *span, uint32_t first,
		    uint32_t count, uint64_t length, struct err *err)
{
	uint64_t ids[SPAN_EXTENTS_MAX], groups[SPAN_EXTENTS_MAX], firsts[SPAN_EXTENTS_MAX];
	uint32_t group_count, columns = 0;
	int rc = 0;

	if (span->extent_count > SPAN_EXTENTS_MAX)
		return err_set(err, ERR_LIMIT, "spans over %u extents, at most %u are possible",
			       span->extent_count, SPAN_EXTENTS_MAX);
	group_count = span_groups(cutting->map, span, groups);
	for (uint32_t g = 0; !rc && g < group_count; g++) {
		const struct group *group = map_group(cutting->map, groups[g]);

		columns += group_data_columns(group);
		rc = cut_group(cutting, group, first, count, &firsts[g], err);
	}
	if (!rc && columns != span->extent_count)
		return err_set(err, ERR_FORMAT, "a group that two spans have a part of");
	if (rc)
		return rc;
	part_extents(cutting->map, span, groups, firsts, ids);
	return foreign_add_span(cutting->foreign, length, span->unit_blocks, ids,
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

/* ---- in a map of ours */

uint64_t bands_period(const struct map *map, const struct span *span)
{
	uint32_t column;
	const struct group *group = map_extent(map, span->extents[0], &column);

	uint64_t period =
		(uint64_t)smallest_cut(map, span, group_data_blocks(group)) * span->extent_count;

	assert(period > 0);
	return period;
}

/* Blocks first..first+count-1 of a group, with the same ids and numbers. */
static struct group *part_of(const struct map *map, const struct group *group, uint32_t first,
			     uint32_t count)
{
	struct group *part = map_group_copy(group);

	if (!part)
		return NULL;
	part->segment_blocks = count;
	part->generation = map->generation; /* what it protects, and how, has not changed since */
	for (uint32_t c = 0; c < part->shape.columns; c++) {
		part->extents[c].body_blocks = count;
		part->windows[c] = window_part(&group->windows[c], first, count);
	}
	return part;
}

/* What is before the cut gets ids and numbers of its own; *first_out is the id of column 0. */
static int cut_front(struct map *map, uint64_t id, uint32_t count, uint64_t *first_out)
{
	const struct group *group = map_group(map, id);
	struct group *front = part_of(map, group, 0, count);
	struct group *back = part_of(map, group, count, group_body_blocks(group) - count);

	if (!front || !back) {
		mem_free(front);
		mem_free(back);
		return ERR_NOMEM;
	}
	front->id = map->group_id_next++;
	*first_out = map->extent_id_next;
	for (uint32_t c = 0; c < front->shape.columns; c++) {
		struct extent *extent = &front->extents[c];

		extent->id = map->extent_id_next++;
		extent->frame = (uint32_t)bare_frame_next(map, extent->slot);
	}
	int rc = map_put_group(map, back);
	if (rc)
		mem_free(front);
	return rc ? rc : map_put_group(map, front);
}

/* The span before the cut, in place of `span`, which becomes what is behind it. */
static int cut_groups(struct map *map, struct span *span, uint64_t blocks, struct span *front_out)
{
	uint64_t groups[SPAN_EXTENTS_MAX], firsts[SPAN_EXTENTS_MAX] = { 0 };
	uint32_t count = (uint32_t)(blocks / span->extent_count);
	uint32_t group_count = span_groups(map, span, groups);
	struct span front = *span;
	int rc = 0;

	front.length = blocks * BLOCK_SIZE;
	front.extents = mem_calloc(span->extent_count, sizeof(*front.extents));
	if (!front.extents)
		return ERR_NOMEM;
	for (uint32_t g = 0; !rc && g < group_count; g++)
		rc = cut_front(map, groups[g], count, &firsts[g]);
	if (rc) {
		mem_free(front.extents);
		return rc;
	}
	part_extents(map, span, groups, firsts, front.extents);
	span->offset += front.length;
	span->length -= front.length;
	*front_out = front;
	return 0;
}

/* The list of spans with one more before `number`; its memory is as map_volume_add_span() has it. */
static int insert_span(struct volume *volume, uint32_t number, const struct span *span)
{
	int rc = map_volume_add_span(volume, span);

	if (rc)
		return rc;
	memmove(&volume->spans[number + 1], &volume->spans[number],
		(volume->span_count - 1 - number) * sizeof(*span));
	volume->spans[number] = *span;
	return 0;
}

int bands_cut_span(struct map *map, struct volume *volume, uint32_t number, uint64_t blocks)
{
	struct span front;

	assert(span_is_bare(map, &volume->spans[number]));
	assert(blocks > 0 && blocks % bands_period(map, &volume->spans[number]) == 0);
	assert(blocks * BLOCK_SIZE < volume->spans[number].length);
	int rc = cut_groups(map, &volume->spans[number], blocks, &front);

	if (rc)
		return rc;
	rc = insert_span(volume, number, &front);
	if (rc) {
		mem_free(front.extents);
		return rc;
	}
	rc = map_touch_volume(map, volume->id);
	return rc ? rc : map_windows_make(map);
}
