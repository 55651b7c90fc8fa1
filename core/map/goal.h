/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Goals: how the groups of an array should lie, and the next step to there (docs/GROW.md section 2).
 *
 *	goal_next()	again and again: the next batch, until there is none
 *	batch_apply()	(or the job that does it) makes it the map
 *
 * A goal knows nothing but the map: asked again after a crash it goes on. Each batch lowers a measure, so
 * it ends. Pure; asked about a model (model.h) it is the plan and the forecast.
 */
#ifndef PG_MAP_GOAL_H
#define PG_MAP_GOAL_H

#include "core/base/vec.h"
#include "core/map/reshape.h"

VEC_DEFINE(reshape_vec, struct reshape);

enum goal_kind { GOAL_REBALANCE, GOAL_RECOMBINE, GOAL_EVACUATE, GOAL_TOPOLOGY, GOAL_COUNT };

struct goal {
	enum goal_kind kind;
	uint32_t member;      /* evacuate */
	uint32_t columns;     /* recombine: of the groups wanted */
	const uint64_t *skip; /* ids of groups to leave as they are; may be gone */
	size_t skip_count;
};

/* Reshapes of different groups, for one commit; frames are taken. */
struct batch {
	struct places *places;
	uint64_t blocks_max; /* to be written, about */
	uint64_t blocks;
	struct reshape_vec list;
	uint64_t *busy;    /* a bit a group of the map that takes part already */
	uint64_t *volumes; /* of each group of the map, the volume whose data it holds; 0: none */
};

/*
 * Fill `batch`, which was zeroed but for places and blocks_max. An empty list: the goal is reached.
 * Returns 0, ERR_NOMEM, or ERR_NOSPACE with what is in the way.
 */
int goal_next(struct batch *batch, const struct goal *goal, struct err *err) MUST_CHECK;

/* Give up what was planned and not done. */
void batch_reset(struct batch *batch);

/* ---- for goals */

/* The table: one function a goal, in its own file. */
int goal_rebalance(struct batch *batch, const struct goal *goal, struct err *err) MUST_CHECK;
int goal_recombine(struct batch *batch, const struct goal *goal, struct err *err) MUST_CHECK;
int goal_evacuate(struct batch *batch, const struct goal *goal, struct err *err) MUST_CHECK;
int goal_topology(struct batch *batch, const struct goal *goal, struct err *err) MUST_CHECK;

/*
 * For a parity group on all members, `member` among them: it and others like it become narrower. *made_out
 * is false when it is no such group, or there is no room.
 */
int goal_narrow_one(struct batch *batch, const struct group *stuck, uint32_t member, bool *made_out,
		    struct err *err) MUST_CHECK;

/*
 * Mirrors of a topology move as whole groups, so that they obey it before and after: from the homes of a full
 * primary to those of an emptier one, as long as that makes use more even. For rebalance.
 */
int goal_level_homes(struct batch *batch, struct err *err) MUST_CHECK;

/* The policy of the volume whose data the group, by its place, holds; the array's where it holds none. */
const struct policy *batch_policy(const struct batch *batch, uint32_t group);
bool batch_is_full(const struct batch *batch);
/* Does the group, by its place in the map, take part already? */
bool batch_is_busy(const struct batch *batch, uint32_t group);
/* Do these groups, by their places, hold data of one volume? No group serves two (core/map/check.h). */
bool batch_same_volume(const struct batch *batch, uint32_t a, uint32_t b);
/* Take in a reshape of these groups. On failure it is dropped. */
int batch_add(struct batch *batch, struct reshape *reshape, struct err *err) MUST_CHECK;

/*
 * A reshape that gives one column of a group another place, on `to`. *made_out is false when there
 * is no room.
 */
int reshape_relocate(struct reshape *reshape_out, const struct places *places,
		     const struct group *group, uint32_t column, uint32_t to,
		     bool *made_out) MUST_CHECK;

/* The same for all columns at once: column c goes to slots[c], or stays where that is its member already. */
int reshape_relocate_all(struct reshape *reshape_out, const struct places *places,
			 const struct group *group, const uint32_t *slots,
			 bool *made_out) MUST_CHECK;

#endif
