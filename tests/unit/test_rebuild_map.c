/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuilding the map: aim is that from the seals alone every volume comes back that its extents can make, byte
 * for byte, that nothing else comes back, and that bytes which only look like headers do no harm.
 * Method: arrays with all layouts whose maps are wiped, with members, superblocks and headers missing;
 * headers of extents that moved, were freed or were never published; forged and random ones.
 */
#include "core/array/array_internal.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/job/rebuild_map.h"
#include "core/job/transfer.h"
#include "core/store/seal.h"
#include "tests/unit/array_help.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(8) << 20)
#define DISKS 5u
#define ALL 31u

static const struct sample {
	const char *name;
	struct policy policy;
	uint64_t length;
} samples[] = {
	{ "plain", { .layout = LAYOUT_PLAIN, .unit_blocks = 16 }, 700001 },
	{ "mirror", { .layout = LAYOUT_MIRROR, .checks = 1, .columns = 2, .unit_blocks = 16 }, 500000 },
	{ "parity",
	  { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4, .unit_blocks = 16 },
	  2500000 },
	{ "double", { .layout = LAYOUT_PARITY, .checks = 2, .columns = 5, .unit_blocks = 4 }, 900000 },
	{ "wide",
	  { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4, .unit_blocks = 16, .size_class = 1 },
	  1700000 },
	{ "sequential",
	  { .layout = LAYOUT_SEQUENTIAL, .checks = 2, .columns = 3, .unit_blocks = 16 },
	  1100000 },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static uint64_t seed_of(const struct sample *sample)
{
	return (uint64_t)(sample - samples) + 100;
}

/* An array with the samples whose bits are set; closed again unless `array_out`. */
static void rack_make(struct rack *rack, uint32_t which, struct array **array_out)
{
	static const uint64_t sizes[] = { DISK_SIZE, DISK_SIZE, DISK_SIZE, DISK_SIZE, DISK_SIZE };
	struct err err = { 0 };

	rack_open(rack, seeded_env(which), DISKS, sizes);
	struct array *array = rack_create(rack, &samples[2].policy, 0, &err);
	if (!array)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < SAMPLES; i++) {
		if (which >> i & 1)
			put_bytes(array, samples[i].name, &samples[i].policy, samples[i].length,
				  seed_of(&samples[i]));
	}
	if (array_out)
		*array_out = array;
	else
		array_close(array);
}

/* Both halves of the map, on every disk. */
static void wipe_maps(struct rack *rack)
{
	for (uint32_t i = 0; i < rack->count; i++) {
		uint64_t first = SUPER_FAR + SUPER_AREA_SIZE;

		memset(rack_bytes(rack, i) + first, 0xee, 2 * 131072);
	}
}

static void wipe_supers(struct rack *rack, uint32_t disk)
{
	memset(rack_bytes(rack, disk) + SUPER_NEAR, 0, SUPER_AREA_SIZE);
	memset(rack_bytes(rack, disk) + SUPER_FAR, 0, SUPER_AREA_SIZE);
}

static int rebuild(struct rack *rack, uint32_t disks, bool write, struct rebuild_map_report *report,
		   struct err *err)
{
	struct dev *devs[RACK_MAX];
	struct rebuild_map_request request = { .env = rack->env, .devs = devs, .write = write };

	for (uint32_t i = 0; i < rack->count; i++) {
		if (disks >> i & 1)
			devs[request.dev_count++] = rack_dev(rack, i);
	}
	int rc = rebuild_map_run(&request, report, err);
	for (uint32_t i = 0; i < request.dev_count; i++)
		dev_close(devs[i]);
	return rc;
}

static struct rebuild_map_report rebuilt(struct rack *rack, uint32_t disks)
{
	struct rebuild_map_report report = { 0 };
	struct err err = { 0 };

	if (rebuild(rack, disks, true, &report, &err))
		fail_msg("disks 0x%x: %s", disks, err.text);
	return report;
}

/* All samples in `which` are there, whole, and nothing else is; the metadata is in order. */
static void assert_volumes(struct rack *rack, uint32_t disks, uint32_t which)
{
	struct array *array = rack_array_of(rack, disks, ARRAY_READ);
	uint64_t findings = 99;
	struct err err = { 0 };

	assert_int_equal(array_map(array)->volume_count, __builtin_popcount(which));
	for (size_t i = 0; i < SAMPLES; i++) {
		if (which >> i & 1)
			assert_bytes(array, samples[i].name, samples[i].length,
				     seed_of(&samples[i]));
	}
	assert_int_equal(array_check(array, NULL, NULL, &findings, &err), 0);
	assert_int_equal(findings, 0);
	array_close(array);
}

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
	assert_int_equal(array_volume_remove(array, "parity", &err), 0);
	array_close(array);
	assert_int_equal(array_check(array = rack_array_of(&rack, ALL, ARRAY_READ), NULL, NULL,
				     &writes, &err),
			 0);
	assert_int_equal(writes, 0);
	array_close(array);
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

static void without_any_superblock_it_says_why_not(void **state)
{
	struct rebuild_map_report report;
	struct err err = { 0 };
	struct rack rack;

	(void)state;
	rack_make(&rack, 4, NULL);
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

/*
 * Any one disk is missing: what one check protects is there, degraded, and can be read. Mirror copies do not
 * tell of the volume, so a mirror comes back when all its first copies are there.
 */
static void volumes_come_back_degraded_without_a_disk(void **state)
{
	uint32_t complete = 0;

	(void)state;
	for (uint32_t gone = 0; gone < DISKS; gone++) {
		const uint32_t disks = ALL & ~(1u << gone), protected_ones = 4 | 8 | 16 | 32;
		struct rack rack;

		rack_make(&rack, protected_ones, NULL);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, disks);
		assert_int_equal(report.volumes, 4);
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
		assert_int_equal(report.volumes + report.incomplete_volumes, 1);
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
	for (uint32_t n = 0; n == 0 || n < extents; n++) {
		struct rack rack;
		struct array *array;
		uint32_t seen = 0;

		rack_make(&rack, 4 | 8 | 16 | 32, &array);
		const struct map *map = array_map(array);
		for (uint32_t i = 0; i < map->group_count; i++) {
			for (uint32_t c = 0; c < map->groups[i]->shape.columns; c++, seen++) {
				const struct extent *extent = &map->groups[i]->extents[c];

				if (seen == n)
					rack_bytes(&rack, extent->slot)[extent_seal_offset(map, extent) +
									50] ^= 1;
			}
		}
		extents = seen;
		array_close(array);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 4);
		assert_int_equal(report.extents_found, extents - 1);
		assert_volumes(&rack, ALL, 4 | 8 | 16 | 32);
		rack_close(&rack);
	}
}

/* Two columns of a group with one check are gone: the volume is reported and stays out. */
static void volume_with_a_hole_is_reported_and_left_out(void **state)
{
	(void)state;
	for (uint32_t group_number = 0; group_number < 3; group_number++) {
		struct rack rack;
		struct array *array;

		rack_make(&rack, 4 | 8, &array);
		const struct map *map = array_map(array);
		/* the first group, one in the middle, and the last: of that only the extents tell */
		const struct volume *volume = map_volume_named(map, "parity");
		uint32_t spans[] = { 0, volume->span_count / 2, volume->span_count - 1 }, column;
		const struct group *group =
			map_extent(map, volume->spans[spans[group_number]].extents[0], &column);
		for (uint32_t c = 0; c < 2; c++)
			memset(rack_bytes(&rack, group->extents[c].slot) +
				       extent_seal_offset(map, &group->extents[c]),
			       0, BLOCK_SIZE);
		assert_true(group->shape.columns > 2);
		array_close(array);
		wipe_maps(&rack);
		struct rebuild_map_report report = rebuilt(&rack, ALL);
		assert_int_equal(report.volumes, 1);
		assert_int_equal(report.incomplete_volumes, 1);
		assert_true(report.extents_orphaned > 0);
		assert_volumes(&rack, ALL, 8);
		rack_close(&rack);
	}
}

/* ---- headers that are out of date */

/* The header at a place: read, change, write. */
static struct seal_header header_at(struct rack *rack, const struct map *map, uint32_t slot,
				    uint64_t offset)
{
	struct seal_header header;

	assert_int_equal(seal_header_decode(&header, rack_bytes(rack, slot) + offset, &map->uuid), 0);
	return header;
}

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
	const struct map *map = array_map(array);
	for (uint32_t i = 0; i < DISKS; i++) {
		kept[i] = mem_calloc(DISK_SIZE, 1);
		memcpy(kept[i], rack_bytes(&rack, i), DISK_SIZE);
	}
	struct map *old = array_map(rack_array_of(&rack, ALL, ARRAY_READ)); /* leaks on purpose: see below */
	(void)old;
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
	(void)map;
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
	assert_int_equal(array_read(array, map_volume_named(array_map(array), "evil"), 0, read, length,
				    &result, &err),
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

				page[at] = (uint8_t)(rng_below(&rng, 2) ? rng_next(&rng) : page[at] + 1);
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
	struct rebuild_map_report report = { 0 };
	bool finished = false;

	(void)state;
	for (uint64_t k = 0; !finished; k++) {
		struct rack rack;
		struct err err = { 0 };
		struct array *array = NULL;

		rack_make(&rack, 4 | 32, NULL);
		wipe_maps(&rack);
		for (uint32_t i = 0; i < DISKS; i++)
			assert_int_equal(io_flush(rack.disks[i]), 0);
		/* The simulated disks keep what was wiped only if it was written as a disk would. */
		rack.writes_left = k;
		finished = rebuild(&rack, ALL, true, &report, &err) == 0;
		rack_crash(&rack, &rng);
		if (rack_array(&rack, ALL, ARRAY_READ, &array, &err) == 0)
			array_close(array);
		else
			rebuilt(&rack, ALL);
		assert_volumes(&rack, ALL, 4 | 32);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_volume_comes_back_from_the_seals),
		cmocka_unit_test(one_superblock_is_enough),
		cmocka_unit_test(without_any_superblock_it_says_why_not),
		cmocka_unit_test(empty_device_is_refused_by_name),
		cmocka_unit_test(volumes_come_back_degraded_without_a_disk),
		cmocka_unit_test(damaged_headers_are_lost_extents),
		cmocka_unit_test(volume_with_a_hole_is_reported_and_left_out),
		cmocka_unit_test(old_place_of_an_extent_is_not_taken),
		cmocka_unit_test(removed_volumes_do_not_return),
		cmocka_unit_test(overwritten_extents_do_not_return),
		cmocka_unit_test(put_that_was_never_published_does_not_return),
		cmocka_unit_test(names_stay_unique),
		cmocka_unit_test(headers_in_users_data_are_data),
		cmocka_unit_test(hostile_headers_make_a_map_that_opens_or_none),
		cmocka_unit_test(memory_may_run_out_anywhere),
		cmocka_unit_test(power_loss_while_writing_costs_nothing),
		cmocka_unit_test(strangers_and_copies_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
