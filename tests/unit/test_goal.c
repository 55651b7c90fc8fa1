/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Goals and reshapes: aim is that groups move as SPEC 4.4 to 4.6 count it and that new checks are right.
 * Method: maps without disks. Each extent has one byte of content; after every batch each check must be what
 * the code computes from the data, from the sums that reshape_sum() names alone; no two columns of a group
 * share a member, and no two extents a frame. Moves and I/O are compared with proofs/dpg.py's formulas.
 */
#include "core/map/goal.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/code/kernel.h"
#include "core/map/allocate.h"
#include "core/map/check.h"
#include "core/map/place.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BODY 16u
#define IDS_MAX 65536u

static uint8_t content[IDS_MAX]; /* of extent `id`: one byte stands for all */

struct world {
	struct places places;
	struct rng rng;
	struct reshape_cost cost;
	uint64_t moves, batches;
};

static void world_make(struct world *world, const uint64_t *frames, uint32_t members, uint64_t seed)
{
	struct map *map = map_create();

	assert_non_null(map);
	*world = (struct world){ .rng = rng_seeded(seed) };
	map->geometry = (struct geometry){ .frame_body_blocks = BODY, .witness_max = 32 };
	map->geometry.frame_blocks = geometry_frame_blocks(BODY, 32);
	world->places = (struct places){ .map = map, .generation = 1 };
	assert_int_equal(space_create(&world->places.space, map, NULL), 0);
	for (uint32_t i = 0; i < members; i++) {
		const struct member member = { .slot = i, .frame_count = frames[i] };

		assert_int_equal(map_put_member(map, &member), 0);
		assert_int_equal(space_add_member(world->places.space, i, frames[i]), 0);
		world->places.usable = member_set_with(world->places.usable, i);
	}
}

static void world_free(struct world *world)
{
	map_free(world->places.map);
	space_free(world->places.space);
}

static void add_member(struct world *world, uint32_t slot, uint64_t frames)
{
	const struct member member = { .slot = slot, .frame_count = frames };

	assert_int_equal(map_put_member(world->places.map, &member), 0);
	assert_int_equal(space_add_member(world->places.space, slot, frames), 0);
	world->places.usable = member_set_with(world->places.usable, slot);
}

static uint8_t check_byte(const struct group *group, uint32_t j)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < group_data_columns(group); i++)
		sum ^= gf_multiply(gf_power(j * group->shape.index[i]),
				   content[group->extents[i].id]);
	return sum;
}

/* A group as the allocator would make it; false when the array is full. */
static bool add_group(struct world *world, uint32_t columns, uint16_t checks)
{
	const struct policy policy = { .layout = LAYOUT_PARITY,
				       .checks = checks,
				       .columns = (uint16_t)columns,
				       .unit_blocks = 1 };
	uint64_t blocks = (uint64_t)(columns - checks) * BODY;
	struct group_size size;
	struct group *group = NULL;
	struct err err = { 0 };

	if (allocate_group(&world->places, &policy, blocks, &group, &size, &err))
		return false;
	if (group->shape.columns != columns) {
		allocate_undo(world->places.space, group);
		return false;
	}
	assert_true(world->places.map->extent_id_next < IDS_MAX);
	for (uint32_t i = 0; i < group_data_columns(group); i++)
		content[group->extents[i].id] = (uint8_t)rng_next(&world->rng);
	for (uint32_t j = 0; j < checks; j++)
		content[group->extents[columns - checks + j].id] = check_byte(group, j);
	assert_int_equal(map_put_group(world->places.map, group), 0);
	return true;
}

static uint64_t used_frames(const struct world *world, uint32_t slot)
{
	return space_total_frames(world->places.space, slot) -
	       space_free_frames(world->places.space, slot);
}

/* The new checks, from what the sum says is read. */
static void compute(struct world *world, const struct reshape *reshape, const struct group *fresh)
{
	uint32_t data = group_data_columns(fresh);
	const struct group *old;
	uint32_t column;
	struct reshape_sum sum;

	if (reshape_way(world->places.map, fresh, data, &old, &column) != RESHAPE_COMPUTED)
		return;
	reshape_sum(&sum, world->places.map, reshape, fresh);
	for (uint32_t j = 0; j < fresh->shape.checks; j++) {
		uint8_t byte = 0;

		for (uint32_t t = 0; t < sum.count; t++)
			byte ^= gf_multiply(
				sum.terms[t].coefficients[j],
				content[sum.terms[t].group->extents[sum.terms[t].column].id]);
		content[fresh->extents[data + j].id] = byte;
	}
}

struct freed {
	struct extent at[4096];
	uint32_t count;
};

static int note_freed(void *arg, const struct extent *extent)
{
	struct freed *freed = arg;

	assert_true(freed->count < 4096);
	freed->at[freed->count++] = *extent;
	return 0;
}

/* Every rule of the map, and every check by its code. */
static void check_world(const struct world *world)
{
	const struct map *map = world->places.map;
	struct space *space = NULL;
	struct err err = { 0 };

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		uint64_t members = 0;

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			assert_false(members >> group->extents[c].slot & 1);
			members |= UINT64_C(1) << group->extents[c].slot;
		}
		for (uint32_t j = 0; j < group->shape.checks; j++)
			assert_int_equal(content[group->extents[group_data_columns(group) + j].id],
					 check_byte(group, j));
		assert_int_equal(map_check_group(map, group, &err), 0);
	}
	assert_int_equal(space_create(&space, map, &err), 0); /* no two extents on a frame */
	for (uint32_t i = 0; i < map->member_count; i++)
		assert_int_equal(space_free_frames(space, map->members[i].slot),
				 space_free_frames(world->places.space, map->members[i].slot));
	space_free(space);
}

/* One batch; false when there is none. */
static bool step(struct world *world, const struct goal *goal, uint64_t blocks_max, int *rc_out)
{
	struct batch batch = { .places = &world->places, .blocks_max = blocks_max };
	static struct freed freed;
	struct err err = { 0 };

	freed.count = 0;
	*rc_out = goal_next(&batch, goal, &err);
	if (*rc_out || batch.list.count == 0) {
		batch_reset(&batch);
		return false;
	}
	for (size_t i = 0; i < batch.list.count; i++) {
		struct reshape_cost cost = reshape_cost(world->places.map, &batch.list.at[i]);

		world->cost.blocks_read += cost.blocks_read;
		world->cost.blocks_written += cost.blocks_written;
		for (uint32_t f = 0; f < batch.list.at[i].fresh_count; f++)
			compute(world, &batch.list.at[i], batch.list.at[i].fresh[f]);
	}
	world->moves += batch.list.count;
	world->batches++;
	for (size_t i = 0; i < batch.list.count; i++)
		assert_int_equal(
			reshape_apply(world->places.map, &batch.list.at[i], note_freed, &freed), 0);
	for (uint32_t i = 0; i < freed.count; i++)
		space_give(world->places.space, freed.at[i].slot, freed.at[i].size_class,
			   freed.at[i].frame);
	world->places.generation++;
	batch_reset(&batch);
	check_world(world);
	return true;
}

static int run(struct world *world, const struct goal *goal, uint64_t blocks_max)
{
	int rc;

	while (step(world, goal, blocks_max, &rc))
		assert_true(world->batches < 100000);
	return rc;
}

/* R25, SPEC 4.4: 400 random arrays; what moves is what has to land on the new member, and no block more. */
static void test_R25_rebalance_moves_the_minimum(void **state)
{
	struct rng rng = rng_seeded(test_seed(20261121));

	(void)state;
	for (uint32_t trial = 0; trial < 400; trial++) {
		uint32_t n = 3 + (uint32_t)rng_below(&rng, 6);
		uint32_t width = 2 + (uint32_t)rng_below(&rng, (n < 5 ? n : 5) - 1);
		uint64_t frames[8], used = 0, total = 0, groups = 0;
		struct world world;
		const struct goal goal = { .kind = GOAL_REBALANCE };

		for (uint32_t i = 0; i < n; i++)
			total += frames[i] = 20 + rng_below(&rng, 41);
		world_make(&world, frames, n, trial);
		uint64_t target =
			place_groups_bound(frames, n, width) * (30 + rng_below(&rng, 61)) / 100;
		while (groups < target && add_group(&world, width, 1))
			groups++;
		assert_int_equal(run(&world, &goal, UINT64_MAX), 0); /* level among themselves */
		world.moves = 0;
		uint64_t fresh = 10 + rng_below(&rng, 81);
		add_member(&world, n, fresh);
		for (uint32_t i = 0; i < n; i++)
			used += used_frames(&world, i);
		assert_int_equal(run(&world, &goal, (1 + rng_below(&rng, 50)) * BODY), 0);
		uint64_t least = size_min(used * fresh / (total + fresh), groups);
		assert_int_equal(used_frames(&world, n), least);
		if (world.moves != least) {
			print_message("trial %u: %llu moves, least %llu\n", trial,
				      (unsigned long long)world.moves, (unsigned long long)least);
			fail();
		}
		world_free(&world);
	}
}

/* SPEC 4.5: k+1 groups of k data on k+1 members, one more: 2k reads and 2k writes, all members level. */
static void test_R32_stealing_merge(void **state)
{
	(void)state;
	for (uint32_t k = 1; k <= 7; k++) {
		uint64_t frames[9];
		struct world world;
		const struct goal goal = { .kind = GOAL_RECOMBINE, .columns = k + 2 };

		for (uint32_t i = 0; i <= k; i++)
			frames[i] = 2 * (k + 1);
		world_make(&world, frames, k + 1, k);
		for (uint32_t g = 0; g <= k; g++)
			assert_true(add_group(&world, k + 1, 1));
		add_member(&world, k + 1, 2 * (k + 1));
		assert_int_equal(run(&world, &goal, UINT64_MAX), 0);
		assert_int_equal(world.places.map->group_count, k);
		assert_int_equal(world.cost.blocks_read, 2 * k * BODY);
		/* Two mirrors need no steal: their data lie apart, so one check is all that is written. */
		assert_int_equal(world.cost.blocks_written, (k == 1 ? 1 : 2 * k) * BODY);
		for (uint32_t i = 0; i <= k + 1; i++)
			assert_int_equal(used_frames(&world, i), k);
		world_free(&world);
	}
}

/* Two narrow groups on other members: their checks alone are read, for one, two and three checks. */
static void test_merge_reads_no_data(void **state)
{
	(void)state;
	for (uint16_t p = 1; p <= 3; p++) {
		const uint64_t frames[12] = { 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4 };
		struct world world;
		const struct goal goal = { .kind = GOAL_RECOMBINE, .columns = 2 * 3u + p };

		world_make(&world, frames, 12, p);
		assert_true(add_group(&world, 3u + p, p));
		assert_true(add_group(&world, 3u + p, p));
		assert_int_equal(run(&world, &goal, UINT64_MAX), 0);
		if (world.places.map->group_count == 1) {
			assert_int_equal(world.cost.blocks_read, 2u * p * BODY);
			assert_int_equal(world.cost.blocks_written, p * BODY);
		}
		assert_int_equal(world.places.map->group_count, 1);
		world_free(&world);
	}
}

/* Random arrays of mixed members and widths: recombining ends, and only ever frees checks. */
static void test_recombine_ends_with_fewer_checks(void **state)
{
	struct rng rng = rng_seeded(test_seed(7));

	(void)state;
	for (uint32_t trial = 0; trial < 200; trial++) {
		uint32_t n = 4 + (uint32_t)rng_below(&rng, 6);
		uint16_t checks = (uint16_t)(1 + rng_below(&rng, 2));
		uint64_t frames[10], before = 0, after = 0, data = 0;
		struct world world;
		const struct goal goal = { .kind = GOAL_RECOMBINE, .columns = n };

		for (uint32_t i = 0; i < n; i++)
			frames[i] = 20 + rng_below(&rng, 20);
		world_make(&world, frames, n, trial);
		for (uint32_t g = 0; g < 8 + rng_below(&rng, 12); g++) {
			uint32_t width = checks + 1 + (uint32_t)rng_below(&rng, n - checks);

			data += add_group(&world, width, checks) ? width - checks : 0;
		}
		for (uint32_t i = 0; i < n; i++)
			before += used_frames(&world, i);
		assert_int_equal(run(&world, &goal, (1 + rng_below(&rng, 20)) * BODY), 0);
		for (uint32_t i = 0; i < n; i++)
			after += used_frames(&world, i);
		assert_true(after <= before);
		assert_int_equal(after - world.places.map->group_count * (uint64_t)checks, data);
		world_free(&world);
	}
}

/* SPEC 4.6: with as many groups as survive the loss of any member, every extent finds another place. */
static void test_R72_evacuate(void **state)
{
	struct rng rng = rng_seeded(test_seed(11));
	uint32_t stuck = 0;

	(void)state;
	for (uint32_t trial = 0; trial < 300; trial++) {
		uint32_t n = 4 + (uint32_t)rng_below(&rng, 6);
		uint32_t width = 2 + (uint32_t)rng_below(&rng, n - 2);
		uint64_t frames[10], bound = UINT64_MAX, groups = 0;
		struct world world;

		for (uint32_t i = 0; i < n; i++)
			frames[i] = 20 + rng_below(&rng, 41);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t rest[10];
			uint32_t count = 0;

			for (uint32_t j = 0; j < n; j++) {
				if (j != i)
					rest[count++] = frames[j];
			}
			bound = size_min(bound, place_groups_bound(rest, count, width));
		}
		world_make(&world, frames, n, trial);
		while (groups < bound && add_group(&world, width, 1))
			groups++;
		const struct goal goal = { .kind = GOAL_EVACUATE,
					   .member = (uint32_t)rng_below(&rng, n) };
		world.places.usable.bits &= ~(UINT64_C(1) << goal.member);
		stuck += run(&world, &goal, (1 + rng_below(&rng, 20)) * BODY) != 0;
		if (used_frames(&world, goal.member) != 0)
			print_message("trial %u: %llu frames left of width %u on %u\n", trial,
				      (unsigned long long)used_frames(&world, goal.member), width,
				      n);
		world_free(&world);
	}
	assert_int_equal(stuck, 0);
}

/* SPEC 4.6: of n members all full width, n-1-p groups become n-p of one column less; then the member is empty. */
static void test_R35_full_width_groups_get_narrower(void **state)
{
	(void)state;
	for (uint32_t n = 4; n <= 8; n++) {
		for (uint16_t p = 1; p <= 2; p++) {
			uint64_t frames[8], used = 0;
			struct world world;
			uint32_t groups = 2 * (n - 1 - p);
			const struct goal goal = { .kind = GOAL_EVACUATE, .member = n - 2 };

			for (uint32_t i = 0; i < n; i++)
				frames[i] = 4 * groups;
			world_make(&world, frames, n, n);
			for (uint32_t g = 0; g < groups; g++)
				assert_true(add_group(&world, n, p));
			world.places.usable.bits &= ~(UINT64_C(1) << goal.member);
			assert_int_equal(run(&world, &goal, BODY), 0);
			assert_int_equal(used_frames(&world, goal.member), 0);
			assert_int_equal(world.places.map->group_count, 2 * (n - p));
			for (uint32_t i = 0; i < n; i++)
				used += used_frames(&world, i);
			assert_int_equal(used, 2 * (n - p) * (n - 1));
			world_free(&world);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R25_rebalance_moves_the_minimum),
		cmocka_unit_test(test_R32_stealing_merge),
		cmocka_unit_test(test_merge_reads_no_data),
		cmocka_unit_test(test_recombine_ends_with_fewer_checks),
		cmocka_unit_test(test_R72_evacuate),
		cmocka_unit_test(test_R35_full_width_groups_get_narrower),
	};

	return cmocka_run_group_tests_name("goal", tests, NULL, NULL);
}
