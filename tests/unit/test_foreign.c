/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Maps of arrays that somebody else made: aim is that windows say for every byte where it lies, both ways, and that no
 * place which is none gets into a map. Method: arrays of parity, stripes and mirrors are made through foreign.h and walked
 * byte range by byte range against bare_place(), which knows chunks and rows, not groups; windows alone are walked against
 * a list of all their bytes.
 */
#include "tests/unit/foreign_help.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/map/address.h"
#include "core/map/check.h"
#include "core/map/windows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECTOR 512u

/* Every sector of the volume, and the member's sectors beside. Returns how many were compared. */
static uint32_t walk(const struct bare *bare)
{
	struct map *map = bare_map(bare);
	const struct volume *volume = map_volume_named(map, "data");
	uint32_t count = 0;

	assert_non_null(volume);
	assert_int_equal(volume->length, bare_volume_size(bare));
	for (uint64_t at = 0; at < volume->length; at += SECTOR, count++) {
		const struct bare_byte byte = bare_place(bare, at, 0);
		struct address address;
		uint64_t offset;

		assert_true(address_of_volume(&address, NULL, map, volume, at));
		const struct extent *extent = &address.group->extents[address.column];

		assert_int_equal(extent->slot, byte.slot);
		assert_int_equal(address_to_member(map, &address) + at % BLOCK_SIZE, byte.place);
		assert_true(member_offset(&offset, map, byte.slot, byte.place));
		assert_int_equal(offset,
				 extent_offset(map, extent, address.block) + at % BLOCK_SIZE);
		const struct member_place place = address_of_member(map, byte.slot, byte.place);

		assert_int_equal(place.area, AREA_BODY);
		assert_ptr_equal(place.address.group, address.group);
		assert_int_equal(place.address.block, address.block);
	}
	assert_int_equal(address_of_member(map, 0, bare->origin - SECTOR).area, AREA_OUTSIDE);
	assert_int_equal(address_of_member(map, 0, bare_member_size(bare) - SECTOR).area,
			 AREA_OUTSIDE);
	map_free(map);
	return count;
}

static void test_every_byte_has_its_place(void **state)
{
	const struct bare cases[] = {
		{ LAYOUT_PARITY, 4, 1, 2, 8, 8192, 0, 0 },
		{ LAYOUT_PARITY, 5, 2, 1, 15, 3 * SECTOR, 0, 0 },
		{ LAYOUT_PARITY, 6, 3, 3, 12, 4096, 0, 0 },
		{ LAYOUT_PLAIN, 3, 0, 4, 5, 8192, 0, 0 },
		{ LAYOUT_MIRROR, 2, 0, 1, 21, 8192, 3 * SECTOR, 0 },
		/* longer than 2^12 of the smallest frames */
		{ LAYOUT_MIRROR, 3, 0, 16, 4100, 8192, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(walk(&cases[i]), bare_volume_size(&cases[i]) / SECTOR);
}

/* Copies and checks, too: all columns of all rows, and the peers that a report would name. */
static void test_checks_have_their_place(void **state)
{
	const struct bare bare = { LAYOUT_PARITY, 5, 2, 2, 10, 8192, 0, 0 };
	struct map *map = bare_map(&bare);

	(void)state;
	for (uint32_t row = 0; row < bare.rows; row++) {
		for (uint32_t c = 0; c < bare.members; c++) {
			uint64_t lba = bare.origin + row * UINT64_C(2) * BLOCK_SIZE;
			const struct member_place place =
				address_of_member(map, bare_slot(&bare, row, c), lba);

			assert_int_equal(place.area, AREA_BODY);
			assert_int_equal(place.address.column, c);
			assert_int_equal(place.address.group->id, row % bare.members + 1);
			assert_int_equal(place.address.block, row / bare.members * 2);
			assert_int_equal(address_role(&place.address),
					 c < 3 ? BLOCK_DATA : BLOCK_PARITY);
		}
	}
	map_free(map);
}

static void test_stale_places_are_stale(void **state)
{
	const struct bare bare = { LAYOUT_PARITY, 4, 1, 2, 4, 8192, 0, 1u << 2 };
	struct map *map = bare_map(&bare);
	uint32_t stale = 0;

	(void)state;
	for (uint32_t g = 0; g < map->group_count; g++) {
		for (uint32_t c = 0; c < 4; c++) {
			const struct extent *extent = &map->groups[g]->extents[c];

			assert_int_equal(extent->stale, extent->slot == 2);
			stale += extent->stale;
		}
	}
	assert_int_equal(stale, 4);
	assert_true(map_is_bare(map));
	map_free(map);
}

/* A window against the list of its bytes, a sector at a time. */
static void window_walk(const struct window *window, uint64_t places)
{
	uint32_t found = 0;

	assert_true(window_is_sound(window));
	for (uint64_t at = 0; at < window->length; at += SECTOR) {
		uint64_t run = 0, back = 0;
		uint64_t place = window_place(window, at, &run);

		assert_int_equal(place, window->origin + at / window->run * window->stride +
						at % window->run);
		assert_true(run > 0 && at + run <= window->length);
		assert_int_equal(window_place(window, at + run - SECTOR, NULL),
				 place + run - SECTOR);
		assert_true(window_byte(window, place, &back));
		assert_int_equal(back, at);
	}
	for (uint64_t place = 0; place < places; place += SECTOR) {
		uint64_t at;

		if (!window_byte(window, place, &at))
			continue;
		assert_int_equal(window_place(window, at, NULL), place);
		found++;
	}
	assert_int_equal(found, window->length / SECTOR);
}

static void test_windows_lead_both_ways(void **state)
{
	const struct window windows[] = {
		{ 0, 65536, 512, 65536, 65536 },
		{ 65536, 9 * 4096, 8192, 4096, 12288 },
		{ 131072, 9 * 4096 - 1536, 1024, 8192, 8192 },
		{ 262144, 512, 0, 512, 512 },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		window_walk(&windows[i], UINT64_C(256) << 10);
	assert_ptr_equal(window_find(windows, 4, 0), &windows[0]);
	assert_ptr_equal(window_find(windows, 4, 65535), &windows[0]);
	assert_ptr_equal(window_find(windows, 4, 65536), &windows[1]);
	/* addresses of the last block that has no byte are the window's */
	assert_ptr_equal(window_find(windows, 4, 131072 + 9 * 4096 - 1), &windows[2]);
	assert_null(window_find(windows, 4, 131072 + 9 * 4096));
	assert_null(window_find(windows, 0, 0));
	assert_int_equal(window_place_end(&windows[1]), 8192 + 8 * 12288 + 4096);
}

struct mistake {
	const char *what;
	struct foreign_place place;
	uint32_t blocks;
	int code;
};

/* What a superblock might claim: refused with a text, and nothing overflows. */
static void test_no_place_is_refused(void **state)
{
	const struct mistake mistakes[] = {
		{ "half a sector", { .slot = 1, .origin = 256 }, 4, ERR_FORMAT },
		{ "no such member", { .slot = 7 }, 4, ERR_FORMAT },
		{ "behind the member", { .slot = 1, .origin = 1u << 20 }, 4, ERR_FORMAT },
		{ "its last sector", { .slot = 1, .origin = (1u << 20) - 15872 }, 4, ERR_FORMAT },
		{ "runs overlap", { 1, 0, 0, 8192, 4096, false }, 4, ERR_FORMAT },
		{ "runs cut blocks", { 1, 0, 0, 512, 4096, false }, 4, ERR_FORMAT },
		{ "stride runs over", { 1, 0, 0, 4096, UINT64_MAX - 511, false }, 4, ERR_FORMAT },
		{ "origin runs over", { .slot = 1, .origin = UINT64_MAX - 511 }, 4, ERR_FORMAT },
		{ "length of other blocks", { .slot = 1, .length = 4096 }, 4, ERR_FORMAT },
		{ "length is longer", { .slot = 1, .length = 5 * 4096 }, 4, ERR_FORMAT },
		{ "no blocks", { .slot = 1 }, 0, ERR_LIMIT },
		{ "too many blocks", { .slot = 1 }, FOREIGN_BLOCKS_MAX + 1, ERR_LIMIT },
	};
	const struct uuid uuid = { { 9 } }, other = { { 8 } };
	const struct code_shape mirror = code_shape_make(LAYOUT_MIRROR, 2, 1, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct foreign *foreign = foreign_create("a", "v", &uuid);
		struct foreign_place places[2] = { { 0 }, mistakes[i].place };
		struct err err = { 0 };
		uint64_t first = 77;

		assert_int_equal(foreign_add_member(foreign, 0, &uuid, 1u << 20, &err), 0);
		assert_int_equal(foreign_add_member(foreign, 1, &other, 1u << 20, &err), 0);
		if (foreign_add_group(foreign, &mirror, mistakes[i].blocks, places, &first, &err) !=
		    mistakes[i].code)
			fail_msg("%s: %d %s", mistakes[i].what, err.code, err.text);
		assert_int_equal(first, 77);
		assert_true(err.text[0]);
		foreign_free(foreign);
	}
}

static int finish_of(uint32_t second_slot, const struct uuid *second, uint64_t length, bool twice)
{
	const struct uuid uuid = { { 9 } };
	const struct code_shape mirror = code_shape_make(LAYOUT_MIRROR, 2, 1, 0);
	struct foreign *foreign = foreign_create("a", "v", &uuid);
	const struct foreign_place places[2] = { { .slot = 0 }, { .slot = second_slot } };
	struct map *map = NULL;
	struct err err = { 0 };
	uint64_t first = 0;

	assert_int_equal(foreign_add_member(foreign, 0, &uuid, 1u << 20, &err), 0);
	assert_int_equal(foreign_add_member(foreign, 1, second, 1u << 20, &err), 0);
	assert_int_equal(foreign_add_group(foreign, &mirror, 4, places, &first, &err), 0);
	for (int i = 0; i <= twice; i++)
		assert_int_equal(foreign_add_span(foreign, length, 0, &first, 1, &err), 0);
	int rc = foreign_finish(foreign, &map, &err);

	map_free(map);
	return rc;
}

/* What only the whole shows is refused in the end, by the same rules as any map. */
static void test_finish_checks_the_whole(void **state)
{
	const struct uuid first = { { 9 } }, other = { { 8 } };

	(void)state;
	assert_int_equal(finish_of(1, &other, 4 * BLOCK_SIZE, false), 0);
	assert_int_equal(finish_of(0, &other, 4 * BLOCK_SIZE, false), ERR_FORMAT);
	assert_int_equal(finish_of(1, &first, 4 * BLOCK_SIZE, false), ERR_FORMAT);
	assert_int_equal(finish_of(1, &other, 4 * BLOCK_SIZE + 1, false), ERR_FORMAT);
	assert_int_equal(finish_of(1, &other, 4 * BLOCK_SIZE, true), ERR_FORMAT);
}

static bool deny_nth(void *arg)
{
	uint32_t *left = arg;

	return (*left)-- == 0;
}

/* Each allocation fails once: an error, no leak (asan), and never a map. */
static void test_without_memory(void **state)
{
	int rc = ERR_NOMEM;
	uint32_t tries = 0;

	(void)state;
	for (; rc == ERR_NOMEM; tries++) {
		const struct uuid uuid = { { 9 } };
		const struct code_shape plain = code_shape_make(LAYOUT_PLAIN, 1, 0, 0);
		const struct foreign_place place = { .slot = 0 };
		struct map *map = NULL;
		struct err err = { 0 };
		uint32_t left = tries;
		uint64_t first = 0;

		mem_set_hook(deny_nth, &left);
		struct foreign *foreign = foreign_create("a", "v", &uuid);

		rc = foreign ? foreign_add_member(foreign, 0, &uuid, 1u << 20, &err) : ERR_NOMEM;
		if (!rc)
			rc = foreign_add_group(foreign, &plain, 4, &place, &first, &err);
		if (!rc)
			rc = foreign_add_span(foreign, 100, 0, &first, 1, &err);
		if (!rc) {
			rc = foreign_finish(foreign, &map, &err);
			foreign = NULL;
		}
		foreign_free(foreign);
		mem_set_hook(NULL, NULL);
		assert_int_equal(map != NULL, rc == 0);
		map_free(map);
	}
	assert_int_equal(rc, 0);
	assert_in_range(tries, 8, 100);
}

/* A volume is what was added since it began: two of them, over the same members; one without data is none. */
static void test_volumes_follow_each_other(void **state)
{
	const struct code_shape plain = code_shape_make(LAYOUT_PLAIN, 1, 0, 0);
	const struct code_shape mirror = code_shape_make(LAYOUT_MIRROR, 2, 1, 0);
	const struct foreign_place first_places[] = { { .slot = 1 } };
	const struct foreign_place places[] = { { .slot = 0, .origin = 65536 },
						{ .slot = 1, .origin = 131072 } };
	const struct uuid uuid = { { 9 } };
	struct foreign *foreign = foreign_create("a", "one", &uuid);
	struct address address;
	struct map *map = NULL;
	struct err err = { 0 };
	uint64_t first = 0;

	(void)state;
	assert_non_null(foreign);
	for (uint32_t slot = 0; slot < 2; slot++) {
		const struct uuid member = { { (uint8_t)(slot + 1) } };

		assert_int_equal(foreign_add_member(foreign, slot, &member, 1u << 20, &err), 0);
	}
	assert_int_equal(foreign_begin_volume(foreign, "two", &err), ERR_FORMAT);
	assert_int_equal(foreign_add_group(foreign, &plain, 4, first_places, &first, &err), 0);
	assert_int_equal(foreign_add_span(foreign, 16384, 0, &first, 1, &err), 0);
	assert_true(foreign_has_volume(foreign, "one"));
	assert_false(foreign_has_volume(foreign, "two"));
	assert_int_equal(foreign_begin_volume(foreign, "two", &err), 0);
	assert_true(foreign_has_volume(foreign, "one") && foreign_has_volume(foreign, "two"));
	assert_int_equal(foreign_add_group(foreign, &mirror, 8, places, &first, &err), 0);
	assert_int_equal(foreign_add_span(foreign, 32768, 0, &first, 1, &err), 0);
	assert_int_equal(foreign_finish(foreign, &map, &err), 0);
	assert_int_equal(map->volume_count, 2);
	assert_int_equal(map_volume_named(map, "one")->length, 16384);
	assert_int_equal(map_volume_named(map, "one")->policy.layout, LAYOUT_PLAIN);
	assert_int_equal(map_volume_named(map, "two")->policy.layout, LAYOUT_MIRROR);
	assert_true(address_of_volume(&address, NULL, map, map_volume_named(map, "two"), 4096));
	assert_int_equal(address.group->shape.layout, LAYOUT_MIRROR);
	assert_int_equal(address_to_member(map, &address), 65536 + 4096);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_has_its_place),
		cmocka_unit_test(test_checks_have_their_place),
		cmocka_unit_test(test_stale_places_are_stale),
		cmocka_unit_test(test_windows_lead_both_ways),
		cmocka_unit_test(test_no_place_is_refused),
		cmocka_unit_test(test_finish_checks_the_whole),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_volumes_follow_each_other),
	};

	return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
