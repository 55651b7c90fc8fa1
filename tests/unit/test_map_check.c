/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of a map: aim is that a map which breaks any one of them is refused, by name.
 * Method: one map that keeps every rule, with one rule broken at a time.
 */
#include "core/base/mem.h"
#include "core/map/check.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_keeps_every_rule),
		cmocka_unit_test(each_broken_rule_is_refused_by_name),
		cmocka_unit_test(no_commit_gives_a_block_two_addresses),
		cmocka_unit_test(r11_map_with_two_extents_on_one_member_is_refused),
		cmocka_unit_test(ended_jobs_bind_no_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
