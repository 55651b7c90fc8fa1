/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reprotect: after the loss of any one member, is there room to protect everything again? (SPEC 4.3: B groups
 * need B <= B_surv, the most groups that the others could hold.) Pure.
 */
#ifndef PG_MAP_REPROTECT_H
#define PG_MAP_REPROTECT_H

#include "core/map/places.h"

struct reprotect_shortage {
	uint32_t member; /* whose loss is the worst; MEMBER_NONE: there is room after any */
	uint64_t frames; /* that are missing then */
	bool too_few;    /* members: some group stands on all of them, whatever room there is */
};
struct reprotect_shortage reprotect_check(const struct places *places);

#endif
