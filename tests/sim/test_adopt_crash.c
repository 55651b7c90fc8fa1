/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The migration of an adopted array whose members are full, with the power failing at many of its writes: spans are cut, room is
 * made on members that were added, groups get seals. Aim: the bytes of the volumes are there at every instant, with any
 * member missing, and the job goes on to its end. Method: a life for about each fourth write, which ones by the seed.
 */
#include "core/array/array_internal.h"
#include "core/base/size.h"
#include "core/job/migrate.h"
#include "core/map/space.h"
#include "tests/unit/adopt_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MEMBERS 4u
#define DISKS 6u
#define ALL 63u
#define FILLER_SEED 3u

static const struct bare raid5 = { LAYOUT_PARITY, MEMBERS, 1, 1, 512, ADOPT_ORIGIN, 0, 0 };
static const struct policy filler = { .layout = LAYOUT_MIRROR, .checks = 1, .unit_blocks = 4 };
static const struct migrate_request request = {
	.volume = "data",
	.policy = { LAYOUT_PARITY, 1, 4, 4, 0, 0, 0, 0, 0 },
	.batch_blocks = 24, /* many commits, and spans that are cut for them */
};

struct counts {
	uint32_t cut;  /* lives that ended with spans cut */
	uint32_t room; /* and with bare extents on members that were added */
};

/* All full but the last; *filler_out bytes were put. */
static void prepare(struct yard *yard, uint64_t *filler_out)
{
	struct array *array = NULL;
	struct err err = { 0 };
	uint64_t frames = UINT64_MAX;
	uint32_t slot;

	yard_open(yard, seeded_env(1), &raid5, DISKS - MEMBERS);
	if (yard_adopt(yard, &array, &err) || array_adopt_set_state(array, ADOPT_COMMITTED, &err))
		fail_msg("%s", err.text);
	for (slot = 0; slot < MEMBERS; slot++)
		frames = size_min(frames, space_free_frames(array->space, slot));
	*filler_out = frames * MEMBERS / 2 * array->map->geometry.frame_body_blocks * BLOCK_SIZE;
	put_bytes(array, "filler", &filler, *filler_out, FILLER_SEED);
	for (uint32_t i = MEMBERS; i < DISKS; i++) {
		if (array_add_member(array, rack_dev(&yard->rack, i), false, &slot, &err))
			fail_msg("%s", err.text);
	}
	array_close(array);
}

static void check(struct yard *yard, uint64_t length)
{
	for (uint32_t gone = 0; gone <= DISKS; gone++) {
		struct array *array =
			rack_array_of(&yard->rack, ALL & ~(UINT32_C(1) << gone), ARRAY_READ);

		yard_compare(yard, array, "after a crash");
		assert_bytes(array, "filler", length, FILLER_SEED);
		array_close(array);
	}
}

static void count(struct counts *counts, const struct array *array, uint32_t spans)
{
	uint32_t bare = 0, moved = 0;

	for (uint32_t g = 0; g < array->map->group_count; g++) {
		const struct group *group = array->map->groups[g];

		for (uint32_t c = 0; group_is_bare(group) && c < group->shape.columns; c++)
			moved += group->extents[c].slot >= MEMBERS;
	}
	for (uint32_t s = 0; s < map_volume_named(array->map, "data")->span_count; s++)
		bare += span_is_bare(array->map, &map_volume_named(array->map, "data")->spans[s]);
	counts->room += moved > 0;
	counts->cut += bare > spans;
}

/* How many spans it has at the beginning. */
static uint32_t count_spans(struct yard *yard)
{
	struct array *array = rack_array_of(&yard->rack, ALL, ARRAY_READ);
	uint32_t spans = map_volume_named(array->map, "data")->span_count;

	array_close(array);
	return spans;
}

static void a_power_loss_at_many_writes(void **state)
{
	uint64_t seed = test_seed(41), lives = 0;
	struct rng steps = rng_seeded(seed);
	struct counts counts = { 0 };
	int rc = 1;

	(void)state;
	for (uint64_t write = 0; rc; write += 1 + rng_below(&steps, 7), lives++) {
		struct rng rng = rng_seeded(seed + write);
		struct migrate_report report = { 0 };
		struct err err = { 0 };
		struct yard yard;
		uint64_t length;

		prepare(&yard, &length);
		uint32_t spans = count_spans(&yard);
		struct array *array = rack_array_of(&yard.rack, ALL, ARRAY_WRITE);

		yard.rack.writes_left = write;
		rc = migrate_run(array, &request, &report, &err);
		if (rc && rc != ERR_IO && rc != ERR_TOO_FEW && rc != ERR_DATA_LOST)
			fail_msg("write %" PRIu64 ": %s", write, err.text);
		rack_crash(&yard.rack, &rng);
		yard.rack.writes_left = UINT64_MAX;
		array_close(array);
		check(&yard, length);
		array = rack_array_of(&yard.rack, ALL, ARRAY_WRITE);
		count(&counts, array, spans);
		err = (struct err){ 0 };
		if (migrate_run(array, &request, &report, &err))
			fail_msg("write %" PRIu64 ", again: %s", write, err.text);
		assert_false(map_has_bare(array->map));
		assert_clean(array, "at the end");
		array_close(array);
		if (lives % 8 == 0)
			check(&yard, length);
		yard_close(&yard);
	}
	print_message("# %" PRIu64 " lives, %u with spans cut, %u with room being made\n", lives,
		      counts.cut, counts.room);
	assert_true(counts.cut > 10 && counts.room > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_loss_at_many_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
