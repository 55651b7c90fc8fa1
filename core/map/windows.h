/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows of a map: where the bytes of each member's bare extents lie on it (docs/FOREIGN.md, docs/ADOPT.md). `offset` is
 * what the map says of a member (extent_offset()), `place` the byte of the member; of what is native they are the same.
 *
 * Whoever tells people an address of a member asks here first.
 */
#ifndef PG_MAP_WINDOWS_H
#define PG_MAP_WINDOWS_H

#include "core/base/window.h"
#include "core/map/map.h"

/*
 * The tables of all members from the groups' windows; after bare groups came or went, and once at the beginning. The map has
 * passed its check. Returns 0 or ERR_NOMEM: then they are as they were.
 */
int map_windows_make(struct map *map) MUST_CHECK;

/* Frames that the number of a bare extent stands for, and the first number on a member that none has. */
uint64_t bare_frames(const struct map *map, uint32_t body_blocks);
uint64_t bare_frame_next(const struct map *map, uint32_t slot);

/*
 * `count` blocks of a window from block `first` on, as a window from address 0 on. What it begins with is a multiple of
 * its run, or it lies in a row.
 */
struct window window_part(const struct window *window, uint32_t first, uint32_t count);

/* Those of a member, ascending; none where no group is bare. The map's, until they are made anew. */
const struct window *map_windows_of(const struct map *map, uint32_t slot, uint32_t *count_out);

/* The window of an extent; NULL: native. */
const struct window *extent_window(const struct map *map, const struct extent *extent);

/* The byte of the member at `offset`, which lies in an extent. */
uint64_t member_address(const struct map *map, uint32_t slot, uint64_t offset);
/* The inverse; false where no extent has that byte. O(windows). */
bool member_offset(uint64_t *offset_out, const struct map *map, uint32_t slot, uint64_t place);

#endif
