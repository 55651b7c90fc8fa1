/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Allocating: aim is that a group never comes out without room for data. Method: a map without disks, whose
 * members have room for small extents only.
 */
#include "core/map/allocate.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COLUMNS 16u
#define LEVELS 8u
#define BODY 64u /* blocks; a group of 16 columns and 8 levels needs 128 */

/* COLUMNS members with `frames` frames each. */
static struct places places_make(uint64_t frames)
{
	struct places places = { .map = map_create(), .generation = 1 };
	struct err err = { 0 };

	assert_non_null(places.map);
	places.map->geometry.frame_body_blocks = BODY;
	for (uint32_t i = 0; i < COLUMNS; i++) {
		const struct member member = { .slot = i, .frame_count = frames };

		assert_int_equal(map_put_member(places.map, &member), 0);
		places.usable = member_set_with(places.usable, i);
	}
	assert_int_equal(space_create(&places.space, places.map, &err), 0);
	return places;
}

static void places_free(struct places *places)
{
	map_free(places->map);
	space_free(places->space);
}

static const struct policy policy = { .layout = LAYOUT_SEQUENTIAL,
				      .checks = LEVELS,
				      .columns = COLUMNS,
				      .unit_blocks = 16,
				      .size_class = 1 };

static void extents_too_small_for_their_segments_are_not_taken(void **state)
{
	struct places places = places_make(1); /* an extent of class 1 needs two */
	struct group_size size = { 0 };
	struct group *group = NULL;
	struct err err = { 0 };

	(void)state;
	for (uint64_t blocks = 1; blocks < 5000; blocks += 499) {
		assert_int_equal(allocate_group(&places, &policy, blocks, &group, &size, &err),
				 ERR_NOSPACE);
		assert_null(group);
	}
	for (uint32_t i = 0; i < COLUMNS; i++)
		assert_int_equal(space_free_frames(places.space, i), 1);
	places_free(&places);
}

static void extents_that_just_hold_their_segments_are_taken(void **state)
{
	struct places places = places_make(2);
	struct group_size size = { 0 };
	struct group *group = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(allocate_group(&places, &policy, 5000, &group, &size, &err), 0);
	assert_int_equal(size.size_class, 1);
	assert_int_equal(group->segment_blocks, 1);
	assert_int_equal(size.data_blocks, LEVELS * (COLUMNS - 1) * COLUMNS);
	allocate_undo(places.space, group);
	places_free(&places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extents_too_small_for_their_segments_are_not_taken),
		cmocka_unit_test(extents_that_just_hold_their_segments_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
