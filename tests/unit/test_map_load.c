/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: a map that is gathered from a disk in any order is the one that the same edits make one by one,
 * and ids that were chosen to crowd the index are refused soon. Method: random lists of edits are
 * applied both ways and the maps compared as bytes; every allocation is made to fail once; ids that all
 * fall on one entry are computed from the constant of the index.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/map/map.h"
#include "core/map/map_index.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define EDITS 400u
#define IDS 24u /* few, so that edits often meet */

/* ---- both ways */

static struct group *random_group(struct rng *rng, uint64_t id, uint64_t extent)
{
	struct group *group = map_group_create(1);

	assert_non_null(group);
	group->id = id;
	group->generation = rng_below(rng, 1000);
	group->shape = code_shape_make(LAYOUT_PLAIN, 1, 0, 0);
	group->segment_blocks = SAMPLE_BODY;
	group->extents[0] = (struct extent){ .id = extent, .body_blocks = SAMPLE_BODY };
	return group;
}

static int put_group(struct map *map, struct rng *rng, uint64_t id, uint32_t turn)
{
	/* Half of them keep their extent, as groups do; the others have a new one. */
	return map_put_group(map, random_group(rng, id, rng_below(rng, 2) ? id : 1000 + turn));
}

static int put_volume(struct map *map, struct rng *rng, uint64_t id)
{
	struct volume *volume = map_volume_create();

	assert_non_null(volume);
	volume->id = id;
	snprintf(volume->name, sizeof(volume->name), "v%u", (unsigned)rng_below(rng, 1000));
	return map_put_volume(map, volume);
}

static int put_member(struct map *map, struct rng *rng, uint32_t slot)
{
	const struct member member = { .slot = slot, .size = rng_below(rng, 1000) };

	return map_put_member(map, &member);
}

static int put_job(struct map *map, struct rng *rng, uint64_t id)
{
	const struct job job = { .id = id, .kind = JOB_SCRUB, .total = rng_below(rng, 1000) };

	return map_put_job(map, &job);
}

/* The same edits for the same seed. */
static int edit(struct map *map, uint64_t seed)
{
	struct rng rng = rng_seeded(seed);
	int rc = 0;

	for (uint32_t turn = 0; !rc && turn < EDITS; turn++) {
		uint64_t id = 1 + rng_below(&rng, IDS);

		switch (rng_below(&rng, 8)) {
		case 0:
			rc = put_group(map, &rng, id, turn);
			break;
		case 1:
			rc = put_volume(map, &rng, id);
			break;
		case 2:
			rc = put_member(map, &rng, (uint32_t)id);
			break;
		case 3:
			rc = put_job(map, &rng, id);
			break;
		case 4:
			rc = map_remove_group(map, id);
			break;
		case 5:
			rc = map_remove_volume(map, id);
			break;
		case 6:
			rc = map_remove_member(map, (uint32_t)id);
			break;
		default:
			rc = map_remove_job(map, id);
			break;
		}
	}
	return rc;
}

static struct map *with_epoch(void)
{
	struct map *map = map_create();

	assert_non_null(map);
	map->epoch_count = 1;
	map->epochs[0].number = 1;
	map->name[0] = 'm';
	return map;
}

static void loading_is_editing(void **state)
{
	uint64_t seed = test_seed(91);

	(void)state;
	for (uint32_t round = 0; round < 50; round++) {
		struct map *edited = with_epoch(), *loaded = with_epoch();

		assert_int_equal(edit(edited, seed + round), 0);
		assert_int_equal(map_load_begin(loaded), 0);
		assert_int_equal(edit(loaded, seed + round), 0);
		assert_int_equal(map_load_end(loaded), 0);
		assert_maps_equal(edited, loaded);
		for (uint32_t i = 0; i < loaded->group_count; i++) {
			uint64_t id = loaded->groups[i]->extents[0].id;
			uint32_t column;

			assert_ptr_equal(map_extent(loaded, id, &column), loaded->groups[i]);
		}
		/* A loaded map goes on as any other. */
		assert_int_equal(edit(edited, seed + 1000 + round), 0);
		assert_int_equal(edit(loaded, seed + 1000 + round), 0);
		assert_maps_equal(edited, loaded);
		map_free(edited);
		map_free(loaded);
	}
}

static void memory_may_run_out_while_loading(void **state)
{
	bool finished = false;

	(void)state;
	for (unsigned n = 0; !finished; n++) {
		struct map *map = with_epoch();
		struct rng rng = rng_seeded(7);
		struct volume *volume = map_volume_create();
		struct group *group = random_group(&rng, 5, 5);
		unsigned left = n;

		volume->id = 3;
		mem_set_hook(deny_nth, &left);
		int rc = map_load_begin(map);
		if (rc) {
			mem_free(group);
			map_volume_free(volume);
		} else {
			rc = map_put_group(map, group);
			int rc_volume = map_put_volume(map, volume);
			rc = rc ? rc : rc_volume;
			rc = rc ? rc : map_put_job(map, &(struct job){ .id = 1 });
			rc = rc ? rc : map_load_end(map);
		}
		mem_set_hook(NULL, NULL);
		finished = rc == 0;
		assert_true(finished || rc == ERR_NOMEM);
		map_free(map);
	}
}

/* ---- ids that crowd */

#define CROWD 20000u
#define INDEX_CONSTANT UINT64_C(0x9e3779b97f4a7c15)

/* The number whose product with the odd `factor` is 1: Newton, twice as many right bits each time. */
static uint64_t inverse(uint64_t factor)
{
	uint64_t x = factor;

	for (int i = 0; i < 6; i++)
		x *= 2 - factor * x;
	assert_true(factor * x == 1);
	return x;
}

static void ids_that_crowd_are_refused(void **state)
{
	struct map_index *index = map_index_create();
	uint64_t step = inverse(INDEX_CONSTANT);
	uint32_t taken = 0;
	int rc = 0;

	(void)state;
	assert_non_null(index);
	while (rc == 0 && taken < CROWD) {
		taken++;
		rc = map_index_put(index, taken * step, NULL, taken);
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_in_range(taken, 1000, 3000);
	/* What was taken is found, also beside so many others. */
	for (uint32_t i = 1; i < taken; i++) {
		uint32_t column = 0;

		(void)map_index_find(index, i * step, &column);
		assert_int_equal(column, i);
	}
	map_index_free(index);
}

static void ids_of_counters_never_crowd(void **state)
{
	(void)state;
	for (uint64_t step = 1; step <= 64; step++) {
		struct map_index *index = map_index_create();

		for (uint64_t i = 1; i <= CROWD; i++)
			assert_int_equal(map_index_put(index, i * step, NULL, 0), 0);
		map_index_free(index);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading_is_editing),
		cmocka_unit_test(memory_may_run_out_while_loading),
		cmocka_unit_test(ids_that_crowd_are_refused),
		cmocka_unit_test(ids_of_counters_never_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
