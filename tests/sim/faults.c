/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/faults.h"

#include "core/array/array_internal.h"
#include "core/job/rebuild_delta.h"
#include "tests/sim/check.h"
#include "tests/sim/jobs.h"
#include "tests/sim/sim_env.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IOS_MAX 100000u /* of a run: the longest without faults needs some thousands */
/* A disk that hangs is waited for once in each opening of the array, of which a run has so many at most. */
#define TIMEOUTS_MAX 12u
#define LIES 6u /* moments of power losses after a flush that was none */

static struct tally {
	uint64_t cases, struck, failed, beyond, exceptions;
} tallies[DISK_FAULT_KINDS];

/* What the last case was. */
static struct {
	uint32_t kind;
	bool struck, failed, beyond;
} last;

/* ---- which faults there are */

/* Cases of one kind at one operation: once and for ever, and what comes at random then. */
static uint32_t cases_of(enum disk_fault_kind kind, enum io_op op)
{
	if (!disk_fault_strikes(kind, op))
		return 0;
	return kind == DISK_LYING_FLUSH ? 2 * LIES : 2;
}

static uint32_t cases_at(enum io_op op)
{
	uint32_t cases = 0;

	for (uint32_t kind = 0; kind < DISK_FAULT_KINDS; kind++)
		cases += cases_of((enum disk_fault_kind)kind, op);
	return cases;
}

uint64_t fault_count(const struct rack_io *log, uint64_t ios)
{
	uint64_t count = 0;

	assert(ios <= FAULT_IOS_MAX);
	for (uint64_t i = 0; i < ios; i++)
		count += cases_at(log[i].op);
	return count;
}

struct fault_choice fault_number(const struct rack_io *log, uint64_t ios, uint64_t number)
{
	uint64_t i = 0;
	uint32_t kind = 0;

	for (; number >= cases_at(log[i].op); i++)
		number -= cases_at(log[i].op);
	assert(i < ios);
	for (; number >= cases_of((enum disk_fault_kind)kind, log[i].op); kind++)
		number -= cases_of((enum disk_fault_kind)kind, log[i].op);
	assert(kind < DISK_FAULT_KINDS);
	return (struct fault_choice){
		{ log[i].disk, kind, (uint32_t)(number % 2), (uint32_t)i },
	};
}

/* ---- what is expected */

/* The disk acknowledged what it did not do. */
static bool is_missed(uint32_t kind)
{
	return kind == DISK_LOST_WRITE || kind == DISK_TORN_WRITE || kind == DISK_MISDIRECTED_WRITE;
}

/*
 * A job carries each extent as it is read, with its seal (GROW.md section 1): of an old reading it makes an old extent,
 * as if writes had been missed there.
 */
static bool is_carried(const struct run *run, uint32_t kind)
{
	return kind == DISK_STALE_READ && jobs_in_run(run);
}

/* What is read is not what was written. */
static bool corrupts(uint32_t kind)
{
	return kind == DISK_FLIP_READ || kind == DISK_FLIP_WRITE || kind == DISK_STALE_READ ||
	       kind == DISK_MISDIRECTED_READ || is_missed(kind);
}

/* A member of which all that it gets now is what it missed. */
static bool is_taken_in(const struct run *run, uint32_t step, uint32_t disk)
{
	return run->steps[step] == STEP_RESTORE && ((run->absent | run->idle[step]) >> disk & 1);
}

/* The disk says that it did not write something. */
static bool says_so(const struct disk_fault *fault)
{
	static const bool kinds[DISK_FAULT_KINDS] = {
		[DISK_WRITE_ERROR] = true, [DISK_FLUSH_ERROR] = true, [DISK_NO_SPACE] = true,
		[DISK_GONE] = true,        [DISK_SHORT] = true,       [DISK_HANG] = true,
	};

	return kinds[fault->kind];
}

/*
 * What nobody can read yet need not be saved (FAULTS A14, "ERR to caller"): where the disk says that it did not write
 * something, that ends with an error and nothing is published. Nor is there a new group without enough members.
 */
static bool put_may_fail(const struct disk_fault *fault, int rc)
{
	return says_so(fault) || rc == ERR_TOO_FEW || rc == ERR_LIMIT;
}

/* May the step fail although the array survives the fault? */
static bool may_fail(const struct run *run, uint32_t step, const struct disk_fault *fault)
{
	enum step_kind kind = run->steps[step];
	int rc = run->step_rc[step];
	bool takes_new = kind == STEP_ADD || kind == STEP_REBUILD_TO || kind == STEP_REBUILD_FREE ||
			 kind == STEP_REPLACE;

	/* A job that moves groups ends with an error, and each group is where it was or where it goes. */
	if (kind == STEP_CREATE || jobs_in_step(kind) || kind == STEP_REBUILD_SPARE)
		return true;
	/* Two members under one label count as one: without another there may be too few. */
	if (kind == STEP_PUT && step > 0 && run->steps[step - 1] == STEP_TOPOLOGY &&
	    rc == ERR_NOSPACE && run->rig->shape->layout != LAYOUT_MIRROR)
		return true;
	if (kind == STEP_PUT || kind == STEP_APPEND || kind == STEP_PUT_LARGE)
		return put_may_fail(fault, rc);
	if (kind == STEP_VOLUME_CREATE && (rc == ERR_TOO_FEW || rc == ERR_LIMIT))
		return true; /* it has groups, and they need members */
	if ((takes_new && fault->disk == run->rig->disks - 1) ||
	    is_taken_in(run, step, fault->disk))
		return true;
	/* What it was when it was blank: it says that it is no member. */
	if (rc == ERR_NOT_MEMBER && fault->kind == DISK_STALE_READ &&
	    fault->disk == run->rig->disks - 1)
		return true;
	/* What a write without space left half-way is closed till the next open, to writes and repairs (WRITES.md). */
	if ((kind == STEP_SCRUB_REPAIR || kind == STEP_WRITE_SMALL || kind == STEP_WRITE_ROWS ||
	     kind == STEP_WRITE_LARGE || kind == STEP_WRITERS) &&
	    rc == ERR_NOSPACE && run_has_step(run, STEP_WRITE_FULL))
		return true;
	/* Without the member that failed there may be none left that has room; or each extent is where it was. */
	if (kind == STEP_REBUILD_FREE && (rc == ERR_NOSPACE || (rc == ERR_IO && says_so(fault))))
		return true;
	/* The disk is lost together with the crash: a row under way without content may be. */
	if (step > 0 && run->steps[step - 1] == STEP_POWER_CUT && rc == ERR_DATA_LOST)
		return run->journal != JOURNAL_SMALL;
	return fault->kind == DISK_NO_SPACE && rc == ERR_NOSPACE;
}

/* Of the losses that the code survives; one more where the step has a member fail. */
static uint32_t spent_in(const struct run *run, uint32_t step)
{
	uint32_t spent =
		run->spent[step] > run->spent[step + 1] ? run->spent[step] : run->spent[step + 1];

	return run->steps[step] == STEP_WRITE_GONE && spent == run->spent[step] ? spent + 1 : spent;
}

static bool steps_did_well(const struct run *run, const struct disk_fault *fault,
			   struct wrong *wrong)
{
	for (uint32_t i = 0; i < run->step_count; i++) {
		int rc = run->step_rc[i];

		if (rc && rc != ERR_STATE && rc != ERR_UNSAFE &&
		    spent_in(run, i) < run->rig->shape->tolerance && !may_fail(run, i, fault))
			return wrong_set(wrong, "outcome", "%s: %s: %.150s; the fault: %s, disk %u",
					 step_name(run->steps[i]), err_name(rc), run->text,
					 disk_fault_name(fault->kind), fault->disk);
	}
	return true;
}

/* ---- one case */

/* After a flush that was none the power fails: what the disk had not written is lost. */
static bool crash_after_lie(struct run *run, struct choice *choice, struct wrong *wrong)
{
	struct crash crash;

	run_rewind(run);
	run->rack.fault_count = 0;
	crash_open(&crash, run, &run->recording);
	bool good = crash_state(&crash, choice, wrong);
	crash_close(&crash);
	return good;
}

/* The disk said that it did not do it: whoever overlooks that has a disk that is not whole. */
static bool told_of_it(enum disk_fault_kind kind)
{
	return kind == DISK_WRITE_ERROR || kind == DISK_FLUSH_ERROR || kind == DISK_GONE ||
	       kind == DISK_SHORT || kind == DISK_HANG;
}

static bool is_in_service(const struct array *array, uint32_t disk)
{
	char name[16];

	snprintf(name, sizeof(name), "disk%u", disk);
	for (uint32_t slot = 0; slot <= RACK_DISKS_MAX; slot++) {
		struct dev *dev = array_dev(array, slot);

		if (dev && strcmp(dev_name(dev), name) == 0)
			return array->members[slot].presence == PRESENT &&
			       array_member_usable(array, slot) &&
			       rebuild_delta_count(array, slot) == 0;
	}
	return false;
}

/* Does the array say that the disk has all that it should have? Then nothing of the budget is used up by it. */
static bool is_said_to_be_whole(const struct run *run, uint32_t disk)
{
	struct rack rack = {
		.env = sim_env(UINT64_C(5) << 32),
		.media = run->rig->media,
		.ios_max = IOS_MAX,
		.may_be_blank = run->rack.may_be_blank,
		.leave_log = true,
	};
	struct array *array = NULL;
	struct err err = { 0 };
	bool whole = false;

	if (rack_array_open(&rack, run->away, ARRAY_READ, 1, &array, &err) == 0)
		whole = is_in_service(array, disk);
	array_close(array);
	return whole;
}

static bool judge(struct run *run, const struct disk_fault *fault, struct choice *choice,
		  struct wrong *wrong)
{
	uint64_t took = env_now_ns(run->env_made);

	if (run->rack.ios >= run->rack.ios_max)
		return wrong_set(wrong, "bounds", "the run does not end");
	if (took / RACK_LIMIT_NS > TIMEOUTS_MAX)
		return wrong_set(wrong, "bounds", "a disk that hangs was waited for %llu times",
				 (unsigned long long)(took / RACK_LIMIT_NS));
	/* What is old verifies, and nobody is there who knows better; a record may have one copy only. */
	if (run->beyond && (run->missed || fault->kind == DISK_STALE_READ ||
			    (fault->kind == DISK_FLIP_WRITE && run->rack.struck_log)))
		return true;
	if (!run->beyond && !steps_did_well(run, fault, wrong))
		return false;
	if (fault->kind == DISK_LYING_FLUSH) {
		run->liars = 1u << fault->disk;
		return crash_after_lie(run, choice, wrong);
	}
	/* What the disk holds from now on may be wrong: one loss of the budget. */
	bool whole =
		!run->beyond && told_of_it(fault->kind) && is_said_to_be_whole(run, fault->disk);
	return check_end(run, !whole, 1u << fault->disk, choice, wrong);
}

static uint8_t *copy_of_disk(const struct media *media, uint32_t disk)
{
	uint8_t *bytes = malloc(media_size(media));

	if (!bytes)
		abort();
	memcpy(bytes, media_bytes(media, disk), media_size(media));
	return bytes;
}

static void note(const struct run *run, uint32_t kind)
{
	last.kind = kind;
	last.struck = run->rack.struck > 0;
	last.beyond = run->beyond;
	last.failed = false;
	for (uint32_t i = 0; i < run->step_count; i++)
		last.failed = last.failed || run->step_rc[i];
}

/* Was a fault, at any time, one more than what was spent then leaves? */
static bool was_beyond(const struct run *run)
{
	uint32_t end = run->acked < run->step_count ? run->acked + 1 : run->acked;
	bool beyond = false;

	for (uint32_t i = 0; i <= end; i++)
		beyond = beyond || run->spent[i] >= run->rig->shape->tolerance;
	return beyond;
}

bool fault_case(struct run *run, struct choice *choice, struct wrong *wrong)
{
	uint32_t disk = choice_below(choice, run->rig->disks);
	uint32_t kind = choice_below(choice, DISK_FAULT_KINDS);
	bool forever = choice_below(choice, 2) == 1;
	const struct disk_fault fault = {
		.kind = (enum disk_fault_kind)kind,
		.disk = disk,
		.at = choice_below(choice, FAULT_IOS_MAX),
		.forever = forever,
	};
	uint8_t *before = kind == DISK_STALE_READ ? copy_of_disk(run->rig->media, disk) : NULL;

	run->rack.faults[0] = fault;
	run->rack.fault_count = 1;
	run->rack.before = before;
	run->missed = is_missed(kind) || is_carried(run, kind);
	run->corrupts = corrupts(kind);
	run->rack.ios_max = IOS_MAX;
	if (kind == DISK_LYING_FLUSH)
		run->rack.recording = &run->recording;
	run_steps(run);
	run->rack.recording = NULL;
	run->rack.before = NULL;
	free(before);
	run->beyond = was_beyond(run);
	note(run, kind);
	return run->rack.struck == 0 || judge(run, &fault, choice, wrong);
}

/* ---- the report */

void fault_count_case(bool good)
{
	struct tally *tally = &tallies[last.kind];

	tally->cases++;
	tally->struck += last.struck;
	tally->beyond += last.struck && last.beyond;
	tally->failed += last.struck && last.failed;
	tally->exceptions += !good;
}

static void report_line(const char *name, const struct tally *tally)
{
	fprintf(stderr, "%-22s %9llu %9llu %9llu %9llu %9llu\n", name,
		(unsigned long long)tally->cases, (unsigned long long)tally->struck,
		(unsigned long long)tally->beyond, (unsigned long long)tally->failed,
		(unsigned long long)tally->exceptions);
}

void fault_report(void)
{
	struct tally sum = { 0 };

	fprintf(stderr, "%-22s %9s %9s %9s %9s %9s\n", "fault", "cases", "struck", "beyond",
		"errors", "wrong");
	for (uint32_t kind = 0; kind < DISK_FAULT_KINDS; kind++) {
		const struct tally *tally = &tallies[kind];

		report_line(disk_fault_name((enum disk_fault_kind)kind), tally);
		sum.cases += tally->cases;
		sum.struck += tally->struck;
		sum.beyond += tally->beyond;
		sum.failed += tally->failed;
		sum.exceptions += tally->exceptions;
	}
	report_line("all", &sum);
}
