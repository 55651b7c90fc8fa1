/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Crash states: what the disks may hold when the power fails at any moment of a recorded run, and what an
 * array must then still be.
 *
 * A disk is sure to hold what it flushed. Each write behind that is there, is not, or is torn between
 * sectors. The moments are the numbers of events before the crash; only new states are made: after a
 * write those in which some of it is there, after a mark all (the truth has moved), after a flush none.
 *
 *	crash_open()		the media go back to the ground of the run
 *	while (...) crash_state(choice)		choose one state, check it, undo it
 *	crash_close()
 */
#ifndef PG_TESTS_SIM_CRASH_H
#define PG_TESTS_SIM_CRASH_H

#include "tests/sim/rig.h"
#include "tests/sim/sim_set.h"

struct check;

/* The first of two crashes, and what the recovery from it does: kept while the choices up to it stay. */
struct first_crash {
	size_t choices; /* that led to it; 0: there is none */
	uint32_t *values;
	struct recording recovery;
};

struct crash {
	struct run *run;
	const struct recording *recording;
	/* The steps that were done and the moment for in-place writes; of a recovery: of its crash. */
	bool nested;
	uint32_t acked;
	size_t moment;
	uint32_t missing;     /* in the first crash */
	uint32_t mark;        /* of the media */
	size_t durable_upto;  /* events that the media hold as far as they are durable */
	size_t *durable_at;   /* per event: number of events after which a write is durable */
	uint32_t subset_bits; /* up to so many pending writes are taken in all subsets */
	uint32_t depth;       /* so many recoveries are crashed as well, one in the other */
	struct sim_set *seen; /* what was checked, or, with depth, crashed again; NULL: not known */
	struct first_crash first;
	uint32_t *pending;
	uint32_t pending_count;
	/* What is done with a state instead of checking it, here and in recoveries; NULL: it is checked. */
	bool (*leaf)(void *arg, const struct check *check, struct choice *choice,
		     struct wrong *wrong);
	void *leaf_arg;
	uint64_t states;
	uint64_t equal; /* states that were not checked, as they were before */
};

void crash_open(struct crash *crash, struct run *run, const struct recording *recording);
void crash_close(struct crash *crash);
/* Bring the media to what is durable after `upto` events, and find out what is pending. */
void crash_go_to(struct crash *crash, size_t upto);

/*
 * Choose the moment, the fate of the pending writes and the losses; check. False with `wrong` set when
 * an invariant does not hold. States that are equal to one of `seen` are neither checked nor counted.
 */
bool crash_state(struct crash *crash, struct choice *choice, struct wrong *wrong);

#endif
