/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Injecting faults: aim is that a fault is exactly what it says, where it says, and nowhere else; that a lost
 * write can be told by others only; and that a seed gives the same damage again.
 * Method: the disks before and after are compared block by block with what was reported; rows judge the
 * blocks as scrub would.
 */
#include "core/array/row.h"
#include "core/base/mem.h"
#include "core/job/fault_inject.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(8) << 20)
#define DISKS 4u
#define PLACES_MAX 4096u
#define LOST 7u /* one of each slice of the sequential group */

struct place {
	uint64_t offset, group;
	const char *role;
};

struct places {
	uint32_t count;
	struct place at[PLACES_MAX];
};

static struct places places;

static void note(void *arg, uint64_t offset, uint64_t group, const char *role)
{
	struct places *into = arg;

	assert_true(into->count < PLACES_MAX);
	into->at[into->count++] = (struct place){ offset, group, role };
}

static const struct policy policies[LAYOUT_COUNT] = {
	[LAYOUT_PLAIN] = { .layout = LAYOUT_PLAIN, .unit_blocks = 16 },
	[LAYOUT_MIRROR] = { .layout = LAYOUT_MIRROR, .checks = 1, .unit_blocks = 16 },
	[LAYOUT_PARITY] = { .layout = LAYOUT_PARITY, .checks = 2, .columns = 4, .unit_blocks = 16 },
	[LAYOUT_SEQUENTIAL] = { .layout = LAYOUT_SEQUENTIAL,
				.checks = 2,
				.columns = 3,
				.unit_blocks = 16 },
};

/* Volumes of several layouts, a bit each; `before` gets a copy of every disk. */
static struct array *array_make(struct rack *rack, uint32_t layouts, uint8_t **before)
{

	places.count = 0;
	struct array *array =
		rack_begin(rack, seeded_env(9), DISKS, DISK_SIZE, &policies[LAYOUT_PARITY]);
	for (int i = 0; i < LAYOUT_COUNT; i++) {
		char name[] = { (char)('a' + i), '\0' };

		if (layouts >> i & 1)
			put_bytes(array, name, &policies[i], 300000, (uint64_t)i);
	}
	for (uint32_t i = 0; before && i < DISKS; i++) {
		before[i] = mem_calloc(DISK_SIZE, 1);
		memcpy(before[i], rack_bytes(rack, i), DISK_SIZE);
	}
	return array;
}

static void array_end(struct rack *rack, struct array *array, uint8_t **before)
{
	for (uint32_t i = 0; before && i < DISKS; i++)
		mem_free(before[i]);
	array_close(array);
	rack_close(rack);
}

static int inject(struct array *array, enum inject_kind kind, uint32_t count, uint64_t seed,
		  struct err *err)
{
	const struct inject_request request = { .kind = kind,
						.slot = 1,
						.end = UINT64_MAX,
						.count = count,
						.seed = seed,
						.done = note,
						.done_arg = &places };

	return inject_run(array, &request, err);
}

static bool was_reported(uint64_t offset)
{
	for (uint32_t i = 0; i < places.count; i++) {
		if (places.at[i].offset == offset)
			return true;
	}
	return false;
}

/* Blocks that differ from before, on all disks; those of disk 1 that nobody reported. */
static uint32_t changed_blocks(struct rack *rack, uint8_t **before, uint32_t *silent_out)
{
	uint32_t changed = 0;

	*silent_out = 0;
	for (uint32_t disk = 0; disk < DISKS; disk++) {
		for (uint64_t at = 0; at < DISK_SIZE; at += BLOCK_SIZE) {
			if (memcmp(rack_bytes(rack, disk) + at, before[disk] + at, BLOCK_SIZE) == 0)
				continue;
			assert_int_equal(disk, 1);
			*silent_out += !was_reported(at);
			changed++;
		}
	}
	return changed;
}

static uint32_t different_bits(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < size; i++)
		bits += (uint32_t)__builtin_popcount(a[i] ^ b[i]);
	return bits;
}

static void flip_changes_one_bit_of_each_block_it_names(void **state)
{
	uint64_t first = test_seed(61);

	(void)state;
	for (uint64_t seed = first; seed < first + 20; seed++) {
		uint8_t *before[DISKS];
		uint32_t silent;
		struct rack rack;
		struct array *array = array_make(&rack, 15, before);
		struct err err = { 0 };

		assert_int_equal(inject(array, INJECT_FLIP, 25, seed, &err), 0);
		assert_int_equal(places.count, 25);
		assert_int_equal(changed_blocks(&rack, before, &silent), 25);
		assert_int_equal(silent, 0);
		for (uint32_t i = 0; i < places.count; i++)
			assert_int_equal(different_bits(rack_bytes(&rack, 1) + places.at[i].offset,
							before[1] + places.at[i].offset,
							BLOCK_SIZE),
					 1);
		array_end(&rack, array, before);
	}
}

/* What the map says of a place, by search. */
static const char *role_of(const struct map *map, const struct place *place, uint32_t *column_out,
			   uint32_t *block_out)
{
	const struct group *group = map_group(map, place->group);

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		const struct extent *extent = &group->extents[c];
		uint64_t body = extent_offset(map, extent, 0),
			 seal = extent_seal_offset(map, extent);
		uint64_t end = body + (uint64_t)extent->body_blocks * BLOCK_SIZE;

		if (extent->slot != 1)
			continue;
		*column_out = c;
		*block_out = (uint32_t)((place->offset - body) / BLOCK_SIZE);
		if (place->offset >= seal && place->offset < seal + 40 * BLOCK_SIZE)
			return "seal";
		if (place->offset < body || place->offset >= end)
			continue;
		switch (group->shape.layout) {
		case LAYOUT_MIRROR:
			return c == 0 ? "primary" : "secondary";
		case LAYOUT_PARITY:
			return c < 2 ? "data" : "parity";
		case LAYOUT_SEQUENTIAL:
			if (*block_out < group_data_blocks(group))
				return "data";
			return c == group->shape.pure ? "pure" : "parity";
		case LAYOUT_PLAIN:
		case LAYOUT_COUNT:
			break;
		}
		return "data";
	}
	return "nothing";
}

/* All blocks at once: each is hit once, bodies and seals, with the role that the map gives it. */
static void every_block_in_use_may_be_hit_once(void **state)
{
	uint8_t *before[DISKS];
	uint32_t silent, all = 0, seals = 0, column, block;
	struct rack rack;
	struct array *array = array_make(&rack, 15, before);
	const struct map *map = array_map(array);
	struct err err = { 0 };

	(void)state;
	for (uint32_t i = 0; i < map->group_count; i++) {
		for (uint32_t c = 0; c < map->groups[i]->shape.columns; c++) {
			struct seal_shape shape = seal_shape_of(map->groups[i], c);

			if (map->groups[i]->extents[c].slot != 1)
				continue;
			all += map->groups[i]->extents[c].body_blocks + 1 +
			       seal_entry_pages(&shape);
			seals += 1 + seal_entry_pages(&shape);
		}
	}
	assert_int_equal(inject(array, INJECT_FLIP, all + 1, 3, &err), ERR_STATE);
	assert_int_equal(places.count, 0);
	assert_int_equal(inject(array, INJECT_FLIP, all, 3, &err), 0);
	assert_int_equal(changed_blocks(&rack, before, &silent), all);
	assert_int_equal(silent, 0);
	for (uint32_t i = 0; i < places.count; i++) {
		assert_string_equal(places.at[i].role,
				    role_of(map, &places.at[i], &column, &block));
		seals -= strcmp(places.at[i].role, "seal") == 0;
	}
	assert_int_equal(seals, 0);
	array_end(&rack, array, before);
}

static void misdirected_block_is_another_of_the_same_member(void **state)
{
	uint8_t *before[DISKS];
	uint32_t silent;
	struct rack rack;
	struct array *array = array_make(&rack, 15, before);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(inject(array, INJECT_MISDIRECT, 30, test_seed(62), &err), 0);
	assert_int_equal(places.count, 30);
	assert_int_equal(changed_blocks(&rack, before, &silent), 30);
	assert_int_equal(silent, 0);
	for (uint32_t i = 0; i < places.count; i++) {
		const uint8_t *now = rack_bytes(&rack, 1) + places.at[i].offset;
		bool found = false;

		assert_string_not_equal(places.at[i].role, "seal");
		for (uint64_t at = 0; !found && at < DISK_SIZE; at += BLOCK_SIZE)
			found = at != places.at[i].offset &&
				memcmp(now, rack_bytes(&rack, 1) + at, BLOCK_SIZE) == 0;
		for (uint64_t at = 0; !found && at < DISK_SIZE; at += BLOCK_SIZE)
			found = memcmp(now, before[1] + at, BLOCK_SIZE) == 0;
		assert_true(found);
	}
	array_end(&rack, array, before);
}

/* The block agrees with its seal; its row says that it is stale, and gives back what was there. */
static void assert_is_lost_write(struct rack *rack, struct array *array, const struct place *place,
				 uint8_t **before)
{
	const struct group *group = map_group(array_map(array), place->group);
	uint32_t column, block, lost;
	struct rows rows = { 0 };
	struct err err = { 0 };

	role_of(array_map(array), place, &column, &block);
	uint32_t segment = block / group->segment_blocks, slice = block % group->segment_blocks;
	assert_memory_not_equal(rack_bytes(rack, 1) + place->offset, before[1] + place->offset,
				BLOCK_SIZE);
	assert_int_equal(rows_open(&rows, array, group, 0, 1, ROWS_TAILS_FIRST, &err), 0);
	assert_int_equal(rows_load(&rows, slice, 1), 0);
	assert_int_equal(rows_fate(&rows, column, segment, slice), BLOCK_GOOD);
	rows_judge(&rows);
	assert_int_equal(rows_fate(&rows, column, segment, slice), BLOCK_STALE);
	assert_int_equal(rows_solve(&rows, &lost), 0);
	assert_int_equal(lost, 0);
	assert_memory_equal(rows_block(&rows, column, segment, slice), before[1] + place->offset,
			    BLOCK_SIZE);
	rows_free(&rows);
}

static void lost_write_agrees_with_itself_and_is_told_by_others(void **state)
{
	uint64_t seed = test_seed(63);

	(void)state;
	for (int run = 0; run < 40; run++) {
		int layout = run < 3 ? LAYOUT_MIRROR + run : LAYOUT_SEQUENTIAL;
		uint8_t *before[DISKS];
		uint32_t silent, pages;
		struct rack rack;
		struct array *array = array_make(&rack, 1u << layout, before);
		struct err err = { 0 };

		assert_int_equal(inject(array, INJECT_LOST, LOST, seed + (uint64_t)run, &err), 0);
		assert_int_equal(places.count, LOST);
		pages = changed_blocks(&rack, before, &silent) - LOST; /* of entries */
		assert_int_equal(silent, pages);
		assert_in_range(pages, 1, LOST);
		for (uint32_t i = 0; i < places.count; i++)
			assert_is_lost_write(&rack, array, &places.at[i], before);
		array_end(&rack, array, before);
	}
}

/* In a plain group nobody could tell, so there it is not done. */
static void lost_write_is_refused_where_nobody_could_tell(void **state)
{
	uint8_t *before[DISKS];
	uint32_t silent;
	struct rack rack;
	struct array *array = array_make(&rack, 1u << LAYOUT_PLAIN, before);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(inject(array, INJECT_LOST, 1, 1, &err), ERR_STATE);
	assert_int_equal(changed_blocks(&rack, before, &silent), 0);
	assert_int_equal(inject(array, INJECT_MISDIRECT, 3, 1, &err), 0);
	array_end(&rack, array, before);
}

static void same_seed_same_damage(void **state)
{
	(void)state;
	for (int kind = INJECT_FLIP; kind <= INJECT_MISDIRECT; kind++) {
		struct places first;
		uint8_t *disks[3];

		for (int run = 0; run < 3; run++) {
			struct rack rack;
			struct array *array = array_make(&rack, 15, NULL);
			struct err err = { 0 };

			assert_int_equal(
				inject(array, (enum inject_kind)kind, 10, run == 2 ? 8 : 7, &err),
				0);
			disks[run] = mem_calloc(DISK_SIZE, 1);
			memcpy(disks[run], rack_bytes(&rack, 1), DISK_SIZE);
			if (run == 0)
				first = places;
			array_end(&rack, array, NULL);
			assert_int_equal(memcmp(first.at, places.at, 10 * sizeof(first.at[0])) == 0,
					 run != 2);
		}
		assert_memory_equal(disks[0], disks[1], DISK_SIZE);
		assert_memory_not_equal(disks[0], disks[2], DISK_SIZE);
		for (int run = 0; run < 3; run++)
			mem_free(disks[run]);
	}
}

static void only_the_range_is_touched(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack, 15, NULL);
	const struct map *map = array_map(array);
	struct err err = { 0 };
	uint64_t first = UINT64_MAX;

	(void)state;
	for (uint32_t i = 0; i < map->group_count; i++) {
		for (uint32_t c = 0; c < map->groups[i]->shape.columns; c++) {
			const struct extent *extent = &map->groups[i]->extents[c];

			if (extent->slot == 1 && extent_offset(map, extent, 0) < first)
				first = extent_offset(map, extent, 0);
		}
	}
	struct inject_request request = { .kind = INJECT_FLIP,
					  .slot = 1,
					  .first = first + 5000,
					  .end = first + 5 * BLOCK_SIZE + 1,
					  .count = 4,
					  .seed = 1,
					  .done = note,
					  .done_arg = &places };
	/* Blocks 2 to 5 begin in it, the last one with its first byte. */
	assert_int_equal(inject_run(array, &request, &err), 0);
	for (uint64_t block = 2; block <= 5; block++)
		assert_true(was_reported(first + block * BLOCK_SIZE));
	request.count = 5;
	assert_int_equal(inject_run(array, &request, &err), ERR_STATE);
	request.first = 0;
	request.end = 1 << 20; /* metadata is no block of an extent */
	request.count = 1;
	assert_int_equal(inject_run(array, &request, &err), ERR_STATE);
	array_end(&rack, array, NULL);
}

static void member_that_is_not_there_is_refused(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack, 15, NULL);
	struct err err = { 0 };

	(void)state;
	array_close(array);
	array = rack_array_of(&rack, 13, ARRAY_WRITE);
	assert_int_equal(inject(array, INJECT_FLIP, 1, 1, &err), ERR_STATE);
	assert_non_null(strstr(err.text, "member 1"));
	assert_int_equal(inject(array, INJECT_FLIP, 0, 1, &err), ERR_STATE);
	array_end(&rack, array, NULL);
}

/* The damage is on the medium when the call returns. */
static void damage_outlives_a_power_loss(void **state)
{
	struct rng rng = rng_seeded(test_seed(64));
	uint8_t *before[DISKS];
	uint32_t silent;
	struct rack rack;
	struct array *array = array_make(&rack, 15, before);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(inject(array, INJECT_FLIP, 50, 1, &err), 0);
	rack_crash(&rack, &rng);
	assert_int_equal(changed_blocks(&rack, before, &silent), 50);
	array_end(&rack, array, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flip_changes_one_bit_of_each_block_it_names),
		cmocka_unit_test(every_block_in_use_may_be_hit_once),
		cmocka_unit_test(misdirected_block_is_another_of_the_same_member),
		cmocka_unit_test(lost_write_agrees_with_itself_and_is_told_by_others),
		cmocka_unit_test(lost_write_is_refused_where_nobody_could_tell),
		cmocka_unit_test(same_seed_same_damage),
		cmocka_unit_test(only_the_range_is_touched),
		cmocka_unit_test(member_that_is_not_there_is_refused),
		cmocka_unit_test(damage_outlives_a_power_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
