/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recode: spans of a volume get new groups of another shape (docs/GROW.md section 1). A run is some spans that
 * follow each other, and the new groups that hold the same bytes: it ends where new groups end, as far as that can
 * be, so that few of them stay small.
 *
 *	recode_next()	the next batch of runs, in the order of addresses, until there is none
 *	recode_apply()	new groups and spans into the map, old groups out that serve no other span
 *	recode_reset()	give up what was planned and not done
 *
 * Asked again after each commit: what is done is behind `cursor`. A span that has the shape already is left alone.
 * Pure; asked about a model (model.h) it is the plan.
 */
#ifndef PG_MAP_RECODE_H
#define PG_MAP_RECODE_H

#include "core/base/bytes.h"
#include "core/base/vec.h"
#include "core/map/places.h"

#define RECODE_RUN_BLOCKS                                                                          \
	((UINT64_C(256) << 20) / BLOCK_SIZE) /* that a run takes in, or one span */

struct recode_goal {
	uint64_t volume;
	const struct policy *policy; /* of the new groups */
	uint64_t cursor;             /* bytes of the volume that are done */
	/*
	 * Spans below it were come to before: those that still are nothing the policy makes were left because bytes of
	 * them were lost, and are taken again; of what it made nothing is, whatever it would make of it now.
	 */
	uint64_t again;
	const uint64_t *skip; /* offsets of spans to leave as they are */
	size_t skip_count;
	const uint64_t
		*fixed; /* offsets of bare spans whose columns make no room: they cannot be read */
	size_t fixed_count;
};

/* A new group and the span that it is to hold. */
struct recode_group {
	struct group *group;
	struct span span;
	uint64_t run_offset; /* of the run that it belongs to, in the volume */
};

VEC_DEFINE(recode_group_vec, struct recode_group);

/* Spans first..first+count-1 of the volume become groups group_first..group_first+group_count-1 of the batch. */
struct recode_run {
	uint32_t first, count;
	uint64_t offset, length; /* bytes of the volume */
	size_t group_first, group_count;
};

VEC_DEFINE(recode_run_vec, struct recode_run);

struct recode_batch {
	const struct places *places;
	uint64_t blocks_max; /* of data to take in, about */
	bool whole; /* groups of full width or none: where room can be made on more members (room.h) */
	uint64_t blocks;
	struct recode_run_vec runs;
	struct recode_group_vec groups;
};

/*
 * Fill `batch`, which was zeroed but for places, blocks_max and whole. No runs: the goal is reached. Returns 0,
 * ERR_NOMEM, ERR_TOO_FEW, ERR_SIZE, or ERR_NOSPACE with the bytes that are missing.
 */
int recode_next(struct recode_batch *batch, const struct recode_goal *goal,
		struct err *err) MUST_CHECK;

/* The groups that serve the batch's spans now; ids ascending, each once. Returns 0 or ERR_NOMEM. */
VEC_DEFINE(recode_id_vec, uint64_t);
int recode_groups(struct recode_id_vec *ids_out, const struct recode_batch *batch,
		  const struct recode_goal *goal) MUST_CHECK;

/*
 * The first `runs` runs become the map, which owns their groups from then on, also on failure. freed() is told of
 * each place that no group has any more. The volume stays where it is in memory. Returns 0, ERR_NOMEM, ERR_LIMIT.
 */
int recode_apply(struct recode_batch *batch, const struct recode_goal *goal, size_t runs,
		 int (*freed)(void *arg, const struct extent *extent), void *arg) MUST_CHECK;

void recode_reset(struct recode_batch *batch);

/*
 * Before recode_next(): a bare span that is longer than a batch is cut in the map (bands.h), so that a batch has a part of it: the
 * first that is wanted, or the last, for room.h to take. *cut_out: one was. Returns 0, or ERR_NOMEM and ERR_LIMIT: then the map is
 * half changed.
 */
int recode_cut(const struct recode_batch *batch, const struct recode_goal *goal, bool last,
	       bool *cut_out) MUST_CHECK;

#endif
