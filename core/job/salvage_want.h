/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which of the cells that are not known would have to be read to know others: pure, for salvage.h, which says by what rule.
 */
#ifndef PG_JOB_SALVAGE_WANT_H
#define PG_JOB_SALVAGE_WANT_H

#include "core/code/code.h"

#define SALVAGE_HOPES 4u /* 1 is the best */

/* The same question is often asked of many rows: keep one of these. Zeroed to begin with. */
struct salvage_want {
	bool valid;
	uint64_t lost[CODE_LOST_WORDS], goal[CODE_LOST_WORDS];
	uint8_t hopes[CODE_CELLS_MAX];
	uint64_t wanted[CODE_LOST_WORDS]; /* the answer */
};

/*
 * Bits of cells: `lost` are those that are not known, `goal` those of them that are asked for. `hopes` has for each cell
 * that is lost 0 or what salvage.h calls hope. The answer is in want->wanted. Returns 0 or ERR_NOMEM.
 */
int salvage_want_find(struct salvage_want *want, const struct code *code, const uint64_t *lost,
		      const uint64_t *goal, const uint8_t *hopes) MUST_CHECK;

#endif
