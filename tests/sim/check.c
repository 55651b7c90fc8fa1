/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/check.h"

#include "core/array/array_internal.h"
#include "core/job/rebuild.h"
#include "core/job/scrub.h"
#include "core/job/transfer.h"
#include "tests/sim/counts.h"
#include "tests/sim/excuse.h"
#include "tests/sim/jobs.h"
#include "tests/sim/sim_env.h"

#include <stdio.h>
#include <string.h>

#define IOS_MAX 20000u /* of one check: a small array needs a few hundred */

bool check_verbose;

static uint32_t idle_disks(const struct run *run, uint32_t acked, bool in_step)
{
	return in_step ? run->idle[acked] & run->idle[acked + 1] : run->idle[acked];
}

static uint32_t budget(const struct run *run, uint32_t acked, bool in_step)
{
	uint32_t spent = run->spent[acked];

	if (in_step && run->spent[acked + 1] > spent)
		spent = run->spent[acked + 1];
	return spent > run->rig->shape->tolerance ? 0 : run->rig->shape->tolerance - spent;
}

/* Nobody would be left who took part in the last commit: those who are back then know an older one. */
static bool nobody_knows(const struct run *run, uint32_t acked, bool in_step, uint32_t lost)
{
	uint32_t now = run->serving[acked], next = in_step ? run->serving[acked + 1] : 0;

	return (now && (now & ~lost) == 0) || (next && (next & ~lost) == 0);
}

uint32_t check_losses(const struct run *run, uint32_t acked, bool in_step,
		      uint32_t losses_out[static 256])
{
	uint32_t idle = idle_disks(run, acked, in_step);
	uint32_t most = budget(run, acked, in_step), count = 0;

	for (uint32_t set = 0; set < 1u << run->rig->disks; set++) {
		if ((set & idle) || (uint32_t)__builtin_popcount(set) > most ||
		    nobody_knows(run, acked, in_step, set))
			continue;
		losses_out[count++] = set;
		if (run->absent && count < 256) /* they come back, or they do not */
			losses_out[count++] = set | (run->absent & idle);
		if (count >= 255)
			break;
	}
	return count;
}

static bool step_may_be_done(const struct check *check)
{
	return check->in_step && check->acked < check->run->step_count;
}

/* More was lost than the code survives: then all may be missing, but nothing may be wrong (I16). */
static bool is_beyond(const struct check *check)
{
	const struct run *run = check->run;
	uint32_t tolerance = run->rig->shape->tolerance;

	uint32_t liars = (uint32_t)__builtin_popcount(check->liars);

	return run->beyond || check->beyond || run->spent[check->acked] + liars > tolerance ||
	       (check->in_step && run->spent[check->acked + 1] + liars > tolerance);
}

/*
 * What was read once after a crash is read from then on: no other of the values that were allowed comes
 * up later, neither do the volumes of another moment.
 */
static uint64_t sum_before;
static uint32_t truth_seen; /* which one it was */

static bool same_as_before(const struct truth_check *compare, uint32_t truth, struct wrong *wrong)
{
	uint64_t sum = compare->sum * 2 + truth;

	truth_seen = truth;
	if (compare->lossy)
		return true;
	if (sum_before && sum != sum_before)
		return wrong_set(wrong, "incursion", "it is read as something else than before");
	sum_before = sum;
	return true;
}

/* Blocks that were damaged before the first step, and that no scrub has mended yet, are a loss as well. */
static bool is_damaged(const struct run *run, uint32_t acked)
{
	uint32_t scrubs = 0;

	for (uint32_t i = 0; i < run->step_count; i++) {
		bool done = i < acked && run->step_rc[i] == 0;

		if (run->steps[i] == STEP_SCRUB_REPAIR && done)
			return run->damaged;
		scrubs += run->steps[i] == STEP_SCRUB_REPAIR;
	}
	return scrubs > 0 && !run->lasting;
}

/*
 * Disks that may go as those that were absent from the beginning, and came back: others wrote with them since,
 * without content in the record. Lost again together with the crash they take rows under way with them.
 */
static uint32_t returned_disks(const struct check *check)
{
	for (uint32_t i = 0; i < check->acked + step_may_be_done(check); i++) {
		if (check->run->steps[i] == STEP_RETURN)
			return check->run->absent;
	}
	return 0;
}

/* Members that hold nothing may go besides those that the layout survives; but they have copies of records. */
static bool may_lose_logs(const struct check *check)
{
	uint32_t gone = check->missing | check->lost;

	return (check->missing & check->run->emptied) &&
	       (uint32_t)__builtin_popcount(gone) > check->run->rig->shape->tolerance;
}

static struct truth_check compare_of(const struct check *check)
{
	const struct run *run = check->run;
	uint32_t idle = idle_disks(run, check->acked, check->in_step) & ~returned_disks(check);

	return (struct truth_check){
		.writes = run->writes.count ? &run->writes : NULL,
		.at = check->moment,
		.rows_may_be_lost =
			is_damaged(run, check->acked) || ((check->missing | check->lost) & ~idle),
		.logs_may_be_lost = may_lose_logs(check),
		.lied = check->liars,
		.alone = run->beyond,
		.kept = run->corrupts || is_damaged(run, check->acked) || check->liars,
		/* Steps that had more members fail than the code survives: who knows may be gone. */
		.forgetful = is_beyond(check) && (check->liars || !run->beyond),
	};
}

bool check_may_lose_rows(const struct check *check)
{
	const struct truth_check compare = compare_of(check);

	return compare.writes && compare.rows_may_be_lost;
}

/* The truth that the array's volumes fit, and all their bytes. */
static bool check_volumes(const struct check *check, struct array *array, struct wrong *wrong)
{
	const struct run *run = check->run;
	struct truth_check compare = compare_of(check);
	struct wrong first = { 0 };

	for (uint32_t i = compare.forgetful ? 0 : check->acked;
	     i <= check->acked + step_may_be_done(check); i++) {
		if (!truth_fits(&run->truths[i], array_map(array)))
			continue;
		compare.truth = &run->truths[i];
		if (truth_compare(&compare, array, wrong))
			return same_as_before(&compare, i, wrong);
		if (!first.what)
			first = *wrong;
	}
	if (first.what) {
		*wrong = first;
		return false;
	}
	char names[200] = "";
	for (uint32_t i = 0; i < array_map(array)->volume_count; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %.15s(%llu)",
			 array_map(array)->volumes[i]->name,
			 (unsigned long long)array_map(array)->volumes[i]->length);
	return wrong_set(wrong, "volumes", "the array has these volumes:%s", names);
}

/* Before create is acknowledged there need be no array. */
static bool may_be_no_array(const struct check *check)
{
	return check->run->blank && check->acked == 0;
}

static bool open_and_read(const struct check *check, struct rack *rack, enum array_access access,
			  struct array **array_out, struct wrong *wrong)
{
	struct array *array = NULL;
	struct err err = { 0 };
	int rc = rack_array_open(rack, check->missing, access, 1, &array, &err);

	*array_out = NULL;
	if (access == ARRAY_WRITE && excuse_too_few(check, rc)) {
		bool good = open_and_read(check, rack, ARRAY_READ, &array, wrong);

		array_close(array);
		return good;
	}
	if (rc && (may_be_no_array(check) || excuse_fork(check, rc) || excuse_nobody(check, rc)))
		return true;
	if (rc)
		return wrong_set(wrong, "open", "%s: %.380s", err_name(rc), err.text);
	if (!check_volumes(check, array, wrong)) {
		array_close(array);
		return false;
	}
	if (rack->ios >= rack->ios_max) {
		array_close(array);
		return wrong_set(wrong, "bounds", "more than %u operations", IOS_MAX);
	}
	*array_out = array;
	return true;
}

/* ---- now and then */

static bool check_again(const struct check *check, struct rack *rack, struct wrong *wrong)
{
	struct array *array;
	uint32_t mark = media_mark(rack->media);
	bool good = open_and_read(check, rack, ARRAY_WRITE, &array, wrong);

	counts.checks[CHECKED_AGAIN]++;
	uint32_t changed = media_changed(rack->media, mark);

	array_close(array);
	media_undo(rack->media, mark);
	if (good && changed)
		return wrong_set(wrong, "again", "a second recovery changed %u pages", changed);
	return good;
}

static bool check_read_only(const struct check *check, struct rack *rack, struct wrong *wrong)
{
	struct array *array;
	uint64_t writes = rack->writes;
	bool good = open_and_read(check, rack, ARRAY_READ, &array, wrong);

	counts.checks[CHECKED_READ_ONLY]++;
	array_close(array);
	if (good && rack->writes != writes)
		return wrong_set(wrong, "read-only", "an opening for reading wrote");
	return good;
}

/* What a scrub finds, and whether all of it is what the crash may leave. */
struct scrubbing {
	struct truth_check compare;
	const struct map *map;
	uint64_t honest; /* findings that are allowed */
};

/*
 * A check of a row that lost data with a member cannot be made: its seal fits nothing, so that nobody solves
 * a block from it. That is found, until the row is written again.
 */
static void found_mismatch(void *arg, const struct mismatch *mismatch)
{
	struct scrubbing *scrubbing = arg;
	bool unknown = false, under_way = false;

	for (uint32_t i = 0; i < mismatch->block_count; i++) {
		const struct mismatch_block *block = &mismatch->blocks[i];
		struct member_place place =
			address_of_member(scrubbing->map, block->slot, block->lba);

		if (place.area != AREA_BODY)
			continue;
		unknown = unknown || (i > 0 && block->state != BLOCK_GOOD);
		under_way = under_way || truth_row_is_under_way(&scrubbing->compare, scrubbing->map,
								&place.address);
	}
	scrubbing->honest += unknown && under_way;
	if (check_verbose)
		printf("scrub: %s, group %llu, row %llu, member %d%s\n", mismatch->kind,
		       (unsigned long long)mismatch->group, (unsigned long long)mismatch->row,
		       (int)mismatch->suspect, unknown && under_way ? ", may be" : "");
}

/* Counts what nothing excuses. */
struct findings {
	const struct check *check;
	uint64_t count;
};

/*
 * Power losses one after the other, with others away, may leave half a superblock of a number that its member passed over
 * since: nothing tells it from damage until its slot is written again, and `check` says so (docs/SIMULATOR.md).
 */
static void found_finding(void *arg, const struct array_finding *finding)
{
	struct findings *findings = arg;
	bool is_old_half =
		findings->check->run->lasting && strcmp(finding->kind, "superblock") == 0;

	findings->count += !finding->harmless && !is_old_half;
	if (check_verbose)
		printf("check: %s of member %d: %s\n", finding->kind, (int)finding->slot,
		       finding->text);
}

/* Nobody is away, nothing was damaged: whatever it finds is wrong. */
static bool may_be_scrubbed(const struct check *check)
{
	const struct run *run = check->run;

	return check->missing == 0 && !run->absent && run->spent[check->acked] == 0 &&
	       (!step_may_be_done(check) || run->spent[check->acked + 1] == 0);
}

static bool check_scrub(const struct check *check, struct array *array, struct wrong *wrong)
{
	struct scrubbing scrubbing = { .compare = compare_of(check), .map = array_map(array) };
	const struct scrub_request request = {
		.mode = SCRUB_CHECK,
		.found = found_mismatch,
		.found_arg = &scrubbing,
	};
	struct scrub_report report = { 0 };
	struct findings findings = { .check = check };
	uint64_t told = 0;
	struct err err = { 0 };

	counts.checks[CHECKED_SCRUBS]++;
	scrubbing.compare.truth = &check->run->truths[truth_seen];
	if (array_check(array, found_finding, &findings, &told, &err))
		return wrong_set(wrong, "check", "%s", err.text);
	if (findings.count)
		return wrong_set(wrong, "check", "%llu findings in the metadata",
				 (unsigned long long)findings.count);
	if (scrub_run(array, &request, &report, &err))
		return wrong_set(wrong, "scrub", "%s", err.text);
	if (report.mismatches > scrubbing.honest)
		return wrong_set(wrong, "scrub", "%llu mismatches, %llu left, %llu may be",
				 (unsigned long long)report.mismatches,
				 (unsigned long long)report.left,
				 (unsigned long long)scrubbing.honest);
	return true;
}

/* The array is used again without the members that are missing; then they come back. */
static bool check_commit(const struct check *check, struct rack *rack, struct array *array,
			 struct wrong *wrong)
{
	const struct policy policy = { .layout = LAYOUT_PLAIN, .columns = 1, .unit_blocks = 1 };
	struct check all = *check;
	struct array *later;
	struct err err = { 0 };
	uint32_t missing[] = { check->missing, 0 };

	counts.checks[CHECKED_RETURNS]++;
	int done = volume_create_run(array, "probe", &policy, 0, &err);
	if (done == ERR_LIMIT && check->run->lasting)
		return true; /* all members are out of service, and hold nothing */
	if (done || array_volume_rename(array, "probe", "probe2", &err))
		return wrong_set(wrong, "commit", "%s: %.380s", err_name(err.code), err.text);
	for (uint32_t i = 0; i < 2; i++) {
		const struct volume *probe;
		uint32_t fits = 0;

		all.missing = missing[i];
		all.lost |= check->missing;
		int rc = rack_array_open(rack, all.missing, ARRAY_WRITE, 1, &later, &err);
		if (rc)
			return wrong_set(wrong, "commit-open", "%s: %.380s", err_name(rc),
					 err.text);
		probe = map_volume_named(array_map(later), "probe2");
		if (probe) {
			/* out of the way of the comparison */
			(void)!map_remove_volume(array_map(later), probe->id);
			fits = check_volumes(&all, later, wrong);
		}
		array_close(later);
		if (!probe)
			return wrong_set(wrong, "commit-lost", "an acknowledged commit is gone");
		if (!fits)
			return false;
	}
	return true;
}

/* Of the group that lies on the member, every other member that could take its extent has a column already. */
static bool has_no_member_outside(const struct array *array, const struct job *job)
{
	const struct map *map = array_map(array);
	bool stuck = false;

	for (uint32_t g = 0; !stuck && g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		uint32_t free = 0;
		bool holds = false;

		for (uint32_t c = 0; c < group->shape.columns; c++)
			holds = holds || group->extents[c].slot == job->from;
		for (uint32_t i = 0; holds && i < map->member_count; i++) {
			uint32_t slot = map->members[i].slot;
			bool inside = !array_member_usable(array, slot);

			for (uint32_t c = 0; c < group->shape.columns; c++)
				inside = inside || group->extents[c].slot == slot;
			free += !inside;
		}
		stuck = holds && free == 0;
	}
	return stuck;
}

/* All other members together have less room than the member has in use. */
static bool has_no_room_outside(const struct array *array, const struct job *job)
{
	const struct map *map = array_map(array);
	uint64_t held = 0, room = 0;

	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;
		uint64_t free = space_free_frames(array->space, slot);

		if (slot == job->from)
			held = space_total_frames(array->space, slot) - free;
		else if (array_member_usable(array, slot))
			room += free;
	}
	return room < held;
}

/* The job's own step ended early, for want of memory, and a later one took the room that it had seen. */
static bool is_filled_since(const struct run *run)
{
	bool ended_early = false, filled = false;

	for (uint32_t i = 0; i < run->step_count; i++) {
		enum step_kind kind = run->steps[i];

		filled = filled || (ended_early && run->step_rc[i] == 0 &&
				    (kind == STEP_PUT || kind == STEP_PUT_LARGE ||
				     kind == STEP_PUT_GROUPS || kind == STEP_APPEND));
		ended_early = ended_early || run->step_rc[i] != 0;
	}
	return filled;
}

/*
 * Without members there may be no room, or not enough of them to write, or for the groups that are wanted. In a long
 * run they failed, went, or were filled by others after the job began: then it is refused, as it would be at its
 * beginning (GROW.md section 2).
 */
static bool may_not_end(const struct check *check, const struct array *array, const struct job *job,
			int rc)
{
	bool fewer = (check->missing | check->lost | check->run->absent) ||
		     run_has_step(check->run, STEP_MEMBER_REMOVE) ||
		     run_has_step(check->run, STEP_REMOVE_EVACUATE);

	if (check->run->lasting && rc == ERR_NOSPACE && job->kind == JOB_EVACUATE)
		fewer = fewer || has_no_member_outside(array, job) ||
			has_no_room_outside(array, job);
	if (rc == ERR_NOSPACE && is_filled_since(check->run))
		return true;
	return fewer && (rc == ERR_NOSPACE || rc == ERR_TOO_FEW || rc == ERR_LIMIT);
}

/* A job that cannot go on can be dropped, and leaves the array as whole as it was. */
static bool cancel(struct array *array, uint64_t job, struct wrong *wrong)
{
	struct err err = { 0 };
	int rc = job_cancel(array, job, &err);

	if (rc)
		return wrong_set(wrong, "cancel", "%s: %.380s", err_name(rc), err.text);
	return map_job(array_map(array), job) ? wrong_set(wrong, "cancel", "it is still there")
					      : true;
}

/* The job that was cut off goes on to its end: the same bytes, also with everybody back. */
static bool resume(const struct check *check, struct array *array, struct wrong *wrong)
{
	const struct job job = *jobs_unfinished(array_map(array));
	bool whole = !(check->missing | check->lost | check->run->absent);
	struct err err = { 0 };
	int rc = jobs_resume(check->run, array, whole, &err, wrong);

	counts.checks[CHECKED_RESUMED]++;
	if (rc && !may_not_end(check, array, &job, rc))
		return wrong_set(wrong, "resume", "%s: %.380s", err_name(rc), err.text);
	if (wrong->what || (rc == ERR_NOSPACE && !cancel(array, job.id, wrong)) ||
	    !check_volumes(check, array, wrong))
		return false;
	/* Where nothing was done nothing says yet that those who are missing are not as good (M4). */
	if (rc && rc != ERR_NOSPACE && array_commit(array, &err))
		return wrong_set(wrong, "commit", "%s: %.380s", err_name(err.code), err.text);
	return !may_be_scrubbed(check) || check_scrub(check, array, wrong);
}

static bool check_resume(const struct check *check, struct rack *rack, struct wrong *wrong)
{
	struct check all = *check;
	uint32_t missing[] = { check->missing, 0 };
	struct array *array;
	bool good = open_and_read(check, rack, ARRAY_WRITE, &array, wrong), resumes;

	resumes = good && array && jobs_unfinished(array_map(array));
	if (resumes)
		good = resume(check, array, wrong);
	array_close(array);
	for (uint32_t i = 0; good && resumes && i < 2; i++) {
		all.missing = missing[i];
		all.lost |= check->missing;
		good = open_and_read(&all, rack, ARRAY_WRITE, &array, wrong);
		array_close(array);
	}
	return good;
}

/*
 * A write that a disk forgot leaves a block that agrees with its own seal: reading alone cannot tell, scrub can
 * (FAULTS A8, A13, T7). So it comes first.
 */
static bool scrub_liars(const struct check *check, struct rack *rack, struct wrong *wrong)
{
	const struct scrub_request request = { .mode = SCRUB_REPAIR };
	struct scrub_report report = { 0 };
	struct array *array = NULL;
	struct err err = { 0 };
	int rc = rack_array_open(rack, check->missing, ARRAY_WRITE, 1, &array, &err);

	counts.checks[CHECKED_LIES]++;
	if (!rc)
		rc = scrub_run(array, &request, &report, &err);
	array_close(array);
	return rc ? wrong_set(wrong, "refused", "%s: %.380s", err_name(rc), err.text) : true;
}

/* The same where one disk did not do what it acknowledged, and the array survives that: nothing is forgiven. */
static bool scrub_first(const struct check *check, struct rack *rack, struct wrong *wrong)
{
	const struct scrub_request request = { .mode = SCRUB_REPAIR };
	struct scrub_report report = { 0 };
	struct array *array = NULL;
	struct err err = { 0 };
	int rc = rack_array_open(rack, check->run->away, ARRAY_WRITE, 1, &array, &err);

	if (rc && may_be_no_array(check))
		return true;
	if (!rc)
		rc = scrub_run(array, &request, &report, &err);
	array_close(array);
	return rc ? wrong_set(wrong, "scrub", "%s", err.text) : true;
}

static bool check_all(const struct check *check, struct wrong *wrong)
{
	struct rack rack = {
		.env = sim_env((UINT64_C(3) << 32) + check->moment),
		.media = check->run->rig->media,
		.ios_max = IOS_MAX,
		.may_be_blank = check->run->rack.may_be_blank,
	};
	struct array *array = NULL;
	uint32_t mark = media_mark(rack.media);
	bool good = true;

	sum_before = 0;
	if (check->liars)
		good = scrub_liars(check, &rack, wrong);
	if (check->run->missed)
		good = scrub_first(check, &rack, wrong);
	rack.ios = 0;
	if (good && (check->more & MORE_READ_ONLY))
		good = check_read_only(check, &rack, wrong);
	if (good)
		good = open_and_read(check, &rack, ARRAY_WRITE, &array, wrong);
	if (good && array && (check->more & MORE_AGAIN)) {
		array_close(array);
		array = NULL;
		good = check_again(check, &rack, wrong) &&
		       open_and_read(check, &rack, ARRAY_WRITE, &array, wrong);
	}
	if (good && array && (check->more & MORE_SCRUB) && may_be_scrubbed(check))
		good = check_scrub(check, array, wrong);
	if (good && array && (check->more & MORE_COMMIT))
		good = check_commit(check, &rack, array, wrong);
	else if (good && array && (check->more & MORE_RESUME)) {
		array_close(array);
		array = NULL;
		good = check_resume(check, &rack, wrong);
	}
	array_close(array);
	media_undo(rack.media, mark);
	return good;
}

/* What a replay shows of the case. */
static void tell(const struct check *check)
{
	const struct run *run = check->run;

	printf("%s, journal %d, absent disks 0x%x; steps:", run->rig->shape->name,
	       (int)run->journal, run->absent);
	for (uint32_t i = 0; i < run->step_count; i++) {
		printf(" %s", step_name(run->steps[i]));
		if (run->picks[i])
			printf(" #%u", run->picks[i]);
		printf(" (%d)%s", run->step_rc[i], i + 1 == check->acked ? " |" : "");
	}
	printf("\ncrash after %zu events; missing 0x%x, before 0x%x; more checks 0x%x\n",
	       check->moment, check->missing, check->lost, check->more);
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

/* Beyond the budget all may be lost; a disk that lied may cost what it was trusted with. No more. */
static bool is_forgiven(const struct check *check, const struct wrong *wrong)
{
	static const char *const beyond[] = { "bytes", "bounds", "read-only", NULL };
	static const char *const lied[] = { "refused", "lost", "read", "open", NULL };

	/* Of a liar and as many losses as the code survives nothing is promised. */
	if (is_beyond(check))
		return !is_one_of(wrong->what, check->liars ? beyond + 1 : beyond);
	return check->liars && is_one_of(wrong->what, lied);
}

bool check_media(const struct check *check, struct wrong *wrong)
{
	if (check_verbose)
		tell(check);
	if (check->run->broken.what) {
		*wrong = check->run->broken;
		return false;
	}
	const struct check here = excuse_lone_branches(check);

	check = &here;
	counts.states[check->run->rig->shape - rig_shapes]++;
	counts.checks[is_beyond(check) ? CHECKED_BEYOND : CHECKED_BYTES]++;
	if (check->run->missed && is_beyond(check))
		return true; /* without redundancy nobody knows better: no promise */
	if (check_all(check, wrong))
		return true;
	if (!is_forgiven(check, wrong))
		return false;
	*wrong = (struct wrong){ 0 };
	return true;
}

bool check_end(struct run *run, uint32_t also_spent, uint32_t faulty, struct choice *choice,
	       struct wrong *wrong)
{
	static uint32_t losses[256];
	struct check check = {
		.run = run,
		.acked = run->acked,
		.in_step = run->acked < run->step_count,
		.moment = NOT_YET - 1,
		.lost = faulty,
	};
	uint32_t *spent = &run->spent[run->acked];

	*spent += also_spent;
	if (check.in_step)
		run->spent[run->acked + 1] += also_spent;
	uint32_t count = check_losses(run, check.acked, check.in_step, losses);
	check.missing = losses[choice_below(choice, count)];
	check.more = 1u << choice_below(choice, 5) & ~16u;
	if (jobs_in_run(run))
		check.more |= MORE_RESUME;
	return check_media(&check, wrong);
}
