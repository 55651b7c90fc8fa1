/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: a member that fails is marked before anything goes on, what it missed is no source when it returns,
 * in whatever order members fail and return, and a delta rebuild brings back exactly what was missed.
 * Method: arrays on simulated disks; blocks written in place; members failed and returned in all orders; every
 * read compared. Tasks that see the same failure at once run under schedules from seeds.
 */
#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/rebuild.h"
#include "core/job/rebuild_delta.h"
#include "tests/unit/array_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(2816) * 1024)
#define SEED 3u
#define VOLUME_SIZE (UINT64_C(190) * BLOCK_SIZE)
#define ALL UINT32_MAX

static void rack_of(struct rack *rack, const struct policy *policy, uint32_t disks)
{

	struct array *array = rack_begin(rack, seeded_env(SEED), disks, DISK_SIZE, policy);

	put_bytes(array, "v", &array_map(array)->policy, VOLUME_SIZE, SEED);
	array_close(array);
}

static uint64_t stale_extents(const struct array *array, uint32_t slot)
{
	return rebuild_delta_count(array, slot);
}

/* ---- marking */

static void a_failed_member_is_marked_in_a_commit_and_stays_marked(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4 };
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_of(&rack, &policy, 4);
	struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	uint64_t generation = array->map->generation;
	uint64_t group = array->map->groups[0]->id;
	uint32_t slot = array->map->groups[0]->extents[1].slot;

	assert_int_equal(array_member_failed(array, slot, ERR_IO, &err), 0);
	assert_int_equal(array->map->generation, generation + 1);
	assert_int_equal(array_member_failed(array, slot, ERR_IO, &err), 0);
	assert_int_equal(array->map->generation, generation + 1); /* it is known already */
	assert_false(array_member_usable(array, slot));
	assert_int_equal(stale_extents(array, slot), 0);
	assert_int_equal(array_mark_missed(array, group, &err), 0);
	assert_int_equal(array->map->generation, generation + 2);
	assert_int_equal(array_mark_missed(array, group, &err), 0);
	assert_int_equal(array->map->generation, generation + 2);
	assert_int_equal(stale_extents(array, slot), 1);
	array_close(array);

	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	assert_int_equal(map_member(array->map, slot)->state, MEMBER_FAILED);
	assert_int_equal(array_set_member_state(array, slot, MEMBER_ONLINE, &err), 0);
	assert_int_equal(stale_extents(array, slot), 1); /* online does not make it right */
	assert_int_equal(array_health(array), HEALTH_DEGRADED);
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);
	rack_close(&rack);
}

static void more_than_the_layouts_survive_stops_all_writing(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4 };
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_of(&rack, &policy, 4);
	struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	uint64_t group = array->map->groups[0]->id;

	assert_int_equal(array_member_failed(array, 0, ERR_IO, &err), 0);
	uint64_t writes = rack.writes;
	assert_int_equal(array_member_failed(array, 1, ERR_IO, &err), ERR_IO);
	assert_int_equal(array_poisoned(array), ERR_IO);
	assert_int_equal(array_mark_missed(array, group, &err), ERR_IO);
	assert_int_equal(rack.writes, writes);
	array_close(array);

	/* The second one was not marked, so it is there again. */
	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	assert_true(array_member_usable(array, 1));
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);
	rack_close(&rack);
}

/* As many members may be absent as two, but each group survives one: its last copies stay in service. */
static void a_member_that_a_group_cannot_do_without_stays(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 3 };
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_of(&rack, &policy, 6);
	struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	const struct group *group = array->map->groups[0];
	uint32_t a = group->extents[0].slot, b = group->extents[1].slot;

	assert_null(array_group_needing(array, b));
	assert_int_equal(array_member_failed(array, a, ERR_IO, &err), 0);
	assert_ptr_equal(array_group_needing(array, b), group);
	assert_int_equal(array_member_failed(array, b, ERR_IO, &err), ERR_IO);
	assert_non_null(strstr(err.text, "no other copy"));
	assert_int_equal(array_poisoned(array), ERR_IO);
	assert_true(array_member_usable(array, b));
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);

	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	assert_int_equal(map_member(array->map, b)->state, MEMBER_ONLINE);
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);
	rack_close(&rack);
}

/* The same when it is a commit that the member fails in. */
static int fail_writes_of(void *arg, uint32_t disk, const struct io *io)
{
	return disk == *(const uint32_t *)arg && io->op != IO_READ ? ERR_IO : 0;
}

static void a_commit_takes_out_nobody_that_a_group_needs(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 3 };
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_of(&rack, &policy, 6);
	struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	uint32_t a = array->map->groups[0]->extents[0].slot;
	uint32_t b = array->map->groups[0]->extents[1].slot;

	assert_int_equal(array_member_failed(array, a, ERR_IO, &err), 0);
	rack.watch = fail_writes_of;
	rack.watch_arg = &b;
	assert_int_equal(array_volume_rename(array, "v", "w", &err), ERR_IO);
	assert_int_equal(array_poisoned(array), ERR_IO);
	rack.watch = NULL;
	array_close(array);

	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	assert_true(array_member_usable(array, b));
	assert_bytes(array, map_volume_named(array->map, "v") ? "v" : "w", VOLUME_SIZE, SEED);
	array_close(array);
	rack_close(&rack);
}

static int fail_reads_of(void *arg, uint32_t disk, const struct io *io)
{
	return (*(const uint32_t *)arg >> disk & 1) && io->op == IO_READ ? ERR_IO : 0;
}

/* FAULTS A1: a member of which nothing can be read from the beginning is as absent. */
static void a_member_whose_superblocks_cannot_be_read_is_absent(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4 };
	uint32_t failing = 1u << 2;
	struct array *array = NULL;
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_of(&rack, &policy, 4);
	rack.watch = fail_reads_of;
	rack.watch_arg = &failing;
	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	assert_int_equal(array_presence(array, 2), ABSENT);
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);

	failing = ALL;
	assert_int_equal(rack_array(&rack, ALL, ARRAY_READ, &array, &err), ERR_IO);
	rack_close(&rack);
}

static void a_group_that_lost_too_much_is_not_marked(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 3 };
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_of(&rack, &policy, 6); /* two of six may be absent, but a group survives one */
	struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	const struct group *group = array->map->groups[0];
	uint64_t id = group->id;
	uint32_t a = group->extents[0].slot, b = group->extents[1].slot;
	array_close(array);

	array = rack_array_of(&rack, ALL & ~(1u << a | 1u << b), ARRAY_WRITE);
	assert_int_equal(array_mark_missed(array, id, &err), ERR_IO);
	assert_int_equal(array_poisoned(array), 0);
	assert_int_equal(array_mark_missed_all(array, &id, 1, &err), 0);
	assert_int_equal(stale_extents(array, a) + stale_extents(array, b), 0);
	array_close(array);
	rack_close(&rack);
}

/* ---- tasks */

struct crowd {
	struct env *env;
	struct array *array;
	uint64_t groups[4];
	uint32_t group_count;
	uint64_t generation;
};

static void crowd_task(void *arg, uint32_t index)
{
	struct crowd *crowd = arg;
	struct err err = { 0 };

	for (uint32_t i = 0; i < index % 3; i++)
		env_yield(crowd->env);
	assert_int_equal(array_member_failed(crowd->array, 1, ERR_IO, &err), 0);
	/* Whoever returns, the commit is durable. */
	assert_true(crowd->array->map->generation > crowd->generation);
	assert_int_equal(
		array_mark_missed(crowd->array, crowd->groups[index % crowd->group_count], &err),
		0);
}

static void crowd_run(void *arg)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 2, .columns = 4 };
	struct crowd *crowd = arg;
	struct rack rack;

	struct array *array = rack_begin(&rack, crowd->env, 4, DISK_SIZE, &policy);
	put_bytes(array, "v", &array_map(array)->policy, VOLUME_SIZE, SEED);
	crowd->array = array;
	crowd->group_count = (uint32_t)size_min(4, array->map->group_count);
	for (uint32_t g = 0; g < crowd->group_count; g++)
		crowd->groups[g] = array->map->groups[g]->id;
	crowd->generation = array->map->generation;
	env_parallel(crowd->env, 8, crowd_task, crowd);
	assert_true(array->map->generation <= crowd->generation + 1 + crowd->group_count);
	assert_int_equal(stale_extents(array, 1), crowd->group_count);
	array_close(array);
	rack_close(&rack);
}

static void many_tasks_that_see_one_failure_make_one_commit(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct crowd crowd = { .env = env_sim_create(seed) };

		assert_non_null(crowd.env);
		env_sim_run(crowd.env, crowd_run, &crowd);
		env_sim_free(crowd.env);
	}
	struct crowd crowd = { .env = env_threads() };
	crowd_run(&crowd);
}

/* ---- E2 and E3: fail, write, fail, write, return in every order */

struct story {
	struct rack rack;
	uint8_t *expected, *got;
	struct rng rng;
};

static void write_some(struct story *story, struct array *array)
{
	struct array_write_result result;
	struct err err = { 0 };

	for (uint32_t i = 0; i < 4; i++) {
		uint64_t at = rng_below(&story->rng, VOLUME_SIZE - 9000);
		uint64_t size = 1 + rng_below(&story->rng, 9000);
		uint8_t *bytes = story->expected + at;

		for (uint64_t b = 0; b < size; b++)
			bytes[b] = (uint8_t)rng_next(&story->rng);
		if (array_write(array, array->map->volumes[0], at, bytes, size, &result, &err))
			fail_msg("write: %s", err.text);
	}
	if (array_write_settle(array, &err))
		fail_msg("settle: %s", err.text);
}

static void read_all(struct story *story, struct array *array, const char *what)
{
	struct array_read_result result;
	struct err err = { 0 };

	if (array_read(array, array->map->volumes[0], 0, story->got, VOLUME_SIZE, &result, &err))
		fail_msg("%s: %s", what, err.text);
	assert_int_equal(result.lost, 0);
	if (memcmp(story->got, story->expected, VOLUME_SIZE) != 0)
		fail_msg("%s: wrong bytes", what);
}

static void story_open(struct story *story, const struct policy *policy, uint32_t disks,
		       uint64_t seed)
{
	struct array_read_result result;
	struct err err = { 0 };

	*story = (struct story){ .rng = rng_seeded(seed) };
	rack_of(&story->rack, policy, disks);
	story->expected = mem_calloc(VOLUME_SIZE, 1);
	story->got = mem_calloc(VOLUME_SIZE, 1);
	struct array *array = rack_array_of(&story->rack, ALL, ARRAY_READ);
	assert_int_equal(array_read(array, array->map->volumes[0], 0, story->expected, VOLUME_SIZE,
				    &result, &err),
			 0);
	array_close(array);
}

static void story_close(struct story *story)
{
	mem_free(story->expected);
	mem_free(story->got);
	rack_close(&story->rack);
}

/* A delta rebuild of one member; it must write less than its extents are large. */
static void delta(struct story *story, struct array *array, uint32_t slot)
{
	const struct rebuild_request request = { .from = slot, .to = slot };
	struct rebuild_report report = { 0 };
	struct err err = { 0 };

	(void)story;
	if (rebuild_run(array, &request, &report, &err))
		fail_msg("delta: %s", err.text);
	assert_int_equal(report.extents_lost, 0);
	assert_int_equal(stale_extents(array, slot), 0);
	assert_true(report.extents_moved == 0 ||
		    report.bytes_written < array_member_used(array, slot) / 2);
}

static void assert_well(struct array *array)
{
	assert_clean(array, "at the end");
	assert_int_equal(array_health(array), HEALTH_HEALTHY);
}

/* Fail a, write, fail b, write; they return one after the other, first a or first b, absent or failed. */
static void tell(const struct policy *policy, uint32_t disks, uint32_t a, uint32_t b, bool a_first,
		 bool absent)
{
	uint32_t all = (UINT32_C(1) << disks) - 1, without = all & ~(1u << a);
	uint32_t first = a_first ? a : b, second = a_first ? b : a;
	struct err err = { 0 };
	struct story story;

	print_message("%s: %u then %u, %s, %s first\n", layout_name(policy->layout), a, b,
		      absent ? "absent" : "failed", a_first ? "first" : "second");
	story_open(&story, policy, disks, SEED + a * 8 + b);
	struct array *array = rack_array_of(&story.rack, absent ? without : all, ARRAY_WRITE);
	if (!absent)
		assert_int_equal(array_member_failed(array, a, ERR_IO, &err), 0);
	write_some(&story, array);
	read_all(&story, array, "without the first");
	if (absent) {
		array_close(array);
		array = rack_array_of(&story.rack, without & ~(1u << b), ARRAY_WRITE);
	} else {
		assert_int_equal(array_member_failed(array, b, ERR_IO, &err), 0);
	}
	write_some(&story, array);
	read_all(&story, array, "without both");
	array_close(array);

	uint32_t there = absent ? without & ~(1u << b) : all;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t back = i == 0 ? first : second;

		there |= 1u << back;
		array = rack_array_of(&story.rack, there, ARRAY_WRITE);
		if (!absent)
			assert_int_equal(array_set_member_state(array, back, MEMBER_ONLINE, &err),
					 0);
		read_all(&story, array, "one is back");
		delta(&story, array, back);
		read_all(&story, array, "after its delta");
		write_some(&story, array);
		read_all(&story, array, "and a write");
		array_close(array);
	}
	/* The last write was healthy, but the one before missed whoever came second. */
	array = rack_array_of(&story.rack, all, ARRAY_WRITE);
	delta(&story, array, a);
	delta(&story, array, b);
	read_all(&story, array, "healthy again");
	assert_well(array);
	array_close(array);
	/* And each is a source again. */
	for (uint32_t gone = 0; gone < disks; gone++) {
		array = rack_array_of(&story.rack, all & ~(1u << gone), ARRAY_READ);
		read_all(&story, array, "without any one");
		array_close(array);
	}
	story_close(&story);
}

static void e2_members_that_return_in_any_order_are_no_source_for_what_they_missed(void **state)
{
	const struct policy two = { .layout = LAYOUT_PARITY, .checks = 2, .columns = 5 };
	const struct policy three = { .layout = LAYOUT_MIRROR, .checks = 2 };

	(void)state;
	for (uint32_t a = 0; a < 5; a++) {
		for (uint32_t b = 0; b < 5; b++) {
			for (uint32_t n = 0; a != b && n < 4; n++) {
				tell(&two, 5, a, b, n & 1, n & 2);
				if (a < 3 && b < 3)
					tell(&three, 3, a, b, n & 1, n & 2);
			}
		}
	}
}

/* One survives, two are gone: nothing is written, nothing is marked, and whoever returns is as good as it was. */
static void e3_more_gone_than_is_survived_and_back_in_every_order(void **state)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4 };
	struct err err = { 0 };

	(void)state;
	for (uint32_t n = 0; n < 2; n++) {
		struct array_write_result result;
		struct story story;
		uint8_t byte = 1;

		story_open(&story, &policy, 4, SEED + n);
		struct array *array = rack_array_of(&story.rack, 0xe, ARRAY_WRITE);
		write_some(&story, array); /* member 0 misses it */
		assert_int_not_equal(array_member_failed(array, 1, ERR_IO, &err), 0);
		assert_int_not_equal(
			array_write(array, array->map->volumes[0], 0, &byte, 1, &result, &err), 0);
		array_close(array);
		if (n == 0) { /* 0 returns first: it is no help */
			array = rack_array_of(&story.rack, 0xd, ARRAY_WRITE);
			struct array_read_result lost;
			assert_int_equal(array_read(array, array->map->volumes[0], 0, story.got,
						    VOLUME_SIZE, &lost, &err),
					 0);
			assert_true(lost.lost > 0);
			for (uint64_t at = 0; at < VOLUME_SIZE; at++)
				assert_true(story.got[at] == story.expected[at] ||
					    story.got[at] == 0);
			array_close(array);
		} else {
			array = rack_array_of(&story.rack, 0xe, ARRAY_WRITE);
			read_all(&story, array, "1 is back");
			array_close(array);
		}
		array = rack_array_of(&story.rack, 0xf, ARRAY_WRITE);
		read_all(&story, array, "all are back");
		delta(&story, array, 0);
		read_all(&story, array, "and well");
		assert_well(array);
		array_close(array);
		story_close(&story);
	}
}

/* A member that takes no record, and the power that fails behind the first cell that is written then. */
struct bad_luck {
	uint32_t victim;
	bool struck, dark;
};

static int fail_record_then_power(void *arg, uint32_t disk, const struct io *io)
{
	struct bad_luck *luck = arg;

	if (io->op == IO_READ)
		return 0;
	if (luck->dark || (disk == luck->victim && io->role == IO_ROLE_LOG)) {
		luck->struck = true;
		return ERR_IO;
	}
	luck->dark = luck->struck && (io->role == IO_ROLE_DATA || io->role == IO_ROLE_PARITY);
	return 0;
}

/* Write the first block again and again until it fails. Returns how often it was written. */
static uint32_t write_until_dark(struct array *array, const struct bad_luck *luck, uint8_t *block)
{
	const struct volume *volume = map_volume_named(array->map, "v");
	uint32_t count = 0;
	int rc = 0;

	while (!rc && count < 8) {
		struct array_write_result result;
		struct err err = { 0 };

		memset(block, (int)++count, BLOCK_SIZE);
		rc = array_write(array, volume, 0, block, BLOCK_SIZE, &result, &err);
	}
	assert_true(rc && luck->dark);
	return count;
}

/*
 * The rows were named while all was well, so without content, and a member fails before their cells are written: if
 * the power fails in these, blocks beside them that lay on the member must be solved all the same.
 */
static void a_member_that_fails_while_rows_are_named_costs_no_other_block(void **state)
{
	const struct policy policy = {
		.layout = LAYOUT_PARITY, .checks = 1, .columns = 4, .journal = JOURNAL_DEGRADED
	};
	static uint8_t before[VOLUME_SIZE], after[VOLUME_SIZE], block[BLOCK_SIZE];
	struct array_read_result result;
	struct err err = { 0 };

	(void)state;
	for (uint32_t column = 1; column < 3; column++) {
		struct rack rack;

		rack_of(&rack, &policy, 4);
		struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
		const struct volume *volume = map_volume_named(array->map, "v");
		struct bad_luck luck = { .victim = array->map->groups[0]->extents[column].slot };

		assert_int_equal(array_read(array, volume, 0, before, VOLUME_SIZE, &result, &err),
				 0);
		rack.watch = fail_record_then_power;
		rack.watch_arg = &luck;
		uint32_t count = write_until_dark(array, &luck, block);
		array_close(array);
		rack.watch = NULL;

		array = rack_array_of(&rack, ALL & ~(1u << luck.victim), ARRAY_WRITE);
		volume = map_volume_named(array->map, "v");
		assert_int_equal(array_read(array, volume, 0, after, VOLUME_SIZE, &result, &err),
				 0);
		assert_int_equal(result.lost, 0);
		assert_true(after[0] == count ||
			    (count > 1 ? after[0] == count - 1 : after[0] == before[0]));
		assert_memory_equal(before + BLOCK_SIZE, after + BLOCK_SIZE,
				    VOLUME_SIZE - BLOCK_SIZE);
		array_close(array);
		rack_close(&rack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_member_is_marked_in_a_commit_and_stays_marked),
		cmocka_unit_test(more_than_the_layouts_survive_stops_all_writing),
		cmocka_unit_test(a_group_that_lost_too_much_is_not_marked),
		cmocka_unit_test(a_member_that_a_group_cannot_do_without_stays),
		cmocka_unit_test(a_commit_takes_out_nobody_that_a_group_needs),
		cmocka_unit_test(a_member_whose_superblocks_cannot_be_read_is_absent),
		cmocka_unit_test(a_member_that_fails_while_rows_are_named_costs_no_other_block),
		cmocka_unit_test(many_tasks_that_see_one_failure_make_one_commit),
		cmocka_unit_test(
			e2_members_that_return_in_any_order_are_no_source_for_what_they_missed),
		cmocka_unit_test(e3_more_gone_than_is_survived_and_back_in_every_order),
	};

	return cmocka_run_group_tests_name("degrade", tests, NULL, NULL);
}
