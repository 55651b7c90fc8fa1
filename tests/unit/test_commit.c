/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commit: aim is that after a power loss at any write the array is as before the commit or as after it,
 * whatever the disks made of what was not flushed, also when a disk failed on the way or is missing
 * afterwards; and that no generation is given twice.
 * Method: simulated disks in a rack. The power fails after the k-th write or flush, for all k of create and
 * of commits that fill both halves of the map several times; then everything is opened again. Each
 * commit writes its number into 500 jobs, so a mixture of two commits would show.
 *
 * With the flush before the superblocks taken out of commit.c, the first test fails.
 */
#include "core/base/mem.h"
#include "core/store/super.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(2816) * 1024)
#define JOBS 500u /* 34 KB of a half of 128 KB: every third commit needs the other half */
#define COMMITS 7u
#define CREATING -1 /* state: the array was never there */

/* ---- generations */

#define SEEN_MAX 256u

/* What a slot that can be read says of its generation. */
struct seen {
	uint64_t generation, epoch_id;
	uint32_t map_crc;
};

struct history {
	struct seen seen[SEEN_MAX];
	uint32_t count;
};

static void history_hold(struct history *history, const struct super *super, bool add)
{
	for (uint32_t i = 0; i < history->count; i++) {
		if (history->seen[i].generation != super->generation)
			continue;
		/* the same commit on another disk, or nothing */
		assert_int_equal(history->seen[i].epoch_id, super->epoch_id);
		assert_int_equal(history->seen[i].map_crc, super->map_crc);
		return;
	}
	if (!add)
		return;
	assert_true(history->count < SEEN_MAX);
	history->seen[history->count++] =
		(struct seen){ super->generation, super->epoch_id, super->map_crc };
}

/* Note every slot that survived. */
static void history_note(struct history *history, struct rack *rack)
{
	for (uint32_t i = 0; i < rack->count; i++) {
		for (uint32_t p = 0; p < SUPER_POSITIONS; p++) {
			struct super super;
			struct err err = { 0 };

			if (super_decode(&super, rack_bytes(rack, i) + super_position(p),
					 super_position(p), &err) == 0)
				history_hold(history, &super, true);
		}
	}
}

/* No slot is written with a generation that something else has. */
static int history_watch(void *arg, uint32_t disk, const struct io *io)
{
	struct super super;
	struct err err = { 0 };

	(void)disk;
	if (io->op == IO_WRITE && io->role == IO_ROLE_SUPER && io->size == BLOCK_SIZE &&
	    super_decode(&super, io->iov[0].iov_base, io->offset, &err) == 0)
		history_hold(arg, &super, false);
	return 0;
}

/* ---- commits that can be told apart */

static int commit_number(struct array *array, uint64_t number, struct err *err)
{
	struct map *map = array_map(array);

	if (map->job_id_next <= JOBS)
		map->job_id_next = JOBS + 1;
	for (uint32_t id = 1; id <= JOBS; id++) {
		const struct job job = { .id = id,
					 .kind = JOB_SCRUB,
					 .from = MEMBER_NONE,
					 .to = MEMBER_NONE,
					 .done = number,
					 .total = number };

		assert_int_equal(map_put_job(map, &job), 0);
	}
	return array_commit(array, err);
}

/* The number of the commit that the map is of. */
static int state_of(const struct array *array)
{
	const struct map *map = array_map(array);

	if (map->job_count == 0)
		return 0;
	assert_in_range(map->job_count, JOBS, 3 * JOBS);
	for (uint32_t i = 1; i < JOBS; i++)
		assert_int_equal(map->jobs[i].done, map->jobs[0].done);
	return (int)map->jobs[0].done;
}

struct script {
	struct rack rack;
	struct policy policy;
	int acknowledged; /* CREATING, 0 for create, or the last number */
};

static void script_open(struct script *script, uint32_t disks, uint64_t seed)
{
	static const uint64_t sizes[RACK_MAX] = { DISK_SIZE, DISK_SIZE, DISK_SIZE, DISK_SIZE,
						  DISK_SIZE, DISK_SIZE, DISK_SIZE, DISK_SIZE };

	rack_open(&script->rack, seeded_env(seed), disks, sizes);
	script->acknowledged = CREATING;
	script->policy = (struct policy){ .layout = LAYOUT_MIRROR, .checks = 1 };
	if (disks > 2)
		script->policy = (struct policy){ .layout = LAYOUT_PARITY, .checks = 1 };
}

/* Create and commit until the first error, or `last`. */
static void script_run(struct script *script, uint64_t last)
{
	struct err err = { 0 };
	struct array *array = rack_create(&script->rack, &script->policy, 0, &err);

	if (!array)
		return;
	script->acknowledged = 0;
	for (uint64_t i = 1; i <= last; i++) {
		if (commit_number(array, i, &err))
			break;
		script->acknowledged = (int)i;
	}
	array_close(array);
}

/* How an array that was never finished may be refused: nothing there, half made, or a torn superblock. */
static bool is_unfinished(int rc)
{
	return rc == ERR_NOT_MEMBER || rc == ERR_STATE || rc == ERR_CHECKSUM;
}

/* The state that the disks in `disks` show, or CREATING. Every other error is a failure. */
static int script_state(struct script *script, uint32_t disks, enum array_access access)
{
	struct array *array = NULL;
	struct err err = { 0 };
	int rc = rack_array(&script->rack, disks, access, &array, &err), state = CREATING;

	if (rc == 0) {
		state = state_of(array);
		array_close(array);
	} else if (script->acknowledged != CREATING || !is_unfinished(rc)) {
		fail_msg("disks 0x%x: %d, %s", disks, rc, err.text);
	}
	return state;
}

static void assert_before_or_after(int state, int acknowledged)
{
	if (state != acknowledged && state != acknowledged + 1)
		fail_msg("state %d after commit %d was acknowledged", state, acknowledged);
}

/* It can be written again, with a generation of its own, and shows that. */
static void script_goes_on(struct script *script, int state)
{
	struct history history = { 0 };
	struct array *array =
		rack_array_of(&script->rack, (1u << script->rack.count) - 1, ARRAY_WRITE);
	struct err err = { 0 };

	history_note(&history, &script->rack);
	script->rack.watch = history_watch;
	script->rack.watch_arg = &history;
	for (int i = 1; i <= 5; i++) { /* more than there are slots */
		if (commit_number(array, (uint64_t)(state + i), &err))
			fail_msg("%s", err.text);
	}
	array_close(array);
	script->rack.watch = NULL;
	script->acknowledged = state + 5;
	for (uint32_t i = 0; i < script->rack.count; i++)
		assert_int_equal(script_state(script, 1u << i, ARRAY_READ), state + 5);
}

/* ---- power loss at every write */

static uint64_t count_writes(uint32_t disks)
{
	struct script script;

	script_open(&script, disks, 1);
	script_run(&script, COMMITS);
	assert_int_equal(script.acknowledged, COMMITS);
	uint64_t writes = script.rack.writes;
	rack_close(&script.rack);
	return writes;
}

static void crash_everywhere(uint32_t disks, uint64_t seeds, uint64_t first_seed)
{
	uint64_t writes = count_writes(disks), before = 0, after = 0;

	for (uint64_t k = 0; k <= writes; k++) {
		for (uint64_t seed = 0; seed < seeds; seed++) {
			struct rng rng = rng_seeded(first_seed + seed * 10007 + k);
			struct script script;

			script_open(&script, disks, seed);
			script.rack.writes_left = k;
			script_run(&script, COMMITS);
			rack_crash(&script.rack, &rng);
			int state = script_state(&script, (1u << disks) - 1, ARRAY_WRITE);
			assert_before_or_after(state, script.acknowledged);
			before += state == script.acknowledged;
			after += state != script.acknowledged;
			if (state != CREATING && k % 5 == seed % 5)
				script_goes_on(&script, state);
			rack_close(&script.rack);
		}
	}
	assert_true(before > 0 && after > 0);
	print_message("# %u disks: %" PRIu64 " crashes, %" PRIu64 " before, %" PRIu64 " after\n",
		      disks, before + after, before, after);
}

static void power_loss_leaves_the_state_before_or_after(void **state)
{
	(void)state;
	crash_everywhere(2, 3, test_seed(51));
}

static void power_loss_with_three_disks(void **state)
{
	(void)state;
	crash_everywhere(3, 1, test_seed(52));
}

/*
 * A second power loss in the first commit after a first one, then a disk is lost: what was acknowledged is
 * on each of the two disks at every instant. The commits that are cut use both halves.
 */
static void second_power_loss_and_the_loss_of_a_disk(void **state)
{
	uint64_t all = count_writes(2), per_commit = 8, runs = 0, seed = test_seed(53);

	(void)state;
	for (uint64_t k = all - 4 * per_commit; k <= all; k++) {
		for (uint64_t j = k % 2; j < 2 * per_commit; j += 2) {
			struct rng rng = rng_seeded(seed + k * 100 + j);
			struct script script;
			struct err err = { 0 };

			script_open(&script, 2, seed);
			script.rack.writes_left = k;
			script_run(&script, COMMITS);
			rack_crash(&script.rack, &rng);
			struct array *array = rack_array_of(&script.rack, 3, ARRAY_WRITE);
			int seen = state_of(array);
			script.rack.writes_left = j;
			int rc = commit_number(array, (uint64_t)seen + 1, &err);
			array_close(array);
			rack_crash(&script.rack, &rng);
			if (rc == 0)
				script.acknowledged = seen + 1;
			for (uint32_t disk = 0; disk < 2; disk++) {
				int left = script_state(&script, 1u << disk, ARRAY_READ);

				assert_in_range(left, script.acknowledged, seen + 1);
			}
			rack_close(&script.rack);
			runs++;
		}
	}
	print_message("# %" PRIu64 " runs\n", runs);
}

/* ---- a disk fails on the way */

/*
 * One of three disks fails at any write: the commits go on without it and are acknowledged. With it the
 * array opens as well, and the disk is known to be behind.
 */
static void commits_go_on_without_a_disk_that_fails(void **state)
{
	uint64_t all = count_writes(3), created = all - COMMITS * 12, seed = test_seed(54);

	(void)state;
	for (uint64_t k = created; k < all; k++) {
		struct script script;
		uint32_t disk = (uint32_t)(k % 3);

		script_open(&script, 3, seed);
		script.rack.fail_at[disk] = k;
		script_run(&script, COMMITS);
		assert_int_equal(script.acknowledged, COMMITS);
		script.rack.fail_at[disk] = UINT64_MAX;
		assert_int_equal(script_state(&script, 7 & ~(1u << disk), ARRAY_WRITE), COMMITS);
		struct array *array = rack_array_of(&script.rack, 7, ARRAY_WRITE);
		assert_int_equal(state_of(array), COMMITS);
		for (uint32_t slot = 0; slot < 3; slot++)
			assert_int_equal(array_presence(array, slot),
					 slot == disk ? PRESENT_STALE : PRESENT);
		array_close(array);
		script_goes_on(&script, COMMITS);
		rack_close(&script.rack);
	}
}

/* The same, and the power fails soon after the disk did: the try that failed must not be in the way. */
static void power_loss_while_a_disk_fails(void **state)
{
	uint64_t all = count_writes(3), seed = test_seed(55);

	(void)state;
	for (uint64_t k = all - 4 * 12; k < all - 12; k++) {
		for (uint64_t after = 1; after < 22; after += 2) {
			struct rng rng = rng_seeded(seed + k * 100 + after);
			struct script script;

			script_open(&script, 3, seed);
			script.rack.fail_at[k % 3] = k;
			script.rack.writes_left = k + after;
			script_run(&script, COMMITS);
			rack_crash(&script.rack, &rng);
			assert_before_or_after(script_state(&script, 7, ARRAY_WRITE),
					       script.acknowledged);
			rack_close(&script.rack);
		}
	}
}

/* Fails what one disk writes in the t-th try, and that disk from then on. */
struct failing {
	enum io_role role; /* of the write that fails */
	uint32_t first;    /* disk that fails in try 1 */
	uint32_t last;     /* disk up to which they fail, one a try */
	uint32_t tries;
};

/* A try begins with a map record to each disk; disk 0 stays and tells. */
static int fail_one_a_try(void *arg, uint32_t disk, const struct io *io)
{
	struct failing *failing = arg;

	if (disk == 0 && io->op == IO_WRITE && io->role == IO_ROLE_MAP)
		failing->tries++;
	if (disk < failing->first || disk > failing->last)
		return 0;
	uint32_t turn = disk - failing->first + 1;
	if (failing->tries > turn)
		return ERR_IO;
	return failing->tries == turn && io->op == IO_WRITE && io->role == failing->role ? ERR_IO
											 : 0;
}

/* Commit while disks fail and the power does after `left` writes; then all states that may be met. */
static void commit_among_failures(struct script *script, struct failing failing, uint64_t left,
				  struct rng *rng,
				  int (*commit)(struct array *array, struct err *err))
{
	uint32_t disks = (1u << script->rack.count) - 1, failed = 0;
	struct array *array = rack_array_of(&script->rack, disks, ARRAY_WRITE);
	struct err err = { 0 };

	script->rack.watch = fail_one_a_try;
	script->rack.watch_arg = &failing;
	script->rack.writes_left = left;
	if (commit(array, &err) == 0)
		script->acknowledged++;
	array_close(array);
	script->rack.watch = NULL;
	rack_crash(&script->rack, rng);
	for (uint32_t disk = failing.first; disk <= failing.last; disk++)
		failed |= 1u << disk;
	assert_before_or_after(script_state(script, disks, ARRAY_READ), script->acknowledged);
	assert_before_or_after(script_state(script, disks & ~failed, ARRAY_READ),
			       script->acknowledged);
}

static int commit_third(struct array *array, struct err *err)
{
	return commit_number(array, 3, err);
}

/*
 * Three disks of four fail in three tries of one commit. The fourth try would write the slot that the last
 * acknowledged commit is in; a power loss there must not take that one too.
 */
static void tries_that_fail_never_cost_the_last_commit(void **state)
{
	static const enum io_role roles[] = { IO_ROLE_MAP, IO_ROLE_SUPER };
	uint64_t seed = test_seed(56);

	(void)state;
	for (uint64_t run = 0; run < 2 * 30 * 4; run++) {
		struct rng rng = rng_seeded(seed + run);
		struct script script;
		uint64_t left = 1 + run / 2 % 30;

		script_open(&script, 4, seed);
		script.policy =
			(struct policy){ .layout = LAYOUT_PARITY, .checks = 3, .columns = 4 };
		script_run(&script, 2);
		assert_int_equal(script.acknowledged, 2);
		commit_among_failures(&script, (struct failing){ roles[run % 2], 1, 3, 0 }, left,
				      &rng, commit_third);
		rack_close(&script.rack);
	}
}

/* Jobs that fill more than half of a half, so that every commit is a full record. */
static int commit_large(struct array *array, struct err *err)
{
	struct map *map = array_map(array);
	int number = state_of(array) + 1;

	map->job_id_next = 3 * JOBS + 1;
	for (uint32_t id = JOBS + 1; id <= 3 * JOBS; id++) {
		const struct job job = { .id = id, .kind = JOB_SCRUB, .state = JOB_DONE };

		assert_int_equal(map_put_job(map, &job), 0);
	}
	return commit_number(array, (uint64_t)number, err);
}

/*
 * A try failed after its full record was in one half, the last commit is in the other, and the next try has
 * no room behind either: it is refused, and goes through when the array is opened again.
 */
static void no_half_is_written_over_while_both_are_needed(void **state)
{
	uint64_t seed = test_seed(57), refused = 0;

	(void)state;
	for (uint64_t left = 1; left < 40; left++) {
		struct rng rng = rng_seeded(seed + left);
		struct script script;
		struct err err = { 0 };

		script_open(&script, 3, seed);
		script_run(&script, 0);
		struct array *array = rack_array_of(&script.rack, 7, ARRAY_WRITE);
		for (int i = 0; i < 3; i++)
			assert_int_equal(commit_large(array, &err), 0);
		array_close(array);
		script.acknowledged = 3;
		commit_among_failures(&script, (struct failing){ IO_ROLE_SUPER, 1, 1, 0 }, left,
				      &rng, commit_large);
		refused += script.acknowledged == 3;
		array = rack_array_of(&script.rack, 7, ARRAY_WRITE);
		int now = state_of(array);
		assert_int_equal(commit_large(array, &err), 0);
		array_close(array);
		assert_int_equal(script_state(&script, 7, ARRAY_READ), now + 1);
		rack_close(&script.rack);
	}
	assert_int_equal(refused, 39); /* also where the power did not fail */
}

/* ---- what a commit refuses and reports */

static void full_map_is_refused_before_anything_is_written(void **state)
{
	struct script script;
	struct err err = { 0 };

	(void)state;
	script_open(&script, 2, 1);
	script_run(&script, 1);
	struct array *array = rack_array_of(&script.rack, 3, ARRAY_WRITE);
	struct map *map = array_map(array);
	uint64_t writes = script.rack.writes;

	map->job_id_next = 10000;
	for (uint64_t id = JOBS + 1; id < 5000; id++) {
		const struct job job = { .id = id, .kind = JOB_SCRUB };

		assert_int_equal(map_put_job(map, &job), 0);
	}
	assert_int_equal(array_commit(array, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "131072"));
	assert_int_equal(script.rack.writes, writes);
	assert_int_equal(array_poisoned(array), ERR_LIMIT);
	assert_int_equal(array_commit(array, &err), ERR_LIMIT); /* and so it stays */
	array_close(array);
	assert_int_equal(script_state(&script, 3, ARRAY_WRITE), 1);
	rack_close(&script.rack);
}

static int full_disk(void *arg, uint32_t disk, const struct io *io)
{
	const bool *full = arg;

	return *full && disk == 1 && io->op == IO_WRITE ? ERR_NOSPACE : 0;
}

/* The host's file system is full: no reason to give a member up, and nothing is lost. */
static void full_file_system_costs_no_member(void **state)
{
	struct script script;
	struct err err = { 0 };
	bool full = true;

	(void)state;
	script_open(&script, 2, 1);
	script_run(&script, 3);
	struct array *array = rack_array_of(&script.rack, 3, ARRAY_WRITE);
	script.rack.watch = full_disk;
	script.rack.watch_arg = &full;
	assert_int_equal(commit_number(array, 4, &err), ERR_NOSPACE);
	assert_non_null(strstr(err.text, "disk1"));
	array_close(array);
	full = false;
	array = rack_array_of(&script.rack, 3, ARRAY_WRITE);
	assert_int_equal(state_of(array), 3);
	assert_int_equal(array_presence(array, 1), PRESENT);
	assert_int_equal(array_map(array)->epoch_count, 1);
	array_close(array);
	rack_close(&script.rack);
}

/* Bit rot in the record of `generation`, wherever it lies on the disk. */
static void damage_record(struct script *script, uint32_t disk, uint64_t generation)
{
	uint8_t *halves = rack_bytes(&script->rack, disk) + SUPER_FAR + SUPER_AREA_SIZE;
	uint32_t found = 0;

	for (uint8_t *at = halves; at < halves + 2 * 131072; at += BLOCK_SIZE) {
		if (memcmp(at, "PGMR", 4) != 0 || get_le64(at + 32) != generation)
			continue;
		at[100] ^= 4;
		found++;
	}
	assert_int_equal(found, 1);
}

/*
 * Bit rot in a commit of which one superblock was written and nobody was told. Its records are on all members, so
 * another copy does. Where none does, the array goes back to the commit before; but of one that was
 * acknowledged it is refused, for going back would lose it.
 */
static void broken_map_is_gone_back_from_only_when_nobody_was_told(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		bool told = way == 2;
		struct script script;
		struct err err = { 0 };

		script_open(&script, 2, 1);
		script_run(&script, 3);
		struct array *array = rack_array_of(&script.rack, 3, ARRAY_WRITE);
		uint64_t generation = array_map(array)->generation + 1;
		/* two records, two flushes, the superblock of disk 0, then the power fails */
		script.rack.writes_left = told ? UINT64_MAX : 5;
		assert_int_equal(commit_number(array, 4, &err), told ? 0 : ERR_IO);
		array_close(array);
		script.rack.writes_left = UINT64_MAX; /* all that was written stays */
		damage_record(&script, 0, generation);
		if (way > 0)
			damage_record(&script, 1, generation);
		int rc = rack_array(&script.rack, 3, ARRAY_WRITE, &array, &err);
		if (told) {
			assert_int_equal(rc, ERR_CHECKSUM);
			assert_non_null(strstr(err.hint, "--rebuild-map"));
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(state_of(array), way == 0 ? 4 : 3);
			array_close(array);
			script_goes_on(&script, way == 0 ? 4 : 3);
		}
		rack_close(&script.rack);
	}
}

/*
 * Disks 1 and 2 forgot one and two commits, as disks do that lie about flushes, and the maps that they are asked
 * for are damaged. One step back may be one that nobody was told of; two steps never are.
 */
static void no_map_is_gone_back_to_over_two_commits(void **state)
{
	struct script script;
	struct array *array;
	struct err err = { 0 };
	uint8_t *before[3] = { NULL };
	uint64_t generation;

	(void)state;
	script_open(&script, 3, 1);
	script_run(&script, 3);
	array = rack_array_of(&script.rack, 7, ARRAY_WRITE);
	generation = array_map(array)->generation;
	for (uint32_t disk = 2; disk > 0; disk--) {
		before[disk] = mem_calloc(DISK_SIZE, 1);
		assert_non_null(before[disk]);
		memcpy(before[disk], rack_bytes(&script.rack, disk), DISK_SIZE);
		assert_int_equal(commit_number(array, 6 - disk, &err), 0);
	}
	array_close(array);
	for (uint32_t disk = 1; disk < 3; disk++) {
		memcpy(rack_bytes(&script.rack, disk), before[disk], DISK_SIZE);
		mem_free(before[disk]);
	}
	damage_record(&script, 0, generation + 2);
	assert_int_equal(script_state(&script, 7, ARRAY_READ), 4); /* disk 1 has it */
	damage_record(&script, 1, generation + 1);
	assert_int_equal(rack_array(&script.rack, 7, ARRAY_READ, &array, &err), ERR_CHECKSUM);
	rack_close(&script.rack);
}

/*
 * One of two copies of an acknowledged map is damaged: the other serves. Where the damage was met on opening,
 * the next commit mends it first.
 */
static void other_copy_of_the_map_serves(void **state)
{
	(void)state;
	for (uint32_t disk = 0; disk < 2; disk++) {
		struct script script;
		struct err err = { 0 };

		script_open(&script, 2, 1);
		script_run(&script, 3);
		damage_record(&script, disk, 5);
		assert_int_equal(script_state(&script, 2 >> disk, ARRAY_READ), 3);
		struct array *array = rack_array_of(&script.rack, 3, ARRAY_WRITE);
		assert_int_equal(state_of(array), 3);
		assert_int_equal(array_presence(array, 0), disk == 0 ? PRESENT_STALE : PRESENT);
		assert_int_equal(commit_number(array, 4, &err), 0);
		array_close(array);
		if (disk == 0)
			assert_int_equal(script_state(&script, 1, ARRAY_READ), 4);
		script_goes_on(&script, 4);
		rack_close(&script.rack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_loss_leaves_the_state_before_or_after),
		cmocka_unit_test(power_loss_with_three_disks),
		cmocka_unit_test(second_power_loss_and_the_loss_of_a_disk),
		cmocka_unit_test(commits_go_on_without_a_disk_that_fails),
		cmocka_unit_test(power_loss_while_a_disk_fails),
		cmocka_unit_test(tries_that_fail_never_cost_the_last_commit),
		cmocka_unit_test(no_half_is_written_over_while_both_are_needed),
		cmocka_unit_test(full_map_is_refused_before_anything_is_written),
		cmocka_unit_test(full_file_system_costs_no_member),
		cmocka_unit_test(broken_map_is_gone_back_from_only_when_nobody_was_told),
		cmocka_unit_test(no_map_is_gone_back_to_over_two_commits),
		cmocka_unit_test(other_copy_of_the_map_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
