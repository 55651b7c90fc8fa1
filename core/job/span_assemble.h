/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Span assembly: volumes of the groups that were put together, from what the headers of data extents say
 * of their place in a volume. For map_assemble() only.
 */
#ifndef PG_JOB_SPAN_ASSEMBLE_H
#define PG_JOB_SPAN_ASSEMBLE_H

#include "core/job/seal_scan.h"
#include "core/map/map.h"

/*
 * Put volumes without holes into `map`, with unique names; take out the groups that no volume uses; set
 * the map's policy. *incomplete_out counts the volumes that were left out. Returns 0 or ERR_NOMEM.
 */
int span_assemble(struct map *map, const struct scan *scan, uint64_t *incomplete_out) MUST_CHECK;

#endif
