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

#define EVIL_LENGTH (UINT64_C(5) * 4 * 64 * BLOCK_SIZE) /* five extents of class 2 */

/* Put or replace the user's volume. Its extents lie where they lay before. */
static void put_evil(struct array *array, const uint8_t *bytes)
{
	struct forged_source source = { bytes, EVIL_LENGTH };
	struct put_request request = { .name = "evil",
				       .policy = samples[0].policy,
				       .source = forged_bytes,
				       .source_arg = &source,
				       .length_hint = EVIL_LENGTH };
	struct put_report report;
	struct err err = { 0 };

	request.policy.size_class = 2;
	if (map_volume_named(array_map(array), "evil"))
		assert_int_equal(array_volume_remove(array, "evil", &err), 0);
	if (put_run(array, &request, &report, &err))
		fail_msg("%s", err.text);
}

/* Each block of the extent's body where a header could lie, of any frame and class, becomes one. */
static uint32_t forge_headers(uint8_t *body, const struct map *map, const struct extent *place,
			      const struct seal_header *pattern)
{
	uint64_t start = extent_offset(map, place, 0);
	struct seal_header header = *pattern;
	uint32_t forged = 0;

	header.member = map_member(map, place->slot)->uuid;
	/* later than any real one, but not later than the superblocks say */
	header.header_generation = header.group_generation = map->generation;
	for (uint32_t frame = 0; frame < map_member(map, place->slot)->frame_count; frame++) {
		for (uint8_t c = 0; c < 5 && frame % (1u << c) == 0; c++) {
			const struct extent other = { .slot = place->slot,
						      .frame = frame,
						      .size_class = c };
			uint64_t at = extent_seal_offset(map, &other);

			if (at < start || at >= start + 4 * 64 * BLOCK_SIZE)
				continue;
			header.frame = frame;
			header.size_class = c;
			seal_header_encode(body + (at - start), &header, &map->uuid);
			forged++;
		}
	}
	return forged;
}

/*
 * A user who knows the array stores headers in a volume, wherever one could lie: they name the array, the
 * member, the place, an extent of another volume and a late generation. They are data, because the checksums
 * of the extent they lie in say so; also when the header of the extent that they name is damaged.
 */
static void headers_in_users_data_are_data(void **state)
{
	uint8_t *bytes = mem_calloc(EVIL_LENGTH, 1), *read = mem_calloc(EVIL_LENGTH, 1);

	(void)state;
	for (int damaged = 0; damaged < 2; damaged++) {
		struct array_read_result result;
		struct err err = { 0 };
		struct rack rack;
		struct array *array;
		uint32_t forged = 0, column;

		rack_make(&rack, 4, &array);
		put_evil(array, bytes); /* to learn where it will lie */
		const struct map *map = array_map(array);
		const struct volume *volume = map_volume_named(map, "evil");
		const struct extent target = map->groups[0]->extents[1];
		const struct seal_header pattern =
			header_at(&rack, map, target.slot, extent_seal_offset(map, &target));
		for (uint32_t i = 0; i < volume->span_count; i++) {
			const struct group *group =
				map_extent(map, volume->spans[i].extents[0], &column);

			assert_int_equal(group->extents[0].size_class, 2);
			forged += forge_headers(bytes + volume->spans[i].offset, map,
						&group->extents[0], &pattern);
		}
		assert_true(forged > 20);
		const struct extent before = map_group(map, map->group_id_next - 1)->extents[0];
		put_evil(array, bytes);
		const struct extent again = map_group(map, map->group_id_next - 1)->extents[0];
		assert_int_equal(again.slot, before.slot);
		assert_int_equal(again.frame, before.frame);
		if (damaged)
			wipe(&rack, target.slot, extent_seal_offset(map, &target), BLOCK_SIZE, 0);
		array_close(array);

		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 2);
		assert_int_equal(report.extents_orphaned, 0);
		array = rack_array_of(&rack, ALL, ARRAY_READ);
		assert_bytes(array, "parity", samples[2].length, seed_of(&samples[2]));
		volume = map_volume_named(array_map(array), "evil");
		assert_int_equal(array_read(array, volume, 0, read, EVIL_LENGTH, &result, &err), 0);
		assert_memory_equal(read, bytes, EVIL_LENGTH);
		array_close(array);
		rack_close(&rack);
	}
	mem_free(read);
	mem_free(bytes);
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

/* A map that was still good is not written over before the new one is there. */
static void power_loss_spares_the_map_that_is_there(void **state)
{
	struct rng rng = rng_seeded(test_seed(73));
	bool finished = false;

	(void)state;
	for (uint64_t k = 0; !finished; k++) {
		struct rebuild_map_report report = { 0 };
		struct err err = { 0 };
		struct rack rack;

		rack_make(&rack, 4 | 32, NULL);
		rack.writes_left = k;
		finished = rebuild(&rack, ALL, true, &report, &err) == 0;
		rack_crash(&rack, &rng);
		struct array *array = rack_array_of(&rack, ALL, ARRAY_READ);
		assert_only_volumes(array, 4 | 32);
		array_close(array);
		rack_close(&rack);
	}
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
		cmocka_unit_test(power_loss_spares_the_map_that_is_there),
		cmocka_unit_test(strangers_and_copies_are_refused),
		cmocka_unit_test(split_brain_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
