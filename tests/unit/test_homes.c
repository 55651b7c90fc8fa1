/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Homes: aim is that mirrors obey their topology after every goal, with the moves that proofs/mirror.py counts, and
 * that capacity is what can be placed. Method: maps without disks, goals run to their end; capacity of small rings
 * against exhaustive search.
 */
#include "core/map/homes.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/map/allocate.h"
#include "core/map/capacity.h"
#include "core/map/goal.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BODY 16u
#define FRAMES 200u

struct world {
	struct places places;
	uint64_t moves;
};

static void add_member(struct world *world, uint32_t slot, uint64_t frames, const char *node)
{
	struct member member = { .slot = slot, .frame_count = frames };

	if (node) {
		member.label_count = 1;
		snprintf(member.labels[0].key, LABEL_SIZE, "node");
		snprintf(member.labels[0].value, LABEL_SIZE, "%s", node);
	}
	assert_int_equal(map_put_member(world->places.map, &member), 0);
	assert_int_equal(space_add_member(world->places.space, slot, frames), 0);
	world->places.usable = member_set_with(world->places.usable, slot);
}

static void world_make(struct world *world, enum topology topology, uint32_t members)
{
	struct map *map = map_create();

	assert_non_null(map);
	map->geometry = (struct geometry){ .frame_body_blocks = BODY, .witness_max = 32 };
	map->geometry.frame_blocks = geometry_frame_blocks(BODY, 32);
	map->policy = (struct policy){ .layout = LAYOUT_MIRROR,
				       .checks = topology == TOPOLOGY_MULTI ? 2 : 1,
				       .topology = topology };
	*world = (struct world){ .places = { .map = map, .generation = 1 } };
	assert_int_equal(space_create(&world->places.space, map, NULL), 0);
	for (uint32_t i = 0; i < members; i++)
		add_member(world, i, FRAMES, i < members / 2 ? "a" : "b");
}

static void world_free(struct world *world)
{
	map_free(world->places.map);
	space_free(world->places.space);
}

/* One group of the map's policy, without a volume: then goals take that policy for it. */
static bool add_group(struct world *world)
{
	struct group *group = NULL;
	struct group_size size;
	struct err err = { 0 };

	if (allocate_group(&world->places, &world->places.map->policy, BODY, &group, &size, &err))
		return false;
	assert_int_equal(map_put_group(world->places.map, group), 0);
	return true;
}

static int give(void *arg, const struct extent *extent)
{
	space_give(arg, extent->slot, extent->size_class, extent->frame);
	return 0;
}

/* Run a goal to its end; every group obeys `ring` at the end unless that is NULL. */
static void reach(struct world *world, enum goal_kind kind, uint32_t member)
{
	const struct goal goal = { .kind = kind, .member = member };
	struct places places = world->places;
	struct err err = { 0 };
	uint32_t batches = 0;
	bool more = true;

	if (kind == GOAL_EVACUATE)
		places.usable.bits &= ~(UINT64_C(1) << member);
	world->moves = 0;
	while (more) {
		struct batch batch = { .places = &places, .blocks_max = 10 * BODY };

		assert_int_equal(goal_next(&batch, &goal, &err), 0);
		more = batch.list.count > 0;
		for (size_t i = 0; i < batch.list.count; i++) {
			world->moves += reshape_cost(places.map, &batch.list.at[i]).extents;
			assert_int_equal(
				reshape_apply(places.map, &batch.list.at[i], give, places.space),
				0);
		}
		batch_reset(&batch);
		assert_true(++batches < 1000);
	}
}

static uint32_t disobeying(const struct world *world, uint32_t leaving)
{
	const struct map *map = world->places.map;
	struct topology_ring ring;
	uint32_t count = 0;

	homes_ring_to_be(&ring, &world->places, leaving);
	for (uint32_t g = 0; g < map->group_count; g++)
		count += !homes_obeyed(map, &ring, map->policy.topology, map->groups[g]);
	return count;
}

/* Eight groups, one for each primary; then so many copies move as proofs/mirror.py says. */
static void r79_r80_r82_copies_that_move(void **state)
{
	struct world world;

	(void)state;
	world_make(&world, TOPOLOGY_PAIRS, 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(add_group(&world));
	reach(&world, GOAL_TOPOLOGY, 0);
	assert_int_equal(world.moves, 0);
	world.places.map->policy.topology = TOPOLOGY_RING;
	reach(&world, GOAL_TOPOLOGY, 0);
	assert_int_equal(world.moves, 4);
	add_member(&world, 8, FRAMES, NULL);
	reach(&world, GOAL_TOPOLOGY, 0);
	assert_int_equal(world.moves, 1); /* the last one's copies go to the new member */
	assert_int_equal(disobeying(&world, MEMBER_NONE), 0);
	map_member(world.places.map, 8)->state = MEMBER_FAILED; /* what lay there is made anew */
	world.places.usable.bits &= 0xff;
	reach(&world, GOAL_TOPOLOGY, 0);
	assert_int_equal(world.moves, 1);
	snprintf(world.places.map->across, LABEL_SIZE, "node");
	world.places.map->policy.topology = TOPOLOGY_CROSS;
	reach(&world, GOAL_TOPOLOGY, 0);
	assert_int_equal(world.moves, 8);
	assert_int_equal(disobeying(&world, MEMBER_NONE), 0);
	world_free(&world);
}

static void r62_r81_rebalance_and_evacuate_obey(void **state)
{
	(void)state;
	for (int t = TOPOLOGY_PAIRS; t < TOPOLOGY_COUNT; t++) {
		struct world world;

		world_make(&world, (enum topology)t, 6);
		snprintf(world.places.map->across, LABEL_SIZE, t == TOPOLOGY_CROSS ? "node" : "");
		for (uint32_t i = 0; i < 90; i++)
			assert_true(add_group(&world));
		assert_int_equal(disobeying(&world, MEMBER_NONE), 0);
		add_member(&world, 6, FRAMES, "a");
		add_member(&world, 7, FRAMES, "b");
		reach(&world, GOAL_TOPOLOGY, 0);
		reach(&world, GOAL_REBALANCE, 0);
		assert_int_equal(disobeying(&world, MEMBER_NONE), 0);
		uint64_t share = 90u * (t == TOPOLOGY_MULTI ? 3 : 2) / 8;
		for (uint32_t slot = 0; slot < 8; slot++) {
			uint64_t used = FRAMES - space_free_frames(world.places.space, slot);

			assert_in_range(used, share - 2, share + 3);
		}
		if (t == TOPOLOGY_RING || t == TOPOLOGY_MULTI) {
			reach(&world, GOAL_EVACUATE, 3);
			assert_int_equal(space_free_frames(world.places.space, 3), FRAMES);
			assert_int_equal(disobeying(&world, 3), 0);
		}
		world_free(&world);
	}
}

/* ---- capacity */

struct search {
	const struct topology_ring *ring;
	enum topology topology;
	uint32_t columns;
};

/* The most groups with primaries from place `from` on. */
static uint64_t most_groups(const struct search *search, uint64_t *frames, uint32_t from)
{
	uint32_t homes[CODE_MIRROR_MAX];
	uint64_t most = 0;

	if (from == search->ring->count)
		return 0;
	if (topology_homes(search->ring, search->topology, search->ring->slots[from],
			   search->columns, homes) == 0)
		return most_groups(search, frames, from + 1);
	for (uint64_t groups = 0;; groups++) {
		uint64_t found = groups + most_groups(search, frames, from + 1);
		bool room = true;

		most = found > most ? found : most;
		for (uint32_t c = 0; c < search->columns; c++)
			room = room && frames[homes[c]] > 0;
		for (uint32_t c = 0; c < search->columns; c++)
			frames[homes[c]] += groups;
		if (!room)
			return most;
		for (uint32_t c = 0; c < search->columns; c++)
			frames[homes[c]] -= groups + 1;
	}
}

static void test_capacity_is_what_exhaustive_search_finds(void **state)
{
	struct rng rng = rng_seeded(test_seed(1));

	(void)state;
	for (uint32_t round = 0; round < 120; round++) {
		struct topology_ring ring = { .count = 2 + (uint32_t)rng_below(&rng, 4) };
		uint64_t frames[MEMBERS_MAX];

		for (uint32_t i = 0; i < ring.count; i++) {
			ring.slots[i] = i;
			ring.sets[i] = i % 2 ? "a" : "b";
			frames[i] = rng_below(&rng, 7);
		}
		for (int t = TOPOLOGY_PAIRS; t < TOPOLOGY_COUNT; t++) {
			struct topology_ring used = ring;
			const struct search search = { &used, (enum topology)t, 2 };
			uint64_t left[MEMBERS_MAX];

			for (uint32_t i = 0; t != TOPOLOGY_CROSS && i < ring.count; i++)
				used.sets[i] = NULL;
			memcpy(left, frames, sizeof(left));
			assert_int_equal(capacity_homes(&used, (enum topology)t, 2, frames),
					 most_groups(&search, left, 0));
		}
	}
}

/* Members of any sizes: what capacity says is what the allocator fills. */
static void test_capacity_is_what_fits(void **state)
{
	struct rng rng = rng_seeded(test_seed(2));

	(void)state;
	for (uint32_t round = 0; round < 40; round++) {
		enum topology topology = (enum topology)(TOPOLOGY_PAIRS + round % 3);
		struct world world;
		uint64_t usable, groups = 0;

		world_make(&world, topology, 0);
		for (uint32_t i = 0; i < 4 + round % 3; i++)
			add_member(&world, i, 30 + rng_below(&rng, 40), NULL);
		usable = capacity_usable(&world.places) / (BODY * BLOCK_SIZE);
		while (add_group(&world))
			groups++;
		/* For three copies it is what another order would fill. */
		uint64_t slack = topology == TOPOLOGY_MULTI ? usable / 20 + 1 : 0;
		if (groups > usable + slack || groups + slack < usable)
			fail_msg("round %u: %u of %u", round, (unsigned)groups, (unsigned)usable);
		world_free(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r79_r80_r82_copies_that_move),
		cmocka_unit_test(r62_r81_rebalance_and_evacuate_obey),
		cmocka_unit_test(test_capacity_is_what_exhaustive_search_finds),
		cmocka_unit_test(test_capacity_is_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
