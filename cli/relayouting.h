/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands that move groups: expand, rebalance, recombine, evacuate (core/job/relayout.h). */
#ifndef PG_CLI_RELAYOUTING_H
#define PG_CLI_RELAYOUTING_H

#include "cli/command.h"
#include "core/job/relayout.h"

/* Plan or run, and show the report. */
int relayouting_run(const struct invocation *inv, struct array *array,
		    const struct relayout_request *request, struct err *err) MUST_CHECK;

/* What the reports of all jobs that move extents have in common; groups_left is not shown. */
void relayouting_moves_show(const struct invocation *inv, const struct relayout_report *report);

void relayouting_plan_show(const struct invocation *inv, const struct relayout_report *report);

/* Empty a member, or plan to; refused beforehand where there is no room for all of it. */
int relayouting_evacuate(const struct invocation *inv, struct array *array, uint32_t slot,
			 struct err *err) MUST_CHECK;

/*
 * The same for the operands ARRAY MEMBER. `to_spare`: then the member is a spare, by a commit of its own behind
 * the job.
 */
int relayouting_open_and_empty(const struct invocation *inv, bool to_spare,
			       struct err *err) MUST_CHECK;

/* Run for a command whose only operand that counts is the array. */
int relayouting_open_and_run(const struct invocation *inv, const struct relayout_request *request,
			     struct err *err) MUST_CHECK;

#endif
