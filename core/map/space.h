/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Space: which frames of each member are free. Derived from the map whenever an array opens; there is
 * no free list on disk that could disagree with it.
 *
 * A frame is used as well while a bare extent has a byte in it (docs/ADOPT.md).
 *
 * An extent of size class c takes 2^c frames from a frame number divisible by 2^c.
 */
#ifndef PG_MAP_SPACE_H
#define PG_MAP_SPACE_H

#include "core/map/map.h"

struct space; /* opaque */

/*
 * Derive from `map`. Returns 0, ERR_NOMEM, or ERR_FORMAT naming the extent that overlaps another or
 * lies outside its member. O(frames / 64 + extents).
 */
int space_create(struct space **space_out, const struct map *map, struct err *err) MUST_CHECK;
void space_free(struct space *space);

/* A member joined the map, with all frames free. */
int space_add_member(struct space *space, uint32_t slot, uint64_t frame_count) MUST_CHECK;
void space_remove_member(struct space *space, uint32_t slot);
/* Member `from` is from now on called `to`, which must not exist. */
void space_rename_member(struct space *space, uint32_t from, uint32_t to);

uint64_t space_free_frames(const struct space *space, uint32_t slot);
uint64_t space_total_frames(const struct space *space, uint32_t slot);

/* Take a free run of 2^size_class frames: the lowest one, or the highest; false when there is none. */
bool space_take(struct space *space, uint32_t slot, uint8_t size_class, bool from_high,
		uint32_t *frame_out);
/* The same within frames begin..end-1. */
bool space_take_within(struct space *space, uint32_t slot, uint8_t size_class, bool from_high,
		       uint64_t begin, uint64_t end, uint32_t *frame_out);
/* Free frames within begin..end-1. */
uint64_t space_free_within(const struct space *space, uint32_t slot, uint64_t begin, uint64_t end);
/* Take this very run; false when a frame of it is in use or outside. */
bool space_take_at(struct space *space, uint32_t slot, uint8_t size_class, uint32_t frame);
/* Take `count` frames in a row, the lowest there are; false when there are none. For bare extents: space_set_bare(). */
bool space_take_row(struct space *space, uint32_t slot, uint64_t count, uint64_t *frame_out);
void space_give_row(struct space *space, uint32_t slot, uint64_t frame, uint64_t count);
/* Give back what was taken. */
void space_give(struct space *space, uint32_t slot, uint8_t size_class, uint32_t frame);

/*
 * Bare groups came or went: what they lie on is used, what the last of them left is free. What space_take_row() gave is from
 * now on used as far as a bare extent lies on it. Returns 0 or ERR_NOMEM. (That
 * none lies on native frames is space_create()'s to say, of what was read.)
 */
int space_set_bare(struct space *space, const struct map *map, struct err *err) MUST_CHECK;

#endif
