/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The map: aim is that look-ups, edits and the list of edits agree after any sequence of edits.
 * Method: random edits beside arrays that are searched from end to end. Its rules: test_map_check.c.
 */
#include "core/base/mem.h"
#include "core/map/check.h"
#include "core/map/map_index.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- look-ups and edits */

#define IDS 300u

struct model {
	struct group *groups[IDS]; /* whose entry the index must have, by extent id */
	uint32_t columns[IDS];
};

static void index_agrees(const struct map_index *index, const struct model *model)
{
	for (uint32_t id = 0; id < IDS; id++) {
		uint32_t column = UINT32_MAX;
		const struct group *found = map_index_find(index, id, &column);

		assert_ptr_equal(found, model->groups[id]);
		if (found)
			assert_int_equal(column, model->columns[id]);
	}
}

static void index_finds_what_was_put_and_nothing_else(void **state)
{
	struct group *owners[3] = { map_group_create(1), map_group_create(1), map_group_create(1) };
	struct map_index *index = map_index_create();
	struct rng rng = rng_seeded(test_seed(1));
	struct model model = { 0 };

	(void)state;
	assert_non_null(index);
	for (int step = 0; step < 20000; step++) {
		uint64_t id = 1 + rng_below(&rng, IDS - 1);
		struct group *owner = owners[rng_below(&rng, 3)];
		uint32_t column = (uint32_t)rng_below(&rng, 32);

		if (rng_below(&rng, 5) < 2) {
			assert_int_equal(map_index_put(index, id, owner, column), 0);
			model.groups[id] = owner;
			model.columns[id] = column;
		} else {
			map_index_remove(index, id, owner); /* only an entry of this owner goes */
			if (model.groups[id] == owner)
				model.groups[id] = NULL;
		}
		if (step % 64 == 0)
			index_agrees(index, &model);
	}
	index_agrees(index, &model);
	map_index_free(index);
	for (int i = 0; i < 3; i++)
		mem_free(owners[i]);
}

/* All look-ups against a search from end to end. */
static void lookups_agree(const struct map *map)
{
	for (uint32_t i = 0; i < map->group_count; i++) {
		struct group *group = map->groups[i];

		assert_true(i == 0 || map->groups[i - 1]->id < group->id);
		assert_ptr_equal(map_group(map, group->id), group);
		for (uint32_t c = 0; c < group->shape.columns; c++) {
			uint32_t column = 99;

			assert_ptr_equal(map_extent(map, group->extents[c].id, &column), group);
			assert_int_equal(column, c);
		}
	}
	for (uint32_t i = 0; i < map->volume_count; i++) {
		assert_true(i == 0 || map->volumes[i - 1]->id < map->volumes[i]->id);
		assert_ptr_equal(map_volume(map, map->volumes[i]->id), map->volumes[i]);
		assert_ptr_equal(map_volume_named(map, map->volumes[i]->name), map->volumes[i]);
	}
	for (uint32_t i = 0; i < map->job_count; i++) {
		assert_true(i == 0 || map->jobs[i - 1].id < map->jobs[i].id);
		assert_ptr_equal(map_job(map, map->jobs[i].id), &map->jobs[i]);
	}
	assert_null(map_group(map, map->group_id_next));
	assert_null(map_volume(map, map->volume_id_next));
	assert_null(map_job(map, map->job_id_next));
	assert_null(map_volume_named(map, "no such volume"));
	assert_null(map_member(map, MEMBER_NONE));
}

static void lookups_hold_after_any_edits(void **state)
{
	struct rng rng = rng_seeded(test_seed(2));
	struct map *map = map_sample();

	(void)state;
	for (int step = 0; step < 3000; step++) {
		map_edit_randomly(map, &rng);
		if (step % 50 == 0)
			lookups_agree(map);
	}
	lookups_agree(map);
	map_free(map);
}

static void objects_are_kept_in_order_whatever_order_they_come_in(void **state)
{
	static const uint64_t ids[] = { 50, 10, 30, 70, 20 };
	struct map *map = map_empty();

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct job job = { .id = ids[i], .kind = JOB_SCRUB };
		struct volume *volume = map_volume_create();
		struct group *group = map_group_create(1);

		volume->id = group->id = ids[i];
		snprintf(volume->name, sizeof(volume->name), "v%" PRIu64, ids[i]);
		group->shape.columns = 1;
		group->extents[0].id = 1000 + ids[i];
		assert_int_equal(map_put_volume(map, volume), 0);
		assert_int_equal(map_put_group(map, group), 0);
		assert_int_equal(map_put_job(map, &job), 0);
	}
	map->group_id_next = map->volume_id_next = map->job_id_next = 71;
	lookups_agree(map);
	assert_int_equal(map_remove_volume(map, 30), 0);
	assert_int_equal(map_remove_group(map, 30), 0);
	assert_int_equal(map_remove_job(map, 30), 0);
	assert_null(map_volume(map, 30));
	assert_null(map_group(map, 30));
	assert_null(map_job(map, 30));
	lookups_agree(map);
	map_free(map);
}

/* An extent goes from one group to another in either order of the two edits. */
static void extent_may_move_between_groups(void **state)
{
	const struct group_recipe recipe = { LAYOUT_PARITY, 2, 1, 0, 64, 0, { 0, 1 }, { 20, 20 } };

	(void)state;
	for (int order = 0; order < 2; order++) {
		struct map *map = map_empty();
		struct group *from = map_add_group(map, &recipe);
		uint64_t moving = from->extents[0].id;
		struct group *to = group_of(map, &recipe);
		uint32_t column;

		to->extents[1].id = moving;
		if (order == 0) {
			assert_int_equal(map_remove_group(map, from->id), 0);
			assert_int_equal(map_put_group(map, to), 0);
		} else {
			assert_int_equal(map_put_group(map, to), 0);
			assert_int_equal(map_remove_group(map, from->id), 0);
		}
		assert_ptr_equal(map_extent(map, moving, &column), to);
		assert_int_equal(column, 1);
		lookups_agree(map);
		map_free(map);
	}
}

static bool edit_is_noted(const struct map *map, uint8_t type, uint64_t id)
{
	for (uint32_t i = 0; i < map_edit_count(map); i++) {
		struct map_edit edit = map_edit_at(map, i);

		if (edit.type == type && edit.id == id)
			return true;
	}
	return false;
}

static void edits_name_exactly_what_changed(void **state)
{
	struct map *map = map_sample();
	const struct job job = { .id = map->job_id_next++, .kind = JOB_SCRUB };

	(void)state;
	map_edits_clear(map);
	assert_int_equal(map_edit_count(map), 0);
	assert_int_equal(map_touch_group(map, 3), 0);
	assert_int_equal(map_touch_group(map, 3), 0); /* twice in a row is noted once */
	assert_int_equal(map_edit_count(map), 1);
	assert_int_equal(map_remove_volume(map, 2), 0);
	assert_int_equal(map_put_job(map, &job), 0);
	assert_int_equal(map_touch_member(map, 4), 0);
	assert_int_equal(map_remove_group(map, 999), 0); /* what is not there changes nothing */
	assert_int_equal(map_remove_job(map, 999), 0);
	assert_int_equal(map_remove_volume(map, 999), 0);
	assert_int_equal(map_remove_member(map, 60), 0);
	assert_int_equal(map_edit_count(map), 4);
	assert_true(edit_is_noted(map, 3, 3));
	assert_true(edit_is_noted(map, 4, 2));
	assert_true(edit_is_noted(map, 5, job.id));
	assert_true(edit_is_noted(map, 2, 4));
	map_edits_clear(map);
	assert_int_equal(map_edit_count(map), 0);
	map_free(map);
}

/* Make the n-th allocation of building a map fail, for all n. */
static void memory_may_run_out_at_any_edit(void **state)
{
	const struct group_recipe recipe = { LAYOUT_PARITY, 2, 1, 0, 64, 0, { 0, 1 }, { 20, 20 } };
	bool finished = false;

	(void)state;
	for (unsigned n = 0; !finished; n++) {
		struct map *map = map_empty();
		struct group *group = group_of(map, &recipe);
		struct volume *volume = map_volume_create();
		const struct job job = { .id = 1, .kind = JOB_SCRUB };
		unsigned left = n;

		volume->id = 1;
		map_edits_clear(map);
		mem_set_hook(deny_nth, &left);
		int rc = map_put_group(map, group);
		int rc_volume = map_put_volume(map, volume);
		int rc_job = map_put_job(map, &job);
		mem_set_hook(NULL, NULL);
		finished = !rc && !rc_volume && !rc_job;
		assert_true(finished || rc == ERR_NOMEM || rc_volume == ERR_NOMEM ||
			    rc_job == ERR_NOMEM);
		map_free(map);
	}
}

static void names_that_would_confuse_are_refused(void **state)
{
	static const char *const good[] = { "a", "photos 2024", "\xc3\xbc", "...", "a-b" };
	static const char *const bad[] = { "", ".", "..", "-", "a/b", "a\nb", "\x7f", "\x01" };
	char longest[NAME_SIZE + 1];
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(map_name_check(good[i], &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(map_name_check(bad[i], &err), ERR_NAME);
	memset(longest, 'x', sizeof(longest));
	longest[NAME_SIZE] = '\0';
	assert_int_equal(map_name_check(longest, &err), ERR_NAME);
	longest[NAME_SIZE - 1] = '\0';
	assert_int_equal(map_name_check(longest, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_finds_what_was_put_and_nothing_else),
		cmocka_unit_test(lookups_hold_after_any_edits),
		cmocka_unit_test(objects_are_kept_in_order_whatever_order_they_come_in),
		cmocka_unit_test(extent_may_move_between_groups),
		cmocka_unit_test(edits_name_exactly_what_changed),
		cmocka_unit_test(memory_may_run_out_at_any_edit),
		cmocka_unit_test(names_that_would_confuse_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
