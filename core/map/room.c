/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/room.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/allocate.h"
#include "core/map/space.h"
#include "core/map/windows.h"

#include <assert.h>

struct search {
	const struct places *places;
	const struct room_goal *goal;
	const struct volume *volume;
	uint32_t to; /* the member with most room */
};

static bool is_present(const struct search *search, uint32_t slot)
{
	return allocate_suits(search->places, NULL, 0, slot);
}

static uint32_t roomiest(const struct search *search)
{
	const struct map *map = search->places->map;
	uint32_t best = MEMBER_NONE;
	uint64_t most = 0;

	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;
		uint64_t free = space_free_frames(search->places->space, slot);

		if (free <= most || !is_present(search, slot))
			continue;
		most = free;
		best = slot;
	}
	return best;
}

/* The extent of a group on a member. */
static bool find_column(const struct group *group, uint32_t slot, uint32_t *column_out)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (group->extents[c].slot == slot) {
			*column_out = c;
			return true;
		}
	}
	return false;
}

/* Blocks that `from` has of the span's groups; 0 where it has none, or one of them could not go to search->to. */
static uint64_t blocks_to_move(const struct search *search, const struct span *span, uint32_t from,
			       struct room_move_vec *moves, int *rc)
{
	const struct map *map = search->places->map;
	uint64_t blocks = 0, groups[SPAN_EXTENTS_MAX];
	uint32_t group_count = span_groups(map, span, groups);

	for (uint32_t g = 0; g < group_count; g++) {
		uint32_t column, slots[CODE_COLUMNS_MAX], count = 0;
		const struct group *group = map_group(map, groups[g]);

		if (!find_column(group, from, &column))
			continue;
		for (uint32_t c = 0; c < group->shape.columns; c++) {
			if (c != column)
				slots[count++] = group->extents[c].slot;
		}
		if (!allocate_suits(search->places, slots, count, search->to) ||
		    group->extents[column].stale)
			return 0;
		blocks += group->extents[column].body_blocks;
		if (moves && !*rc)
			*rc = room_move_vec_push(
				moves, (struct room_move){
					       group->id, column, group->extents[column], { 0 } });
	}
	return blocks;
}

static uint64_t frames_for(const struct search *search, uint64_t blocks)
{
	return size_divide_up(blocks, search->places->map->geometry.frame_blocks);
}

/* Would free frames be more even? */
static bool helps(const struct search *search, uint32_t from, uint64_t frames)
{
	uint64_t to_free = space_free_frames(search->places->space, search->to);

	return frames > 0 && to_free > frames &&
	       to_free - frames > space_free_frames(search->places->space, from) &&
	       bare_frame_next(search->places->map, search->to) + frames < UINT32_MAX;
}

static bool is_skipped(const struct room_goal *goal, uint64_t offset)
{
	for (size_t i = 0; i < goal->skip_count; i++) {
		if (goal->skip[i] == offset)
			return true;
	}
	return false;
}

/* The last span of which `from` can give its columns; NULL: none. */
static const struct span *last_span(const struct search *search, uint32_t from)
{
	const struct volume *volume = search->volume;

	for (uint32_t s = volume->span_count; s > 0; s--) {
		const struct span *span = &volume->spans[s - 1];
		int rc = 0;

		if (span->offset < search->goal->cursor)
			return NULL;
		if (!is_skipped(search->goal, span->offset) &&
		    span_is_bare(search->places->map, span) &&
		    helps(search, from,
			  frames_for(search, blocks_to_move(search, span, from, NULL, &rc))))
			return span;
	}
	return NULL;
}

/* Of the members that can give something the one with least room. */
static const struct span *choose(const struct search *search, uint32_t *from_out)
{
	const struct map *map = search->places->map;
	const struct span *best = NULL;
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;
		uint64_t free = space_free_frames(search->places->space, slot);
		const struct span *span;

		if (slot == search->to || free >= least || !is_present(search, slot) ||
		    !(span = last_span(search, slot)))
			continue;
		best = span;
		least = free;
		*from_out = slot;
	}
	return best;
}

/* One column behind the other in the frames that were taken. */
static void place_moves(struct room *room, const struct map *map)
{
	const struct member *member = map_member(map, room->to);
	uint64_t frame_size = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;
	uint64_t at = member->data_offset + room->frame * frame_size;
	uint64_t number = bare_frame_next(map, room->to);

	for (size_t i = 0; i < room->moves.count; i++) {
		struct room_move *move = &room->moves.at[i];
		uint64_t size = (uint64_t)move->extent.body_blocks * BLOCK_SIZE;

		move->extent.slot = room->to;
		move->extent.frame = (uint32_t)number;
		move->window = (struct window){
			.length = size, .origin = at, .run = size, .stride = size
		};
		at += size;
		number += bare_frames(map, move->extent.body_blocks);
	}
}

int room_next(struct room *room_out, const struct places *places, const struct room_goal *goal)
{
	struct search search = { .places = places,
				 .goal = goal,
				 .volume = map_volume(places->map, goal->volume) };
	struct room room = { 0 };
	const struct span *span = NULL;
	uint32_t from = MEMBER_NONE;
	int rc = 0;

	assert(search.volume);
	*room_out = room;
	search.to = room.to = roomiest(&search);
	if (search.to != MEMBER_NONE)
		span = choose(&search, &from);
	if (!span)
		return 0;
	room.span = span->offset;
	room.blocks = blocks_to_move(&search, span, from, &room.moves, &rc);
	room.frame_count = frames_for(&search, room.blocks);
	if (rc) {
		room_reset(&room);
		return ERR_NOMEM;
	}
	if (!space_take_row(places->space, room.to, room.frame_count, &room.frame)) {
		room_reset(&room); /* not in a row */
		return 0;
	}
	place_moves(&room, places->map);
	*room_out = room;
	return 0;
}

int room_apply(const struct room *room, const struct places *places,
	       int (*freed)(void *arg, const struct extent *extent), void *arg)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < room->moves.count; i++) {
		const struct room_move *move = &room->moves.at[i];
		struct group *group = map_group_copy(map_group(places->map, move->group));

		if (!group)
			return ERR_NOMEM;
		rc = freed(arg, &group->extents[move->column]);
		group->extents[move->column] = move->extent;
		group->windows[move->column] = move->window;
		group->generation = places->generation;
		if (rc)
			mem_free(group);
		else
			rc = map_put_group(places->map, group);
	}
	return rc ? rc : map_windows_make(places->map);
}

void room_undo(struct room *room, const struct places *places)
{
	if (room->moves.count > 0)
		space_give_row(places->space, room->to, room->frame, room->frame_count);
	room_reset(room);
}

void room_reset(struct room *room)
{
	room_move_vec_reset(&room->moves);
	*room = (struct room){ 0 };
}
