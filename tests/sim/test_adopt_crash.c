/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The life of an adopted array, with the power failing at each of its writes: adopted, committed, a member more, migrated with
 * room made on it. Aim: afterwards it opens as before or after, or was never finished; the bytes of the volume are there, with
 * any member missing; and what was begun goes on to its end. Method: one life for each write.
 */
#include "core/array/array_internal.h"
#include "core/job/migrate.h"
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
#define ALL 31u
static const struct bare raid5 = { LAYOUT_PARITY, MEMBERS, 1, 4, 32, ADOPT_ORIGIN, 0, 0 };
static const struct migrate_request request = {
	.volume = "data",
	.policy = { LAYOUT_PARITY, 1, 4, 4, 0, 0, 0, 0, 0 },
	.batch_blocks = 64, /* many commits */
};

/* How far it came, as the caller was told. */
enum stage { STAGE_NOTHING, STAGE_ADOPTED, STAGE_MEMBER, STAGE_MIGRATED };

static int add_disk(struct yard *yard, struct array *array, struct err *err)
{
	struct dev *dev = rack_dev(&yard->rack, MEMBERS);
	uint32_t slot;
	int rc = array_add_member(array, dev, false, &slot, err);

	if (rc)
		dev_close(dev);
	return rc;
}

static enum stage live(struct yard *yard)
{
	struct migrate_report report = { 0 };
	struct array *array = NULL;
	struct err err = { 0 };
	enum stage stage = STAGE_NOTHING;

	if (yard_adopt(yard, &array, &err))
		return stage;
	stage = STAGE_ADOPTED;
	if (!array_adopt_set_state(array, ADOPT_COMMITTED, &err) && !add_disk(yard, array, &err))
		stage = STAGE_MEMBER;
	if (stage == STAGE_MEMBER && !migrate_run(array, &request, &report, &err))
		stage = STAGE_MIGRATED;
	array_close(array);
	return stage;
}

/* What is there of it: with all disks as far as they are members; NULL when it was never finished. */
static struct array *open_again(struct yard *yard, enum stage stage, uint64_t write)
{
	const uint32_t sets[] = { ALL, ALL >> 1 };
	struct array *array = NULL;
	struct err err = { 0 };

	for (uint32_t i = 0; i < 2; i++) {
		int rc = rack_array(&yard->rack, sets[i], ARRAY_WRITE, &array, &err);

		if (rc == 0)
			return array;
		if (rc == ERR_NOT_MEMBER && i == 0)
			continue; /* the fifth did not join yet */
		if (stage != STAGE_NOTHING ||
		    (rc != ERR_STATE && rc != ERR_NOT_MEMBER && rc != ERR_CHECKSUM))
			fail_msg("write %" PRIu64 ": %s", write, err.text);
	}
	return NULL;
}

static void go_on(struct yard *yard, struct array *array, uint64_t write)
{
	struct migrate_report report = { 0 };
	struct err err = { 0 };

	if (array_map(array)->adoption.state == ADOPT_REVERSIBLE &&
	    array_adopt_set_state(array, ADOPT_COMMITTED, &err))
		fail_msg("write %" PRIu64 ": %s", write, err.text);
	if (!map_member(array_map(array), MEMBERS) && add_disk(yard, array, &err))
		fail_msg("write %" PRIu64 ": %s", write, err.text);
	if (migrate_run(array, &request, &report, &err))
		fail_msg("write %" PRIu64 ": %s", write, err.text);
	assert_false(map_has_bare(array_map(array)));
	yard_compare(yard, array, "at the end");
	assert_clean(array, "at the end");
}

static void check_losses(struct yard *yard, uint32_t disks)
{
	for (uint32_t gone = 0; gone <= MEMBERS; gone++) {
		struct array *array =
			rack_array_of(&yard->rack, disks & ~(UINT32_C(1) << gone), ARRAY_READ);

		yard_compare(yard, array, "with a member missing");
		array_close(array);
	}
}

static void a_power_loss_at_each_write(void **state)
{
	uint64_t seed = test_seed(41), unfinished = 0, whole = 0;
	enum stage stage = STAGE_NOTHING;

	(void)state;
	for (uint64_t write = 0; stage != STAGE_MIGRATED; write++) {
		struct rng rng = rng_seeded(seed + write);
		struct yard yard;

		yard_open(&yard, seeded_env(write), &raid5, 1);
		yard.rack.writes_left = write;
		stage = live(&yard);
		rack_crash(&yard.rack, &rng);
		yard.rack.writes_left = UINT64_MAX;
		struct array *array = open_again(&yard, stage, write);

		unfinished += !array;
		whole += array != NULL;
		if (array) {
			bool joined = map_member(array_map(array), MEMBERS);

			yard_compare(&yard, array, "after the crash");
			array_close(array);
			/* Before it is said to be adopted one member may be all that knows of it. */
			if (stage != STAGE_NOTHING)
				check_losses(&yard, joined ? ALL : ALL >> 1);
			array = open_again(&yard, stage, write);
			go_on(&yard, array, write);
			array_close(array);
			check_losses(&yard, ALL);
		}
		yard_close(&yard);
	}
	print_message("# %" PRIu64 " lives, %" PRIu64 " never began\n", whole + unfinished,
		      unfinished);
	assert_true(unfinished > 10 && whole > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_loss_at_each_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
