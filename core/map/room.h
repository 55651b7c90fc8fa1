/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Room: where an adopted array has no free frames on enough members for groups of ours, columns of its last bare groups go to
 * the members with most free frames (docs/ADOPT.md, "Room for migrate"). An act takes a member's columns of one span,
 * all of them, as a frame is free only when the last bare extent has left it.
 *
 *	room_next()	the next act; frames for it are taken
 *	room_apply()	the groups as they are then
 *	room_undo()	frames back
 *
 * Each act makes free frames more even: the member that takes keeps more than the one that gives had. So they end.
 * Pure; asked about a model (model.h) it is the plan.
 */
#ifndef PG_MAP_ROOM_H
#define PG_MAP_ROOM_H

#include "core/base/vec.h"
#include "core/base/window.h"
#include "core/map/places.h"

/* One column and its new place, in a row. */
struct room_move {
	uint64_t group;
	uint32_t column;
	struct extent extent; /* with the same id */
	struct window window;
};

VEC_DEFINE(room_move_vec, struct room_move);

struct room {
	uint64_t span; /* offset in the volume of the one whose columns move */
	uint32_t to;   /* member */
	uint64_t frame, frame_count;
	uint64_t blocks;            /* of all columns */
	struct room_move_vec moves; /* none: nothing would help */
};

struct room_goal {
	uint64_t volume;
	uint64_t cursor; /* bytes of the volume that are done */
	const uint64_t *
		skip; /* offsets of spans of which a column cannot be moved: bytes of it are lost */
	size_t skip_count;
};

/* Returns 0 or ERR_NOMEM; release with room_reset(). */
int room_next(struct room *room_out, const struct places *places,
	      const struct room_goal *goal) MUST_CHECK;

/* freed() is told of each extent as it was. Windows of the map are made anew. Returns 0 or ERR_NOMEM. */
int room_apply(const struct room *room, const struct places *places,
	       int (*freed)(void *arg, const struct extent *extent), void *arg) MUST_CHECK;

void room_undo(struct room *room, const struct places *places); /* not behind room_apply() */
void room_reset(struct room *room);

#endif
