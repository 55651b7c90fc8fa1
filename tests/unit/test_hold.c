/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Holds by themselves: what stands on the disks when array_hold() returns, who waits, and what a reader sees of a group
 * that leaves memory under him. Whole jobs with readers and writers are in test_reshape_meanwhile.c.
 */
#include "core/array/hold.h"

#include "core/array/degrade.h"
#include "core/array/seal_cache.h"
#include "core/base/mem.h"
#include "tests/unit/write_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH (UINT64_C(1) << 20)
#define UNIT 4u /* blocks; write_help.c */
#define GROUPS_MAX 64u

static uint32_t all_groups(const struct array *array, uint64_t ids[static GROUPS_MAX])
{
	assert_in_range(array->map->group_count, 1, GROUPS_MAX);
	for (uint32_t i = 0; i < array->map->group_count; i++)
		ids[i] = array->map->groups[i]->id;
	return array->map->group_count;
}

/* What the newest record names, as the next open would find it. */
static uint32_t rows_named(const struct array *array)
{
	struct log_member members[MEMBERS_MAX];
	struct log_found *found = mem_calloc(1, sizeof(*found));
	uint32_t count = array_log_members(array, members);
	struct err err = { 0 };

	assert_non_null(found);
	assert_int_equal(intent_log_read(found, members, count, &array->map->uuid,
					 array->map->geometry.log_size / LOG_SLOTS, &err),
			 0);
	uint32_t named = found->record.rows_count + found->record.pages_count;

	log_found_reset(found);
	mem_free(found);
	return named;
}

/*
 * Held groups are named by no record that counts: what it says of them would be held against the groups that follow.
 * Before they are; and nothing of them is in memory.
 */
static void test_a_held_group_is_not_named(void **state)
{
	(void)state;
	for (uint32_t l = 0; l < WRITE_LAYOUTS; l++) {
		struct rng rng = rng_seeded(l);
		struct array_write_result result;
		struct write_desk desk;
		uint64_t ids[GROUPS_MAX];
		struct err err = { 0 };

		desk_open(&desk, env_threads(), &write_layouts[l],
			  (enum journal_mode)(l % JOURNAL_COUNT), LENGTH);
		for (uint64_t at = 0; at < LENGTH; at += LENGTH / 8)
			assert_int_equal(desk_write(&desk, &rng, at, BLOCK_SIZE, &result), 0);
		assert_true(rows_named(desk.array) > 0);
		assert_int_equal(array_hold(desk.array, ids, all_groups(desk.array, ids), &err), 0);
		assert_int_equal(rows_named(desk.array), 0);
		assert_int_equal(seal_cache_dirty(desk.array->seal_cache), 0);
		desk_compare(&desk, 0, LENGTH); /* readers go on */
		array_release(desk.array);
		assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
		desk_compare(&desk, 0, LENGTH);
		desk_close(&desk);
	}
}

/* ---- a writer waits */

struct waiting {
	struct env *env;
	struct write_desk desk;
	bool wrote;
};

static void write_one(void *arg)
{
	struct waiting *waiting = arg;
	struct rng rng = rng_seeded(2);
	struct array_write_result result;

	assert_int_equal(desk_write(&waiting->desk, &rng, 0, BLOCK_SIZE, &result), 0);
	waiting->wrote = true;
}

static void wait_run(void *arg)
{
	struct waiting *waiting = arg;
	uint64_t ids[GROUPS_MAX];
	struct err err = { 0 };

	desk_open(&waiting->desk, waiting->env, &write_layouts[3], JOURNAL_DEGRADED, LENGTH);
	assert_int_equal(
		array_hold(waiting->desk.array, ids, all_groups(waiting->desk.array, ids), &err),
		0);
	struct env_task *task = env_spawn(waiting->env, write_one, waiting);

	assert_non_null(task);
	env_sleep_ns(waiting->env, UINT64_C(1000000000));
	assert_false(waiting->wrote);
	hold_alone(waiting->desk.array); /* he has no share while he waits */
	hold_together(waiting->desk.array);
	array_release(waiting->desk.array);
	env_join(waiting->env, task);
	assert_true(waiting->wrote);
	desk_compare(&waiting->desk, 0, LENGTH);
	desk_close(&waiting->desk);
}

/* A writer of a held group waits for the release, and is in nobody's way until then. */
static void test_a_writer_waits_for_the_release(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct waiting *waiting = mem_calloc(1, sizeof(*waiting));

		assert_non_null(waiting);
		waiting->env = env_sim_create(seed);
		assert_non_null(waiting->env);
		env_sim_run(waiting->env, wait_run, waiting);
		env_sim_free(waiting->env);
		mem_free(waiting);
	}
}

/* ---- a reader and a group that leaves */

/* Hold and release all groups when the n-th seal is about to be read. */
struct parting {
	struct array *array;
	uint32_t seals_left;
};

static int part(void *arg, uint32_t disk, const struct io *io)
{
	struct parting *parting = arg;
	uint64_t ids[GROUPS_MAX];
	struct err err = { 0 };

	(void)disk;
	if (io->op != IO_READ || (io->role != IO_ROLE_SEAL && io->role != IO_ROLE_WITNESS) ||
	    parting->seals_left == 0 || --parting->seals_left > 0)
		return 0;
	if (array_hold(parting->array, ids, all_groups(parting->array, ids), &err))
		fail_msg("hold: %s", err.text);
	array_release(parting->array);
	return 0;
}

/*
 * A reader has read some seals of a group, from before their checkpoint, when it leaves memory: what he read is old then.
 * Method: a block that has to be solved, with the group leaving at each of the reads.
 */
static void test_seals_that_leave_while_they_are_read(void **state)
{
	struct rng rng = rng_seeded(3);
	struct write_desk desk;
	struct parting parting;

	(void)state;
	desk_open(&desk, env_threads(), &write_layouts[3], JOURNAL_DEGRADED, LENGTH);
	parting = (struct parting){ .array = desk.array };
	desk.rack.watch = part;
	desk.rack.watch_arg = &parting;
	for (uint32_t n = 1; n <= 12; n++) {
		const struct group *group;
		struct array_write_result written;
		uint32_t column;

		/* Two columns and the check; then the place of the second is spoilt. */
		assert_int_equal(desk_write(&desk, &rng, 0, 2 * UNIT * BLOCK_SIZE, &written), 0);
		group = map_extent(desk.array->map, desk.volume->spans[0].extents[1], &column);
		rack_bytes(&desk.rack, group->extents[column].slot)[extent_offset(
			desk.array->map, &group->extents[column], 0)] ^= 1;
		parting.seals_left = n;
		desk_compare(&desk, UNIT * BLOCK_SIZE, BLOCK_SIZE);
		parting.seals_left = 0;
	}
	desk_close(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_held_group_is_not_named),
		cmocka_unit_test(test_a_writer_waits_for_the_release),
		cmocka_unit_test(test_seals_that_leave_while_they_are_read),
	};

	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
