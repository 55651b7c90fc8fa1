/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Arrange: the topology of an array as its operator sees it: what it is, what does not obey it, and another
 * one. Moving is relayout's (JOB_TOPOLOGY).
 */
#ifndef PG_JOB_ARRANGE_H
#define PG_JOB_ARRANGE_H

#include "core/array/array.h"
#include "core/job/relayout.h"
#include "core/map/topology.h"

/* The ring of new groups: members that count, in order, with their sets. Names are the map's. */
void arrange_ring(const struct array *array, struct topology_ring *ring_out);

enum arrange_fault_kind {
	ARRANGE_DOMAIN, /* an extent shares the first label of --across with another of its group */
	ARRANGE_HOME,   /* a copy lies elsewhere than the topology says */
};
struct arrange_fault {
	enum arrange_fault_kind kind;
	const struct group *group;
	uint32_t column;
	const char *domain; /* the label's value; NULL for ARRANGE_HOME */
};
/* Tell of every extent that does not obey; returns how many. `found` may be NULL. */
uint64_t arrange_check(const struct array *array,
		       void (*found)(void *arg, const struct arrange_fault *fault), void *arg);

/* What new groups, and all mirrors that are there, shall obey. */
struct arrange_request {
	enum topology topology;
	const char *volume; /* only this one; NULL: all mirrors, and new volumes */
	const char *across; /* another label, or tree of labels; NULL: as it is */
};
/*
 * Set it: one commit, none when it is so already. Moves nothing. Returns 0, ERR_NOT_FOUND, or ERR_LIMIT with what
 * stands against it.
 */
int arrange_set(struct array *array, const struct arrange_request *request,
		struct err *err) MUST_CHECK;
/* What JOB_TOPOLOGY would do after that. */
int arrange_plan(const struct array *array, const struct arrange_request *request,
		 struct relayout_report *report_out, struct err *err) MUST_CHECK;

/* Replace a member's labels: one commit. */
int arrange_label(struct array *array, uint32_t slot, const struct label *labels, uint32_t count,
		  struct err *err) MUST_CHECK;

#endif
