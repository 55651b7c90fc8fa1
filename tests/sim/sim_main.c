/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sim_main.h"

#include "tests/sim/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TESTS_MAX 12u
#define POWER_CUTS_SOME 3u
#define POWER_CUTS_EVERY 24u
#define NOTE_SECONDS 5

/* What one test gets. */
struct share {
	const struct sim_plan *plan;
	struct sweep_totals *totals;
	uint32_t shape;
	uint32_t seconds; /* 0: once */
	time_t end;       /* then no more is begun; 0: never */
	uint32_t round;   /* how often all was done */
};

static uint32_t number_of(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static bool writes_in_place(enum step_kind kind)
{
	return (kind >= STEP_WRITE_SMALL && kind < STEP_EXPAND) || kind == STEP_EXPAND_WRITING ||
	       kind == STEP_MIGRATE_WRITING;
}

/* Scripts that write in place run with every journal mode. */
static uint32_t journals(uint32_t script)
{
	for (uint32_t i = 0; i < 3; i++) {
		if (writes_in_place(scripts[script].steps[i]))
			return JOURNAL_COUNT;
	}
	return 1;
}

/* The moments of the power cut of a script that has one; 0 where it is not for this mode. */
static uint32_t power_cuts(enum sweep_mode mode, uint32_t script)
{
	bool cut = scripts[script].steps[0] == STEP_POWER_CUT;

	if (!cut)
		return 1;
	if (mode != SWEEP_FAULT) /* a crash is theirs to make */
		return 0;
	return getenv("SIM_EVERY") ? POWER_CUTS_EVERY : POWER_CUTS_SOME;
}

static bool is_late(const struct share *share)
{
	return share->end && time(NULL) >= share->end;
}

/* What there is so far is written down now and then: whoever waits, or stops it, can see it. */
static bool run_sweep(const struct share *share, const struct sweep *sweep)
{
	static time_t noted;
	bool good = is_late(share) || sweep_run(sweep, share->totals);

	if (share->end && time(NULL) - noted >= NOTE_SECONDS) {
		noted = time(NULL);
		sweep_note(share->plan->name, share->totals);
	}
	return good;
}

static bool run_cuts(const struct share *share, struct sweep *sweep)
{
	uint32_t cuts = power_cuts(sweep->mode, sweep->script), seed = sweep->seed;
	bool good = true;

	for (uint32_t i = 0; i < cuts; i++) {
		sweep->seed = cuts == 1 ? seed : (seed + i * 7) & 255;
		good = run_sweep(share, sweep) && good;
	}
	sweep->seed = seed;
	return good;
}

/* One script, from healthy to as degraded as it may begin. */
static bool run_script(const struct share *share, struct sweep *sweep)
{
	const struct rig_shape *shape = &rig_shapes[share->shape];
	uint32_t most = run_degraded_max(shape, sweep->script);
	bool good = true;

	/* With all that the code survives absent nothing is promised of a disk that lies. */
	if (sweep->mode == SWEEP_LYING && most == shape->tolerance)
		most--;
	for (sweep->degraded = 0; sweep->degraded <= most; sweep->degraded++) {
		for (sweep->journal = 0; sweep->journal < journals(sweep->script);
		     sweep->journal++) {
			if (number_of("SIM_JOURNAL", sweep->journal) != sweep->journal ||
			    number_of("SIM_DEGRADED", sweep->degraded) != sweep->degraded)
				continue;
			sweep->liar = (uint32_t)share->totals->cases % (shape->members + 1);
			good = run_cuts(share, sweep) && good;
		}
	}
	return good;
}

/* All scripts; another one first in each round. */
static bool run_scripts(const struct share *share, struct sweep *sweep)
{
	uint32_t first = share->end ? (sweep->seed + share->round) * 7 % script_count : 0;
	const char *only = getenv("SIM_SCRIPT");
	bool good = true;

	for (uint32_t i = 0; i < script_count; i++) {
		sweep->script = (first + i) % script_count;
		if (!only || strcmp(only, scripts[sweep->script].name) == 0)
			good = run_script(share, sweep) && good;
	}
	return good;
}

static bool run_any(const struct share *share, struct sweep *sweep, uint32_t round)
{
	const char *only = getenv("SIM_SCRIPT");
	uint32_t count = only && strcmp(only, "any") != 0 ? 0 : share->plan->any;
	bool good = true;

	sweep->script = script_count;
	for (uint32_t i = 0; i < count; i++) {
		/* Steps far apart from each other, all of them in the end: a step prime to all. */
		sweep->seed = (round * share->plan->any + i) * 2654435761u % SWEEP_ANY_SEEDS;
		sweep->journal = i % JOURNAL_COUNT;
		sweep->degraded =
			i / JOURNAL_COUNT %
			(rig_shapes[share->shape].tolerance + (sweep->mode != SWEEP_LYING));
		good = run_sweep(share, sweep) && good;
	}
	return good;
}

static void run_shape(void **state)
{
	struct share *share = *state;
	uint32_t round = number_of("SIM_SEED", 3);
	bool good = true;

	if (share->seconds)
		share->end = time(NULL) + share->seconds;

	sweep_setup(); /* cmocka has set handlers of its own */
	do {
		struct sweep sweep = {
			.mode = share->plan->mode,
			.shape = share->shape,
			.seed = share->plan->mode == SWEEP_LONG ? round : round & 255,
			.limit = share->plan->limit * number_of("SIM_SCALE", 1),
			.draws = share->plan->draws * number_of("SIM_SCALE", 1),
		};
		bool whole = getenv("SIM_EXHAUSTIVE") != NULL;

		if (whole)
			sweep.limit = UINT32_MAX;

		if (sweep.mode == SWEEP_LONG)
			good = run_sweep(share, &sweep) && good;
		if (share->plan->scripts)
			good = run_scripts(share, &sweep) && good;
		good = (whole || run_any(share, &sweep, round)) && good;
		round++;
		share->round++;
	} while (share->end && !is_late(share));
	assert_true(good);
}

static int replay(int count, char **paths)
{
	int bad = 0;

	check_verbose = true;
	for (int i = 0; i < count; i++) {
		struct wrong wrong = { 0 };

		if (sweep_replay(paths[i], &wrong)) {
			printf("%s: nothing is wrong\n", paths[i]);
			continue;
		}
		printf("%s: %s: %s\n", paths[i], wrong.what, wrong.text);
		bad++;
	}
	return bad ? 1 : 0;
}

int sim_main(const struct sim_plan *plan, int argc, char **argv)
{
	struct CMUnitTest tests[TESTS_MAX];
	struct share shares[TESTS_MAX];
	struct sweep_totals totals = { 0 };
	size_t count = 0;

	sweep_setup();
	if (argc > 1)
		return replay(argc - 1, argv + 1);
	const char *const one[] = { getenv("SIM_SHAPE"), NULL };
	const char *const *shapes = one[0] ? one : plan->shapes;

	for (size_t i = 0; i < TESTS_MAX && shapes[i]; i++) {
		uint32_t shape = 0;

		while (shape < rig_shape_count && strcmp(rig_shapes[shape].name, shapes[i]) != 0)
			shape++;
		if (shape == rig_shape_count)
			return 2;
		shares[count] = (struct share){ .plan = plan, .totals = &totals, .shape = shape };
		tests[count] = (struct CMUnitTest){ .name = shapes[i],
						    .test_func = run_shape,
						    .initial_state = &shares[count] };
		count++;
	}
	uint32_t seconds = number_of("SIM_SECONDS", 0);
	for (size_t i = 0; seconds && i < count; i++)
		shares[i].seconds = seconds / (uint32_t)count + 1;
	int failed = _cmocka_run_group_tests(plan->name, tests, count, NULL, NULL);
	sweep_report(plan->name, &totals);
	return failed;
}
