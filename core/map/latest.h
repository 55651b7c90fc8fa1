/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The last word on each id: of everything that is said about objects, in any order and however often,
 * what stands in the end.
 *
 *	latest_add()		this is the object of that id from now on, or it has none any more
 *	latest_settle()		only the last word on each id is left, ids ascending
 *
 * For maps that come from a disk: n words cost n log n, whatever their order.
 */
#ifndef PG_MAP_LATEST_H
#define PG_MAP_LATEST_H

#include "core/base/err.h"
#include "core/base/vec.h"

#include <stdint.h>

struct latest_word {
	uint64_t id;
	uint64_t turn; /* which word it was */
	void *object;  /* owned; NULL: gone */
};

VEC_DEFINE(latest, struct latest_word);

/* Takes over `object`, also on failure, when it is released. Returns 0 or ERR_NOMEM. */
int latest_add(struct latest *latest, uint64_t id, void *object,
	       void (*release)(void *object)) MUST_CHECK;

/* Release what did not stand; `latest` then has one word for each object that did. */
void latest_settle(struct latest *latest, void (*release)(void *object));

/* Release everything. */
void latest_reset_all(struct latest *latest, void (*release)(void *object));

#endif
