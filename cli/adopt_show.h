/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `pgctl adopt` says: pgctl.adopt/1, and for people what was done and which ways lead on from here. */
#ifndef PG_CLI_ADOPT_SHOW_H
#define PG_CLI_ADOPT_SHOW_H

#include "cli/command.h"
#include "cli/md_view.h"
#include "core/array/adopt.h"
#include "formats/md_adopt.h"

/* "reversible", "committed", "undoing"; "none" for one that was not adopted. */
const char *adopt_state_name(enum adopt_state state);

/* `kept` by slot. What would be written: ranges by role, on every member. */
void adopt_show_plan(const struct invocation *inv, const struct array_adopt_request *request,
		     const struct array_adopt_plan *plan, const struct md_view *view,
		     const struct adopt_kept *kept);

void adopt_show_done(const struct invocation *inv, const struct array *array,
		     const struct md_view *view, const struct adopt_kept *kept);

/* On stderr, where the room is so small that `migrate` will not come to its end. */
void adopt_warn_map(const struct invocation *inv, const struct array_adopt_plan *plan);

/* `done`: slots that are as they were, now or from before. With --plan what would be put back. */
void adopt_show_undone(const struct invocation *inv, const struct md_adopt_back *backs,
		       const char *const *paths, uint32_t count, struct member_set done);

void adopt_show_committed(const struct invocation *inv, const struct array *array);

#endif
