/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Adopting: arrays that other software made become ours where they lie, with members absent, and the power failing at any
 * write. Aim: the bytes of the volume stay, and no other byte than was planned changes. Method: images as foreign_help.h
 * lays them out, on simulated disks, compared byte by byte.
 */
#include "core/array/adopt.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/relayout.h"
#include "core/job/scrub.h"
#include "core/map/windows.h"
#include "tests/unit/adopt_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct kind {
	const char *name;
	struct bare bare;
	uint32_t survives;
};

static const struct kind kinds[] = {
	{ "parity 3+1", { LAYOUT_PARITY, 4, 1, 4, 32, ADOPT_ORIGIN, 0, 0 }, 1 },
	{ "parity 3+2, from a sector on",
	  { LAYOUT_PARITY, 5, 2, 2, 40, ADOPT_ORIGIN + 512, 0, 0 },
	  2 },
	{ "mirror", { LAYOUT_MIRROR, 2, 0, 16, 20, ADOPT_ORIGIN, 1024, 0 }, 1 },
	{ "stripes", { LAYOUT_PLAIN, 3, 0, 4, 30, ADOPT_ORIGIN, 0, 0 }, 0 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint32_t all_of(const struct kind *kind)
{
	return (UINT32_C(1) << kind->bare.members) - 1;
}

static void read_with_absent(struct yard *yard, const struct kind *kind)
{
	for (uint32_t lost = 0; lost <= all_of(kind); lost++) {
		if ((uint32_t)__builtin_popcount(lost) > kind->survives)
			continue;
		struct array *array = rack_array_of(&yard->rack, all_of(kind) & ~lost, ARRAY_READ);

		yard_compare(yard, array, kind->name);
		array_close(array);
	}
}

static void same_bytes(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		struct array *array = NULL;
		struct err err = { 0 };
		struct yard yard;

		yard_open(&yard, seeded_env(1), &kinds[k].bare, 0);
		if (yard_adopt(&yard, &array, &err))
			fail_msg("%s: %s", kinds[k].name, err.text);
		assert_int_equal(yard.marks, 1);
		assert_int_equal(array_map(array)->adoption.state, ADOPT_REVERSIBLE);
		assert_true(array_map(array)->volumes[0]->span_count > 4);
		yard_compare(&yard, array, kinds[k].name);
		assert_clean(array, kinds[k].name);
		array_close(array);
		read_with_absent(&yard, &kinds[k]);
		array = rack_array_of(&yard.rack, all_of(&kinds[k]), ARRAY_WRITE);
		assert_int_equal(array_map(array)->adoption.origin.bytes[1], 9);
		assert_clean(array, kinds[k].name);
		array_close(array);
		yard_close(&yard);
	}
}

/* Bytes outside the ranges are as they were. */
static void assert_only(const struct yard *yard, uint32_t slot, const struct adopt_range *ranges)
{
	const uint8_t *now = rack_bytes((struct rack *)(uintptr_t)&yard->rack, slot);
	const uint8_t *then = yard->bare.images[slot];

	for (uint64_t at = 0; at < yard->bare.size; at += BLOCK_SIZE) {
		bool planned = false;

		for (uint32_t i = 0; i < ADOPT_RANGES; i++)
			planned |= at >= ranges[i].offset && at - ranges[i].offset < ranges[i].size;
		if (!planned && memcmp(now + at, then + at, BLOCK_SIZE) != 0)
			fail_msg("member %u: byte %" PRIu64 " has changed", slot, at);
	}
}

static void only_planned(void **state)
{
	struct array_adopt_plan plan;
	struct adopt_range ranges[ADOPT_RANGES];
	struct array_adopt_request request;
	struct array *array = NULL;
	struct err err = { 0 };
	struct yard yard;

	(void)state;
	yard_open(&yard, seeded_env(1), &kinds[0].bare, 0);
	yard_request(&yard, &request);
	assert_int_equal(array_adopt_plan(&plan, &request, &err), 0);
	assert_int_equal(yard.rack.writes, 0);
	assert_int_equal(array_adopt(&array, &request, &err), 0);
	/* What may be done before it is committed. */
	assert_clean(array, "adopted");
	assert_int_equal(array_adopt_set_state(array, ADOPT_UNDOING, &err), 0);
	array_close(array);
	for (uint32_t slot = 0; slot < kinds[0].bare.members; slot++) {
		array_adopt_ranges(ranges, &plan, slot);
		assert_true(ranges[1].offset == ADOPT_RECORD_OFFSET + ADOPT_RECORD);
		assert_true(ranges[1].offset + ranges[1].size <= ADOPT_ORIGIN);
		assert_only(&yard, slot, ranges);
	}
	yard_close(&yard);
}

/* A member without a superblock is none; one that is half made is refused. */
static bool is_unfinished(int rc)
{
	return rc == ERR_NOT_MEMBER || rc == ERR_STATE || rc == ERR_CHECKSUM;
}

static void crash(void **state)
{
	const struct kind *kind = &kinds[0];
	uint64_t adopted = 0, refused = 0;
	bool done = false;

	(void)state;
	for (uint64_t k = 0; !done; k++) {
		struct rng rng = rng_seeded(k + 1);
		struct array *array = NULL;
		struct err err = { 0 };
		struct yard yard;

		yard_open(&yard, seeded_env(1), &kind->bare, 0);
		yard.rack.writes_left = k;
		done = yard_adopt(&yard, &array, &err) == 0;
		array_close(array);
		rack_crash(&yard.rack, &rng);
		yard.rack.writes_left = UINT64_MAX;
		int rc = rack_array(&yard.rack, all_of(kind), ARRAY_WRITE, &array, &err);

		if (rc && !is_unfinished(rc))
			fail_msg("write %" PRIu64 ": %s", k, err.text);
		/* Ours only behind the mark; and whatever happened, no data changed. */
		assert_true(rc || yard.marks == 1);
		if (!rc) {
			yard_compare(&yard, array, "after a crash");
			array_close(array);
		}
		for (uint32_t slot = 0; slot < kind->bare.members; slot++)
			assert_memory_equal(rack_bytes(&yard.rack, slot) + ADOPT_ORIGIN,
					    yard.bare.images[slot] + ADOPT_ORIGIN,
					    yard.bare.size - ADOPT_ORIGIN);
		adopted += rc == 0;
		refused += rc != 0;
		yard_close(&yard);
	}
	assert_true(adopted > 1 && refused > 10);
}

static void no_room(void **state)
{
	struct array_adopt_request request;
	struct array_adopt_plan plan;
	struct array *array = NULL;
	struct err err = { 0 };
	struct yard yard;

	(void)state;
	yard_open(&yard, seeded_env(1), &kinds[0].bare, 0);
	yard_request(&yard, &request);
	request.data_begin[2] = 600 * 1024; /* 8 KiB and 384 KiB are needed behind 192 KiB */
	assert_int_equal(array_adopt_plan(&plan, &request, &err), 0);
	request.data_begin[2] = 583 * 1024 + 512;
	assert_int_equal(array_adopt_plan(&plan, &request, &err), ERR_NOSPACE);
	assert_non_null(strstr(err.text, "member 2 ("));
	assert_non_null(strstr(err.text, ": 4096 bytes are missing"));
	assert_int_equal(array_adopt(&array, &request, &err), ERR_NOSPACE);
	for (uint32_t i = 0; i < kinds[0].bare.members; i++)
		dev_close(request.devs[i]);
	assert_int_equal(yard.rack.writes, 0);
	yard_close(&yard);
}

/* Superblocks of a disk as they would be a year later. */
static void make_later(uint8_t *area)
{
	for (uint64_t at = 0; at < SUPER_AREA_SIZE; at += BLOCK_SIZE) {
		struct super super;
		struct err err = { 0 };

		if (super_decode(&super, area + at, SUPER_FAR + at, &err))
			continue;
		super.written_s += UINT64_C(31536000);
		super_encode(area + at, &super);
	}
}

/* A superblock in the data, where a member of another kind has one, is data. */
static void planted_superblocks_are_data(void **state)
{
	struct array *array = NULL;
	struct array_probe probe;
	struct err err = { 0 };
	struct yard yard;
	struct rack other;
	const struct policy policy = { .layout = LAYOUT_PLAIN };

	(void)state;
	array = rack_begin(&other, seeded_env(3), 1, UINT64_C(8) << 20, &policy);
	array_close(array);
	make_later(rack_bytes(&other, 0) + SUPER_FAR);
	yard_open(&yard, seeded_env(1), &kinds[0].bare, 0);
	for (uint32_t i = 0; i < 4; i++)
		memcpy(rack_bytes(&yard.rack, i) + SUPER_FAR, rack_bytes(&other, 0) + SUPER_FAR,
		       SUPER_AREA_SIZE);
	if (yard_adopt(&yard, &array, &err))
		fail_msg("%s", err.text);
	array_close(array);
	for (uint32_t i = 0; i < 4; i++) {
		struct dev *dev = rack_dev(&yard.rack, i);

		assert_int_equal(array_probe(&probe, dev, &err), 0);
		assert_string_equal(probe.name, "tank");
		assert_int_equal(probe.damage.code, 0);
		dev_close(dev);
	}
	array = rack_array_of(&yard.rack, 15, ARRAY_WRITE);
	array_close(array);
	yard_close(&yard);
	rack_close(&other);
}

static int try_write(struct array *array, struct err *err)
{
	struct array_write_result result;
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc =
		array_write(array, array_map(array)->volumes[0], 0, page, BLOCK_SIZE, &result, err);

	mem_pages_free(page);
	return rc;
}

static int try_rename(struct array *array, struct err *err)
{
	return array_volume_rename(array, "data", "other", err);
}

static int try_remove(struct array *array, struct err *err)
{
	return array_volume_remove(array, "data", err);
}

static int try_offline(struct array *array, struct err *err)
{
	return array_set_member_state(array, 1, MEMBER_OFFLINE, err);
}

static int try_rebalance(struct array *array, struct err *err)
{
	const struct relayout_request request = { .kind = JOB_REBALANCE, .member = MEMBER_NONE };
	struct relayout_report report;

	return relayout_run(array, &request, &report, err);
}

/* Before the commit everything is refused that undo would lose, after it what needs seals. Nothing is written. */
static void refused_until_committed(void **state)
{
	static int (*const tries[])(struct array *, struct err *) = {
		try_write, try_rebalance, try_rename, try_remove, try_offline,
	};
	struct array *array = NULL;
	struct err err = { 0 };
	struct yard yard;

	(void)state;
	yard_open(&yard, seeded_env(1), &kinds[0].bare, 0);
	assert_int_equal(yard_adopt(&yard, &array, &err), 0);
	uint64_t writes = yard.rack.writes;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		assert_int_equal(tries[i](array, &err), ERR_ADOPTED);
	assert_int_equal(yard.rack.writes, writes);
	assert_int_equal(array_adopt_set_state(array, ADOPT_COMMITTED, &err), 0);
	assert_int_equal(array_adopt_set_state(array, ADOPT_UNDOING, &err), ERR_STATE);
	writes = yard.rack.writes;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(tries[i](array, &err), ERR_ADOPTED);
	assert_int_equal(yard.rack.writes, writes);
	assert_int_equal(try_rename(array, &err), 0);
	array_close(array);
	array = rack_array_of(&yard.rack, 15, ARRAY_READ);
	assert_int_equal(array_map(array)->adoption.state, ADOPT_COMMITTED);
	assert_non_null(map_volume_named(array_map(array), "other"));
	array_close(array);
	yard_close(&yard);
}

/* Scrub finds and mends what lies without seals as in arrays of other software. */
static void scrub_repairs_what_is_bare(void **state)
{
	const struct scrub_request request = { .mode = SCRUB_REPAIR };
	const struct bare *bare = &kinds[1].bare;
	struct scrub_report report;
	struct array *array = NULL;
	struct err err = { 0 };
	struct yard yard;

	(void)state;
	yard_open(&yard, seeded_env(1), bare, 0);
	assert_int_equal(yard_adopt(&yard, &array, &err), 0);
	rack_bytes(&yard.rack, 2)[bare->origin + 5000] ^= 1;
	assert_int_equal(scrub_run(array, &request, &report, &err), 0);
	assert_int_equal(report.mismatches, 1);
	assert_int_equal(report.repaired, 1);
	for (uint32_t slot = 0; slot < bare->members; slot++)
		assert_memory_equal(rack_bytes(&yard.rack, slot) + bare->origin,
				    yard.bare.images[slot] + bare->origin,
				    yard.bare.size - bare->origin);
	array_close(array);
	yard_close(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes),
		cmocka_unit_test(only_planned),
		cmocka_unit_test(crash),
		cmocka_unit_test(no_room),
		cmocka_unit_test(planted_superblocks_are_data),
		cmocka_unit_test(refused_until_committed),
		cmocka_unit_test(scrub_repairs_what_is_bare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
