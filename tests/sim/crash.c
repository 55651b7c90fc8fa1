/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/crash.h"

#include "tests/sim/check.h"
#include "tests/sim/jobs.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u
#define TEARS_MAX 8u /* places to tear one write at */
#define RANDOM_SETS 64u
#define WATCH_ODDS 16u  /* of so many recoveries one is looked at by itself */
#define BEYOND_ODDS 32u /* of so many states one is with more disks lost than the code survives */
#define MORE_ODDS 16u   /* of so many states one gets a check that is made now and then */
#define RESUME_ODDS 4u  /* of so many states within a job one is gone on from */

/* ---- what is durable when */

/* A flush covers the writes of its disk that were completed before it was submitted. */
static void find_durable(struct crash *crash)
{
	const struct recording *recording = crash->recording;

	for (size_t i = 0; i < recording->count; i++)
		crash->durable_at[i] = NOT_YET;
	for (size_t f = recording->count; f-- > 0;) {
		const struct event *flush = &recording->events[f];

		if (flush->kind != EVENT_FLUSH)
			continue;
		for (size_t i = 0; i < f; i++) {
			const struct event *write = &recording->events[i];

			if (write->kind == EVENT_WRITE && write->disk == flush->disk &&
			    write->completed <= flush->submitted)
				crash->durable_at[i] = f + 1;
		}
	}
}

void crash_open(struct crash *crash, struct run *run, const struct recording *recording)
{
	*crash = (struct crash){ .run = run, .recording = recording, .subset_bits = 8 };
	crash->mark = media_mark(run->rig->media);
	crash->durable_at = calloc(recording->count + 1, sizeof(*crash->durable_at));
	crash->pending = calloc(recording->count + 1, sizeof(*crash->pending));
	if (!crash->durable_at || !crash->pending)
		abort();
	find_durable(crash);
}

void crash_close(struct crash *crash)
{
	media_undo(crash->run->rig->media, crash->mark);
	free(crash->durable_at);
	free(crash->pending);
	free(crash->first.values);
	recording_reset(&crash->first.recovery);
}

static void put_sectors(struct crash *crash, const struct event *write, uint64_t from, uint64_t end)
{
	media_write(crash->run->rig->media, write->disk, write->offset + from,
		    crash->recording->bytes + write->bytes + from, end - from);
}

void crash_go_to(struct crash *crash, size_t upto)
{
	const struct event *events = crash->recording->events;

	if (upto < crash->durable_upto) {
		media_undo(crash->run->rig->media, crash->mark);
		crash->mark = media_mark(crash->run->rig->media);
		crash->durable_upto = 0;
	}
	for (size_t f = crash->durable_upto; f < upto; f++) {
		if (events[f].kind != EVENT_FLUSH)
			continue;
		for (size_t i = 0; i < f; i++) {
			if (crash->durable_at[i] == f + 1)
				put_sectors(crash, &events[i], 0, events[i].size);
		}
	}
	crash->durable_upto = upto;
	crash->pending_count = 0;
	for (size_t i = 0; i < upto; i++) {
		if (events[i].kind == EVENT_WRITE && crash->durable_at[i] > upto)
			crash->pending[crash->pending_count++] = (uint32_t)i;
	}
}

/* ---- the fate of pending writes */

/* Part of one write: whole, or its beginning or end, or any of its sectors. */
static void apply_torn(struct crash *crash, const struct event *write, struct choice *choice,
		       bool may_be_whole)
{
	uint32_t sectors = (uint32_t)(write->size / SECTOR);
	uint32_t cuts = sectors - 1 < TEARS_MAX ? sectors - 1 : TEARS_MAX;
	uint32_t kind = choice_below(choice, 1 + 2 * cuts + 2);

	if (kind == 0 || sectors == 1) {
		if (may_be_whole || sectors == 1)
			put_sectors(crash, write, 0, write->size);
	} else if (kind <= 2 * cuts) {
		uint64_t cut = (uint64_t)((kind + 1) / 2) * sectors / (cuts + 1) * SECTOR;

		if (kind % 2)
			put_sectors(crash, write, 0, cut ? cut : SECTOR);
		else
			put_sectors(crash, write, cut, write->size);
	} else {
		struct rng rng = rng_seeded(write->offset * 31 + write->size * 7 + kind);

		for (uint64_t at = 0; at < write->size; at += SECTOR) {
			if (rng_next(&rng) >> 40 & 1)
				put_sectors(crash, write, at, at + SECTOR);
		}
	}
}

/* Any sectors of any pending write. */
static void apply_random(struct crash *crash, uint32_t count, uint32_t seed)
{
	struct rng rng = rng_seeded(seed * UINT64_C(1000003) + crash->durable_upto);
	uint64_t odds = 1 + rng_below(&rng, 7);

	for (uint32_t i = 0; i < count; i++) {
		const struct event *write = &crash->recording->events[crash->pending[i]];
		uint64_t fate = rng_below(&rng, 8);

		if (fate < odds)
			put_sectors(crash, write, 0, write->size);
		else if (fate == 7) {
			for (uint64_t at = 0; at < write->size; at += SECTOR) {
				if (rng_next(&rng) >> 40 & 1)
					put_sectors(crash, write, at, at + SECTOR);
			}
		}
	}
}

static void apply_whole(struct crash *crash, uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end; i++) {
		const struct event *write = &crash->recording->events[crash->pending[i]];

		put_sectors(crash, write, 0, write->size);
	}
}

/* The first `count` pending writes: every set of them if they are few, else the usual suspects. */
static void apply_set(struct crash *crash, uint32_t count, struct choice *choice)
{
	enum { ALL, MISSING, PRESENT_ONE, PREFIX, SUFFIX, RANDOM, SETS };
	const struct event *events = crash->recording->events;

	if (count <= crash->subset_bits) {
		for (uint32_t i = 0; i < count; i++) {
			const struct event *write = &events[crash->pending[i]];

			if (choice_below(choice, 2))
				put_sectors(crash, write, 0, write->size);
		}
		return;
	}
	uint32_t which = choice_below(choice, SETS);
	uint32_t one = which == ALL      ? 0
		       : which == RANDOM ? choice_below(choice, RANDOM_SETS)
					 : choice_below(choice, count);
	switch (which) {
	case ALL:
		apply_whole(crash, 0, count);
		break;
	case MISSING:
		apply_whole(crash, 0, one);
		apply_whole(crash, one + 1, count);
		break;
	case PRESENT_ONE:
		apply_whole(crash, one, one + 1);
		break;
	case PREFIX:
		apply_whole(crash, 0, one);
		break;
	case SUFFIX:
		apply_whole(crash, one + 1, count);
		break;
	default:
		apply_random(crash, count, one);
	}
}

/* ---- a state */

static uint32_t marks_before(const struct crash *crash, size_t upto)
{
	uint32_t mark = 0;

	for (size_t i = 0; i < upto; i++) {
		if (crash->recording->events[i].kind == EVENT_MARK)
			mark = crash->recording->events[i].mark;
	}
	return mark;
}

/* The same for the same choices, so that a replay makes the same checks. */
static uint32_t hash_of(const struct choice *choice)
{
	uint64_t hash = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < choice->at; i++)
		hash = (hash ^ choice->value[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(hash >> 32);
}

/* What a replay shows of a recording. */
static void tell(const char *name, const struct recording *recording, size_t upto)
{
	static const char *const kinds[] = { "write", "flush", "mark" };

	for (size_t i = 0; i < upto; i++) {
		const struct event *event = &recording->events[i];

		printf("%s %zu: %s disk %u, %s at %llu, %llu bytes\n", name, i, kinds[event->kind],
		       event->disk, io_role_name(event->role), (unsigned long long)event->offset,
		       (unsigned long long)event->size);
	}
}

/* Open, recover, commit, go on with a job: what is done first after a power loss. */
static void recover(struct crash *crash, uint32_t missing, struct recording *recording)
{
	/* The one of the most depth is the first. */
	const uint64_t life = crash->run->serial * UINT64_C(8) + crash->depth - 1;
	struct rack rack = {
		.env = sim_env_of_life((UINT64_C(2) << 32) + crash->moment, life),
		.media = crash->run->rig->media,
		.ios_max = UINT64_MAX,
		.may_be_blank = crash->run->rack.may_be_blank,
		.recording = recording,
	};
	struct array *array = NULL;
	struct err err = { 0 };

	if (rack_array_open(&rack, missing, ARRAY_WRITE, 1, &array, &err))
		return;
	if (array_commit(array, &err) == 0 && jobs_in_run(crash->run) &&
	    jobs_unfinished(array_map(array)))
		(void)!jobs_resume(crash->run, array, !(missing | crash->run->absent), &err,
				   &crash->run->broken);
	array_close(array);
}

/* The same choices up to here as last time. */
static bool is_same_first(const struct first_crash *first, const struct choice *choice)
{
	return first->choices == choice->at &&
	       memcmp(first->values, choice->value, choice->at * sizeof(*choice->value)) == 0;
}

/* Record what the recovery from the state does that the media have now. */
static void record_recovery(struct crash *crash, uint32_t missing, const struct choice *choice)
{
	struct first_crash *first = &crash->first;
	struct media *media = crash->run->rig->media;
	uint32_t mark = media_mark(media);

	recording_reset(&first->recovery);
	recover(crash, missing, &first->recovery);
	media_undo(media, mark);
	first->choices = choice->at;
	first->values = realloc(first->values, choice->at * sizeof(*first->values));
	if (!first->values)
		abort();
	memcpy(first->values, choice->value, choice->at * sizeof(*first->values));
}

/* Crash the recovery from the state that the media have now, and check what is left. */
static bool check_nested(struct crash *crash, const struct check *first, struct choice *choice,
			 struct wrong *wrong)
{
	struct crash inner;
	bool good;

	if (!is_same_first(&crash->first, choice)) {
		record_recovery(crash, first->missing, choice);
		if ((!crash->seen || hash_of(choice) % WATCH_ODDS == 0) &&
		    !watch_recording(crash->run, &crash->first.recovery, first->missing, wrong))
			return false;
	}
	crash_open(&inner, crash->run, &crash->first.recovery);
	inner.nested = true;
	inner.acked = first->acked;
	inner.moment = first->moment;
	inner.missing = first->missing | crash->missing;
	inner.seen = crash->seen;
	inner.depth = crash->depth - 1;
	inner.leaf = crash->leaf;
	inner.leaf_arg = crash->leaf_arg;
	good = crash_state(&inner, choice, wrong);
	crash->states += inner.states;
	crash->equal += inner.equal;
	crash_close(&inner);
	return good;
}

/* Which of two equal media are the same state: what is missing, and what is right, must be equal too. */
static uint64_t key_of(const struct crash *crash, const struct check *check)
{
	uint64_t key = sim_mix(media_hash(crash->run->rig->media), check->missing);

	key = sim_mix(key, crash->depth * 4 + crash->nested * 2u + check->beyond);
	key = sim_mix(key, check->lost);
	key = sim_mix(key, check->acked);
	for (uint32_t i = 0; i < crash->run->writes.count; i++) {
		const struct truth_write *write = &crash->run->writes.at[i];

		key = sim_mix(key, (write->begun < check->moment) * 2u +
					   (write->acked <= check->moment) +
					   (write->touched <= check->moment) * 4u);
	}
	return key;
}

/* Was this state checked before? The first crash of two comes again for each moment of its recovery. */
static bool is_seen(struct crash *crash, const struct check *check, const struct choice *choice)
{
	if (!crash->seen || (crash->depth && (is_same_first(&crash->first, choice) ||
					      choice->mode != CHOICE_ODOMETER)))
		return false;
	if (sim_set_add(crash->seen, key_of(crash, check)))
		return false;
	crash->equal++;
	return true;
}

/*
 * In a recovery without some members these may come back, older than the others; others may only be
 * lost as far as the budget goes with those that were missing counted.
 */
static uint32_t nested_losses(const struct crash *crash, uint32_t count, uint32_t *losses)
{
	/* Those that were absent from the beginning count once they are whole again. */
	const uint32_t *idle = &crash->run->idle[crash->acked];
	bool in_step = crash->acked < crash->run->step_count;
	uint32_t unused = crash->run->absent & (in_step ? idle[0] & idle[1] : idle[0]);
	uint32_t counting = ~unused, most = 0, kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = (uint32_t)__builtin_popcount(losses[i] & counting);

		most = size > most ? size : most;
	}
	/* A job that went on in the recovery may have put something on those that were there. */
	if (crash->run->lasting || jobs_in_run(crash->run))
		counting = ~(unused & crash->missing);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t both = (losses[i] | crash->missing) & counting;

		if ((uint32_t)__builtin_popcount(both) <= most)
			losses[kept++] = losses[i];
	}
	return kept;
}

/* A disk that lies is the loss; those that were absent may come back. */
static uint32_t no_losses(const struct run *run, uint32_t count, uint32_t *losses)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if ((losses[i] & ~run->absent) == 0)
			losses[kept++] = losses[i];
	}
	if (kept == 0)
		losses[kept++] = run->absent;
	return kept;
}

static bool check_here(struct crash *crash, size_t upto, struct choice *choice, struct wrong *wrong)
{
	static uint32_t losses[256];
	struct check check = {
		.run = crash->run,
		.acked = crash->nested ? crash->acked : marks_before(crash, upto),
		.moment = crash->nested ? crash->moment : upto,
	};

	check.in_step = check.acked < crash->run->step_count;
	uint32_t count = check_losses(crash->run, check.acked, check.in_step, losses);
	check.lost = crash->missing;
	check.liars = crash->run->liars;
	if (crash->nested)
		count = nested_losses(crash, count, losses);
	if (check.liars)
		count = no_losses(crash->run, count, losses);
	check.missing = losses[choice_below(choice, count)];
	if (!crash->nested && !crash->depth && !crash->leaf && !check.liars &&
	    hash_of(choice) / 7 % BEYOND_ODDS == 0) {
		check.beyond = true;
		check.missing |= hash_of(choice) >> 8 & ((1u << crash->run->rig->disks) - 1);
	}
	if (is_seen(crash, &check, choice))
		return true;
	if (crash->depth)
		return check_nested(crash, &check, choice, wrong);
	if (crash->leaf)
		return crash->leaf(crash->leaf_arg, &check, choice, wrong);
	if (hash_of(choice) % MORE_ODDS == 0 && !check.liars && !check.beyond)
		check.more = 1u << hash_of(choice) / MORE_ODDS % 4;
	if (hash_of(choice) / 3 % RESUME_ODDS == 0 && !check.liars && !check.beyond &&
	    jobs_in_run(crash->run))
		check.more |= MORE_RESUME;
	crash->states++;
	return check_media(&check, wrong);
}

bool crash_state(struct crash *crash, struct choice *choice, struct wrong *wrong)
{
	struct media *media = crash->run->rig->media;
	size_t upto = choice_below(choice, (uint32_t)crash->recording->count + 1);
	const struct event *last = upto ? &crash->recording->events[upto - 1] : NULL;
	uint32_t others;

	if (last && last->kind == EVENT_FLUSH)
		return true; /* nothing that was not possible before it */
	crash_go_to(crash, upto);
	if (check_verbose)
		tell(crash->nested ? "recovery" : "run", crash->recording, upto);
	others = crash->pending_count;
	uint32_t mark = media_mark(media);
	if (last && last->kind == EVENT_WRITE) {
		others--;
		apply_set(crash, others, choice);
		apply_torn(crash, last, choice, true);
	} else {
		apply_set(crash, others, choice);
	}
	bool good = check_here(crash, upto, choice, wrong);
	media_undo(media, mark);
	return good;
}
