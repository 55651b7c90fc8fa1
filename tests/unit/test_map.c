/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The map: aim is that look-ups, edits and the list of edits agree after any sequence of edits, and that
 * map_check() refuses a map that breaks any one rule.
 * Method: random edits beside arrays that are searched from end to end; one map that keeps every rule,
 * with one rule broken at a time.
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

/* ---- rules */

static void sample_keeps_every_rule(void **state)
{
	struct map *map = map_sample(), *empty = map_empty();
	struct err err = { 0 };

	(void)state;
	if (map_check(map, &err) || map_check(empty, &err))
		fail_msg("%s", err.text);
	map_free(map);
	map_free(empty);
}

static void break_geometry(struct map *map)
{
	map->geometry.frame_blocks++;
}

static void break_witnesses(struct map *map)
{
	map->geometry.witness_max = 0;
}

static void break_body(struct map *map)
{
	map->geometry.frame_body_blocks = 0;
}

static void break_body_size(struct map *map)
{
	map->geometry.frame_body_blocks = UINT32_MAX;
}

static void break_no_members(struct map *map)
{
	while (map->member_count > 0)
		assert_int_equal(map_remove_member(map, map->members[0].slot), 0);
}

static void break_member_size(struct map *map)
{
	map->members[2].frame_count += 100;
}

static void break_member_sum(struct map *map)
{
	map->members[2].frame_count = UINT64_MAX / 2;
}

static void break_member_offset(struct map *map)
{
	map->members[2].data_offset -= 1;
}

static void break_member_uuid(struct map *map)
{
	map->members[2].uuid = map->members[4].uuid;
}

static void break_group_id(struct map *map)
{
	map->group_id_next = 2;
}

static void break_extent_id(struct map *map)
{
	map->extent_id_next = 2;
}

static void break_volume_id(struct map *map)
{
	map->volume_id_next = 2;
}

static void break_job_id(struct map *map)
{
	map->job_id_next = 1;
}

static void break_next_zero(struct map *map)
{
	map->job_id_next = 0;
}

static void break_next_end(struct map *map)
{
	map->extent_id_next = UINT64_MAX;
}

static void break_shape(struct map *map)
{
	map_group(map, 3)->shape.checks = 9;
}

static void break_index(struct map *map)
{
	map_group(map, 3)->shape.index[1] = map_group(map, 3)->shape.index[0];
}

static void break_segments(struct map *map)
{
	map_group(map, 4)->segment_blocks++;
}

static void break_body_blocks(struct map *map)
{
	map_group(map, 3)->extents[2].body_blocks--;
}

static void break_body_room(struct map *map)
{
	struct group *group = map_group(map, 3);

	for (uint32_t i = 0; i < group->shape.columns; i++)
		group->extents[i].size_class = 0; /* 128 blocks in a body of 64 */
}

static void break_body_empty(struct map *map)
{
	map_group(map, 1)->extents[0].body_blocks = map_group(map, 1)->segment_blocks = 0;
}

static void break_class(struct map *map)
{
	map_group(map, 1)->extents[0].size_class = SIZE_CLASS_MAX + 1;
}

static void break_seal_room(struct map *map)
{
	map->geometry.witness_max = 2; /* three data columns, and three columns of sequential */
	map->geometry.frame_blocks = geometry_frame_blocks(SAMPLE_BODY, 2);
	for (uint32_t i = 0; i < map->member_count; i++)
		map->members[i].size *= 2;
}

static void break_seal_room_sequential(struct map *map)
{
	assert_int_equal(map_remove_volume(map, 3), 0);
	assert_int_equal(map_remove_group(map, 3), 0);
	break_seal_room(map);
}

static void break_no_member(struct map *map)
{
	map_group(map, 2)->extents[1].slot = 50;
}

static void break_same_id(struct map *map)
{
	map_group(map, 2)->extents[1].id = map_group(map, 2)->extents[0].id;
}

static void break_shared_extent(struct map *map)
{
	map_group(map, 2)->extents[1].id = map_group(map, 1)->extents[0].id;
}

static void break_overlap(struct map *map)
{
	map_group(map, 2)->extents[0].frame = map_group(map, 1)->extents[0].frame;
}

static void break_overlap_large(struct map *map)
{
	map_group(map, 2)->extents[1].frame = 11; /* inside the 4 frames of the sequential group */
}

static void break_alignment(struct map *map)
{
	map_group(map, 3)->extents[0].frame = 3;
}

static void break_outside(struct map *map)
{
	map_group(map, 1)->extents[0].frame = SAMPLE_FRAMES;
}

static void break_volume_name(struct map *map)
{
	snprintf(map->volumes[0]->name, NAME_SIZE, "a/b");
}

static void break_array_name(struct map *map)
{
	map->name[0] = '\x1b';
}

static void break_names(struct map *map)
{
	memcpy(map->volumes[3]->name, map->volumes[1]->name, NAME_SIZE);
}

static void break_volume_length(struct map *map)
{
	map->volumes[0]->length++;
}

static void break_span_offset(struct map *map)
{
	map->volumes[0]->spans[0].offset = BLOCK_SIZE;
}

static void break_span_length(struct map *map)
{
	map->volumes[0]->length = map->volumes[0]->spans[0].length = 65 * BLOCK_SIZE;
}

static void break_span_empty(struct map *map)
{
	map->volumes[0]->length = map->volumes[0]->spans[0].length = 0;
}

static void break_span_extent(struct map *map)
{
	map->volumes[0]->spans[0].extents[0] = 9999;
}

static void break_span_check(struct map *map)
{
	map->volumes[2]->spans[0].extents[0] = map_group(map, 3)->extents[3].id;
}

static void break_span_unit(struct map *map)
{
	map->volumes[2]->spans[0].unit_blocks = 3;
}

static void break_span_sizes(struct map *map)
{
	map->volumes[2]->spans[0].extents[1] = map_group(map, 1)->extents[0].id;
}

static void break_span_twice(struct map *map)
{
	map->volumes[2]->spans[0].extents[1] = map->volumes[2]->spans[0].extents[0];
}

static void break_two_volumes(struct map *map)
{
	map->volumes[1]->spans[0].extents[0] = map->volumes[0]->spans[0].extents[0];
}

static void break_group_of_two(struct map *map)
{
	/* The last data column of the parity group goes to a volume of its own. */
	struct span span = { .length = BLOCK_SIZE,
			     .extent_count = 1,
			     .extents = mem_calloc(1, sizeof(uint64_t)) };
	struct volume *volume = map_volume_create();

	map->volumes[2]->spans[0].extent_count = 2;
	map->volumes[2]->length = map->volumes[2]->spans[0].length = BLOCK_SIZE;
	span.extents[0] = map_group(map, 3)->extents[2].id;
	volume->id = map->volume_id_next++;
	volume->length = span.length;
	snprintf(volume->name, sizeof(volume->name), "thief");
	assert_int_equal(map_volume_add_span(volume, &span), 0);
	assert_int_equal(map_put_volume(map, volume), 0);
}

static void break_policy(struct map *map)
{
	map->policy.checks = 200;
}

static void break_volume_policy(struct map *map)
{
	map->volumes[3]->policy.checks = 0;
}

static void break_pure(struct map *map)
{
	map->volumes[3]->policy.pure_plus_one = 4;
}

static void break_job_done(struct map *map)
{
	map->jobs[0].done = map->jobs[0].total + 1;
}

static void break_job_member(struct map *map)
{
	map->jobs[0].from = 50;
}

static void break_epochs(struct map *map)
{
	map->epoch_count = 0;
}

static void break_epoch_zero(struct map *map)
{
	map->epochs[0].number = 0;
}

static void break_epoch_order(struct map *map)
{
	map->epochs[1].number = 1;
}

static void break_epoch_generation(struct map *map)
{
	map->epochs[1].first_generation = 1;
}

static const struct rule {
	void (*break_it)(struct map *map);
	const char *fact; /* that the text names */
} rules[] = {
	{ break_geometry, "frames of" },
	{ break_witnesses, "0 witnesses" },
	{ break_body, "frames of 0 blocks" },
	{ break_body_size, "frames of" },
	{ break_no_members, "0 members" },
	{ break_member_size, "member 2" },
	{ break_member_sum, "member 2" },
	{ break_member_offset, "member 2" },
	{ break_member_uuid, "members 2 and 4" },
	{ break_group_id, "group 2" },
	{ break_extent_id, "extent 2" },
	{ break_volume_id, "volume 2" },
	{ break_job_id, "job 1" },
	{ break_next_zero, "next id 0" },
	{ break_next_end, "next id" },
	{ break_shape, "group 3" },
	{ break_index, "group 3" },
	{ break_segments, "group 4" },
	{ break_body_blocks, "127 blocks" },
	{ break_body_room, "128 blocks in class 0" },
	{ break_body_empty, "0 blocks" },
	{ break_class, "class 13" },
	{ break_seal_room, "group 3 is wider" },
	{ break_seal_room_sequential, "group 4 is wider" },
	{ break_no_member, "member 50" },
	{ break_same_id, "two places" },
	{ break_shared_extent, "two places" },
	{ break_overlap, "overlaps" },
	{ break_overlap_large, "overlaps" },
	{ break_alignment, "overlaps another or leaves" },
	{ break_outside, "leaves member 0" },
	{ break_volume_name, "slash" },
	{ break_array_name, "control" },
	{ break_names, "\"mirror\"" },
	{ break_volume_length, "\"plain\"" },
	{ break_span_offset, "gap" },
	{ break_span_length, "64 blocks" },
	{ break_span_empty, "0 bytes" },
	{ break_span_extent, "extent 9999" },
	{ break_span_check, "no data extent" },
	{ break_span_unit, "units" },
	{ break_span_sizes, "different size" },
	{ break_span_twice, "elsewhere" },
	{ break_two_volumes, "elsewhere" },
	{ break_group_of_two, "elsewhere" },
	{ break_policy, "checks" },
	{ break_volume_policy, "levels" },
	{ break_pure, "pure column 4" },
	{ break_job_done, "job 1" },
	{ break_job_member, "job 1" },
	{ break_epochs, "0 epochs" },
	{ break_epoch_zero, "epochs" },
	{ break_epoch_order, "epoch 1" },
	{ break_epoch_generation, "out of order" },
};

static void each_broken_rule_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct map *map = map_sample();
		struct err err = { 0 };

		rules[i].break_it(map);
		int rc = map_check(map, &err);
		if (rc != ERR_FORMAT || !strstr(err.text, rules[i].fact))
			fail_msg("rule %zu: %d (%s), expected '%s'", i, rc, err.text,
				 rules[i].fact);
		map_free(map);
	}
}

/*
 * Who uses what depends on objects that were not changed themselves: a commit is refused all the same
 * when one of them was, and is not asked about it when only a member or a job changed.
 */
static void no_commit_gives_a_block_two_addresses(void **state)
{
	static void (*const breaks[])(struct map * map) = { break_span_twice, break_two_volumes,
							    break_group_of_two };

	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		struct map *map = map_sample();
		struct err err = { 0 };

		breaks[i](map);
		map_edits_clear(map);
		assert_int_equal(map_touch_member(map, map->members[0].slot), 0);
		assert_int_equal(map_check_edits(map, &err), 0);
		assert_int_equal(map_touch_group(map, map->groups[0]->id), 0);
		assert_int_equal(map_check_edits(map, &err), ERR_FORMAT);
		assert_non_null(strstr(err.text, "elsewhere"));
		map_free(map);
	}
}

/* SPEC R11: one extent a member in a group, whoever wrote the map. */
static void r11_map_with_two_extents_on_one_member_is_refused(void **state)
{
	(void)state;
	for (uint32_t column = 1; column < 4; column++) {
		struct map *map = map_sample();
		struct group *group = map_group(map, 3);
		struct err err = { 0 };

		group->extents[column].slot = group->extents[0].slot;
		group->extents[column].frame = 30; /* no overlap */
		assert_int_equal(map_check(map, &err), ERR_FORMAT);
		assert_non_null(strstr(err.text, "group 3 has two extents on member 4"));
		map_free(map);
	}
}

/* A job that has ended may name a member that has left since. */
static void ended_jobs_bind_no_member(void **state)
{
	struct map *map = map_sample();
	struct err err = { 0 };

	(void)state;
	map->jobs[0].from = 50;
	map->jobs[0].state = JOB_DONE;
	assert_int_equal(map_check(map, &err), 0);
	map_free(map);
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
		cmocka_unit_test(sample_keeps_every_rule),
		cmocka_unit_test(each_broken_rule_is_refused_by_name),
		cmocka_unit_test(no_commit_gives_a_block_two_addresses),
		cmocka_unit_test(r11_map_with_two_extents_on_one_member_is_refused),
		cmocka_unit_test(ended_jobs_bind_no_member),
		cmocka_unit_test(names_that_would_confuse_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
