/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Placement: aim is that an array of any mixture of sizes fills up to the proven bound, whatever order
 * its members are chosen in on the way, and that no group has two columns in one member or domain.
 * Method: the bounds against exhaustive search on small sets; then real filling, group by group, through
 * place_choose() and space until nothing fits, on thousands of random sets.
 */
#include "core/base/size.h"
#include "core/map/group_size.h"
#include "core/map/place.h"
#include "core/map/space.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the bounds against exhaustive search */

#define SMALL_MEMBERS 5u
#define SMALL_FREE 4u
#define MEMO_SIZE 3125u /* (SMALL_FREE + 1) to the power of SMALL_MEMBERS */

/* Most data frames of groups of width_min..width, by trying every group; memory of all states. */
struct search {
	uint32_t count, width_min, width, checks;
	int memo[MEMO_SIZE];
};

static uint32_t state_number(const uint64_t *free)
{
	uint32_t number = 0;

	for (uint32_t i = 0; i < SMALL_MEMBERS; i++)
		number = number * (SMALL_FREE + 1) + (uint32_t)free[i];
	return number;
}

static int best_data(struct search *search, uint64_t *free)
{
	uint32_t number = state_number(free);
	int best = 0;

	if (search->memo[number] >= 0)
		return search->memo[number];
	for (uint32_t set = 1; set < 1u << search->count; set++) {
		uint32_t width = (uint32_t)__builtin_popcount(set);
		bool fits = width >= search->width_min && width <= search->width;

		for (uint32_t i = 0; fits && i < search->count; i++)
			fits = !(set >> i & 1) || free[i] > 0;
		if (!fits)
			continue;
		for (uint32_t i = 0; i < search->count; i++)
			free[i] -= set >> i & 1;
		int data = (int)(width - search->checks) + best_data(search, free);
		for (uint32_t i = 0; i < search->count; i++)
			free[i] += set >> i & 1;
		best = data > best ? data : best;
	}
	search->memo[number] = best;
	return best;
}

static uint64_t exhaustive(const uint64_t *free, uint32_t count, uint32_t width_min, uint32_t width,
			   uint32_t checks)
{
	static struct search search;
	uint64_t left[SMALL_MEMBERS] = { 0 };

	search = (struct search){ count, width_min, width, checks, { 0 } };
	memset(search.memo, 0xff, sizeof(search.memo));
	memcpy(left, free, count * sizeof(*free));
	return (uint64_t)best_data(&search, left);
}

/* Every descending set of 2..5 members with 1..4 frames. */
static bool next_set(uint64_t *free, uint32_t count)
{
	for (uint32_t i = count; i > 0; i--) {
		uint64_t most = i == 1 ? SMALL_FREE : free[i - 2];

		if (free[i - 1] < most) {
			free[i - 1]++;
			for (uint32_t j = i; j < count; j++)
				free[j] = 1;
			return true;
		}
	}
	return false;
}

static void bounds_are_what_exhaustive_search_finds(void **state)
{
	uint32_t sets = 0;

	(void)state;
	for (uint32_t count = 2; count <= SMALL_MEMBERS; count++) {
		uint64_t free[SMALL_MEMBERS] = { 1, 1, 1, 1, 1 };

		do {
			for (uint32_t width = 2; width <= count; width++) {
				assert_int_equal(place_groups_bound(free, count, width) *
							 (width - 1),
						 exhaustive(free, count, width, width, 1));
				assert_int_equal(place_data_bound(free, count, width, 1),
						 exhaustive(free, count, 2, width, 1));
			}
			sets++;
		} while (next_set(free, count));
	}
	assert_int_equal(sets, 10 + 20 + 35 + 56);
}

/* The same for groups that lose two or three columns to checks. */
static void bounds_hold_for_more_checks(void **state)
{
	(void)state;
	for (uint32_t count = 3; count <= SMALL_MEMBERS; count++) {
		uint64_t free[SMALL_MEMBERS] = { 1, 1, 1, 1, 1 };

		do {
			for (uint32_t checks = 2; checks <= 3; checks++) {
				for (uint32_t width = checks + 1; width <= count; width++)
					assert_int_equal(
						place_data_bound(free, count, width, checks),
						exhaustive(free, count, checks + 1, width, checks));
			}
		} while (next_set(free, count));
	}
}

/* SPEC 4.2: without a limit of width, usable is the total minus the largest member. */
static void r28_usable_is_total_minus_largest(void **state)
{
	static const uint64_t example[] = { 4, 4, 4, 10 };
	struct rng rng = rng_seeded(test_seed(28));

	(void)state;
	assert_int_equal(place_data_bound(example, 4, 4, 1), 12);
	for (int round = 0; round < 2000; round++) {
		uint64_t free[16], total = 0, largest = 0;
		uint32_t count = 2 + (uint32_t)rng_below(&rng, 15);

		for (uint32_t i = 0; i < count; i++) {
			free[i] = 1 + rng_below(&rng, 1000);
			total += free[i];
			largest = size_max(largest, free[i]);
		}
		assert_int_equal(place_data_bound(free, count, count, 1), total - largest);
	}
}

/* ---- filling an array */

struct filling {
	struct map *map;
	struct space *space;
	struct place_request request;
	struct place_member members[MEMBERS_MAX];
	uint64_t groups, data;
};

/* An array whose members have these frames; `domains[i]` is NULL for a domain of its own. */
static struct filling filling_of(const uint64_t *frames, const char *const *domains, uint32_t count)
{
	struct filling filling = { .map = map_empty() };
	struct err err = { 0 };

	for (uint32_t i = 0; i < count; i++) {
		struct member member = { .slot = i, .frame_count = frames[i] };

		assert_int_equal(map_put_member(filling.map, &member), 0);
		filling.members[i].slot = i;
		filling.members[i].total = frames[i];
		filling.members[i].domain = domains ? domains[i] : NULL;
	}
	assert_int_equal(space_create(&filling.space, filling.map, &err), 0);
	filling.request.member_count = count;
	return filling;
}

static void filling_end(struct filling *filling)
{
	space_free(filling->space);
	map_free(filling->map);
}

static void assert_distinct(const struct filling *filling, const uint32_t *slots, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		assert_true(slots[i - 1] < slots[i]);
	for (uint32_t i = 0; i < count; i++) {
		const char *domain = filling->members[slots[i]].domain;

		for (uint32_t j = 0; domain && j < i; j++) {
			const char *other = filling->members[slots[j]].domain;

			assert_true(!other || strcmp(domain, other) != 0);
		}
	}
}

/* One more group; false when there is no room for any. */
static bool fill_one(struct filling *filling, uint8_t size_class)
{
	struct place_request *request = &filling->request;
	uint32_t slots[CODE_COLUMNS_MAX], frame;

	request->members = filling->members;
	request->frames = UINT64_C(1) << size_class;
	for (uint32_t i = 0; i < request->member_count; i++)
		filling->members[i].free = space_free_frames(filling->space, i);
	uint32_t count = place_choose(request, slots);
	if (count == 0)
		return false;
	assert_in_range(count, request->width_min, request->width);
	assert_distinct(filling, slots, count);
	for (uint32_t i = 0; i < count; i++)
		assert_true(space_take(filling->space, slots[i], size_class, i % 2, &frame));
	filling->groups++;
	filling->data += count - request->checks;
	return true;
}

static uint64_t fill(const uint64_t *frames, uint32_t count, uint32_t width_min, uint32_t width,
		     uint32_t checks)
{
	struct filling filling = filling_of(frames, NULL, count);

	filling.request.width = width;
	filling.request.width_min = width_min;
	filling.request.checks = checks;
	while (fill_one(&filling, 0))
		;
	filling_end(&filling);
	return filling.data;
}

static uint32_t random_set(struct rng *rng, uint64_t *frames)
{
	uint32_t count = 3 + (uint32_t)rng_below(rng, 6);

	for (uint32_t i = 0; i < count; i++)
		frames[i] = 5 + rng_below(rng, 56);
	return count;
}

static void filling_reaches_the_bound_with_fixed_width(void **state)
{
	struct rng rng = rng_seeded(test_seed(42));

	(void)state;
	for (int round = 0; round < 1000; round++) {
		uint64_t frames[8];
		uint32_t count = random_set(&rng, frames);
		uint32_t width = 2 + (uint32_t)rng_below(&rng, count - 1);

		assert_int_equal(fill(frames, count, width, width, 1),
				 place_groups_bound(frames, count, width) * (width - 1));
	}
}

static void filling_reaches_the_bound_with_width_at_most(void **state)
{
	struct rng rng = rng_seeded(test_seed(43));

	(void)state;
	for (int round = 0; round < 1000; round++) {
		uint64_t frames[8];
		uint32_t count = random_set(&rng, frames);
		uint32_t checks = 1 + (uint32_t)rng_below(&rng, count > 3 ? 3 : 2);
		uint32_t width = checks + 1 + (uint32_t)rng_below(&rng, count - checks);

		assert_int_equal(fill(frames, count, checks + 1, width, checks),
				 place_data_bound(frames, count, width, checks));
	}
}

/* SPEC R28: members of 4, 4, 4 and 10 hold 12, by filling. */
static void r28_filling_uses_what_is_beyond_the_others(void **state)
{
	static const uint64_t frames[] = { 4, 4, 4, 10 };

	(void)state;
	assert_int_equal(fill(frames, 4, 2, 4, 1), 12);
}

/* SPEC R27: any free frame of a fragmented member serves; every second one is taken here, or at random. */
static void r27_any_free_frame_of_a_fragmented_member_is_used(void **state)
{
	static const uint64_t frames[] = { 40, 40, 40, 90 };
	struct rng rng = rng_seeded(test_seed(27));

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct filling filling = filling_of(frames, NULL, 4);
		uint64_t free[4];

		filling.request.width = 4;
		filling.request.width_min = 2;
		filling.request.checks = 1;
		for (uint32_t frame = 0; frame < 90; frame++) {
			if (round == 0 ? frame % 2 : rng_below(&rng, 3) == 0)
				assert_true(space_take_at(filling.space, 3, 0, frame));
		}
		for (uint32_t i = 0; i < 4; i++)
			free[i] = space_free_frames(filling.space, i);
		while (fill_one(&filling, 0))
			;
		assert_int_equal(filling.data, place_data_bound(free, 4, 4, 1));
		filling_end(&filling);
	}
}

/* Half full, members of 100 to 400 frames are used alike, as claim 1 wants. */
static void members_are_used_in_proportion_while_that_costs_nothing(void **state)
{
	static const uint64_t frames[] = { 100, 200, 300, 400 };
	struct filling filling = filling_of(frames, NULL, 4);

	(void)state;
	filling.request.width = filling.request.width_min = 2;
	filling.request.checks = 1;
	for (int i = 0; i < 250; i++)
		assert_true(fill_one(&filling, 0));
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t used = frames[i] - space_free_frames(filling.space, i);

		assert_in_range(used * 100 / frames[i], 48, 52);
	}
	filling_end(&filling);
}

/* Members of one domain count as one member with the sum of their room. */
static void filling_reaches_the_bound_across_domains(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	struct rng rng = rng_seeded(test_seed(44));

	(void)state;
	for (int round = 0; round < 1000; round++) {
		uint64_t frames[10], sums[5] = { 0 };
		const char *domains[10];
		uint32_t kinds = 3 + (uint32_t)rng_below(&rng, 3);
		uint32_t count = kinds + (uint32_t)rng_below(&rng, 6);
		uint32_t width = 2 + (uint32_t)rng_below(&rng, kinds - 1);
		bool fixed = rng_below(&rng, 2);

		for (uint32_t i = 0; i < count; i++) {
			uint32_t kind = i < kinds ? i : (uint32_t)rng_below(&rng, kinds);

			frames[i] = 1 + rng_below(&rng, 30);
			domains[i] = names[kind];
			sums[kind] += frames[i];
		}
		struct filling filling = filling_of(frames, domains, count);
		filling.request.width = width;
		filling.request.width_min = fixed ? width : 2;
		filling.request.checks = 1;
		while (fill_one(&filling, 0))
			;
		if (fixed)
			assert_int_equal(filling.groups, place_groups_bound(sums, kinds, width));
		else
			assert_int_equal(filling.data, place_data_bound(sums, kinds, width, 1));
		filling_end(&filling);
	}
}

static void larger_extents_go_where_so_many_frames_are_free(void **state)
{
	static const uint64_t frames[] = { 3, 8, 9, 20 };
	struct filling filling = filling_of(frames, NULL, 4);

	(void)state;
	filling.request.width = filling.request.width_min = 3;
	filling.request.checks = 1;
	assert_true(fill_one(&filling, 2)); /* 4 frames each: not the first */
	assert_int_equal(space_free_frames(filling.space, 0), 3);
	assert_true(fill_one(&filling, 2));
	assert_false(fill_one(&filling, 2)); /* two are full */
	assert_int_equal(filling.groups, 2);
	filling_end(&filling);
}

static void default_width_leaves_room_to_protect_again(void **state)
{
	(void)state;
	assert_int_equal(place_default_width(LAYOUT_PLAIN, 0, 5), 1);
	assert_int_equal(place_default_width(LAYOUT_MIRROR, 2, 5), 3);
	assert_int_equal(place_default_width(LAYOUT_PARITY, 1, 3), 3);
	assert_int_equal(place_default_width(LAYOUT_PARITY, 1, 4), 3);
	assert_int_equal(place_default_width(LAYOUT_PARITY, 2, 6), 5);
	assert_int_equal(place_default_width(LAYOUT_SEQUENTIAL, 1, 3), 3);
	assert_int_equal(place_default_width(LAYOUT_SEQUENTIAL, 1, 6), 5);
	assert_int_equal(place_default_width(LAYOUT_SEQUENTIAL, 1, 40),
			 CODE_SEQUENTIAL_COLUMNS_MAX);
}

/* ---- sizes of groups */

/* What a group of that size must keep, whatever was asked for (FORMAT.md sections 3 and 5). */
static void assert_size(const struct group_size *size, const struct policy *policy,
			const struct geometry *geometry, uint32_t columns, uint8_t class_max)
{
	uint64_t room = (uint64_t)geometry->frame_body_blocks << size->size_class;
	uint64_t segments = 1, data_columns = 1, data = size->body_blocks;

	if (policy->layout == LAYOUT_SEQUENTIAL) {
		segments = (uint64_t)policy->checks * size->columns;
		data = (segments - policy->checks) * size->segment_blocks;
		data_columns = size->columns;
	} else if (policy->layout == LAYOUT_PARITY) {
		data_columns = size->columns - policy->checks;
	}
	assert_in_range(size->columns, size->columns_min, columns);
	assert_in_range(size->size_class, 0, class_max);
	assert_in_range(size->body_blocks, 1, room);
	assert_int_equal(size->body_blocks, segments * size->segment_blocks);
	assert_int_equal(size->data_blocks, data_columns * data);
	if (policy->layout == LAYOUT_PARITY)
		assert_int_equal(size->body_blocks % size->unit_blocks, 0);
	else
		assert_int_equal(size->unit_blocks, 0);
}

static void group_sizes_make_valid_groups_and_hold_every_length(void **state)
{
	struct rng rng = rng_seeded(test_seed(5));

	(void)state;
	for (int round = 0; round < 3000; round++) {
		const struct geometry geometry = { .frame_body_blocks = 64 };
		uint8_t class_max = (uint8_t)rng_below(&rng, 5);
		struct policy policy = { .layout = (enum layout)rng_below(&rng, LAYOUT_COUNT) };
		uint32_t columns = 1, groups = 0;

		if (policy.layout == LAYOUT_PARITY) {
			policy.checks = (uint16_t)(1 + rng_below(&rng, 3));
			columns = policy.checks + 1 + (uint32_t)rng_below(&rng, 8);
			policy.unit_blocks = 1u << rng_below(&rng, 7 + class_max);
		} else if (policy.layout == LAYOUT_SEQUENTIAL) {
			policy.checks = (uint16_t)(1 + rng_below(&rng, 4));
			columns = 2 + (uint32_t)rng_below(&rng, 8);
		} else if (policy.layout == LAYOUT_MIRROR) {
			columns = 2;
			policy.checks = 1;
		}
		uint64_t blocks = 1 + rng_below(&rng, 1u << rng_below(&rng, 16)), left = blocks;
		while (left > 0) {
			struct group_size size =
				group_size_choose(&policy, &geometry, columns, class_max, left);

			assert_size(&size, &policy, &geometry, columns, class_max);
			left -= size_min(left, size.data_blocks);
			groups++;
		}
		/* Full groups but for a tail of at most two of each class. */
		assert_true(groups <= blocks / 32 + 2u * (class_max + 1u));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_what_exhaustive_search_finds),
		cmocka_unit_test(bounds_hold_for_more_checks),
		cmocka_unit_test(r28_usable_is_total_minus_largest),
		cmocka_unit_test(filling_reaches_the_bound_with_fixed_width),
		cmocka_unit_test(filling_reaches_the_bound_with_width_at_most),
		cmocka_unit_test(r28_filling_uses_what_is_beyond_the_others),
		cmocka_unit_test(r27_any_free_frame_of_a_fragmented_member_is_used),
		cmocka_unit_test(members_are_used_in_proportion_while_that_costs_nothing),
		cmocka_unit_test(filling_reaches_the_bound_across_domains),
		cmocka_unit_test(larger_extents_go_where_so_many_frames_are_free),
		cmocka_unit_test(default_width_leaves_room_to_protect_again),
		cmocka_unit_test(group_sizes_make_valid_groups_and_hold_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
