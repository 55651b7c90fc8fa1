/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bands: the groups of an array of other software, cut across. Aim: every byte of the volume and every check stays where it
 * was. Method: the map before and after are asked for the place of each block, and of its row.
 */
#include "core/map/bands.h"

#include "core/base/bytes.h"
#include "core/map/address.h"
#include "core/map/check.h"
#include "core/map/windows.h"
#include "tests/unit/adopt_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Member and byte of it of all blocks that protect this one, itself first. */
static uint32_t places_of(const struct map *map, uint64_t offset, uint64_t *places_out)
{
	struct address address, peers[ADDRESS_PEERS_MAX];

	assert_true(address_of_volume(&address, NULL, map, map->volumes[0], offset));
	uint32_t count = address_peers(peers, &address);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = peers[i].group->extents[peers[i].column].slot;

		places_out[i] = (uint64_t)slot << 48 |
				member_address(map, slot, address_to_member(map, &peers[i]));
	}
	return count;
}

static void compare(const struct map *before, const struct map *after)
{
	assert_int_equal(after->volumes[0]->length, before->volumes[0]->length);
	for (uint64_t at = 0; at < before->volumes[0]->length; at += BLOCK_SIZE) {
		uint64_t there[ADDRESS_PEERS_MAX], here[ADDRESS_PEERS_MAX];
		uint32_t count = places_of(before, at, there);

		assert_int_equal(places_of(after, at, here), count);
		assert_memory_equal(here, there, count * sizeof(*here));
	}
}

static void same_places(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BARE_CASES; i++) {
		for (uint32_t bands = 1; bands < 40; bands = bands * 2 + 1) {
			struct map *map = bare_map(&bare_cases[i]), *cut = NULL;
			struct err err = { 0 };

			if (bands_cut(&cut, map, bands, &err))
				fail_msg("case %u: %s", i, err.text);
			compare(map, cut);
			assert_true(map_is_bare(cut));
			map_free(map);
			map_free(cut);
		}
	}
}

static void bounded(void **state)
{
	uint32_t cases = 0;

	(void)state;
	for (uint32_t i = 0; i < BARE_CASES; i++) {
		uint32_t most = 0;

		for (uint32_t bands = 1; bands < 40; bands++) {
			struct map *map = bare_map(&bare_cases[i]), *cut = NULL;
			struct err err = { 0 };

			assert_int_equal(bands_cut(&cut, map, bands, &err), 0);
			uint32_t spans = cut->volumes[0]->span_count;

			assert_true(spans <= bands + map->volumes[0]->span_count);
			assert_true(bands > 1 || spans == map->volumes[0]->span_count);
			most = spans > most ? spans : most;
			map_free(map);
			map_free(cut);
		}
		cases += most > 1;
	}
	assert_true(cases >= BARE_CASES - 2); /* extents of one chunk cannot be cut */
}

/* An adopted array's map, cut again and again at random places, and no byte of it elsewhere. */
static void cut_in_place(void **state)
{
	static const struct bare kinds[] = {
		{ LAYOUT_PARITY, 4, 1, 1, 256, ADOPT_ORIGIN, 0, 0 },
		{ LAYOUT_MIRROR, 2, 0, 16, 12, ADOPT_ORIGIN, 512, 0 },
		{ LAYOUT_PLAIN, 3, 0, 1, 400, ADOPT_ORIGIN, 0, 0 },
	};
	struct rng rng = rng_seeded(test_seed(8));

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct map *before = bare_map(&kinds[i]);
		struct err err = { 0 };
		struct yard yard;
		uint32_t cuts = 0;

		yard_open(&yard, seeded_env(1), &kinds[i], 0);
		struct array *array = yard_array(&yard);
		struct map *map = array_map(array);

		for (uint32_t round = 0; round < 200; round++) {
			struct volume *volume = map->volumes[0];
			uint32_t number = (uint32_t)rng_below(&rng, volume->span_count);
			const struct span *span = &volume->spans[number];
			uint64_t period = bands_period(map, span);
			uint64_t periods = (span->length - 1) / BLOCK_SIZE / period;

			if (periods == 0)
				continue;
			cuts++;
			assert_int_equal(bands_cut_span(map, volume, number,
							period * (1 + rng_below(&rng, periods))),
					 0);
			if (map_check(map, &err))
				fail_msg("kind %u: %s", i, err.text);
		}
		assert_true(cuts > 20);
		compare(before, map);
		map_free(before);
		array_close(array);
		yard_close(&yard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_places),
		cmocka_unit_test(bounded),
		cmocka_unit_test(cut_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
