/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reshape: some groups become others, in one commit (docs/GROW.md section 1). Merging, stealing, splitting and
 * moving are all this, and what has to be read and written follows from comparing old and new:
 *
 *	an extent with its id at its old place		stays; no I/O
 *	with its id at another place			moves; one read, one write
 *	with a new id					a check of parity, computed
 *
 * Parity is linear, so a new check is a sum of what is cheapest: of each old group either the data
 * columns that the new group has of it, or its checks less the data columns that leave. A group whose indexes
 * all change by the same s takes part with g^(j*s) times its check j.
 *
 * Pure. The caller took the frames of what moves or is new (allocate.h).
 */
#ifndef PG_MAP_RESHAPE_H
#define PG_MAP_RESHAPE_H

#include "core/map/places.h"

#define RESHAPE_GROUPS_MAX (CODE_COLUMNS_MAX + 1u)
#define RESHAPE_TERMS_MAX (CODE_COLUMNS_MAX * 2u)

struct reshape {
	uint32_t old_count, fresh_count;
	uint64_t old[RESHAPE_GROUPS_MAX]; /* ids of groups of the map; all of them go */
	struct group *fresh
		[RESHAPE_GROUPS_MAX]; /* not in the map; with the id of an old one, or a new id */
};

enum reshape_way { RESHAPE_STAYS, RESHAPE_MOVES, RESHAPE_COMPUTED };

/* How the extent in this column of a fresh group comes about; *old_out and *column_out say where it is now. */
enum reshape_way reshape_way(const struct map *map, const struct group *fresh, uint32_t column,
			     const struct group **old_out, uint32_t *column_out);

/* One column of an old group that is read, and what it gives to each check of the new one: 0 is nothing. */
struct reshape_term {
	const struct group *group;
	uint32_t column;
	uint8_t coefficients[CODE_PARITY_MAX];
};

/* The new checks of a fresh group. */
struct reshape_sum {
	uint32_t count;
	struct reshape_term terms[RESHAPE_TERMS_MAX];
};

/* Sum for a group with computed checks; its data columns are all of the map's parity groups. */
void reshape_sum(struct reshape_sum *sum_out, const struct map *map, const struct reshape *reshape,
		 const struct group *fresh);

/* The members that something of a fresh group is written to. */
struct member_set reshape_members(const struct map *map, const struct group *fresh);

/* Columns that are read and written for all of it, in blocks. */
struct reshape_cost {
	uint64_t blocks_read, blocks_written;
	uint64_t extents; /* that are written */
};
struct reshape_cost reshape_cost(const struct map *map, const struct reshape *reshape);

/*
 * Put the new groups into the map and take the old ones out; the map owns the new ones from then on, also
 * on failure. freed() is told of each place that no group has any more. Returns 0, ERR_NOMEM, ERR_LIMIT.
 */
int reshape_apply(struct map *map, struct reshape *reshape,
		  int (*freed)(void *arg, const struct extent *extent), void *arg) MUST_CHECK;

/* It will not be done: give the frames back and free the groups. */
void reshape_drop(const struct places *places, struct reshape *reshape);

#endif
