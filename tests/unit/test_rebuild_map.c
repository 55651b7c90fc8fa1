/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuilding the map: aim is that from the seals alone every volume comes back that its extents can make, byte
 * for byte, and that nothing else comes back.
 * Method: arrays with all layouts whose maps are wiped, with members, superblocks and headers missing, and
 * with headers of extents that moved, were freed or were never published.
 */
#include "core/base/mem.h"
#include "core/job/transfer.h"
#include "tests/unit/map_help.h"
#include "tests/unit/rebuild_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void every_volume_comes_back_from_the_seals(void **state)
{
	struct rack rack;
	struct array *array, *before;
	struct err err = { 0 };
	struct rebuild_map_report plan = { 0 };

	(void)state;
	rack_make(&rack, 63, &before);
	uint64_t generation = array_map(before)->generation;
	uint32_t groups = array_map(before)->group_count, extents = 0;
	for (uint32_t i = 0; i < groups; i++)
		extents += array_map(before)->groups[i]->shape.columns;
	array_close(before);
	wipe_maps(&rack);
	assert_int_equal(rack_array(&rack, ALL, ARRAY_READ, &array, &err), ERR_FORMAT);

	uint64_t writes = rack.writes; /* a look costs nothing */
	assert_int_equal(rebuild(&rack, ALL, false, &plan, &err), 0);
	assert_int_equal(rack.writes, writes);
	struct rebuild_map_report report = rebuilt(&rack, ALL);
	assert_memory_equal(&plan, &report, sizeof(report));
	assert_int_equal(report.volumes, SAMPLES);
	assert_int_equal(report.groups, groups);
	assert_int_equal(report.extents_found, extents);
	assert_int_equal(report.extents_orphaned, 0);
	assert_int_equal(report.incomplete_volumes, 0);
	assert_volumes(&rack, ALL, 63);

	/* healthy, newer than all before, and it goes on from there */
	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	assert_int_equal(array_health(array), HEALTH_HEALTHY);
	assert_true(array_map(array)->generation > generation);
	assert_string_equal(array_map(array)->name, "tank");
	put_bytes(array, "new", &array_map(array)->policy, 300000, 7);
	assert_bytes(array, "new", 300000, 7);
	assert_int_equal(array_volume_remove(array, "new", &err), 0);
	array_close(array);
	assert_volumes(&rack, ALL, 63);
	rack_close(&rack);
}

/* Only one device has a superblock left: the others are known by their headers. */
static void one_superblock_is_enough(void **state)
{
	(void)state;
	for (uint32_t kept = 0; kept < DISKS; kept++) {
		struct rack rack;

		rack_make(&rack, 63, NULL);
		wipe_maps(&rack);
		for (uint32_t i = 0; i < DISKS; i++) {
			if (i != kept)
				wipe_supers(&rack, i);
		}
		assert_int_equal(rebuilt(&rack, ALL).volumes, SAMPLES);
		assert_volumes(&rack, ALL, 63);
		rack_close(&rack);
	}
}

/* Where the headers lie says how large frames are; with one disk missing as well. */
static void without_any_superblock_the_seals_say_all(void **state)
{
	(void)state;
	for (uint32_t gone = DISKS - 1; gone <= DISKS; gone++) {
		const uint32_t disks = ALL & ~(1u << gone);
		struct rack rack;

		rack_make(&rack, 62, NULL);
		wipe_maps(&rack);
		for (uint32_t i = 0; i < DISKS; i++)
			wipe_supers(&rack, i);
		(void)rebuilt(&rack, disks);
		assert_volumes(&rack, disks, 62);
		rack_close(&rack);
	}
}

/* One header, or headers that a user stored, tell nothing. */
static void without_any_superblock_few_seals_are_refused(void **state)
{
	struct rebuild_map_report report;
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_make(&rack, 0, NULL);
	for (uint32_t i = 0; i < DISKS; i++)
		wipe_supers(&rack, i);
	uint64_t writes = rack.writes;
	assert_int_equal(rebuild(&rack, ALL, true, &report, &err), ERR_NOT_MEMBER);
	assert_non_null(strstr(err.text, "superblock"));
	assert_int_equal(rack.writes, writes);
	rack_close(&rack);
}

/* A device that holds nothing of the array is not drawn into it. */
static void empty_device_is_refused_by_name(void **state)
{
	struct rebuild_map_report report;
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_make(&rack, 4, NULL);
	memset(rack_bytes(&rack, 2), 0, DISK_SIZE);
	uint64_t writes = rack.writes;
	assert_int_equal(rebuild(&rack, ALL, true, &report, &err), ERR_NOT_MEMBER);
	assert_non_null(strstr(err.text, "disk2"));
	assert_int_equal(rack.writes, writes);
	rack_close(&rack);
}

/* Any one disk is missing: what has a check or a copy is there, degraded, and can be read. */
static void volumes_come_back_degraded_without_a_disk(void **state)
{
	uint32_t complete = 0;

	(void)state;
	for (uint32_t gone = 0; gone < DISKS; gone++) {
		const uint32_t disks = ALL & ~(1u << gone), protected_ones = 62;
		struct rack rack;

		rack_make(&rack, protected_ones, NULL);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, disks);
		assert_int_equal(report.volumes, 5);
		assert_int_equal(report.incomplete_volumes, 0);
		assert_int_equal(report.extents_orphaned, 0);
		assert_volumes(&rack, disks, protected_ones);
		struct array *array = rack_array_of(&rack, disks, ARRAY_WRITE);
		assert_int_equal(array_health(array), HEALTH_DEGRADED);
		array_close(array);
		rack_close(&rack);

		rack_make(&rack, 1, NULL);
		wipe_maps(&rack);
		report = rebuilt(&rack, disks);
		complete += (uint32_t)report.volumes;
		rack_close(&rack);
	}
	assert_in_range(complete, 1, DISKS - 1); /* plain: only where the disk held none of it */
}

/* Headers rot: as many as the code can bear, each in turn. */
static void damaged_headers_are_lost_extents(void **state)
{
	uint32_t extents = 0;

	(void)state;
	for (uint64_t n = 0; n == 0 || n < extents; n += test_thinned(1)) {
		struct rack rack;
		struct array *array;
		uint32_t seen = 0;

		rack_make(&rack, 62, &array);
		const struct map *map = array_map(array);
		for (uint32_t i = 0; i < map->group_count; i++) {
			for (uint32_t c = 0; c < map->groups[i]->shape.columns; c++, seen++) {
				const struct extent *extent = &map->groups[i]->extents[c];

				if (seen == n)
					rack_bytes(&rack,
						   extent->slot)[extent_seal_offset(map, extent) +
								 50] ^= 1;
			}
		}
		extents = seen;
		array_close(array);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 5);
		assert_int_equal(report.extents_found, extents - 1);
		assert_volumes(&rack, ALL, 62);
		rack_close(&rack);
	}
}

/*
 * One column more than the code can do without is gone, in each group in turn, the last one included: what is
 * left of it tells that the volume went on. It is reported and stays out.
 */
static void volume_with_a_hole_is_reported_and_left_out(void **state)
{
	const uint64_t length = 2 * 3 * 262144 + 300000; /* the last group has two data columns */
	uint32_t spans = 1;

	(void)state;
	for (uint32_t s = 0; s < spans; s++) {
		struct rack rack;
		struct array *array;
		uint32_t column;

		rack_make(&rack, 16, &array);
		put_bytes(array, "holes", &samples[2].policy, length, 1);
		const struct map *map = array_map(array);
		const struct volume *volume = map_volume_named(map, "holes");
		const struct group *group = map_extent(map, volume->spans[s].extents[0], &column);

		spans = volume->span_count;
		assert_int_equal(group->shape.columns, s + 1 < spans ? 4 : 3);
		for (uint32_t i = 0; i < 2; i++) {
			const struct extent *extent = &group->extents[(s + i) % 3];

			wipe(&rack, extent->slot, extent_seal_offset(map, extent), BLOCK_SIZE, 0);
		}
		array_close(array);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 1);
		assert_int_equal(report.incomplete_volumes, 1);
		assert_true(report.extents_orphaned > 0);
		assert_volumes(&rack, ALL, 16);
		rack_close(&rack);
	}
	assert_int_equal(spans, 3);
}

/* ---- headers that are out of date */

/* A copy of an extent's header at another frame of another member, as if it had been there. */
static void plant_header(struct rack *rack, const struct map *map, const struct extent *extent,
			 uint32_t slot, uint32_t frame, uint64_t header_generation)
{
	struct extent place = *extent;
	struct seal_header header =
		header_at(rack, map, extent->slot, extent_seal_offset(map, extent));

	place.slot = slot;
	place.frame = frame;
	header.member = map_member(map, slot)->uuid;
	header.frame = frame;
	header.header_generation = header_generation;
	seal_header_encode(rack_bytes(rack, slot) + extent_seal_offset(map, &place), &header,
			   &map->uuid);
}

/* An extent moved, and its old header is still there: the greater header generation counts. */
static void old_place_of_an_extent_is_not_taken(void **state)
{
	(void)state;
	for (int age = 0; age < 2; age++) {
		struct rack rack;
		struct array *array;

		rack_make(&rack, 4, &array);
		const struct map *map = array_map(array);
		const struct group *group = map->groups[0];
		uint32_t outside = 0;
		for (uint32_t c = 0; c < group->shape.columns; c++)
			outside += group->extents[c].slot == outside;
		uint64_t generation = group->extents[0].header_generation;
		/* The copy is older than the extent, or newer without a body: then it is what counts. */
		plant_header(&rack, map, &group->extents[0], outside, 15,
			     age ? generation + 1 : generation - 1);
		array_close(array);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 1);
		array = rack_array_of(&rack, ALL, ARRAY_READ);
		uint32_t column;
		const struct group *now = map_extent(array_map(array), 1, &column);
		assert_int_equal(now->extents[column].frame == 15, age);
		assert_bytes(array, "parity", samples[2].length, seed_of(&samples[2]));
		array_close(array);
		rack_close(&rack);
	}
}

/* Volumes that were removed stay so, though bodies and most of the seals are still there. */
static void removed_volumes_do_not_return(void **state)
{
	struct rack rack;
	struct array *array;
	struct err err = { 0 };

	(void)state;
	rack_make(&rack, 63, &array);
	assert_int_equal(array_volume_remove(array, "wide", &err), 0);
	assert_int_equal(array_volume_remove(array, "plain", &err), 0);
	array_close(array);
	wipe_maps(&rack);
	struct rebuild_map_report report = rebuilt(&rack, ALL);
	assert_int_equal(report.volumes, 4);
	assert_int_equal(report.extents_orphaned, 0);
	assert_volumes(&rack, ALL, 63 & ~17u);
	rack_close(&rack);
}

/* Frames of a removed volume, whose headers were not cleared, are used by smaller extents. */
static void overwritten_extents_do_not_return(void **state)
{
	struct rack rack;
	struct array *array;
	struct err err = { 0 };
	uint8_t *kept[DISKS];

	(void)state;
	rack_make(&rack, 16, &array);
	for (uint32_t i = 0; i < DISKS; i++) {
		kept[i] = mem_calloc(DISK_SIZE, 1);
		memcpy(kept[i], rack_bytes(&rack, i), DISK_SIZE);
	}
	assert_int_equal(array_volume_remove(array, "wide", &err), 0);
	/* put the headers back, as if power had failed before they were cleared */
	for (uint32_t i = 0; i < DISKS; i++) {
		for (uint64_t at = 2 << 20; at < DISK_SIZE; at += BLOCK_SIZE) {
			if (memcmp(kept[i] + at, "PGSH", 4) == 0)
				memcpy(rack_bytes(&rack, i) + at, kept[i] + at, BLOCK_SIZE);
		}
		mem_free(kept[i]);
	}
	put_bytes(array, "double", &samples[3].policy, samples[3].length, seed_of(&samples[3]));
	array_close(array);
	wipe_maps(&rack);
	struct rebuild_map_report report = rebuilt(&rack, ALL);
	assert_int_equal(report.volumes, 1);
	assert_volumes(&rack, ALL, 8);
	rack_close(&rack);
}

static int stop_source(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	uint32_t *calls = arg;

	if ((*calls)-- == 0)
		return err_set(err, ERR_STOPPED, "stopped");
	memset(bytes, 'x', size);
	*got_out = size;
	return 0;
}

/* A put that never came to its commit left whole groups behind: they are not a volume. */
static void put_that_was_never_published_does_not_return(void **state)
{
	struct rack rack;
	struct array *array;
	struct err err = { 0 };
	struct put_report put_report;
	uint32_t calls = 2;

	(void)state;
	rack_make(&rack, 63, &array);
	const struct put_request request = { .name = "ghost",
					     .policy = samples[2].policy,
					     .source = stop_source,
					     .source_arg = &calls,
					     .length_hint = UINT64_MAX };
	assert_int_equal(put_run(array, &request, &put_report, &err), ERR_STOPPED);
	array_close(array);
	wipe_maps(&rack);
	struct rebuild_map_report report = rebuilt(&rack, ALL);
	assert_int_equal(report.volumes, SAMPLES);
	assert_volumes(&rack, ALL, 63);
	rack_close(&rack);
}

/*
 * The next put gets the ids and the generation of one that was given up, and less room: still only what was
 * published comes back, with its own bytes. The ghost is as wide as all disks and longer than what follows.
 */
static void ids_of_a_put_given_up_are_not_mixed(void **state)
{
	(void)state;
	for (uint32_t calls = 1; calls < 5; calls++) {
		struct rack rack;
		struct array *array;
		struct err err = { 0 };
		struct put_report put_report;
		uint32_t left = calls;

		rack_make(&rack, 4, &array);
		const struct put_request request = { .name = "ghost",
						     .policy = samples[4].policy,
						     .source = stop_source,
						     .source_arg = &left,
						     .length_hint = UINT64_MAX };
		assert_int_equal(put_run(array, &request, &put_report, &err), ERR_STOPPED);
		array_close(array);
		array = rack_array_of(&rack, ALL, ARRAY_WRITE);
		put_bytes(array, "double", &samples[3].policy, samples[3].length,
			  seed_of(&samples[3]));
		array_close(array);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 2);
		assert_int_equal(report.extents_orphaned, 0);
		assert_volumes(&rack, ALL, 4 | 8);
		rack_close(&rack);
	}
}

/* Names are those of the time of writing; two volumes that were both called so are told apart. */
static void names_stay_unique(void **state)
{
	struct rack rack;
	struct array *array;
	struct err err = { 0 };
	char name[NAME_SIZE];

	(void)state;
	rack_make(&rack, 4, &array);
	uint64_t first = array_map(array)->volumes[0]->id;
	assert_int_equal(array_volume_rename(array, "parity", "other", &err), 0);
	put_bytes(array, "parity", &samples[3].policy, 400000, 9);
	array_close(array);
	wipe_maps(&rack);
	assert_int_equal(rebuilt(&rack, ALL).volumes, 2);
	array = rack_array_of(&rack, ALL, ARRAY_READ);
	assert_bytes(array, "parity", samples[2].length, seed_of(&samples[2]));
	snprintf(name, sizeof(name), "parity.%" PRIu64, first + 1);
	assert_bytes(array, name, 400000, 9);
	array_close(array);
	rack_close(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_volume_comes_back_from_the_seals),
		cmocka_unit_test(one_superblock_is_enough),
		cmocka_unit_test(without_any_superblock_the_seals_say_all),
		cmocka_unit_test(without_any_superblock_few_seals_are_refused),
		cmocka_unit_test(empty_device_is_refused_by_name),
		cmocka_unit_test(volumes_come_back_degraded_without_a_disk),
		cmocka_unit_test(damaged_headers_are_lost_extents),
		cmocka_unit_test(volume_with_a_hole_is_reported_and_left_out),
		cmocka_unit_test(old_place_of_an_extent_is_not_taken),
		cmocka_unit_test(removed_volumes_do_not_return),
		cmocka_unit_test(overwritten_extents_do_not_return),
		cmocka_unit_test(put_that_was_never_published_does_not_return),
		cmocka_unit_test(ids_of_a_put_given_up_are_not_mixed),
		cmocka_unit_test(names_stay_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
