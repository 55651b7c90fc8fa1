/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What run.c asks of steps.c: one step of a script, done to the array that is open. */
#ifndef PG_TESTS_SIM_STEPS_H
#define PG_TESTS_SIM_STEPS_H

#include "tests/sim/rig.h"

/* What a step works on; `next` is the truth when it succeeds. */
struct stepping {
	struct run *run;
	struct truth *next;
	uint32_t number;
	uint32_t pick; /* which of several things it works on; 0: the one that scripts mean */
	uint32_t *idle, *spent;
	struct err err;
};

/* One step: returns 0, or what the engine said, with the text in stepping->err. */
typedef int step_runner(struct stepping *stepping);

/* Returns 0, or what the engine said, with the text in stepping->err. */
int step_run(enum step_kind kind, struct stepping *stepping) MUST_CHECK;
/* The blank disk joins. */
int steps_add(struct stepping *s, bool spare, uint32_t *slot_out) MUST_CHECK;

/* When all steps are done: from when on records say that writes were acknowledged. */
void steps_note_told(struct run *run);

/* Settle, which the truth hears of too. */
int step_settle_now(struct run *run, struct err *err) MUST_CHECK;

#endif
