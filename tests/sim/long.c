/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/long.h"

#include "core/array/array_internal.h"
#include "core/job/rebuild_delta.h"
#include "core/job/scrub.h"
#include "tests/sim/check.h"
#include "tests/sim/crash.h"
#include "tests/sim/jobs.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_STEPS_MAX 30u
#define LONG_IOS_MAX 100000u /* of one run of steps with a fault */

/* One run of steps, and what it goes on from. */
struct stretch {
	struct run_place place;
	struct truth truth;
	uint32_t depth_max; /* power losses in recoveries */
	bool faults, ends;  /* single faults; some runs end without a power loss */
	uint64_t *states;
	struct run run;
};

static bool stretch_run(struct stretch *stretch, struct choice *choice, struct wrong *wrong);

/* ---- what the next run goes on from */

static void read_truth(struct truth *truth, struct array *array, bool *lossy_out,
		       struct wrong *wrong)
{
	const struct map *map = array_map(array);

	for (uint32_t i = 0; i < map->volume_count && !wrong->what; i++) {
		const struct volume *volume = map->volumes[i];
		struct array_read_result result = { 0 };
		struct err err = { 0 };

		truth_put(truth, volume->name, volume->length, 0);
		if (array_read(array, volume, 0, truth->volumes[i].bytes, volume->length, &result,
			       &err))
			wrong_set(wrong, "read", "volume %.100s: %.200s", volume->name, err.text);
		*lossy_out = *lossy_out || result.lost;
	}
}

/* Which member a disk is, by its superblock; absent ones too. */
static void find_disks(struct run_place *place, const struct map *map, struct rack *rack)
{
	for (uint32_t slot = 0; slot <= RACK_DISKS_MAX; slot++)
		place->disk_of[slot] = RACK_DISKS_MAX;
	for (uint32_t disk = 0; disk < place->rig->disks; disk++) {
		struct dev *dev = rack_dev_open(rack, disk);
		struct array_probe probe = { 0 };
		struct err err = { 0 };

		if (!dev || array_probe(&probe, dev, &err))
			probe.valid_slots = 0;
		for (uint32_t i = 0; probe.valid_slots && i < map->member_count; i++) {
			if (uuid_equal(&map->members[i].uuid, &probe.member) &&
			    map->members[i].slot <= RACK_DISKS_MAX)
				place->disk_of[map->members[i].slot] = disk;
		}
		dev_close(dev);
	}
}

/* Who holds what: by the map, which says what is stale. */
static void judge_disks(struct run_place *place, struct array *array, uint32_t missing)
{
	const struct map *map = array_map(array);
	uint32_t members = 0;

	place->absent = missing;
	place->bad = place->idle = 0;
	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;
		uint32_t bit = 1u << place->disk_of[slot];

		members |= bit;
		if (array_member_used(array, slot) == 0)
			place->idle |= bit;
		else if ((missing & bit) || !array_member_usable(array, slot) ||
			 rebuild_delta_count(array, slot) > 0)
			place->bad |= bit;
	}
	place->blank_disk = RACK_DISKS_MAX;
	for (uint32_t disk = 0; disk < place->rig->disks; disk++) {
		if (members >> disk & 1)
			continue;
		place->idle |= 1u << disk;
		if (!(missing >> disk & 1))
			place->blank_disk = disk;
	}
}

/* A disk that gave nothing, or wrong bytes, for a while: what it missed by that only a scrub can tell (FAULTS A2, A4). */
static bool was_misread(const struct run *run)
{
	enum disk_fault_kind kind = run->rack.faults[0].kind;

	return run->rack.fault_count > 0 && run->rack.struck > 0 &&
	       (kind == DISK_READ_ERROR || kind == DISK_FLIP_READ);
}

/*
 * Members were lost together with the crash, and rows that were under way without content with them: perhaps blocks that
 * no volume reaches, but the checks that know them fit nothing any more, and others of the row cannot be solved.
 */
static bool is_short_of_rows(const struct check *check, struct array *array, struct wrong *wrong)
{
	bool mends = was_misread(check->run);
	const struct scrub_request request = { .mode = mends ? SCRUB_REPAIR : SCRUB_CHECK };
	struct scrub_report report = { 0 };
	struct err err = { 0 };

	if (!mends && !check_may_lose_rows(check))
		return false;
	if (scrub_run(array, &request, &report, &err))
		wrong_set(wrong, "scrub", "%s", err.text);
	return mends ? report.left > 0 : report.mismatches > 0;
}

/* Open what the crash left, use it, and see what there is. False: the run ends here. */
static bool take_over(struct stretch *next, const struct check *check, struct wrong *wrong)
{
	struct rack rack = {
		.env = sim_env((UINT64_C(6) << 32) + next->place.serial),
		.media = check->run->rig->media,
		.ios_max = UINT64_MAX,
		.may_be_blank = ~0u,
	};
	struct array *array = NULL;
	struct err err = { 0 };
	bool lossy = false;

	if (rack_array_open(&rack, check->missing, ARRAY_WRITE, 1, &array, &err))
		return false; /* refused, and check_media() found that right */
	if (array_commit(array, &err))
		wrong_set(wrong, "commit", "%s: %.380s", err_name(err.code), err.text);
	else
		read_truth(&next->truth, array, &lossy, wrong);
	lossy = lossy || is_short_of_rows(check, array, wrong);
	find_disks(&next->place, array_map(array), &rack);
	judge_disks(&next->place, array, check->missing);
	array_close(array);
	/* Each group has lost few members, but not all of them the same. */
	if ((uint32_t)__builtin_popcount(next->place.bad) > next->place.rig->shape->tolerance)
		return false;
	/* Where nobody holds anything all may go, and nothing says who is right when they come back. */
	if (next->place.idle == (1u << next->place.rig->disks) - 1)
		return false;
	/* What is lost stays lost until it is written again: enough for one run. */
	return !wrong->what && !lossy;
}

static struct stretch *stretch_after(const struct stretch *last)
{
	struct stretch *next = calloc(1, sizeof(*next));

	if (!next)
		abort();
	next->place = last->place;
	next->place.truth = &next->truth;
	next->place.serial += last->run.step_count;
	next->depth_max = last->depth_max;
	next->faults = last->faults;
	next->ends = last->ends;
	next->states = last->states;
	return next;
}

/* Check what the power loss left; then go on from there. */
static bool stretch_end(void *arg, const struct check *check, struct choice *choice,
			struct wrong *wrong)
{
	struct stretch *stretch = arg;
	struct media *media = stretch->place.rig->media;
	struct check all = *check;
	bool good;

	++*stretch->states;
	all.more = 1u << choice_below(choice, 5) & ~16u;
	if (jobs_in_run(check->run) && choice_below(choice, 2))
		all.more |= MORE_RESUME;
	if (!check_media(&all, wrong))
		return false;
	struct stretch *next = stretch_after(stretch);
	uint32_t mark = media_mark(media);
	good = !take_over(next, check, wrong) || stretch_run(next, choice, wrong);
	media_undo(media, mark);
	truth_reset(&next->truth);
	free(next);
	return good && !wrong->what;
}

/* ---- one run of steps */

/* One fault of one disk: it counts as a loss from the beginning. */
static void choose_fault(struct stretch *stretch, struct choice *choice)
{
	static const enum disk_fault_kind kinds[] = { DISK_READ_ERROR, DISK_FLIP_READ,
						      DISK_WRITE_ERROR, DISK_FLUSH_ERROR,
						      DISK_GONE };
	struct run *run = &stretch->run;

	if (!stretch->faults || run->spent[0] >= run->rig->shape->tolerance ||
	    choice_below(choice, 3) > 0)
		return;
	run->rack.faults[0] = (struct disk_fault){
		.kind = kinds[choice_below(choice, sizeof(kinds) / sizeof(kinds[0]))],
		.disk = choice_below(choice, run->rig->disks),
		.at = choice_below(choice, 300),
		.forever = choice_below(choice, 2) == 1,
	};
	run->rack.fault_count = 1;
	run->rack.ios_max = LONG_IOS_MAX;
	run->spent[0]++;
}

/* It ends as a process does that is killed: what it wrote is there. */
static bool end_without_crash(struct stretch *stretch, struct choice *choice, struct wrong *wrong)
{
	static uint32_t losses[256];
	struct run *run = &stretch->run;
	struct check check = {
		.run = run,
		.acked = run->acked,
		.in_step = run->acked < run->step_count,
		.moment = NOT_YET - 1,
	};
	uint32_t count = check_losses(run, check.acked, check.in_step, losses);

	check.missing = losses[choice_below(choice, count)];
	return stretch_end(stretch, &check, choice, wrong);
}

static bool crash_somewhere(struct stretch *stretch, struct choice *choice, struct wrong *wrong)
{
	struct run *run = &stretch->run;
	struct crash crash;
	bool good;

	run_rewind(run);
	if (!watch_recording(run, &run->recording, run->absent, wrong))
		return false;
	crash_open(&crash, run, &run->recording);
	crash.depth = choice_below(choice, stretch->depth_max + 1);
	crash.leaf = stretch_end;
	crash.leaf_arg = stretch;
	good = crash_state(&crash, choice, wrong);
	crash_close(&crash);
	return good;
}

static bool stretch_run(struct stretch *stretch, struct choice *choice, struct wrong *wrong)
{
	struct run *run = &stretch->run;
	bool good;

	if (stretch->place.serial >= LONG_STEPS_MAX)
		return true;
	run_go_on(run, &stretch->place, choice);
	choose_fault(stretch, choice);
	run->rack.recording = &run->recording;
	run_steps(run);
	run->rack.recording = NULL;
	if (run->rack.ios >= run->rack.ios_max)
		good = wrong_set(wrong, "bounds", "the run does not end");
	else if (stretch->ends && choice_below(choice, 2))
		good = end_without_crash(stretch, choice, wrong);
	else
		good = crash_somewhere(stretch, choice, wrong);
	run_reset(run);
	return good;
}

/* A random half of the steps; writes are chosen more often. */
static void choose_swarm(struct stretch *first, struct choice *choice)
{
	struct run_place *place = &first->place;

	/* The steps behind it keep no account of who is bad. */
	for (uint32_t kind = STEP_VOLUME_CREATE; kind <= STEP_RESTORE; kind++) {
		if (choice_below(choice, 2))
			place->kinds[place->kind_count++] = (enum step_kind)kind;
	}
	if (place->kind_count == 0)
		place->kinds[place->kind_count++] = STEP_WRITE_LARGE;
	place->journal = (enum journal_mode)choice_below(choice, JOURNAL_COUNT);
	first->depth_max = choice_below(choice, 4);
	first->faults = choice_below(choice, 2);
	first->ends = choice_below(choice, 2);
	for (uint32_t kind = STEP_EXPAND; kind <= STEP_EVACUATE; kind++) {
		if (choice_below(choice, 2))
			place->kinds[place->kind_count++] = (enum step_kind)kind;
	}
}

bool long_case(const struct rig *rig, struct choice *choice, uint64_t *states_out,
	       struct wrong *wrong)
{
	struct stretch *first = calloc(1, sizeof(*first));
	bool good;

	if (!first)
		abort();
	*states_out = 0;
	first->states = states_out;
	first->place.rig = rig;
	first->place.truth = &rig->truth;
	for (uint32_t i = 0; i < rig->disks; i++)
		first->place.disk_of[i] = i;
	first->place.blank_disk = rig->disks - 1;
	first->place.idle = 1u << first->place.blank_disk;
	choose_swarm(first, choice);
	good = stretch_run(first, choice, wrong);
	free(first);
	return good;
}
