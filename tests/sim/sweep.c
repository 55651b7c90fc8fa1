/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sweep.h"

#include "core/base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/counts.h"
#include "tests/sim/faults.h"
#include "tests/sim/long.h"
#include "tests/sim/watch.h"

#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHAPES_MAX 16u
#define INNER_DRAWS 8u /* of second crashes, after a first that was drawn */
#define EQUAL_PRICE                                                                                \
	16u           /* so many states that were seen before cost as much as one that is checked */
#define MUCH_PRICE 8u /* so many times fewer states of a moment */
#define FOUND_MAX 500u /* violations that are shown: what comes then is mostly the same */

static struct rig rigs[SHAPES_MAX];
static struct choice *current; /* for the handler of signals */

static struct rig *rig_of(uint32_t shape)
{
	assert(shape < SHAPES_MAX);
	if (!rigs[shape].media)
		rig_open(&rigs[shape], shape);
	return &rigs[shape];
}

/* ---- one case */

/* Everything up to where the modes part: the run is begun. */
static void begin(enum sweep_mode mode, struct choice *choice, struct run *run)
{
	uint32_t shape = choice_below(choice, rig_shape_count);
	uint32_t script = choice_below(choice, script_count + 1);

	run_begin(run, rig_of(shape), script == script_count ? SCRIPT_ANY : script, choice);
	if (mode == SWEEP_LYING) {
		uint32_t disk = choice_below(choice, run->rig->disks);

		run->liars = 1u << disk;
		run->rack.faults[0] = (struct disk_fault){ .kind = DISK_LYING_FLUSH,
							   .disk = disk,
							   .forever = true };
		run->rack.fault_count = 1;
	}
}

static void record(struct run *run)
{
	run->rack.recording = &run->recording;
	run_steps(run);
	run->rack.recording = NULL;
}

struct denial {
	uint64_t count, at;
	bool forever, struck;
};

static bool deny(void *arg)
{
	struct denial *denial = arg;
	uint64_t number = denial->count++;
	bool denied = denial->forever ? number >= denial->at : number == denial->at;

	denial->struck = denial->struck || denied;
	return denied;
}

static bool memory_case(struct run *run, struct choice *choice, struct wrong *wrong)
{
	struct denial denial = { .forever = choice_below(choice, 2) == 1 };

	denial.at = choice_below(choice, 65536);
	mem_set_hook(deny, &denial);
	run_steps(run);
	mem_set_hook(NULL, NULL);
	if (!denial.struck)
		return true;
	run->rack.struck = 1;
	return check_end(run, 0, 0, choice, wrong);
}

static bool finish(enum sweep_mode mode, struct run *run, struct choice *choice,
		   struct wrong *wrong)
{
	struct crash crash;
	bool good;

	if (mode == SWEEP_FAULT)
		return fault_case(run, choice, wrong);
	if (mode == SWEEP_MEMORY)
		return memory_case(run, choice, wrong);
	record(run);
	run_rewind(run);
	if (!watch_recording(run, &run->recording, run->absent, wrong))
		return false;
	crash_open(&crash, run, &run->recording);
	crash.depth = mode == SWEEP_NESTED;
	good = crash_state(&crash, choice, wrong);
	crash_close(&crash);
	return good;
}

bool sweep_case(struct choice *choice, struct wrong *wrong)
{
	static struct run run;

	current = choice;
	enum sweep_mode mode = choice_below(choice, SWEEP_MODES);
	if (mode == SWEEP_LONG) {
		uint64_t states;

		return long_case(rig_of(choice_below(choice, rig_shape_count)), choice, &states,
				 wrong);
	}
	begin(mode, choice, &run);
	bool good = finish(mode, &run, choice, wrong);

	run_reset(&run);
	return good;
}

/* ---- what was found */

static bool fails_alike(void *arg, struct choice *choice)
{
	const struct wrong *first = arg;
	struct wrong wrong = { 0 };

	return !sweep_case(choice, &wrong) && strcmp(wrong.what, first->what) == 0;
}

static const char *failures_folder(void)
{
	const char *folder = getenv("SIM_FAILURES");

	return folder ? folder : "/tmp";
}

static void found(const struct sweep *sweep, struct choice *choice, const struct wrong *wrong)
{
	static struct choice smaller;
	static uint32_t number;
	struct wrong last = *wrong;
	char path[400], note[700];

	choice_replay(&smaller, choice->value, choice->at);
	if (!getenv("SIM_STOP") && !getenv("SIM_EVERY")) /* there may be many */
		choice_shrink(&smaller, fails_alike, (void *)(uintptr_t)wrong);
	if (sweep_case(&smaller, &last))
		last = *wrong;
	snprintf(path, sizeof(path), "%s/sim-%s-%s-%s%u.choices", failures_folder(),
		 rig_shapes[sweep->shape].name,
		 sweep->mode == SWEEP_LONG      ? "long"
		 : sweep->script < script_count ? scripts[sweep->script].name
						: "any",
		 wrong->what, number++);
	snprintf(note, sizeof(note), "%s: %s", last.what, last.text);
	bool saved = choice_save(&smaller, path, note);
	fprintf(stderr, "VIOLATION %s (degraded %u, seed %u): %s\n  replay: %s\n",
		rig_shapes[sweep->shape].name, sweep->degraded, sweep->seed, note,
		saved ? path : "(cannot be written)");
	if (getenv("SIM_STOP"))
		exit(1);
}

static void died(int signal_number)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/sim-died-%d.choices", failures_folder(), (int)getpid());
	if (current) {
		current->count = current->at;
		if (choice_save(current, path, "the program died"))
			fprintf(stderr, "the program died; replay: %s\n", path);
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

bool sweep_replay(const char *path, struct wrong *wrong)
{
	static struct choice choice;

	if (!choice_load(&choice, path))
		return wrong_set(wrong, "file", "%s cannot be read", path);
	return sweep_case(&choice, wrong);
}

/* ---- whole sweeps */

/* Of the processor, so that figures mean the same beside other programs. */
static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fix_head(struct choice *choice, const struct sweep *sweep)
{
	uint32_t head[10] = { sweep->mode, sweep->shape, sweep->script }, count = 3;

	if (sweep->script == script_count) {
		/* The seed says which steps: each of the three in the base of their number. */
		for (uint32_t i = 0, rest = sweep->seed; i < 3; i++, rest /= SWEEP_STEPS)
			head[count++] = rest % SWEEP_STEPS;
	}
	head[count++] = sweep->degraded;
	head[count++] = sweep->seed & 255;
	head[count++] = sweep->journal;
	if (sweep->mode == SWEEP_LYING)
		head[count++] = sweep->liar;
	choice_odometer(choice, head, count);
}

/* All states of one moment while they are few; then some at random as well. */
static bool sweep_moment(struct crash *crash, struct choice *choice, size_t upto,
			 const struct sweep *sweep, struct wrong *wrong)
{
	size_t head = choice->fixed;
	uint64_t spent = 0;
	bool more = true;

	choice->value[head] = (uint32_t)upto;
	choice->count = choice->fixed = head + 1;
	while (more && spent < sweep->limit * EQUAL_PRICE) {
		uint64_t before = crash->states;

		choice->at = head;
		if (!crash_state(crash, choice, wrong))
			return false;
		spent += crash->states > before ? EQUAL_PRICE : 1;
		more = choice_next(choice);
	}
	choice->mode = CHOICE_RANDOM;
	choice->rng = rng_seeded(upto + sweep->limit + sweep->seed * UINT64_C(1000003));
	for (uint64_t i = 0; more && i < sweep->draws; i++) {
		choice->at = head;
		choice->count = head + 1;
		if (crash->depth && i % INNER_DRAWS)
			choice->count = crash->first.choices;
		if (!crash_state(crash, choice, wrong))
			return false;
	}
	choice->mode = CHOICE_ODOMETER;
	choice->fixed = head;
	return true;
}

static bool writes_much(enum step_kind step)
{
	return step == STEP_PUT_LARGE || step == STEP_MIGRATE || step == STEP_MIGRATE_CHECKS ||
	       step == STEP_MIGRATE_WIDTH || step == STEP_MIGRATE_WRITING;
}

/* A run that writes much has many moments, and each state costs several times as much: fewer of each. */
static struct sweep weighed(const struct sweep *sweep, const struct run *run)
{
	struct sweep fewer = *sweep;

	for (uint32_t i = 0; i < run->step_count; i++) {
		if (!writes_much(run->steps[i]) || sweep->limit == UINT32_MAX)
			continue;
		fewer.limit = 1 + sweep->limit / MUCH_PRICE;
		fewer.draws = 1 + sweep->draws / MUCH_PRICE;
	}
	return fewer;
}

static bool sweep_crashes(const struct sweep *given, struct run *run, struct choice *choice,
			  struct wrong *wrong, struct sweep_totals *totals)
{
	const struct sweep weighted = weighed(given, run), *sweep = &weighted;
	struct sim_set seen = { 0 };
	struct crash crash;
	bool good = true;

	crash_open(&crash, run, &run->recording);
	crash.depth = sweep->mode == SWEEP_NESTED;
	crash.seen = &seen;
	choice->fixed = choice->at;
	for (size_t upto = 0; good && upto <= run->recording.count; upto++)
		good = sweep_moment(&crash, choice, upto, sweep, wrong);
	totals->states += crash.states;
	totals->equal += crash.equal;
	crash_close(&crash);
	sim_set_reset(&seen);
	return good;
}

/* Record the run, twice: the same choices must do the same (I13). */
static bool record_twice(struct run *run, struct choice *choice, struct wrong *wrong)
{
	uint64_t hashes[2];

	for (uint32_t i = 0; i < 2; i++) {
		if (i)
			run_reset(run);
		choice_rewind(choice);
		begin(choice_below(choice, SWEEP_MODES), choice, run);
		record(run);
		hashes[i] = watch_hash(&run->recording);
	}
	run_rewind(run);
	counts.checks[CHECKED_TWICE]++;
	counts.trace += hashes[0];
	if (hashes[0] != hashes[1])
		return wrong_set(wrong, "twice", "the same choices make another recording");
	return watch_recording(run, &run->recording, run->absent, wrong);
}

/* Run it once without anything in its way, to see what could go wrong where. */
static size_t measure(struct choice *choice, struct rack_io *log, size_t log_max, uint64_t *ios,
		      uint64_t *allocations)
{
	static struct run run;
	struct denial denial = { .at = UINT64_MAX };

	choice->at = 0;
	begin(choice_below(choice, SWEEP_MODES), choice, &run);
	run.rack.log = log;
	run.rack.log_max = log_max;
	mem_set_hook(deny, &denial);
	run_steps(&run);
	mem_set_hook(NULL, NULL);
	*ios = run.rack.ios;
	*allocations = denial.count;
	size_t head = choice->at;
	run_reset(&run);
	return head;
}

/* One whole case: `values` behind the first `head` choices, whatever comes then at random. */
static bool sweep_whole(struct choice *choice, size_t head, const uint32_t *values, size_t count,
			uint64_t seed, struct wrong *wrong)
{
	memcpy(choice->value + head, values, count * sizeof(*values));
	choice->count = head + count;
	choice->mode = CHOICE_RANDOM;
	choice->rng = rng_seeded(seed);
	choice->at = 0;
	return sweep_case(choice, wrong);
}

/* One whole case for every allocation of the run. */
static bool sweep_memory(const struct sweep *sweep, struct choice *choice, struct wrong *wrong,
			 struct sweep_totals *totals)
{
	uint64_t ios, allocations;
	size_t head = measure(choice, NULL, 0, &ios, &allocations);
	uint64_t stride = 1 + allocations * 2 / sweep->limit;

	for (uint64_t i = sweep->seed % stride; i < allocations * 2; i += stride) {
		uint32_t memory[] = { (uint32_t)(i % 2), (uint32_t)(i / 2) };

		totals->states++;
		if (!sweep_whole(choice, head, memory, 2, i, wrong))
			return false;
	}
	return true;
}

/* One whole case for every fault that the run can meet; SIM_EVERY: really every one. */
static bool sweep_faults(const struct sweep *sweep, struct choice *choice, struct wrong *wrong,
			 struct sweep_totals *totals)
{
	static struct rack_io log[FAULT_IOS_MAX];
	uint64_t ios, allocations;
	size_t head = measure(choice, log, FAULT_IOS_MAX, &ios, &allocations);
	uint64_t faults = fault_count(log, ios);
	uint64_t stride = getenv("SIM_EVERY") ? 1 : 1 + faults / sweep->limit;
	bool good = true;

	for (uint64_t i = sweep->seed % stride; i < faults; i += stride) {
		struct fault_choice fault = fault_number(log, ios, i);

		bool right = sweep_whole(choice, head, fault.values, FAULT_CHOICES, i, wrong);

		totals->states++;
		fault_count_case(right);
		good = good && right;
		if (right)
			continue;
		if (!getenv("SIM_EVERY"))
			break;
		if (totals->violations++ < FOUND_MAX)
			found(sweep, choice, wrong);
		*wrong = (struct wrong){ 0 };
	}
	return good;
}

/* Long runs from seeds that follow from the sweep's: as many as its limit. */
static bool sweep_longs(const struct sweep *sweep, struct choice *choice, struct wrong *wrong,
			struct sweep_totals *totals)
{
	for (uint64_t i = 0; i < sweep->limit; i++) {
		uint64_t states;

		choice_random(choice, sweep->seed * UINT64_C(1000003) + i);
		choice->value[0] = SWEEP_LONG;
		choice->value[1] = sweep->shape;
		choice->count = 2;
		(void)choice_below(choice, SWEEP_MODES);
		bool good = long_case(rig_of(choice_below(choice, rig_shape_count)), choice,
				      &states, wrong);
		totals->states += states;
		if (!good)
			return false;
	}
	return true;
}

bool sweep_run(const struct sweep *sweep, struct sweep_totals *totals)
{
	static struct choice choice;
	static struct run run;
	struct wrong wrong = { 0 };
	double begun = now_s();
	uint64_t before = totals->states;
	bool good;

	fix_head(&choice, sweep);
	current = &choice;
	if (sweep->mode == SWEEP_LONG) {
		good = sweep_longs(sweep, &choice, &wrong, totals);
	} else if (sweep->mode != SWEEP_FAULT && sweep->mode != SWEEP_MEMORY) {
		good = record_twice(&run, &choice, &wrong) &&
		       sweep_crashes(sweep, &run, &choice, &wrong, totals);
		run_reset(&run);
	} else if (sweep->mode == SWEEP_FAULT) {
		good = sweep_faults(sweep, &choice, &wrong, totals);
		if (!good && getenv("SIM_EVERY")) { /* they were shown one by one */
			totals->seconds += now_s() - begun;
			totals->cases++;
			return false;
		}
	} else {
		good = sweep_memory(sweep, &choice, &wrong, totals);
	}
	if (getenv("SIM_EVERY"))
		fprintf(stderr, "%s %s degraded %u journal %u seed %u: %llu states, %.3f s\n",
			rig_shapes[sweep->shape].name,
			sweep->script < script_count ? scripts[sweep->script].name : "any",
			sweep->degraded, sweep->journal, sweep->seed,
			(unsigned long long)(totals->states - before), now_s() - begun);
	totals->cases++;
	totals->violations += !good;
	totals->seconds += now_s() - begun;
	if (!good)
		found(sweep, &choice, &wrong);
	return good;
}

void sweep_setup(void)
{
	/* Pages go back to the system at the end only: opening an array takes and gives megabytes. */
	mallopt(M_MMAP_THRESHOLD, 1 << 28);
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	mallopt(M_TOP_PAD, 1 << 24);
	signal(SIGABRT, died);
	signal(SIGSEGV, died);
	signal(SIGBUS, died);
	signal(SIGFPE, died);
}

static void tell(FILE *file, const char *name, const struct sweep_totals *totals)
{
	double rate = totals->seconds > 0 ? (double)totals->states / totals->seconds : 0;

	fprintf(file,
		"%s: %llu cases, %llu states (%llu equal ones left out), %.0f a second, %llu "
		"violations; trace %016llx\n",
		name, (unsigned long long)totals->cases, (unsigned long long)totals->states,
		(unsigned long long)totals->equal, rate, (unsigned long long)totals->violations,
		(unsigned long long)counts.trace);
	for (uint32_t i = 0; i < rig_shape_count; i++) {
		if (counts.states[i])
			fprintf(file, "  array %s: %llu\n", rig_shapes[i].name,
				(unsigned long long)counts.states[i]);
	}
	for (uint32_t i = 0; i < CHECKED_KINDS; i++) {
		if (counts.checks[i])
			fprintf(file, "  checked %s: %llu\n", checked_name((enum checked)i),
				(unsigned long long)counts.checks[i]);
	}
}

void sweep_note(const char *name, const struct sweep_totals *totals)
{
	const char *folder = getenv("SIM_STATS");
	char path[400], fresh[410];

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	FILE *file = fopen(fresh, "w");
	if (!file)
		return;
	tell(file, name, totals);
	if (fclose(file) || rename(fresh, path))
		perror(path);
}

void sweep_report(const char *name, const struct sweep_totals *totals)
{
	tell(stderr, name, totals);
	sweep_note(name, totals);
}
