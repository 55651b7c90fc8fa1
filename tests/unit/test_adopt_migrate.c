/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Migrate of adopted arrays: volumes of bare groups get groups with seals, with room on added members, with members absent,
 * and with the power failing at any write. Aim: the bytes of the volume never change, are protected at every instant, and
 * a job goes on where it was. Method: images as foreign_help.h lays them out, on simulated disks.
 */
#include "core/job/migrate.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/map/check.h"
#include "core/map/space.h"
#include "tests/unit/adopt_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct bare raid5 = { LAYOUT_PARITY, 4, 1, 4, 64, ADOPT_ORIGIN, 0, 0 };
static const struct bare raid6 = { LAYOUT_PARITY, 5, 2, 2, 80, ADOPT_ORIGIN, 0, 0 };
static const struct bare pair = { LAYOUT_MIRROR, 2, 0, 16, 12, ADOPT_ORIGIN, 512, 0 };
static const struct bare stripes = { LAYOUT_PLAIN, 3, 0, 4, 40, ADOPT_ORIGIN, 0, 0 };

struct shape {
	const char *name;
	struct policy policy;
	uint32_t survives;
};

static const struct shape shapes[] = {
	{ "parity 3+1", { LAYOUT_PARITY, 1, 4, 4, 0, 0, 0, 0, 0 }, 1 },
	{ "parity 2+2", { LAYOUT_PARITY, 2, 4, 2, 0, 0, 0, 0, 0 }, 2 },
	{ "mirror", { LAYOUT_MIRROR, 1, 2, 4, 1, 0, 0, 0, 0 }, 1 },
	{ "sequential 4", { LAYOUT_SEQUENTIAL, 1, 4, 4, 1, 0, 0, 0, 0 }, 1 },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static struct migrate_request request_of(const struct shape *to)
{
	return (struct migrate_request){
		.volume = "data",
		.policy = to->policy,
	};
}

static void assert_native(struct array *array, const struct shape *to)
{
	struct err err = { 0 };

	if (map_check(array->map, &err))
		fail_msg("%s: %s", to->name, err.text);
	assert_false(map_has_bare(array->map));
	assert_int_equal(array->map->job_count, 0);
	for (uint32_t g = 0; g < array->map->group_count; g++)
		assert_int_equal(array->map->groups[g]->shape.layout, to->policy.layout);
}

static void migrate(struct array *array, const struct shape *to)
{
	const struct migrate_request request = request_of(to);
	struct migrate_report plan = { 0 }, report = { 0 };
	struct err err = { 0 };

	if (migrate_plan(array, &request, &plan, &err) ||
	    migrate_run(array, &request, &report, &err))
		fail_msg("to %s: %s", to->name, err.text);
	assert_int_equal(report.bytes_written, plan.bytes_written);
	assert_int_equal(report.extents_moved, plan.extents_moved);
	assert_int_equal(report.spans_left, 0);
}

/* The bytes are there with any `count` members of those in `disks` missing; `count` is 0, 1 or 2. */
static void check_losses(struct yard *yard, uint32_t disks, uint32_t count)
{
	for (uint32_t a = 0; a < yard->rack.count; a++) {
		for (uint32_t b = a; b < (count == 2 ? yard->rack.count : a + 1); b++) {
			uint32_t gone = count ? UINT32_C(1) << a | UINT32_C(1) << b : 0;
			struct array *array = rack_array_of(&yard->rack, disks & ~gone, ARRAY_READ);

			yard_compare(yard, array, "with members missing");
			array_close(array);
		}
	}
}

static void every_kind_becomes_every_shape(void **state)
{
	const struct bare *const from[] = { &raid5, &raid6, &pair, &stripes };

	(void)state;
	for (uint32_t f = 0; f < 4; f++) {
		for (uint32_t s = 0; s < SHAPES; s++) {
			struct yard yard;

			yard_open(&yard, seeded_env(s + 1), from[f], RACK_MAX - from[f]->members);
			struct array *array = yard_array(&yard);

			migrate(array, &shapes[s]);
			assert_native(array, &shapes[s]);
			yard_compare(&yard, array, shapes[s].name);
			assert_clean(array, shapes[s].name);
			array_close(array);
			array = rack_array_of(&yard.rack, 255, ARRAY_WRITE);
			assert_native(array, &shapes[s]);
			assert_false(array->members[0].wrapped);
			array_close(array);
			if (s == f) /* each shape once */
				check_losses(&yard, 255, shapes[s].survives);
			yard_close(&yard);
		}
	}
}

/* With a member absent what is written is whole. */
static void a_degraded_array_becomes_whole(void **state)
{
	struct yard yard;

	(void)state;
	yard_open(&yard, seeded_env(1), &raid5, 4);
	array_close(yard_array(&yard));
	struct array *array = rack_array_of(&yard.rack, 255 & ~2, ARRAY_WRITE);

	migrate(array, &shapes[0]);
	assert_native(array, &shapes[0]);
	assert_int_equal(array_volume_health(array, map_volume_named(array->map, "data")),
			 HEALTH_HEALTHY);
	yard_compare(&yard, array, "degraded");
	array_close(array);
	check_losses(&yard, 255 & ~2, 0);
	yard_close(&yard);
}

static void power_loss_at_any_write(const struct bare *from, uint32_t added, uint32_t survives,
				    uint32_t most, uint64_t seed)
{
	struct rng rng = rng_seeded(seed);
	uint32_t tries = 0, all = (UINT32_C(1) << (from->members + added)) - 1;
	struct yard yard;
	int rc;

	yard_open(&yard, seeded_env(1), from, added);
	array_close(yard_array(&yard));
	do {
		struct migrate_request request = request_of(&shapes[0]);
		struct migrate_report report = { 0 };
		struct err err = { 0 };
		struct array *array = rack_array_of(&yard.rack, all, ARRAY_WRITE);

		request.batch_blocks = 64; /* many commits */
		yard.rack.writes_left = 1 + rng_below(&rng, most);
		rc = migrate_run(array, &request, &report, &err);
		rack_crash(&yard.rack, &rng);
		yard.rack.writes_left = UINT64_MAX;
		array_close(array);
		check_losses(&yard, all, survives);
		assert_true(tries++ < 1000);
	} while (rc);
	assert_true(tries > 3);
	struct array *array = rack_array_of(&yard.rack, all, ARRAY_WRITE);

	assert_native(array, &shapes[0]);
	assert_clean(array, "after crashes");
	array_close(array);
	yard_close(&yard);
}

static void after_a_power_loss_it_goes_on(void **state)
{
	(void)state;
	power_loss_at_any_write(&raid5, 4, 1, 400, test_seed(31));
}

/* Full members and one empty: room is made on them first. */
static void room_is_made_for_groups(void **state)
{
	const struct shape *const to[] = { &shapes[0], &shapes[2], &shapes[3] };

	(void)state;
	for (uint32_t s = 0; s < 3; s++) {
		struct yard yard;

		yard_open(&yard, seeded_env(1), &raid5, 1);
		struct array *array = yard_array(&yard);

		for (uint32_t slot = 0; slot < 4; slot++)
			assert_true(space_free_frames(array->space, slot) <= 4);
		migrate(array, to[s]);
		assert_native(array, to[s]);
		for (uint32_t g = 0; s == 0 && g + 1 < array->map->group_count; g++)
			assert_int_equal(array->map->groups[g]->shape.columns, 4);
		yard_compare(&yard, array, to[s]->name);
		assert_clean(array, to[s]->name);
		array_close(array);
		check_losses(&yard, 31, 1);
		yard_close(&yard);
	}
}

/* All frames that are free on the members that are here. */
static void fill(struct array *array)
{
	const struct policy policy = { .layout = LAYOUT_PLAIN, .columns = 1, .unit_blocks = 4 };
	uint64_t frames = 0;

	for (uint32_t slot = 0; slot < 4; slot++)
		frames += space_free_frames(array->space, slot);
	put_bytes(array, "filler", &policy,
		  frames * array->map->geometry.frame_body_blocks * BLOCK_SIZE, 3);
}

/* Without anything free it is refused, with what would help; nothing is written. */
static void without_room_it_says_what_would_help(void **state)
{
	const struct migrate_request request = request_of(&shapes[0]);
	struct migrate_report report = { 0 };
	struct err err = { 0 };
	struct yard yard;

	(void)state;
	yard_open(&yard, seeded_env(1), &raid5, 0);
	struct array *array = yard_array(&yard);

	fill(array);
	uint64_t writes = yard.rack.writes;

	assert_int_equal(migrate_plan(array, &request, &report, &err), ERR_NOSPACE);
	assert_non_null(strstr(err.hint, "pgctl add ARRAY MEMBER with a member of "));
	uint64_t needed = strtoull(strstr(err.hint, "member of ") + 10, NULL, 10);

	err = (struct err){ 0 };
	assert_int_equal(migrate_run(array, &request, &report, &err), ERR_NOSPACE);
	assert_int_equal(yard.rack.writes, writes);
	array_close(array);
	yard_close(&yard);
	/* And it does help. */
	yard_open(&yard, seeded_env(1), &raid5, 1);
	assert_true(needed <= dev_info(yard.rack.disks[4])->size);
	array_close(yard_array(&yard));
	array = rack_array_of(&yard.rack, 15, ARRAY_WRITE);
	fill(array); /* the four */
	array_close(array);
	array = rack_array_of(&yard.rack, 31, ARRAY_WRITE);
	err = (struct err){ 0 };
	if (migrate_plan(array, &request, &report, &err))
		fail_msg("%s", err.text);
	array_close(array);
	yard_close(&yard);
}

static void power_loss_while_room_is_made(void **state)
{
	(void)state;
	power_loss_at_any_write(&raid5, 1, 1, 150, test_seed(32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_becomes_every_shape),
		cmocka_unit_test(a_degraded_array_becomes_whole),
		cmocka_unit_test(after_a_power_loss_it_goes_on),
		cmocka_unit_test(room_is_made_for_groups),
		cmocka_unit_test(without_room_it_says_what_would_help),
		cmocka_unit_test(power_loss_while_room_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
