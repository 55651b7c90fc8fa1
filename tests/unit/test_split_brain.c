/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Split brain: aim is that two parts of an array that were written separately are never put together, and
 * that a part which merely missed something is taken back without complaint.
 * Method: the parts of small arrays are opened and written in every order, then opened together.
 */
#include "core/store/super.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(2816) * 1024)

static void rack_make(struct rack *rack, uint32_t disks)
{
	const struct policy policy = { .layout = disks == 2 ? LAYOUT_MIRROR : LAYOUT_PARITY,
				       .checks = disks == 4 ? 2 : 1 };

	array_close(rack_begin(rack, seeded_env(disks), disks, DISK_SIZE, &policy));
}

/* One commit: the next job. Its number counts the commits that the map knows. */
static int commit_one(struct array *array, struct err *err)
{
	struct map *map = array_map(array);
	const struct job job = { .id = map->job_id_next++, .kind = JOB_SCRUB, .state = JOB_DONE };

	assert_int_equal(map_put_job(map, &job), 0);
	return array_commit(array, err);
}

static void write_alone(struct rack *rack, uint32_t disks, int commits)
{
	struct array *array = rack_array_of(rack, disks, ARRAY_WRITE);
	struct err err = { 0 };

	for (int i = 0; i < commits; i++) {
		if (commit_one(array, &err))
			fail_msg("disks 0x%x: %s", disks, err.text);
	}
	array_close(array);
}

static uint32_t commits_on(struct rack *rack, uint32_t disks)
{
	struct array *array = rack_array_of(rack, disks, ARRAY_READ);
	uint32_t count = array_map(array)->job_count;

	array_close(array);
	return count;
}

static void assert_refused(struct rack *rack, uint32_t disks, int code, const char *fact)
{
	for (int access = ARRAY_READ; access <= ARRAY_WRITE; access++) {
		struct array *array = NULL;
		struct err err = { 0 };
		uint64_t writes = rack->writes;
		int rc = rack_array(rack, disks, (enum array_access)access, &array, &err);

		if (rc != code || !strstr(err.text, fact))
			fail_msg("disks 0x%x: %d (%s)", disks, rc, err.text);
		assert_int_equal(rack->writes, writes);
	}
}

/* Any numbers of commits on the two sides, in both orders. */
static void halves_of_a_mirror_written_apart_are_refused(void **state)
{
	(void)state;
	for (int a = 1; a <= 6; a++) {
		for (int b = 1; b <= 6; b++) {
			struct rack rack;

			rack_make(&rack, 2);
			write_alone(&rack, 3, 2);
			write_alone(&rack, 1, a);
			write_alone(&rack, 2, b);
			assert_refused(&rack, 3, ERR_FORK, "written apart");
			/* each side still stands by itself */
			assert_int_equal(commits_on(&rack, 1), 2 + a);
			assert_int_equal(commits_on(&rack, 2), 2 + b);
			rack_close(&rack);
		}
	}
}

/* More sessions, each of which may begin an epoch, on one side and on both. */
static void later_epochs_do_not_hide_a_fork(void **state)
{
	struct rack rack;

	(void)state;
	rack_make(&rack, 2);
	write_alone(&rack, 1, 1);
	write_alone(&rack, 2, 1);
	for (int i = 0; i < 3; i++) {
		write_alone(&rack, 1, 2);
		assert_refused(&rack, 3, ERR_FORK, "written apart");
		write_alone(&rack, 2, 4);
		assert_refused(&rack, 3, ERR_FORK, "written apart");
	}
	rack_close(&rack);
}

/* Members go and come one after the other; those that stay hand the map on, so nothing forks. */
static void members_may_take_turns_in_being_away(void **state)
{
	static const uint32_t sessions[] = { 7, 14, 13, 11, 3, 6, 12, 9 };
	struct rack rack;

	(void)state;
	rack_make(&rack, 4);
	for (uint32_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		write_alone(&rack, sessions[i], 1);
		assert_int_equal(commits_on(&rack, 15), i + 1);
	}
	rack_close(&rack);
}

/* Only one side was written: the other comes back, behind but not forked, and the next commit is on both. */
static void side_that_only_missed_commits_comes_back(void **state)
{
	(void)state;
	for (uint32_t side = 1; side <= 2; side++) {
		for (int commits = 1; commits <= 6; commits++) {
			struct rack rack;

			rack_make(&rack, 2);
			write_alone(&rack, side, commits);
			struct array *array = rack_array_of(&rack, 3, ARRAY_WRITE);
			assert_int_equal(array_presence(array, side - 1), PRESENT);
			assert_int_equal(array_presence(array, 2 - side), PRESENT_STALE);
			assert_int_equal(array_map(array)->job_count, commits);
			array_close(array);
			write_alone(&rack, 3, 1);
			for (uint32_t disk = 1; disk <= 2; disk++)
				assert_int_equal(commits_on(&rack, disk), commits + 1);
			rack_close(&rack);
		}
	}
}

/* Fewer than half may not write, so they cannot fork either. */
static void minority_cannot_write(void **state)
{
	struct array *array = NULL;
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_make(&rack, 3);
	assert_int_equal(rack_array(&rack, 4, ARRAY_WRITE, &array, &err), ERR_TOO_FEW);
	write_alone(&rack, 3, 2);
	array = rack_array_of(&rack, 4, ARRAY_READ); /* but it may look */
	assert_int_equal(array_map(array)->job_count, 0);
	array_close(array);
	array = rack_array_of(&rack, 7, ARRAY_WRITE);
	assert_int_equal(array_map(array)->job_count, 2);
	array_close(array);
	rack_close(&rack);
}

/*
 * Power fails when a commit is on disk 0 alone, then disk 1 goes on without it. What disk 0 knows was never
 * acknowledged: no fork, and disk 1 is right.
 */
static void commit_that_nobody_was_told_of_is_no_fork(void **state)
{
	(void)state;
	for (int commits = 1; commits <= 5; commits++) {
		struct rack rack;
		struct err err = { 0 };

		rack_make(&rack, 2);
		write_alone(&rack, 3, 1);
		struct array *array = rack_array_of(&rack, 3, ARRAY_WRITE);
		rack.writes_left = 5; /* records, flushes, one superblock */
		assert_int_not_equal(commit_one(array, &err), 0);
		array_close(array);
		rack.writes_left = UINT64_MAX;
		assert_int_equal(commits_on(&rack, 1), 2);
		assert_int_equal(commits_on(&rack, 2), 1);

		write_alone(&rack, 2, commits);
		array = rack_array_of(&rack, 3, ARRAY_WRITE);
		assert_int_equal(array_map(array)->job_count, 1 + commits);
		assert_int_equal(array_presence(array, 0), PRESENT_STALE);
		array_close(array);
		write_alone(&rack, 3, 1);
		assert_int_equal(commits_on(&rack, 1), 2 + commits);
		assert_int_equal(commits_on(&rack, 2), 2 + commits);
		rack_close(&rack);
	}
}

/* Disk 0 alone has the beginning of an epoch without disk 2, which 1 knows never was; 1 and 2 go on without 0. */
static void epoch_that_never_was_make(struct rack *rack, int commits)
{
	struct err err = { 0 };

	rack_make(rack, 3);
	write_alone(rack, 7, 1);
	struct array *array = rack_array_of(rack, 3, ARRAY_WRITE);
	rack->writes_left = 5; /* records, flushes, one superblock */
	assert_int_not_equal(commit_one(array, &err), 0);
	array_close(array);
	rack->writes_left = UINT64_MAX;
	write_alone(rack, 6, commits);
}

/*
 * An epoch that never was is told from a branch by the map of its one superblock. So it is wherever the power fails while
 * that member is brought up to date, and afterwards nothing of it outdoes what was acknowledged.
 */
static void epoch_that_never_was_is_no_fork_wherever_power_fails(void **state)
{
	(void)state;
	for (int commits = 1; commits <= 5; commits++) {
		for (uint64_t cut = 0; cut < 24; cut++) {
			struct rack rack;
			struct array *array = NULL;
			struct err err = { 0 };

			epoch_that_never_was_make(&rack, commits);
			rack.writes_left = cut;
			if (rack_array(&rack, 7, ARRAY_WRITE, &array, &err) == 0)
				(void)!commit_one(array, &err);
			array_close(array);
			rack.writes_left = UINT64_MAX;
			uint32_t known = commits_on(&rack, 7);

			assert_in_range(known, 1 + (uint32_t)commits, 2 + (uint32_t)commits);
			write_alone(&rack, 7, 1);
			for (uint32_t disk = 0; disk < 3; disk++)
				assert_int_equal(commits_on(&rack, 7 & ~(1u << disk)), known + 1);
			rack_close(&rack);
		}
	}
}

/* A superblock two commits ahead in the slot of `disk`, cut off: its end is that of another one. */
static uint64_t half_super_make(struct rack *rack, uint32_t disk)
{
	struct dev *dev = rack_dev(rack, disk);
	uint8_t *bytes = rack_bytes(rack, disk);
	struct super super = { 0 };
	struct array_probe probe;
	struct err err = { 0 };

	assert_int_equal(array_probe(&probe, dev, &err), 0);
	dev_close(dev);
	uint64_t from = super_offset(&probe.member, (uint32_t)(probe.generation % SUPER_SLOTS),
				     &(struct geometry){ 0 });
	assert_int_equal(super_decode(&super, bytes + from, from, &err), 0);
	super.generation += 2;
	super.slot = (uint32_t)(super.generation % SUPER_SLOTS);
	super.offset = super_offset(&probe.member, super.slot, &super.geometry);
	super_encode(bytes + super.offset, &super);
	memset(bytes + super.offset + BLOCK_SIZE / 2, 0xEE, BLOCK_SIZE / 2);
	return super.generation;
}

/*
 * Half a superblock of a commit of which the others know that it never was. The next commit gets no number below
 * it: of two that never were, the number tells which came first.
 */
static void no_number_below_that_of_a_half_is_given(void **state)
{
	struct rack rack;

	(void)state;
	rack_make(&rack, 3);
	write_alone(&rack, 7, 1);
	uint64_t generation = half_super_make(&rack, 2);
	write_alone(&rack, 7, 1);
	struct array *array = rack_array_of(&rack, 7, ARRAY_READ);
	assert_int_equal(array_map(array)->generation, generation);
	array_close(array);
	rack_close(&rack);
}

/* A member that was away for more epochs than the map remembers is not judged by guess. */
static void member_older_than_memory_is_left_out(void **state)
{
	struct rack rack;

	(void)state;
	rack_make(&rack, 4);
	for (uint32_t i = 0; i < EPOCHS_MAX + 2; i++)
		write_alone(&rack, i % 2 ? 7 : 3, 1); /* 3 is away all the time, 2 comes and goes */
	struct array *array = rack_array_of(&rack, 15, ARRAY_WRITE);
	assert_int_equal(array_map(array)->epoch_count, EPOCHS_MAX);
	assert_int_equal(array_presence(array, 3), ABSENT_OTHER_BRANCH);
	assert_false(array_member_usable(array, 3));
	array_close(array);
	rack_close(&rack);
}

/* Two copies of one member, whichever is newer, and members of two arrays. */
static void copies_and_strangers_are_refused(void **state)
{
	struct rack rack, other;

	(void)state;
	rack_make(&rack, 2);
	memcpy(rack_bytes(&rack, 1), rack_bytes(&rack, 0), DISK_SIZE);
	assert_refused(&rack, 3, ERR_DUPLICATE, "same member 0");
	write_alone(&rack, 1, 1);
	assert_refused(&rack, 3, ERR_DUPLICATE, "disk1");
	rack_close(&rack);

	rack_make(&rack, 2);
	rack_make(&other, 3);
	memcpy(rack_bytes(&rack, 1), rack_bytes(&other, 1), DISK_SIZE);
	assert_refused(&rack, 3, ERR_MIXED, "tank");
	rack_close(&other);
	rack_close(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_of_a_mirror_written_apart_are_refused),
		cmocka_unit_test(later_epochs_do_not_hide_a_fork),
		cmocka_unit_test(members_may_take_turns_in_being_away),
		cmocka_unit_test(side_that_only_missed_commits_comes_back),
		cmocka_unit_test(minority_cannot_write),
		cmocka_unit_test(commit_that_nobody_was_told_of_is_no_fork),
		cmocka_unit_test(epoch_that_never_was_is_no_fork_wherever_power_fails),
		cmocka_unit_test(no_number_below_that_of_a_half_is_given),
		cmocka_unit_test(member_older_than_memory_is_left_out),
		cmocka_unit_test(copies_and_strangers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
