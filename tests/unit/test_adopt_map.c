/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Maps with bare groups: aim is that they come back from their record as they were, that each broken rule is refused, and that
 * frames are free exactly where no bare extent has a byte. Method: the map of an adopted array, with one thing changed at a
 * time; frames beside a count of bytes, one by one.
 */
#include "core/base/mem.h"
#include "core/base/window.h"
#include "core/map/check.h"
#include "core/map/space.h"
#include "core/map/windows.h"
#include "core/store/map_record.h"
#include "tests/unit/adopt_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct bare raid5 = { LAYOUT_PARITY, 4, 1, 4, 64, ADOPT_ORIGIN + 512, 0, 0 };

/* The map of an adopted array, read from its record. */
static struct map *adopted_map(void)
{
	const struct map_record_place place = { .generation = 7 };
	struct buffer bytes = { 0 };
	struct map *map = NULL;
	struct err err = { 0 };
	struct yard yard;
	uint32_t crc;

	yard_open(&yard, seeded_env(1), &raid5, 1);
	struct array *array = yard_array(&yard);

	assert_int_equal(map_record_encode_full(&bytes, array_map(array), &place, &crc), 0);
	if (map_record_decode(&map, bytes.bytes, bytes.size, &array_map(array)->uuid, 7, crc, &err))
		fail_msg("%s", err.text);
	map->geometry = array_map(array)->geometry;
	if (map_check(map, &err))
		fail_msg("%s", err.text);
	assert_int_equal(map_windows_make(map), 0);
	assert_maps_equal(map, array_map(array));
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *here = map->groups[g], *there = array_map(array)->groups[g];

		assert_true(group_is_bare(here));
		assert_memory_equal(here->windows, there->windows,
				    here->shape.columns * sizeof(*here->windows));
	}
	buffer_reset(&bytes);
	array_close(array);
	yard_close(&yard);
	return map;
}

static void a_record_gives_the_map_again(void **state)
{
	struct map *map = adopted_map();

	(void)state;
	assert_int_equal(map->adoption.state, ADOPT_COMMITTED);
	assert_int_equal(map->adoption.origin.bytes[0], 9);
	assert_true(map_has_bare(map) && !map_is_bare(map));
	map_free(map);
}

static void inside_a_chunk(struct map *map)
{
	map->groups[0]->windows[0].run = 512;
}

static void no_length(struct map *map)
{
	map->groups[0]->windows[1].length = 0;
}

static void too_short(struct map *map)
{
	map->groups[0]->windows[1].length -= BLOCK_SIZE;
}

static void on_metadata(struct map *map)
{
	map->groups[0]->windows[0].origin = map->members[0].data_offset - 512;
}

static void behind_the_member(struct map *map)
{
	map->groups[0]->windows[0].origin = map->members[0].size - 512;
}

static void at_the_end_of_numbers(struct map *map)
{
	map->groups[0]->windows[0].origin = UINT64_MAX - 511;
}

static void huge_stride(struct map *map)
{
	map->groups[0]->windows[0].stride = UINT64_MAX - 4095;
}

static void on_native_frames(struct map *map)
{
	map->groups[0]->extents[0].frame = 3;
}

static void one_number(struct map *map)
{
	map->groups[1]->extents[0].frame = map->groups[0]->extents[0].frame;
}

static void beyond_all_numbers(struct map *map)
{
	map->groups[0]->extents[0].frame = UINT32_MAX;
}

static void one_place(struct map *map)
{
	map->groups[1]->windows[1] = map->groups[0]->windows[0];
	assert_int_equal(map->groups[1]->extents[1].slot, map->groups[0]->extents[0].slot);
}

static void with_a_class(struct map *map)
{
	map->groups[0]->extents[0].size_class = 1;
}

static void with_a_seal(struct map *map)
{
	map->groups[0]->extents[0].header_generation = 1;
}

static void nobody_adopted_it(struct map *map)
{
	map->adoption.state = ADOPT_NONE;
}

static void its_superblocks_say_nothing(struct map *map)
{
	map->geometry.adopted = false;
}

static void huge_member(struct map *map)
{
	map->members[0].size = UINT64_MAX / 2;
}

static const struct {
	void (*spoil)(struct map *map);
	const char *text;
} spoilt[] = {
	{ inside_a_chunk, "lies nowhere" },
	{ no_length, "lies nowhere" },
	{ too_short, "lies nowhere" },
	{ on_metadata, "lies nowhere" },
	{ behind_the_member, "lies nowhere" },
	{ at_the_end_of_numbers, "lies nowhere" },
	{ huge_stride, "lies nowhere" },
	{ on_native_frames, "is bare at frame 3" },
	{ one_number, "have one number" },
	{ beyond_all_numbers, "is bare at frame" },
	{ one_place, "have one byte" },
	{ with_a_class, "is bare at frame" },
	{ with_a_seal, "is bare at frame" },
	{ nobody_adopted_it, "differ about who made it" },
	{ its_superblocks_say_nothing, "differ about who made it" },
	{ huge_member, "too many" },
};

static void each_broken_rule_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		struct map *map = adopted_map();
		struct err err = { 0 };

		spoilt[i].spoil(map);
		assert_int_equal(map_check(map, &err), ERR_FORMAT);
		if (!strstr(err.text, spoilt[i].text))
			fail_msg("rule %zu: %s", i, err.text);
		map_free(map);
	}
}

/* A native group where bare extents lie. */
static void no_frame_is_both(void **state)
{
	struct map *map = adopted_map();
	struct err err = { 0 };
	const struct group_recipe recipe = { .layout = LAYOUT_PLAIN,
					     .columns = 1,
					     .body_blocks = 4,
					     .members = { 0 },
					     .frames = { 5 } };

	(void)state;
	map_add_volume(map, "new", map_add_group(map, &recipe));
	assert_int_equal(map_check(map, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "lie on others"));
	map_free(map);
}

/* Does any byte of a bare extent of the member lie in the frame? Asked sector by sector. */
static bool is_covered(const struct map *map, uint32_t slot, uint64_t frame)
{
	uint64_t size = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;
	uint64_t begin = map_member(map, slot)->data_offset + frame * size;
	uint64_t offset;

	for (uint64_t at = begin; at < begin + size; at += 512) {
		if (member_offset(&offset, map, slot, at) && offset != at)
			return true;
	}
	return false;
}

static void assert_free(const struct map *map, const struct space *space)
{
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		uint64_t count = 0;

		for (uint64_t frame = 0; frame < member->frame_count; frame++) {
			bool is_free = space_free_within(space, member->slot, frame, frame + 1);

			assert_true(is_free != is_covered(map, member->slot, frame));
			count += is_free;
		}
		assert_int_equal(space_free_frames(space, member->slot), count);
	}
}

static void frames_are_free_where_nothing_lies(void **state)
{
	struct map *map = adopted_map();
	struct space *space = NULL;
	struct err err = { 0 };
	uint64_t before;

	(void)state;
	assert_int_equal(space_create(&space, map, &err), 0);
	assert_free(map, space);
	before = space_free_frames(space, 0);
	/* Groups leave, in another order than they lie. */
	while (map->group_count > 0) {
		uint32_t gone = map->group_count > 9 ? 7 : 0;

		assert_int_equal(map_remove_group(map, map->groups[gone]->id), 0);
		assert_int_equal(map_windows_make(map), 0);
		assert_int_equal(space_set_bare(space, map, &err), 0);
		if (map->group_count % 5 == 0)
			assert_free(map, space);
	}
	assert_false(map_has_bare(map));
	assert_true(space_free_frames(space, 0) > before);
	assert_int_equal(space_free_frames(space, 0), space_total_frames(space, 0));
	space_free(space);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_gives_the_map_again),
		cmocka_unit_test(each_broken_rule_is_refused),
		cmocka_unit_test(no_frame_is_both),
		cmocka_unit_test(frames_are_free_where_nothing_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
