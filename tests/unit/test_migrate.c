/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Migrate: a volume gets groups of every other shape, with members absent, blocks damaged or lost, and the power
 * failing at any write. Aim is that its bytes never change, that it is protected before and after, and that a job
 * goes on where it was. Method: arrays on simulated disks with tiny extents, so that a volume has many spans.
 */
#include "core/job/migrate.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/job/relayout.h"
#include "core/map/check.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISKS 6u
#define ALL 63u
#define DISK_SIZE (UINT64_C(8) << 20)
#define FRAME_BODY 16u
#define LENGTH UINT64_C(700001)
#define SEED 5u

struct shape {
	const char *name;
	struct policy policy;
	uint32_t survives;
};

#define SHAPES 9u
static const struct shape shapes[SHAPES] = {
	{ "plain", { .layout = LAYOUT_PLAIN, .columns = 1, .unit_blocks = 4 }, 0 },
	{ "mirror 2", { LAYOUT_MIRROR, 1, 2, 4, 0, 0, 0, 0, 0 }, 1 },
	{ "mirror 3", { LAYOUT_MIRROR, 2, 3, 4, 0, 0, 0, 0, 0 }, 2 },
	{ "parity 2+1", { LAYOUT_PARITY, 1, 3, 4, 0, 0, 0, 0, 0 }, 1 },
	{ "parity 3+1, 32 blocks", { LAYOUT_PARITY, 1, 4, 4, 1, 0, 0, 0, 0 }, 1 },
	{ "parity 3+2, unit 1", { LAYOUT_PARITY, 2, 5, 1, 0, 0, 0, 0, 0 }, 2 },
	{ "parity 2+3", { LAYOUT_PARITY, 3, 5, 16, 0, 0, 0, 0, 0 }, 3 },
	{ "sequential 4", { LAYOUT_SEQUENTIAL, 1, 4, 4, 0, 0, 0, 0, 0 }, 1 },
	{ "sequential 5, 2 levels", { LAYOUT_SEQUENTIAL, 2, 5, 4, 1, 0, 0, 0, 1 }, 1 },
};

/* An array with one volume "v" of this shape. */
static struct array *begin(struct rack *rack, struct env *env, const struct shape *shape)
{
	uint64_t sizes[DISKS];
	struct dev *devs[DISKS];
	const struct array_create_request request = { .env = env,
						      .name = "tank",
						      .devs = devs,
						      .dev_count = DISKS,
						      .policy = shape->policy,
						      .frame_body_blocks = FRAME_BODY };
	struct array *array = NULL;
	struct err err = { 0 };

	for (uint32_t i = 0; i < DISKS; i++)
		sizes[i] = DISK_SIZE;
	rack_open(rack, env, DISKS, sizes);
	for (uint32_t i = 0; i < DISKS; i++)
		devs[i] = rack_dev(rack, i);
	if (array_create(&array, &request, &err))
		fail_msg("%s: %s", shape->name, err.text);
	put_bytes(array, "v", &shape->policy, LENGTH, SEED);
	return array;
}

/* What a job says of itself; a lost range or two. */
struct saying {
	uint64_t done, total;
	uint64_t lost_bytes;
	uint64_t stop_at;          /* bytes done */
	const struct array *array; /* whose job is stopped behind block 99 */
};

static void hear(void *arg, const struct job_progress *progress)
{
	struct saying *saying = arg;

	if (!progress->total)
		return;
	assert_true(progress->done <= progress->total);
	/* As parts of the total, which another process may have set. */
	assert_true(progress->done * (saying->total ? saying->total : 1) >=
		    saying->done * progress->total);
	saying->done = progress->done;
	saying->total = progress->total;
}

static void hear_loss(void *arg, const struct job_loss *loss)
{
	struct saying *saying = arg;

	assert_int_equal(loss->offset % BLOCK_SIZE, 0);
	assert_true(loss->offset / BLOCK_SIZE == 99 || loss->offset / BLOCK_SIZE == 40);
	saying->lost_bytes += loss->length;
}

static struct migrate_request request_of(const struct shape *to, struct saying *saying)
{
	return (struct migrate_request){
		.volume = "v",
		.policy = to->policy,
		.lost = hear_loss,
		.lost_arg = saying,
		.watch = { .progress = hear, .arg = saying, .rate_max = UINT64_C(1) << 40 },
	};
}

static void check_shape(const struct array *array, const struct shape *to)
{
	const struct volume *volume = map_volume_named(array->map, "v");
	struct err err = { 0 };

	if (map_check(array->map, &err))
		fail_msg("%s: %s", to->name, err.text);
	assert_int_equal(array->map->job_count, 0);
	assert_int_equal(volume->policy.layout, to->policy.layout);
	for (uint32_t g = 0; g < array->map->group_count; g++) {
		assert_int_equal(array->map->groups[g]->shape.layout, to->policy.layout);
		assert_int_equal(array->map->groups[g]->shape.checks, to->policy.checks);
	}
}

/* The bytes are there, whichever `count` neighbours are missing. */
static void check_losses(struct rack *rack, uint32_t disks, uint32_t count)
{
	for (uint32_t first = 0; first < DISKS; first++) {
		uint32_t left = disks;

		for (uint32_t i = 0; i < count; i++)
			left &= ~(UINT32_C(1) << (first + i) % DISKS);
		struct array *array = rack_array_of(rack, left, ARRAY_READ);

		assert_bytes(array, "v", LENGTH, SEED);
		array_close(array);
	}
}

/* Every shape into every other one; the plan is what is written, and all that was old is free. */
static void test_R30_every_layout_becomes_every_other(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < SHAPES; a++) {
		struct rack rack;
		struct array *array = begin(&rack, seeded_env(a), &shapes[a]);

		for (uint32_t step = 1; step <= SHAPES; step++) {
			const struct shape *to = &shapes[(a + step * step) % SHAPES];
			struct saying saying = { 0 };
			struct migrate_request request = request_of(to, &saying);
			struct migrate_report plan = { 0 }, report = { 0 };
			struct err err = { 0 };

			assert_int_equal(migrate_plan(array, &request, &plan, &err), 0);
			if (migrate_run(array, &request, &report, &err))
				fail_msg("%s to %s: %s", shapes[a].name, to->name, err.text);
			assert_int_equal(report.bytes_written, plan.bytes_written);
			assert_int_equal(report.extents_moved, plan.extents_moved);
			assert_true(report.bytes_read >= plan.bytes_read &&
				    report.bytes_read <= plan.bytes_read + plan.bytes_read / 4);
			assert_int_equal(saying.done, saying.total);
			assert_int_equal(saying.lost_bytes, 0);
			check_shape(array, to);
			assert_bytes(array, "v", LENGTH, SEED);
			assert_clean(array, to->name);
			/* Asked for again there is nothing to do. */
			assert_int_equal(migrate_run(array, &request, &report, &err), 0);
			assert_int_equal(report.bytes_written, 0);
		}
		array_close(array);
		rack_close(&rack);
	}
}

/* With as many members absent as the old shape survives it becomes whole again in the new one. */
static void test_a_degraded_volume_becomes_whole(void **state)
{
	(void)state;
	for (uint32_t a = 1; a < SHAPES; a++) {
		const struct shape *to = &shapes[1 + (a + 1) % 3]; /* three columns at most */
		struct saying saying = { 0 };
		struct migrate_request request = request_of(to, &saying);
		uint32_t gone = shapes[a].survives < 2 ? 1 : 2,
			 left = ALL & ~(gone == 1 ? 4u : 12u);
		struct migrate_report report = { 0 };
		struct err err = { 0 };
		struct rack rack;

		array_close(begin(&rack, seeded_env(a), &shapes[a]));
		struct array *array = rack_array_of(&rack, left, ARRAY_WRITE);
		if (migrate_run(array, &request, &report, &err))
			fail_msg("%s to %s: %s", shapes[a].name, to->name, err.text);
		assert_int_equal(report.spans_left, 0);
		check_shape(array, to);
		assert_bytes(array, "v", LENGTH, SEED);
		array_close(array);
		array = rack_array_of(&rack, left, ARRAY_READ);
		assert_int_equal(array_volume_health(array, map_volume_named(array->map, "v")),
				 HEALTH_HEALTHY);
		array_close(array);
		rack_close(&rack);
	}
}

/* Spoil a block of the volume on the disk. */
static void spoil(struct rack *rack, const struct array *array, uint64_t block)
{
	const struct volume *volume = map_volume_named(array->map, "v");
	uint32_t column, s = 0;

	while (volume->spans[s].offset + volume->spans[s].length <= block * BLOCK_SIZE)
		s++;
	const struct span *span = &volume->spans[s];
	uint64_t at = block - span->offset / BLOCK_SIZE;
	const struct group *group = map_extent(array->map, span->extents[0], &column);
	const struct extent *extent = &group->extents[column];

	assert_int_equal(span->extent_count, 1);
	uint8_t *bytes =
		rack_bytes(rack, extent->slot) + extent_offset(array->map, extent, (uint32_t)at);
	for (uint32_t i = 0; i < BLOCK_SIZE; i++)
		bytes[i] ^= 0xa5;
}

/* A damaged copy is made whole; where the only copy is damaged it is told, and stays. */
static void test_damage_is_mended_and_loss_is_told(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < 2; a++) {
		struct saying saying = { 0 };
		struct migrate_request request = request_of(&shapes[5], &saying);
		struct migrate_report report = { 0 };
		struct array_read_result result;
		struct err err = { 0 };
		struct rack rack;
		struct array *array = begin(&rack, seeded_env(a), &shapes[a]);
		uint8_t *bytes = mem_calloc(LENGTH, 1);

		assert_non_null(bytes);
		spoil(&rack, array, 40);
		spoil(&rack, array, 41);
		spoil(&rack, array, 99);
		if (a == 0)
			spoil(&rack, array, 42);
		if (migrate_run(array, &request, &report, &err) && a == 1)
			fail_msg("%s", err.text);
		if (a == 1) {
			check_shape(array, &shapes[5]);
			assert_bytes(array, "v", LENGTH, SEED);
			assert_clean(array, "mended");
		} else {
			assert_int_equal(report.spans_left, 2);
			assert_int_equal(saying.lost_bytes, 4 * BLOCK_SIZE);
			assert_int_equal(array_read(array, map_volume_named(array->map, "v"), 0,
						    bytes, LENGTH, &result, &err),
					 0);
			assert_int_equal(result.lost, 4 * BLOCK_SIZE);
			assert_int_equal(saying.done, saying.total);
		}
		mem_free(bytes);
		array_close(array);
		rack_close(&rack);
	}
}

static bool stop_there(void *arg)
{
	const struct saying *saying = arg;

	return saying->stop_at && saying->done >= saying->stop_at;
}

/*
 * The power fails at any write; at once any members that both shapes survive may be missing, and the job that goes on
 * ends with the same bytes and never says less than it said before.
 */
static void test_a_power_loss_at_any_write(void **state)
{
	struct rng rng = rng_seeded(test_seed(20261121));

	(void)state;
	for (uint32_t trial = 0; trial < 8; trial++) {
		const struct shape *from = &shapes[1 + rng_below(&rng, SHAPES - 1)];
		const struct shape *to = &shapes[1 + rng_below(&rng, SHAPES - 1)];
		struct saying saying = { 0 };
		struct migrate_request request = request_of(to, &saying);
		struct migrate_report report = { 0 };
		uint32_t tries = 0;
		struct rack rack;
		int rc;

		/* A few commits: a batch of 16 blocks. */
		request.watch.rate_max = UINT64_C(64) * 64 * BLOCK_SIZE;
		array_close(begin(&rack, seeded_env(trial), from));
		do {
			struct err err = { 0 };
			struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);

			rack.writes_left = 1 + rng_below(&rng, 700);
			rc = migrate_run(array, &request, &report, &err);
			rack_crash(&rack, &rng);
			array_close(array);
			check_losses(&rack, ALL,
				     from->survives < to->survives ? from->survives : to->survives);
			assert_true(tries++ < 1000);
		} while (rc);
		struct array *array = rack_array_of(&rack, ALL, ARRAY_WRITE);
		assert_int_equal(saying.done, saying.total);
		check_shape(array, to);
		assert_clean(array, to->name);
		array_close(array);
		rack_close(&rack);
	}
}

/* Asked to stop it stops behind a commit; another policy is not what goes on. */
static void test_it_stops_and_goes_on(void **state)
{
	struct saying saying = { .stop_at = 1 };
	struct migrate_request request = request_of(&shapes[5], &saying);
	struct migrate_report report = { 0 };
	struct err err = { 0 };
	struct rack rack;
	struct array *array = begin(&rack, seeded_env(1), &shapes[3]);

	(void)state;
	request.watch.rate_max = UINT64_C(64) * 4 * BLOCK_SIZE;
	request.watch.stop = stop_there;
	assert_int_equal(migrate_run(array, &request, &report, &err), ERR_STOPPED);
	array_close(array);
	array = rack_array_of(&rack, ALL, ARRAY_WRITE);
	const struct job *job = migrate_find_job(array, "v");

	assert_non_null(job);
	assert_int_equal(job->state, JOB_PAUSED);
	assert_in_range(job->done, 1, job->total - 1);
	assert_int_equal(job->policy.checks, 2);
	assert_bytes(array, "v", LENGTH, SEED);
	saying.stop_at = 0;
	request.policy = shapes[1].policy; /* the job has its own */
	assert_int_equal(migrate_run(array, &request, &report, &err), 0);
	check_shape(array, &shapes[5]);
	assert_bytes(array, "v", LENGTH, SEED);
	array_close(array);
	rack_close(&rack);
}

static bool stop_behind(void *arg)
{
	const struct saying *saying = arg;
	const struct job *job = saying->array ? migrate_find_job(saying->array, "v") : NULL;

	return job && job->cursor > 99 * BLOCK_SIZE;
}

/*
 * What was left for lost bytes is told by who ends the job, too, and what can be read by then is taken along. Method:
 * blocks of a volume without checks are damaged; stopped behind them, with one of them mended or not, the job goes on.
 */
static void test_what_was_left_is_told_at_the_end(void **state)
{
	(void)state;
	for (uint32_t mended = 0; mended < 2; mended++) {
		struct saying saying = { 0 };
		struct migrate_request request = request_of(&shapes[5], &saying);
		struct migrate_report report = { 0 };
		struct err err = { 0 };
		struct rack rack;
		struct array *array = begin(&rack, seeded_env(1), &shapes[0]);

		for (uint64_t block = 40; block < 43; block++)
			spoil(&rack, array, block);
		spoil(&rack, array, 99);
		request.batch_blocks = 16;
		request.watch.stop = stop_behind;
		saying.array = array;
		assert_int_equal(migrate_run(array, &request, &report, &err), ERR_STOPPED);
		assert_int_equal(report.spans_left, 2);
		uint64_t cursor = migrate_find_job(array, "v")->cursor;

		if (mended)
			spoil(&rack, array, 99); /* once more: as it was */
		array_close(array);
		array = rack_array_of(&rack, ALL, ARRAY_WRITE);
		/* Stopped before it does anything it is where it was. */
		saying.array = array;
		assert_int_equal(migrate_run(array, &request, &report, &err), ERR_STOPPED);
		assert_int_equal(migrate_find_job(array, "v")->cursor, cursor);
		saying.array = NULL;
		saying.lost_bytes = 0;
		err = (struct err){ 0 };
		if (migrate_run(array, &request, &report, &err))
			fail_msg("%s", err.text);
		assert_int_equal(report.spans_left, mended ? 1 : 2);
		assert_int_equal(saying.lost_bytes, (mended ? 3 : 4) * BLOCK_SIZE);
		assert_int_equal(saying.done, saying.total);
		assert_int_equal(array->map->job_count, 0);
		array_close(array);
		rack_close(&rack);
	}
}

/* With fewer members than when it began the job makes nothing again: only what is left becomes narrower. */
static void test_what_was_made_is_not_made_again(void **state)
{
	struct saying saying = { 0 };
	struct migrate_request request = request_of(&shapes[5], &saying);
	struct migrate_report report = { 0 };
	struct err err = { 0 };
	struct rack rack;
	struct array *array = begin(&rack, seeded_env(1), &shapes[2]);

	(void)state;
	request.policy.columns = 0;
	request.batch_blocks = 16;
	request.watch.stop = stop_behind;
	saying.array = array;
	assert_int_equal(migrate_run(array, &request, &report, &err), ERR_STOPPED);
	uint64_t made = map_volume_named(array->map, "v")->spans[0].extents[0];

	array_close(array);
	array = rack_array_of(&rack, ALL & ~3u, ARRAY_WRITE);
	request.watch.stop = NULL;
	assert_int_equal(migrate_run(array, &request, &report, &err), 0);
	const struct volume *volume = map_volume_named(array->map, "v");

	assert_int_equal(volume->spans[0].extents[0], made);
	assert_true(volume->spans[0].extent_count >
		    DISKS - 2 - 2); /* wider than could be made now */
	assert_bytes(array, "v", LENGTH, SEED);
	array_close(array);
	rack_close(&rack);
}

/* Without room for a part of the volume it is refused, with the bytes that are missing, and nothing is written. */
static void test_no_room_is_said_beforehand(void **state)
{
	struct saying saying = { 0 };
	struct migrate_request request = request_of(&shapes[2], &saying);
	struct migrate_report report = { 0 };
	struct err err = { 0 };
	struct array_capacity capacity;
	struct rack rack;
	struct array *array = begin(&rack, seeded_env(1), &shapes[0]);
	uint64_t writes;

	(void)state;
	array_capacity(array, &capacity);
	/* Leave room for one copy of a part, and not for three. */
	put_bytes(array, "w", &shapes[0].policy, capacity.usable - 2 * FRAME_BODY * BLOCK_SIZE, 9);
	writes = rack.writes;
	assert_int_equal(migrate_run(array, &request, &report, &err), ERR_NOSPACE);
	assert_non_null(strstr(err.text, "bytes more are needed"));
	assert_int_equal(rack.writes, writes);
	assert_bytes(array, "v", LENGTH, SEED);
	array_close(array);
	rack_close(&rack);
}

/* Another group of the volume is in use as long as one of its spans is: merged ones are freed last. */
static void test_a_group_that_serves_several_spans(void **state)
{
	static const struct relayout_request widen = { .kind = JOB_RECOMBINE,
						       .member = MEMBER_NONE,
						       .columns = 5 };
	struct saying saying = { .stop_at = 1 };
	struct migrate_request request = request_of(&shapes[1], &saying);
	struct migrate_report report = { 0 };
	struct relayout_report merged;
	struct err err = { 0 };
	struct rack rack;
	struct array *array = begin(&rack, seeded_env(1), &shapes[3]);

	(void)state;
	assert_int_equal(relayout_run(array, &widen, &merged, &err), 0);
	assert_true(merged.groups_after < merged.groups_before);
	request.watch.rate_max = UINT64_C(1) * 4 * BLOCK_SIZE; /* a span at a time */
	request.watch.stop = stop_there;
	for (uint32_t tries = 0; tries < 100; tries++) {
		int rc = migrate_run(array, &request, &report, &err);

		saying.stop_at = saying.done + 1;
		if (map_check(array->map, &err))
			fail_msg("%s", err.text);
		assert_clean(array, "merged, then migrated");
		assert_bytes(array, "v", LENGTH, SEED);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_STOPPED);
	}
	check_shape(array, &shapes[1]);
	array_close(array);
	rack_close(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R30_every_layout_becomes_every_other),
		cmocka_unit_test(test_a_degraded_volume_becomes_whole),
		cmocka_unit_test(test_damage_is_mended_and_loss_is_told),
		cmocka_unit_test(test_a_power_loss_at_any_write),
		cmocka_unit_test(test_it_stops_and_goes_on),
		cmocka_unit_test(test_what_was_left_is_told_at_the_end),
		cmocka_unit_test(test_what_was_made_is_not_made_again),
		cmocka_unit_test(test_no_room_is_said_beforehand),
		cmocka_unit_test(test_a_group_that_serves_several_spans),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
