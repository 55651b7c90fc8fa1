/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Measured zones (SPEC 6, R58): aim is that rates are what the parts of a member take to be read, that frames are
 * taken in their order and none is lost by it, and that without a difference nothing changes.
 * Method: disks that take longer for some ranges, in virtual time; every order of rates of few kinds against a plain
 * search for the best part.
 */
#include "core/base/mem.h"
#include "core/job/measure.h"
#include "core/map/zones.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DISKS 2u
#define DISK_SIZE (UINT64_C(24) << 20)
#define DELAY_NS 1000000u /* of each read */
#define MEMBER 2u         /* of the sample map */

/* ---- rates */

/* The disks, and which of their ranges are slow: reads of them take twice as long. */
struct slowness {
	struct env *env;
	uint64_t begin[DISKS], end[DISKS];
	bool fails; /* what is slow cannot be read */
};

static int be_slow(void *arg, uint32_t disk, const struct io *io)
{
	const struct slowness *slow = arg;
	bool hit = io->op == IO_READ && io->offset < slow->end[disk] &&
		   io->offset + io->size > slow->begin[disk];

	if (hit && slow->fails && io->role == IO_ROLE_DATA)
		return ERR_IO;
	if (io->op == IO_READ)
		env_sleep_ns(slow->env, hit ? 2 * DELAY_NS : DELAY_NS);
	return 0;
}

struct measuring {
	struct slowness slow;
	void (*run)(struct array *array, struct slowness *slow);
};

static void measuring_main(void *arg)
{
	const struct policy mirror = { .layout = LAYOUT_MIRROR,
				       .checks = 1,
				       .columns = 2,
				       .unit_blocks = 1,
				       .zones = ZONES_DYNAMIC };
	struct measuring *measuring = arg;
	struct rack rack;
	struct array *array = rack_begin(&rack, measuring->slow.env, DISKS, DISK_SIZE, &mirror);

	rack.watch = be_slow;
	rack.watch_arg = &measuring->slow;
	measuring->run(array, &measuring->slow);
	array_close(array);
	rack_close(&rack);
}

static void measure_in_time(void (*run)(struct array *array, struct slowness *slow))
{
	struct measuring measuring = { .slow.env = env_sim_create(1), .run = run };

	assert_non_null(measuring.slow.env);
	env_sim_run(measuring.slow.env, measuring_main, &measuring);
	env_sim_free(measuring.slow.env);
}

static void measure(struct array *array, bool plan, struct measure_report *report)
{
	const struct job_watch watch = { 0 };
	struct err err = { 0 };

	if (measure_run(array, &watch, plan, report, &err))
		fail_msg("measure: %s", err.text);
	assert_int_equal(report->count, DISKS);
}

static void slow_at_one_end(struct array *array, struct slowness *slow)
{
	struct measure_report report, shown;

	/* All the same: no difference; a plan notes nothing. */
	measure(array, true, &report);
	for (uint32_t i = 0; i < DISKS; i++) {
		assert_true(report.members[i].rates[0] > 0);
		assert_false(zone_rates_differ(report.members[i].rates));
		assert_int_equal(array_map(array)->members[i].rates[0], 0);
	}
	/* The first disk has its slow half high, the second low. */
	slow->begin[0] = DISK_SIZE / 2;
	slow->end[0] = DISK_SIZE;
	slow->end[1] = DISK_SIZE / 2;
	measure(array, false, &report);
	assert_true(report.members[0].rates[0] > report.members[0].rates[ZONE_RATES - 1] * 3 / 2);
	assert_true(report.members[1].rates[ZONE_RATES - 1] > report.members[1].rates[0] * 3 / 2);
	measure_show(array, &shown);
	assert_memory_equal(shown.members, report.members, DISKS * sizeof(*shown.members));
	/* First copies lie on the fast half of each. */
	put_bytes(array, "v", &array_map(array)->policy, UINT64_C(4) << 20, 1);
	for (uint32_t g = 0; g < array_map(array)->group_count; g++) {
		for (uint32_t c = 0; c < 2; c++) {
			const struct extent *extent = &array_map(array)->groups[g]->extents[c];
			uint64_t offset = extent_offset(array_map(array), extent, 0);
			bool low = offset < DISK_SIZE / 2;

			assert_int_equal(low, (extent->slot == 0) == (c == 0));
		}
	}
	assert_clean(array, "measured zones");
}

static void r58_first_copies_lie_where_a_disk_is_fast(void **state)
{
	(void)state;
	measure_in_time(slow_at_one_end);
}

static void unreadable(struct array *array, struct slowness *slow)
{
	const struct job_watch watch = { 0 };
	struct measure_report report;
	struct err err = { 0 };

	slow->begin[1] = DISK_SIZE / 2;
	slow->end[1] = DISK_SIZE;
	slow->fails = true;
	assert_int_equal(measure_run(array, &watch, false, &report, &err), ERR_IO);
	for (uint32_t i = 0; i < DISKS; i++)
		assert_int_equal(array_map(array)->members[i].rates[0], 0);
}

static void r58_what_cannot_be_read_leaves_all_as_it_was(void **state)
{
	(void)state;
	measure_in_time(unreadable);
}

/* ---- frames by rates */

/* The next frame goes where the best rate is among the parts that have one free; low or high there. */
static void take_all(const struct places *places, const uint32_t *rates, enum zone zone)
{
	uint64_t total = space_total_frames(places->space, MEMBER);
	bool slow_first = zone == ZONE_SECOND || zone == ZONE_THIRD;
	uint32_t before = slow_first ? 0 : UINT32_MAX, frame;

	for (uint64_t taken = 0; taken < total; taken++) {
		uint32_t part = 0;

		assert_true(zone_take(places, zone, MEMBER, 0, &frame));
		while (frame >= zone_part(total, part).end)
			part++;
		assert_true(slow_first ? rates[part] >= before : rates[part] <= before);
		before = rates[part];
	}
	assert_false(zone_take(places, zone, MEMBER, 0, &frame));
	for (frame = 0; frame < total; frame++)
		space_give(places->space, MEMBER, 0, frame);
}

static void r58_frames_are_taken_in_the_order_of_the_rates(void **state)
{
	static const uint32_t kinds[] = { 100, 200, 300 };
	struct map *map = map_empty();
	struct err err = { 0 };
	struct places places = { .map = map, .usable = { UINT64_MAX } };

	(void)state;
	assert_int_equal(space_create(&places.space, map, &err), 0);
	map->policy.zones = ZONES_DYNAMIC;
	for (uint32_t code = 0; code < 6561; code++) { /* 3^8 */
		uint32_t *rates = map_member(map, MEMBER)->rates;

		for (uint32_t i = 0, rest = code; i < ZONE_RATES; i++, rest /= 3)
			rates[i] = kinds[rest % 3];
		if (!zone_rates_differ(rates))
			continue;
		take_all(&places, rates, ZONE_FIRST);
		take_all(&places, rates, ZONE_SECOND);
	}
	space_free(places.space);
	map_free(map);
}

/* A run that lies across two parts is found as well; static zones do not look at rates. */
static void r58_no_room_is_lost_and_static_zones_stay(void **state)
{
	struct map *map = map_empty();
	struct err err = { 0 };
	struct places places = { .map = map, .usable = { UINT64_MAX } };
	uint32_t frame;

	(void)state;
	for (uint32_t i = 0; i < ZONE_RATES; i++)
		map_member(map, MEMBER)->rates[i] = 100 + 50 * i;
	map->policy.zones = ZONES_DYNAMIC;
	assert_int_equal(space_create(&places.space, map, &err), 0);
	uint64_t total = space_total_frames(places.space, MEMBER);
	uint8_t whole = 0;

	while (UINT64_C(2) << whole <= total)
		whole++;
	assert_true(zone_take(&places, ZONE_FIRST, MEMBER, whole, &frame));
	assert_int_equal(frame, 0);
	space_give(places.space, MEMBER, whole, 0);
	map->policy.layout = LAYOUT_MIRROR;
	map->policy.checks = 1;
	map->policy.zones = ZONES_STATIC;
	zones_set(&map->policy);
	assert_true(zone_take(&places, ZONE_FIRST, MEMBER, 0, &frame));
	assert_int_equal(frame, 0);
	space_free(places.space);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r58_first_copies_lie_where_a_disk_is_fast),
		cmocka_unit_test(r58_what_cannot_be_read_leaves_all_as_it_was),
		cmocka_unit_test(r58_frames_are_taken_in_the_order_of_the_rates),
		cmocka_unit_test(r58_no_room_is_lost_and_static_zones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
