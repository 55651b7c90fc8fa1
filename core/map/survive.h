/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Survive: what the loss of some members would cost. Used by `survive`, `ok-to-fail`, drills and jobs.
 *
 *	survive_create()	once for a map
 *	survive_ask()		a verdict on one set of members; O(kinds of groups) as long as nothing is lost
 *	survive_find()		the ranges of volumes that it would cost
 *	survive_free()
 *
 * Groups of the same code on the same members are of one kind and are asked once, so that all pairs and triples of
 * members can be tried: 41,664 triples of 64 members.
 *
 * What is absent already counts as lost as well. Pure: the map does not change meanwhile.
 */
#ifndef PG_MAP_SURVIVE_H
#define PG_MAP_SURVIVE_H

#include "core/base/err.h"
#include "core/map/map.h"

enum survive_verdict {
	SURVIVE_REDUNDANT,     /* every group that had redundancy could bear one more loss */
	SURVIVE_NO_REDUNDANCY, /* all data there, but one loss more would cost some */
	SURVIVE_DATA_LOSS,
};
const char *survive_verdict_name(enum survive_verdict verdict);

struct survive; /* opaque */

/* Which extents can be used now; NULL: all. */
typedef bool survive_usable(const void *arg, const struct extent *extent);

/* `map` is borrowed. Returns 0 or ERR_NOMEM. */
int survive_create(struct survive **survive_out, const struct map *map, survive_usable *usable,
		   const void *arg) MUST_CHECK;
void survive_free(struct survive *survive);

struct survive_answer {
	enum survive_verdict verdict;
	uint64_t bytes; /* of volumes, that would be lost */
};
/* Returns 0 or ERR_NOMEM. */
int survive_ask(struct survive_answer *answer_out, const struct survive *survive,
		struct member_set lost) MUST_CHECK;

/*
 * The ranges of volumes that would be lost, in the order of volumes and offsets, adjoining ones as one.
 * Returns 0 or ERR_NOMEM.
 */
struct survive_range {
	const struct volume *volume;
	uint64_t offset;
	uint64_t length;
};
int survive_find(const struct survive *survive, struct member_set lost,
		 void (*found)(void *arg, const struct survive_range *range), void *arg) MUST_CHECK;

#endif
