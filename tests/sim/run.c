/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a script: its steps one after the other, and what each leaves of the truth. */
#include "core/array/array_internal.h"
#include "core/job/fault_inject.h"
#include "tests/sim/job_steps.h"
#include "tests/sim/sim_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void choose_steps(struct run *run, uint32_t script, struct choice *choice)
{
	for (uint32_t i = 0; i < 3; i++) {
		enum step_kind kind = STEP_NONE;

		if (script != SCRIPT_ANY)
			kind = scripts[script].steps[i];
		else /* not create: there is an array already */
			kind = (enum step_kind)(
				STEP_VOLUME_CREATE +
				choice_below(choice, STEP_KINDS - STEP_VOLUME_CREATE));
		if (kind != STEP_NONE)
			run->steps[run->step_count++] = kind;
	}
}

bool run_has_step(const struct run *run, enum step_kind kind)
{
	for (uint32_t i = 0; i < run->step_count; i++) {
		if (run->steps[i] == kind)
			return true;
	}
	return false;
}

/* A member is damaged where the code survives one more loss: work for scrub --repair. */
static void damage(struct run *run)
{
	struct inject_request request = {
		.kind = INJECT_FLIP,
		.slot = run->rig->shape->members,
		.end = UINT64_MAX,
		.count = 2,
		.seed = 7,
	};
	struct array *array = NULL;
	struct err err = { 0 };

	if (rack_array_open(&run->rack, 0, ARRAY_WRITE, 1, &array, &err))
		abort();
	while (request.slot > 0 && array_member_used(array, --request.slot) == 0)
		;
	if (inject_run(array, &request, &err))
		abort();
	array_close(array);
	run->damaged = true;
	run->spent[0]++;
}

static uint32_t degraded_max(const struct rig_shape *shape, uint32_t wanted, bool damaged)
{
	uint32_t most = damaged ? shape->tolerance - 1 : shape->tolerance;

	return most < wanted ? most : wanted;
}

uint32_t run_degraded_max(const struct rig_shape *shape, uint32_t script)
{
	bool damaged = false;

	for (uint32_t i = 0; i < 3; i++)
		damaged = damaged || scripts[script].steps[i] == STEP_SCRUB_REPAIR;
	return degraded_max(shape, scripts[script].degraded_max, damaged);
}

/* What follows from the steps and from who is absent, before anything was done. */
static void prepare(struct run *run, const struct truth *truth, uint32_t seed)
{
	const struct rig *rig = run->rig;

	run->rack = (struct rack){
		.env = sim_env_of_life(seed, run->serial),
		.media = rig->media,
		.ios_max = UINT64_MAX,
		.may_be_blank = run->blank ? ~0u : 1u << run->blank_disk,
	};
	if (run_has_step(run, STEP_SCRUB_REPAIR) && !run->lasting)
		damage(run);
	/* What was removed is wiped. */
	if (run->lasting || run_has_step(run, STEP_MEMBER_REMOVE) ||
	    run_has_step(run, STEP_REBUILD_TO) || run_has_step(run, STEP_REPLACE) ||
	    run_has_step(run, STEP_REBUILD_SPARE) || run_has_step(run, STEP_REMOVE_EVACUATE))
		run->rack.may_be_blank = ~0u;
	if (run->blank) {
		for (uint32_t i = 0; i < rig->disks; i++)
			media_write(rig->media, i, 0, NULL, media_size(rig->media));
		run->idle[0] = (1u << rig->disks) - 1;
	} else {
		truth_copy(&run->truths[0], truth);
	}
	run->ground = media_mark(rig->media);
	run->env_made = env_sim_create(seed);
	if (!run->env_made)
		abort();
	env_sim_set_life(run->env_made, run->serial);
}

void run_begin(struct run *run, const struct rig *rig, uint32_t script, struct choice *choice)
{
	memset(run, 0, sizeof(*run));
	run->rig = rig;
	run->script = script;
	run->mark = media_mark(rig->media);
	choose_steps(run, script, choice);
	run->blank = run->steps[0] == STEP_CREATE;
	uint32_t wanted =
		script == SCRIPT_ANY ? rig->shape->tolerance : scripts[script].degraded_max;
	uint32_t degraded = choice_below(
		choice, degraded_max(rig->shape, wanted, run_has_step(run, STEP_SCRUB_REPAIR)) + 1);
	uint32_t seed = choice_below(choice, 256);
	run->seed = seed;
	run->journal = (enum journal_mode)choice_below(choice, JOURNAL_COUNT);
	for (uint32_t i = 0; i < rig->disks; i++)
		run->disk_of[i] = i;
	run->blank_disk = rig->disks - 1;
	run->absent = run->away = (1u << degraded) - 1;
	run->idle[0] = 1u << run->blank_disk | run->absent;
	run->spent[0] = degraded;
	prepare(run, &rig->truth, seed);
}

void run_go_on(struct run *run, const struct run_place *place, struct choice *choice)
{
	const struct rig *rig = place->rig;

	memset(run, 0, sizeof(*run));
	run->rig = rig;
	run->script = SCRIPT_ANY;
	run->lasting = true;
	run->mark = media_mark(rig->media);
	run->serial = place->serial;
	run->step_count = 1 + choice_below(choice, STEPS_MAX - 1);
	for (uint32_t i = 0; i < run->step_count; i++) {
		run->steps[i] = place->kinds[choice_below(choice, place->kind_count)];
		run->picks[i] = choice_below(choice, 64);
	}
	uint32_t seed = choice_below(choice, 256);
	run->journal = place->journal;
	memcpy(run->disk_of, place->disk_of, sizeof(run->disk_of));
	run->blank_disk = place->blank_disk;
	run->absent = run->away = place->absent;
	run->bad = place->bad;
	run->idle[0] = place->idle | place->bad;
	run->spent[0] = (uint32_t)__builtin_popcount(place->bad);
	prepare(run, place->truth, seed);
}

#define POWER_CUTS 48u /* after so many writes and flushes a write of a few blocks is done */

/* Every write that is begun after some of them is lost, and all tasks end; what that leaves is recovered. */
static int power_cut(struct stepping *s)
{
	struct rack *rack = &s->run->rack;

	rack->power_until = rack->writes + 1 + s->run->seed % POWER_CUTS;
	int rc = step_run(STEP_WRITE_LARGE, s);
	(void)rc; /* it was done or not: the truth knows which */
	array_close(s->run->array);
	s->run->array = NULL;
	rack->power_until = 0;
	if (rack->recording)
		recording_settle(rack->recording, s->run->rig->disks);
	return step_run(STEP_REOPEN, s);
}

/* Who takes part in commits now; where the array is not open any more, as before. */
static uint32_t serving_disks(const struct run *run, uint32_t before)
{
	struct member_set serving = { 0 };
	uint32_t disks = 0;

	if (!run->array)
		return before;
	serving = array_in_service(run->array);
	for (uint32_t slot = 0; slot <= RACK_DISKS_MAX; slot++)
		disks |= member_set_has(serving, slot) ? 1u << run->disk_of[slot] : 0;
	return disks;
}

static int run_step(struct run *run, uint32_t number)
{
	struct truth *next = &run->truths[number + 1];
	struct stepping s = {
		.run = run,
		.next = next,
		.number = run->serial + number,
		.pick = run->picks[number],
		.idle = &run->idle[number + 1],
		.spent = &run->spent[number + 1],
	};

	truth_copy(next, &run->truths[number]);
	*s.idle = run->idle[number];
	*s.spent = run->spent[number];
	if (run->steps[number] == STEP_CREATE)
		*s.idle = 1u << (run->rig->disks - 1);
	/* Jobs and commits begin with nothing late, as commands do. */
	int rc = 0;
	if (run->array && run->writes.count && run->steps[number] < STEP_WRITE_SMALL)
		rc = step_settle_now(run, &s.err);
	if (!rc)
		rc = run->steps[number] == STEP_POWER_CUT ? power_cut(&s)
							  : step_run(run->steps[number], &s);
	if (!rc)
		job_steps_note_used(&s);
	run->serving[number + 1] = serving_disks(run, run->serving[number]);
	run->step_rc[number] = rc;
	if (rc)
		snprintf(run->text, sizeof(run->text), "%.199s", s.err.text);
	return rc;
}

/* A step that was refused changed nothing; after any other error the rest is not tried. */
static bool goes_on(struct run *run, uint32_t number, int rc)
{
	if (rc == 0)
		return true;
	if (run->rack.struck || !run->array || array_poisoned(run->array))
		return false;
	truth_reset(&run->truths[number + 1]);
	truth_copy(&run->truths[number + 1], &run->truths[number]);
	run->idle[number + 1] = run->idle[number];
	run->spent[number + 1] = run->spent[number];
	return true;
}

static void steps_main(void *arg)
{
	struct run *run = arg;
	struct err err = { 0 };

	if (!run->blank &&
	    rack_array_open(&run->rack, run->absent, ARRAY_WRITE, 2, &run->array, &err)) {
		run->step_rc[0] = err.code;
		snprintf(run->text, sizeof(run->text), "%.199s", err.text);
		return;
	}
	run->serving[0] = serving_disks(run, 0);
	for (uint32_t i = 0; i < run->step_count; i++) {
		if (!goes_on(run, i, run_step(run, i)))
			break;
		run->acked = i + 1;
		if (run->rack.recording)
			recording_mark(run->rack.recording, i + 1);
	}
	steps_note_told(run);
	array_close(run->array);
	run->array = NULL;
}

void run_steps(struct run *run)
{
	struct env *plain = run->rack.env;

	run->rack.env = run->env_made;
	env_sim_run(run->env_made, steps_main, run);
	run->rack.env = plain;
}

void run_rewind(struct run *run)
{
	media_undo(run->rig->media, run->ground);
	run->ground = media_mark(run->rig->media);
}

void run_reset(struct run *run)
{
	media_undo(run->rig->media, run->ground);
	media_undo(run->rig->media, run->mark);
	recording_reset(&run->recording);
	truth_writes_reset(&run->writes);
	for (uint32_t i = 0; i <= STEPS_MAX; i++)
		truth_reset(&run->truths[i]);
	env_sim_free(run->env_made);
	run->env_made = NULL;
}
