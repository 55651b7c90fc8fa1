/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuilding the map among hostile bytes and failures: aim is that what only looks like a header does no harm,
 * and that trouble on the way leaves the members as they were.
 * Method: headers forged in a user's data, headers with random fields and good checksums; memory and power
 * that fail at every point.
 */
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/job/transfer.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/map_help.h"
#include "tests/unit/rebuild_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- headers that are none */

struct forged_source {
	const uint8_t *bytes;
	uint64_t left;
};

static int forged_bytes(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	struct forged_source *source = arg;

	(void)err;
	*got_out = size < source->left ? size : source->left;
	memcpy(bytes, source->bytes, *got_out);
	source->bytes += *got_out;
	source->left -= *got_out;
	return 0;
}

/*
 * A user who knows the array stores headers in a volume, in each block where a header of a small extent could
 * be: they name the array, the member, the place, an extent of another volume and a late generation. They
 * are data, because the checksums of the extent they lie in say so.
 */
static void headers_in_users_data_are_data(void **state)
{
	const uint64_t length = 4 * 64 * BLOCK_SIZE; /* one extent of class 2 */
	struct policy policy = samples[0].policy;
	uint8_t *bytes = mem_calloc(length, 1);
	struct rack rack;
	struct array *array;
	struct err err = { 0 };
	struct put_report put_report;

	(void)state;
	policy.size_class = 2;
	rack_make(&rack, 4 | 32, &array);
	const struct map *map = array_map(array);
	put_bytes(array, "evil", &policy, length, 1); /* to learn where it will lie */
	const struct group *group = map->groups[map->group_count - 1];
	const struct extent place = group->extents[0];
	assert_int_equal(place.size_class, 2);
	const struct extent *target = &map->groups[0]->extents[1];
	struct seal_header header =
		header_at(&rack, map, target->slot, extent_seal_offset(map, target));
	uint32_t planted = 0;
	for (uint32_t frame = 0; frame < 4; frame++) {
		struct extent small = place;

		small.frame = place.frame + frame;
		small.size_class = 0;
		uint64_t at = extent_seal_offset(map, &small) - extent_offset(map, &place, 0);
		if (at + BLOCK_SIZE > length)
			continue;
		header.member = map_member(map, place.slot)->uuid;
		header.frame = small.frame;
		header.size_class = 0;
		header.header_generation = 1000000;
		header.group_generation = 1000000;
		seal_header_encode(bytes + at, &header, &map->uuid);
		planted++;
	}
	assert_true(planted >= 3);
	assert_int_equal(array_volume_remove(array, "evil", &err), 0);
	struct forged_source source = { bytes, length };
	const struct put_request request = { .name = "evil",
					     .policy = policy,
					     .source = forged_bytes,
					     .source_arg = &source,
					     .length_hint = length };
	assert_int_equal(put_run(array, &request, &put_report, &err), 0);
	const struct extent again = map->groups[map->group_count - 1]->extents[0];
	assert_int_equal(again.slot, place.slot);
	assert_int_equal(again.frame, place.frame);
	array_close(array);

	wipe_maps(&rack);
	struct rebuild_map_report report = rebuilt(&rack, ALL);
	assert_int_equal(report.volumes, 3);
	assert_int_equal(report.extents_orphaned, 0);
	array = rack_array_of(&rack, ALL, ARRAY_READ);
	assert_bytes(array, "parity", samples[2].length, seed_of(&samples[2]));
	assert_bytes(array, "sequential", samples[5].length, seed_of(&samples[5]));
	uint8_t *read = mem_calloc(length, 1);
	struct array_read_result result;
	assert_int_equal(array_read(array, map_volume_named(array_map(array), "evil"), 0, read,
				    length, &result, &err),
			 0);
	assert_memory_equal(read, bytes, length);
	mem_free(read);
	mem_free(bytes);
	array_close(array);
	rack_close(&rack);
}

/* Headers with random fields and good checksums, in free frames and over real ones. */
static void hostile_headers_make_a_map_that_opens_or_none(void **state)
{
	struct rng rng = rng_seeded(test_seed(71));

	(void)state;
	for (int round = 0; round < 150; round++) {
		struct rebuild_map_report report = { 0 };
		struct err err = { 0 };
		struct rack rack;
		struct array *array;

		rack_make(&rack, 4 | 32, &array);
		const struct map *map = array_map(array);
		for (uint64_t hits = 1 + rng_below(&rng, 12); hits > 0; hits--) {
			const struct group *group = map->groups[rng_below(&rng, map->group_count)];
			const struct extent *extent =
				&group->extents[rng_below(&rng, group->shape.columns)];
			uint8_t *page =
				rack_bytes(&rack, extent->slot) + extent_seal_offset(map, extent);

			for (uint64_t fields = 1 + rng_below(&rng, 4); fields > 0; fields--) {
				uint64_t at = 12 + rng_below(&rng, 700);

				page[at] = (uint8_t)(rng_below(&rng, 2) ? rng_next(&rng)
									: page[at] + 1u);
			}
			put_le32(page + 4, 0);
			put_le32(page + 4,
				 crc32_of(crc32_of(0, map->uuid.bytes, 16), page, BLOCK_SIZE));
		}
		array_close(array);
		wipe_maps(&rack);
		if (rebuild(&rack, ALL, true, &report, &err) == 0) {
			array = rack_array_of(&rack, ALL, ARRAY_READ);
			assert_int_equal(array_map(array)->volume_count, report.volumes);
			array_close(array);
		} else {
			assert_true(err.text[0]);
		}
		rack_close(&rack);
	}
}

/* ---- trouble on the way */

static void memory_may_run_out_anywhere(void **state)
{
	struct rack rack;
	int rc = ERR_NOMEM;
	uint32_t failures = 0;

	(void)state;
	rack_make(&rack, 4 | 32, NULL);
	wipe_maps(&rack);
	for (unsigned n = 0; rc; n++) {
		struct dev *devs[DISKS];
		const struct rebuild_map_request request = { .env = rack.env,
							     .devs = devs,
							     .dev_count = DISKS };
		struct rebuild_map_report report = { 0 };
		struct err err = { 0 };
		unsigned left = n;

		for (uint32_t i = 0; i < DISKS; i++)
			devs[i] = rack_dev(&rack, i);
		mem_set_hook(deny_nth, &left);
		rc = rebuild_map_run(&request, &report, &err);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failures += rc != 0;
		for (uint32_t i = 0; i < DISKS; i++)
			dev_close(devs[i]);
	}
	assert_true(failures > 20);
	rack_close(&rack);
}

/* Power fails at any write of the new map: then it is there, or it can be made again. */
static void power_loss_while_writing_costs_nothing(void **state)
{
	struct rng rng = rng_seeded(test_seed(72));
	uint32_t made = 0, again = 0;
	bool finished = false;

	(void)state;
	for (uint64_t k = 0; !finished; k++) {
		struct rebuild_map_report report = { 0 };
		struct err err = { 0 };
		struct rack rack;
		struct array *array = NULL;

		rack_make(&rack, 4 | 32, NULL);
		wipe_maps(&rack);
		rack.writes_left = k;
		finished = rebuild(&rack, ALL, true, &report, &err) == 0;
		rack_crash(&rack, &rng);
		if (rack_array(&rack, ALL, ARRAY_READ, &array, &err)) {
			rebuilt(&rack, ALL);
			array = rack_array_of(&rack, ALL, ARRAY_READ);
			again++;
		} else {
			made++;
		}
		assert_only_volumes(array, 4 | 32);
		array_close(array);
		rack_close(&rack);
	}
	assert_true(made > 0 && again > 0);
}

/* Members of two arrays, or one twice. */
static void strangers_and_copies_are_refused(void **state)
{
	struct rebuild_map_report report;
	struct rack rack, other;
	struct err err = { 0 };

	(void)state;
	rack_make(&rack, 4, NULL);
	rack_make(&other, 8, NULL);
	memcpy(rack_bytes(&rack, 1), rack_bytes(&other, 1), DISK_SIZE);
	assert_int_equal(rebuild(&rack, ALL, true, &report, &err), ERR_MIXED);
	memcpy(rack_bytes(&rack, 1), rack_bytes(&rack, 0), DISK_SIZE);
	assert_int_equal(rebuild(&rack, ALL, true, &report, &err), ERR_DUPLICATE);
	wipe_supers(&rack, 1); /* only its headers still tell */
	assert_int_equal(rebuild(&rack, ALL, true, &report, &err), ERR_DUPLICATE);
	rack_close(&other);
	rack_close(&rack);
}

/* Two halves of a mirror that were written apart are not put together this way either. */
static void split_brain_is_refused(void **state)
{
	static const uint64_t sizes[] = { DISK_SIZE, DISK_SIZE };
	struct rebuild_map_report report;
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_open(&rack, seeded_env(1), 2, sizes);
	struct array *array = rack_create(&rack, &samples[1].policy, 0, &err);
	assert_non_null(array);
	put_bytes(array, "mirror", &samples[1].policy, 100000, 1);
	array_close(array);
	for (uint32_t half = 1; half <= 2; half++) {
		array = rack_array_of(&rack, half, ARRAY_WRITE);
		assert_int_equal(array_volume_rename(array, "mirror", half == 1 ? "a" : "b", &err),
				 0);
		array_close(array);
	}
	uint64_t writes = rack.writes;
	assert_int_equal(rebuild(&rack, 3, true, &report, &err), ERR_FORK);
	assert_int_equal(rack.writes, writes);
	rack_close(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_in_users_data_are_data),
		cmocka_unit_test(hostile_headers_make_a_map_that_opens_or_none),
		cmocka_unit_test(memory_may_run_out_anywhere),
		cmocka_unit_test(power_loss_while_writing_costs_nothing),
		cmocka_unit_test(strangers_and_copies_are_refused),
		cmocka_unit_test(split_brain_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
