/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One extent's whole seal, header and entries, as bytes to be written. */
#ifndef PG_ARRAY_SEAL_WRITE_H
#define PG_ARRAY_SEAL_WRITE_H

#include "core/array/array_internal.h"
#include "core/store/seal.h"

/* Blocks of the seal that are in use: header and entry pages. */
uint32_t seal_write_blocks(const struct seal *seal);

/*
 * Encode to `bytes` (seal_write_blocks() blocks). The header says what the map says of column `column`
 * of `group`; volume and span are found by the caller or NULL.
 */
void seal_write_encode(uint8_t *bytes, const struct array *array, const struct group *group,
		       uint32_t column, const struct volume *volume, const struct span *span,
		       const struct seal *seal);

/* The header page alone. */
void seal_write_header(uint8_t *bytes, const struct array *array, const struct group *group,
		       uint32_t column, const struct volume *volume, const struct span *span);

/*
 * The extent whose volume and span the header of this column tells of: its own, or for check extents and
 * copies that of the first data column, because they may be all that is left of a group.
 */
uint64_t seal_write_named(const struct group *group, uint32_t column);

/* Which volume and span a data extent belongs to; false when none does. O(spans). */
bool seal_write_find(const struct map *map, uint64_t extent, const struct volume **volume_out,
		     const struct span **span_out);

#endif
