/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Allocating: members and frames for a new group, or a new home for one extent.
 *
 * What is taken is only noted in memory: it becomes the array's with the commit that names it, and is
 * free again when the process ends before that.
 */
#ifndef PG_MAP_ALLOCATE_H
#define PG_MAP_ALLOCATE_H

#include "core/map/group_size.h"
#include "core/map/places.h"

/*
 * A group for the next `blocks` blocks of a volume under `policy`: ids given, frames taken, not in the
 * map. Smaller extents and fewer columns are taken where there is no room for the policy's.
 * Returns 0, or ERR_NOSPACE, ERR_TOO_FEW, ERR_NOMEM. Release with allocate_undo() or map_put_group().
 */
int allocate_group(const struct places *places, const struct policy *policy, uint64_t blocks,
		   struct group **group_out, struct group_size *size_out,
		   struct err *err) MUST_CHECK;

/* Columns that a full group of this policy gets now, on the members there are. */
uint32_t allocate_columns(const struct places *places, const struct policy *policy);

/* Give the frames back and free the group. */
void allocate_undo(struct space *space, struct group *group);

/*
 * Another place for column `column` of `group`: on member `to` if that is not MEMBER_NONE, preferring the
 * same frame; else on the member outside the group with most room. Frames are taken; `place_out` is the
 * extent at its new place. Returns 0 or ERR_NOSPACE.
 */
int allocate_move(const struct places *places, const struct group *group, uint32_t column,
		  uint32_t to, struct extent *place_out, struct err *err) MUST_CHECK;

/*
 * A column of another group whose own move would make room for column `column` of `group`, where
 * allocate_move() to MEMBER_NONE found none (SPEC 4.6: a chain move). False when there is none either.
 */
struct allocate_chain {
	uint64_t group;
	uint32_t column;
};
bool allocate_find_chain(const struct places *places, const struct group *group, uint32_t column,
			 struct allocate_chain *chain_out);

/*
 * Members that no sequential group of the default policy uses, because they fill no set of the width
 * that was asked for (SPEC R10). A width that was left open leaves one free on purpose: none.
 */
uint32_t allocate_left_out(const struct places *places);

/*
 * May an extent on member `slot` stand in a group beside others on these members? In service, on another member
 * and, with --across, under another label.
 */
bool allocate_suits(const struct places *places, const uint32_t *beside, uint32_t count,
		    uint32_t slot);

/* The member with most room for `frames` that suits; MEMBER_NONE when there is none. */
uint32_t allocate_roomiest(const struct places *places, const uint32_t *beside, uint32_t count,
			   uint64_t frames);

#endif
