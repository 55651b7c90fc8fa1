/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Survive: aim is that verdicts and ranges are what the codes say, for every set of members.
 * Method: maps with groups of every layout at random places, some columns stale. For each set of up to four
 * members the oracle asks the code of each group by itself, and walks every block of every volume through
 * address_of_volume(), which knows nothing of kinds, units or runs.
 */
#include "core/map/survive.h"

#include "core/base/bytes.h"
#include "core/map/address.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint32_t columns_gone(const struct group *group, struct member_set lost)
{
	uint32_t gone = 0;

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (group->extents[c].stale || member_set_has(lost, group->extents[c].slot))
			gone |= UINT32_C(1) << c;
	}
	return gone;
}

static bool is_usable(const void *arg, const struct extent *extent)
{
	(void)arg;
	return !extent->stale;
}

static struct code *code_of(const struct group *group)
{
	struct code *code = NULL;

	assert_int_equal(code_create(&code, &group->shape, NULL), 0);
	return code;
}

/* Could the code bear the loss of any one column more? */
static bool bears_more(const struct code *code, uint32_t gone)
{
	for (uint32_t c = 0; c < code_shape(code)->columns; c++) {
		if (!(gone >> c & 1) && !code_survives(code, gone | UINT32_C(1) << c))
			return false;
	}
	return true;
}

static enum survive_verdict verdict_by_codes(const struct map *map, struct member_set lost)
{
	enum survive_verdict verdict = SURVIVE_REDUNDANT;

	for (uint32_t g = 0; g < map->group_count; g++) {
		struct code *code = code_of(map->groups[g]);
		uint32_t gone = columns_gone(map->groups[g], lost);

		if (!code_survives(code, gone))
			verdict = SURVIVE_DATA_LOSS;
		else if (verdict == SURVIVE_REDUNDANT && code_tolerance(code) > 0 &&
			 !bears_more(code, gone))
			verdict = SURVIVE_NO_REDUNDANCY;
		code_free(code);
	}
	return verdict;
}

/* A block of a volume whose cell nobody can compute. */
static bool block_is_lost(const struct address *address, struct member_set lost)
{
	struct code *code = code_of(address->group);
	uint32_t gone = columns_gone(address->group, lost), segments = code_segment_count(code);
	uint64_t cells[CODE_LOST_WORDS] = { 0 };
	struct code_plan plan = { 0 };
	bool found = false;

	for (uint32_t cell = 0; cell < code_cell_count(code); cell++) {
		if (gone >> cell / segments & 1)
			cells[cell / 64] |= UINT64_C(1) << cell % 64;
	}
	assert_int_equal(code_solve(&plan, code, cells, NULL), 0);
	for (uint32_t i = 0; i < plan.unsolved_count; i++)
		found = found ||
			plan.unsolved[i] == address->column * segments +
						    address->block / address->group->segment_blocks;
	code_plan_reset(&plan);
	code_free(code);
	return found;
}

struct ranges {
	struct survive_range at[4096];
	uint32_t count;
};

static void note_range(void *arg, const struct survive_range *range)
{
	struct ranges *ranges = arg;

	assert_true(ranges->count < 4096);
	assert_true(range->length > 0);
	ranges->at[ranges->count++] = *range;
}

static bool ranges_have(const struct ranges *ranges, const struct volume *volume, uint64_t offset)
{
	for (uint32_t i = 0; i < ranges->count; i++) {
		if (ranges->at[i].volume == volume && offset >= ranges->at[i].offset &&
		    offset - ranges->at[i].offset < ranges->at[i].length)
			return true;
	}
	return false;
}

static void check_ranges(const struct map *map, const struct survive *survive,
			 struct member_set lost)
{
	static struct ranges ranges;

	ranges.count = 0;
	assert_int_equal(survive_find(survive, lost, note_range, &ranges), 0);
	for (uint32_t v = 0; v < map->volume_count; v++) {
		const struct volume *volume = map->volumes[v];
		struct address address;

		for (uint64_t at = 0; at < volume->length; at += BLOCK_SIZE) {
			assert_true(address_of_volume(&address, NULL, map, volume, at));
			assert_int_equal(ranges_have(&ranges, volume, at),
					 block_is_lost(&address, lost));
		}
	}
	for (uint32_t i = 1; i < ranges.count; i++) { /* none adjoin, none outside */
		const struct survive_range *a = &ranges.at[i - 1], *b = &ranges.at[i];

		assert_true(a->volume != b->volume || a->offset + a->length < b->offset);
		assert_true(b->offset + b->length <= b->volume->length);
	}
}

static void check_map(const struct map *map, uint32_t lose_max)
{
	struct survive *survive = NULL;

	assert_int_equal(survive_create(&survive, map, is_usable, NULL), 0);
	for (uint64_t bits = 0; bits < UINT64_C(1) << SAMPLE_MEMBERS; bits++) {
		const struct member_set lost = { bits };

		if (member_set_count(lost) > lose_max)
			continue;
		struct survive_answer answer;
		assert_int_equal(survive_ask(&answer, survive, lost), 0);
		assert_int_equal(answer.verdict, verdict_by_codes(map, lost));
		check_ranges(map, survive, lost);
	}
	survive_free(survive);
}

static void test_every_layout_every_set(void **state)
{
	struct map *map = map_sample();

	(void)state;
	check_map(map, 4);
	map_free(map);
}

/* What is stale counts as lost, and groups on the same members are not of one kind then. */
static void test_columns_that_are_gone_already(void **state)
{
	struct rng rng = rng_seeded(test_seed(20261121));

	(void)state;
	for (uint32_t round = 0; round < 8; round++) {
		struct map *map = map_sample();

		for (uint32_t g = 0; g < map->group_count; g++) {
			struct group *group = map->groups[g];

			group->extents[rng_below(&rng, group->shape.columns)].stale =
				rng_below(&rng, 2) == 1;
		}
		check_map(map, 2);
		map_free(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_layout_every_set),
		cmocka_unit_test(test_columns_that_are_gone_already),
	};

	return cmocka_run_group_tests_name("survive", tests, NULL, NULL);
}
