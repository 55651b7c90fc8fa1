/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading bare arrays: aim is that every byte that can be known is read right and all others are said to be lost. Method:
 * small arrays of all codes whose checks were made by long multiplication; every set of members absent, members that are
 * stale, single blocks that cannot be read, and members that end too early; get_run() and array_read() against the bytes.
 */
#include "tests/unit/foreign_help.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/job/transfer.h"
#include "core/map/survive.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECTOR 512u

static uint32_t tolerance(const struct bare *bare)
{
	if (bare->layout == LAYOUT_MIRROR)
		return bare->members - 1;
	return bare->layout == LAYOUT_PARITY ? bare->checks : 0;
}

struct sink {
	const struct bare_rack *rack;
	uint64_t at;      /* in order */
	uint64_t strange; /* bytes that are neither right nor zero */
	uint64_t zeros;   /* blocks that are zero and should not be */
};

static int sink_take(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	struct sink *sink = arg;
	const uint8_t *wanted = sink->rack->volume + offset;

	(void)err;
	assert_int_equal(offset, sink->at);
	sink->at += size;
	for (size_t i = 0; i < size; i += SECTOR) {
		const uint8_t *got = (const uint8_t *)bytes + i;
		size_t part = size - i < SECTOR ? size - i : SECTOR;

		if (memcmp(got, wanted + i, part) == 0)
			continue;
		if (bytes_are_zero(got, part))
			sink->zeros += part;
		else
			sink->strange += part;
	}
	return 0;
}

static struct get_report get_all(struct bare_rack *rack, bool past_losses, uint64_t *zeros_out)
{
	struct sink sink = { .rack = rack };
	const struct get_request request = { .volume = "data",
					     .length = UINT64_MAX,
					     .sink = sink_take,
					     .sink_arg = &sink,
					     .past_losses = past_losses };
	struct get_report report = { 0 };
	struct err err = { 0 };

	if (get_run(rack->array, &request, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(sink.at, bare_volume_size(&rack->bare));
	assert_int_equal(sink.strange, 0);
	*zeros_out = sink.zeros;
	return report;
}

/* All sets of absent members: what the code survives is read, of the rest nothing wrong. */
static void test_every_loss(void **state)
{
	uint32_t sets = 0;

	(void)state;
	for (size_t i = 0; i < BARE_CASES; i++) {
		struct bare_rack rack;
		uint32_t all = 1u << bare_cases[i].members;

		bare_rack_fill(&rack, &bare_cases[i], i);
		for (uint32_t absent = 0; absent < all; absent++, sets++) {
			uint32_t lost = (uint32_t)__builtin_popcount(absent);
			struct array *array = bare_rack_open(&rack, absent, ARRAY_READ, NULL, NULL);
			uint64_t zeros;
			struct get_report report = get_all(&rack, true, &zeros);
			bool survives = lost <= tolerance(&bare_cases[i]);

			assert_int_equal(report.lost > 0, !survives);
			assert_int_equal(zeros > 0, !survives);
			assert_true(zeros <= report.lost);
			if (bare_cases[i].layout == LAYOUT_PARITY)
				assert_int_equal(report.reconstructed > 0, lost > 0 && survives);
			assert_int_equal(array_health(array), lost == 0  ? HEALTH_HEALTHY
							      : survives ? HEALTH_DEGRADED
									 : HEALTH_BROKEN);
			bare_rack_close(&rack);
		}
		bare_rack_empty(&rack);
	}
	assert_int_equal(sets, 16 + 8 + 32 + 64 + 8 + 4 + 8);
}

/* Stale extents are erasures, though their bytes can be read and are wrong. */
static void test_stale_is_not_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < BARE_CASES; i++) {
		struct bare_rack rack;
		uint64_t zeros;

		bare_rack_fill(&rack, &bare_cases[i], i);
		rack.bare.stale = 1u << 1;
		memset(rack.images[1] + bare_cases[i].origin, 0x77, 8 * (size_t)SECTOR);
		bare_rack_open(&rack, 0, ARRAY_READ, NULL, NULL);
		assert_int_equal(array_presence(rack.array, 1), PRESENT_STALE);
		assert_int_equal(array_presence(rack.array, 0), PRESENT);
		assert_int_equal(array_health(rack.array),
				 tolerance(&bare_cases[i]) ? HEALTH_DEGRADED : HEALTH_BROKEN);
		struct get_report report = get_all(&rack, true, &zeros);

		assert_int_equal(report.lost > 0, tolerance(&bare_cases[i]) == 0);
		bare_rack_close(&rack);
		bare_rack_empty(&rack);
	}
}

/* Bad blocks here and there: lost are exactly those of which a row has too many. */
static void bad_blocks(const struct bare *bare, uint64_t seed)
{
	struct rng rng = rng_seeded(seed);
	struct bare_rack rack;
	uint32_t unit = bare->unit_blocks, blocks = bare->rows * unit;
	uint32_t *bad = mem_calloc(blocks, sizeof(*bad));
	uint64_t zeros, data_lost = 0;

	bare_rack_fill(&rack, bare, seed);
	bare_rack_open(&rack, 0, ARRAY_READ, NULL, NULL);
	for (uint32_t i = 0; i < 3 + blocks / 4 && i < 60; i++) {
		uint32_t slot = (uint32_t)rng_below(&rng, bare->members);
		uint32_t block = (uint32_t)rng_below(&rng, blocks);

		bad[block] |= 1u << slot;
		bare_rack_break(&rack, slot, bare->origin + (uint64_t)block * BLOCK_SIZE);
	}
	struct get_report report = get_all(&rack, true, &zeros);

	for (uint64_t at = 0; at < bare_volume_size(bare); at += BLOCK_SIZE) {
		const struct bare_byte byte = bare_place(bare, at, 0);
		uint32_t set = bad[(byte.place - bare->origin) / BLOCK_SIZE];
		bool hit = bare->layout == LAYOUT_MIRROR ? set != 0 : set >> byte.slot & 1;

		data_lost += hit && (uint32_t)__builtin_popcount(set) > tolerance(bare);
	}
	assert_int_equal(report.lost, data_lost * BLOCK_SIZE);
	assert_true(zeros <= report.lost);
	mem_free(bad);
	bare_rack_close(&rack);
	bare_rack_empty(&rack);
}

static void test_bad_blocks(void **state)
{
	uint64_t seed = test_seed(5);

	(void)state;
	for (size_t i = 0; i < BARE_CASES; i++) {
		for (uint32_t round = 0; round < 8; round++) {
			if (bare_cases[i].origin % BLOCK_SIZE ==
			    0) /* else two blocks share a bad one */
				bad_blocks(&bare_cases[i], seed + round);
		}
	}
}

/* RAID-1 may have as many copies as a group has columns: any one of them will do. */
static void test_wide_mirrors(void **state)
{
	const struct bare bare = { LAYOUT_MIRROR, 32, 0, 1, 9, 8192, 512, 0 };
	struct bare_rack rack;

	(void)state;
	bare_rack_fill(&rack, &bare, 3);
	for (uint32_t slot = 0; slot < 32; slot++) {
		uint64_t zeros;

		bare_rack_open(&rack, ~(1u << slot), ARRAY_READ, NULL, NULL);
		struct get_report report = get_all(&rack, false, &zeros);

		assert_int_equal(report.lost, 0);
		assert_int_equal(array_health(rack.array), HEALTH_DEGRADED);
		bare_rack_close(&rack);
	}
	bare_rack_empty(&rack);
}

/* A window of rows is a part of a chunk where chunks are long. */
static void test_long_chunks(void **state)
{
	const struct bare bare = { LAYOUT_PARITY, 3, 1, 1400, 3, 4096, 0, 0 };
	struct bare_rack rack;
	uint64_t zeros;

	(void)state;
	bare_rack_fill(&rack, &bare, 3);
	bare_rack_open(&rack, 1u << 2, ARRAY_READ, NULL, NULL);
	struct get_report report = get_all(&rack, false, &zeros);

	assert_int_equal(zeros, 0);
	assert_true(report.reconstructed > 0);
	bare_rack_close(&rack);
	bare_rack_empty(&rack);
}

/* Any range, also one that begins and ends within blocks. */
static void test_ranges(void **state)
{
	struct rng rng = rng_seeded(test_seed(6));

	(void)state;
	for (size_t i = 0; i < BARE_CASES; i++) {
		struct bare_rack rack;
		uint64_t length = bare_volume_size(&bare_cases[i]);
		uint8_t *bytes = mem_pages(size_round_up(length, BLOCK_SIZE));

		bare_rack_fill(&rack, &bare_cases[i], i);
		struct array *array = bare_rack_open(&rack, tolerance(&bare_cases[i]) ? 2 : 0,
						     ARRAY_READ, NULL, NULL);
		const struct volume *volume = map_volume_named(array_map(array), "data");

		for (uint32_t round = 0; round < 30; round++) {
			uint64_t offset = rng_below(&rng, length);
			uint64_t size = 1 + rng_below(&rng, (length - offset) / (round % 3 + 1));
			struct array_read_result result;
			struct err err = { 0 };

			if (size > length - offset)
				size = length - offset;
			assert_int_equal(
				array_read(array, volume, offset, bytes, size, &result, &err), 0);
			assert_int_equal(result.lost, 0);
			assert_int_equal(memcmp(bytes, rack.volume + offset, size), 0);
		}
		mem_pages_free(bytes);
		bare_rack_close(&rack);
		bare_rack_empty(&rack);
	}
}

/* What is said of such an array: its sizes, and who may be lost. */
static void test_facts(void **state)
{
	const struct bare bare = bare_cases[0];
	struct bare_rack rack;
	struct array_capacity capacity;
	struct array_shortage shortage;

	(void)state;
	bare_rack_fill(&rack, &bare, 1);
	struct array *array = bare_rack_open(&rack, 0, ARRAY_READ, NULL, NULL);

	array_capacity(array, &capacity);
	assert_int_equal(capacity.raw, UINT64_C(4) * 8 * 2 * BLOCK_SIZE);
	assert_int_equal(capacity.used, capacity.raw);
	assert_int_equal(capacity.free, 0);
	assert_int_equal(capacity.usable, 0);
	assert_int_equal(array_member_used(array, 3), 8 * 2 * BLOCK_SIZE);
	assert_false(array_shortage(array, &shortage));
	assert_int_equal(array_left_out(array), 0);
	assert_false(array_has_moved(array));
	for (uint32_t slot = 0; slot < 4; slot++) {
		struct err err = { 0 };

		assert_int_equal(array_member_is_needed(array, slot, &err), 0);
	}
	bare_rack_close(&rack);
	bare_rack_open(&rack, 1, ARRAY_READ, NULL, NULL);
	struct err err = { 0 };

	assert_int_equal(array_member_is_needed(rack.array, 2, &err), ERR_UNSAFE);
	bare_rack_close(&rack);
	bare_rack_empty(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_loss),  cmocka_unit_test(test_stale_is_not_read),
		cmocka_unit_test(test_bad_blocks),  cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_long_chunks), cmocka_unit_test(test_wide_mirrors),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests_name("bare_read", tests, NULL, NULL);
}
