/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sweeps: many cases, each a stream of choices that can be replayed, made smaller and kept.
 *
 * The first choices of a stream say what it is: the mode, the array, the script, how degraded the array
 * begins, the seed of the schedule; the others are the mode's.
 */
#ifndef PG_TESTS_SIM_SWEEP_H
#define PG_TESTS_SIM_SWEEP_H

#include "tests/sim/crash.h"

enum sweep_mode {
	SWEEP_CRASH,  /* one power loss at any moment */
	SWEEP_NESTED, /* and one more in the recovery from it */
	SWEEP_FAULT,  /* one fault of one disk at any operation */
	SWEEP_MEMORY, /* an allocation fails */
	SWEEP_LYING,  /* one power loss, and one disk's flushes did nothing */
	SWEEP_LONG,   /* many runs of steps on one array (long.h) */
	SWEEP_MODES
};

/* Three steps of the catalogue, each in the base of their number. */
#define SWEEP_STEPS (STEP_KINDS - STEP_VOLUME_CREATE)
#define SWEEP_ANY_SEEDS (SWEEP_STEPS * SWEEP_STEPS * SWEEP_STEPS)

struct sweep {
	enum sweep_mode mode;
	uint32_t shape;    /* of rig_shapes */
	uint32_t script;   /* of scripts; script_count: any three steps, from the seed */
	uint32_t degraded; /* members absent from the beginning */
	uint32_t seed;     /* of the schedule, 0..255 */
	uint32_t journal;  /* enum journal_mode */
	uint32_t liar;     /* disk, for SWEEP_LYING */
	uint64_t limit;    /* states of one moment of the run, in order: more are drawn */
	uint64_t draws;    /* so many, at random */
};

struct sweep_totals {
	uint64_t states;
	uint64_t equal; /* states that were not checked again */
	uint64_t cases;
	uint64_t violations;
	double seconds;
};

/*
 * Run all of it. On a violation the stream is made smaller and written to a file, whose name is printed;
 * the rest of this sweep is left out. Returns true when there was none.
 */
bool sweep_run(const struct sweep *sweep, struct sweep_totals *totals);

/* One stream. False with `wrong` set when it finds a violation. */
bool sweep_case(struct choice *choice, struct wrong *wrong);

/* The stream of a file again, as text of what happens; false when it fails or cannot be read. */
bool sweep_replay(const char *path, struct wrong *wrong);

/* Allocation as the simulator wants it, and an abort that leaves its stream behind. Once at the start. */
void sweep_setup(void);
/* "NAME: N states, N/s, N violations" and what `counts` has, as the file NAME in the folder that SIM_STATS names. */
void sweep_note(const char *name, const struct sweep_totals *totals);
/* The same, and to standard error. */
void sweep_report(const char *name, const struct sweep_totals *totals);

#endif
