/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rows of bare groups in pieces, in about the order in which they lie on the members: whole chunks, groups that lie
 * between each other in turn, so that tasks side by side read members from the beginning to the end.
 */
#ifndef PG_JOB_BARE_PIECES_H
#define PG_JOB_BARE_PIECES_H

#include "core/map/map.h"

struct bare_band;

struct bare_pieces {
	struct bare_band *bands;     /* owned */
	const struct group **groups; /* owned; the groups are the map's */
	uint32_t band_count;
	uint64_t count;
	uint64_t bytes; /* of all columns of all groups */
};

/* Of the bare groups of `volume`, of all when that is NULL. Returns 0 or ERR_NOMEM; release it in both cases. */
int bare_pieces_plan(struct bare_pieces *pieces_out, const struct map *map,
		     const struct volume *volume) MUST_CHECK;
void bare_pieces_reset(struct bare_pieces *pieces);

struct bare_piece {
	const struct group *group;
	uint32_t first, count; /* slices; count 0: the group has ended before */
};
struct bare_piece bare_piece(const struct bare_pieces *pieces, uint64_t number);

#endif
