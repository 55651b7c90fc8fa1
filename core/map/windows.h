/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows of a map: where the bytes of each member's extents lie on it, in an array that somebody else made
 * (docs/FOREIGN.md). `offset` is what the map says of a member (extent_offset()), `place` the byte of the member; of a
 * native array they are the same.
 *
 * Whoever tells people an address of a member asks here first.
 */
#ifndef PG_MAP_WINDOWS_H
#define PG_MAP_WINDOWS_H

#include "core/base/window.h"
#include "core/map/map.h"

/* Those of a member, ascending; none for a native array. The map's, as long as it is. */
const struct window *map_windows_of(const struct map *map, uint32_t slot, uint32_t *count_out);

/* The window of an extent; NULL: native. */
const struct window *extent_window(const struct map *map, const struct extent *extent);

/* The byte of the member at `offset`, which lies in an extent. */
uint64_t member_address(const struct map *map, uint32_t slot, uint64_t offset);
/* The inverse; false where no extent has that byte. O(windows). */
bool member_offset(uint64_t *offset_out, const struct map *map, uint32_t slot, uint64_t place);

#endif
