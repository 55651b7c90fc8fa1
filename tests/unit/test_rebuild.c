/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild and the jobs of others: aim is that no job is left in the map that names a member which is none, since such a
 * map is refused by whoever opens it.
 * Method: a job is stopped at its first piece, another one is asked for that takes its target away; then the array
 * is opened again.
 */
#include "core/job/rebuild.h"
#include "core/job/relayout.h"
#include "tests/unit/array_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DISKS 4u
#define DISK_SIZE (UINT64_C(12) << 20)
#define LENGTH (UINT64_C(1) << 20)
#define SPARE 3u
#define ALL 0xfu
#define REPLACED 1u
#define LEFT (ALL & ~(1u << REPLACED)) /* who was replaced is wiped */

static bool stop_at_once(void *arg)
{
	(void)arg;
	return true;
}

static int rebuild(struct array *array, uint32_t from, uint32_t to, bool replace, bool stop,
		   struct err *err)
{
	const struct rebuild_request request = {
		.from = from, .to = to, .replace = replace, .watch.stop = stop ? stop_at_once : NULL
	};
	struct rebuild_report report = { 0 };

	return rebuild_run(array, &request, &report, err);
}

static struct array *begin(struct rack *rack)
{
	const uint64_t sizes[DISKS] = { DISK_SIZE, DISK_SIZE, DISK_SIZE, DISK_SIZE };
	const struct policy parity = {
		.layout = LAYOUT_PARITY, .checks = 1, .columns = 3, .unit_blocks = 4
	};
	struct err err = { 0 };

	rack_open(rack, seeded_env(1), DISKS, sizes);
	struct array *array = rack_create(rack, &parity, 1, &err);
	assert_non_null(array);
	put_bytes(array, "v", &parity, LENGTH, 1);
	return array;
}

/* The same, with a replace by the spare that was stopped. */
static struct array *begin_replacing(struct rack *rack)
{
	struct array *array = begin(rack);
	struct err err = { 0 };

	assert_int_equal(rebuild(array, REPLACED, SPARE, true, true, &err), ERR_STOPPED);
	return array;
}

/* It opens with all its bytes, from these disks. */
static void end(struct rack *rack, struct array *array, uint32_t disks)
{
	array_close(array);
	array = rack_array_of(rack, disks, ARRAY_WRITE);
	assert_bytes(array, "v", LENGTH, 1);
	assert_clean(array, "after two jobs");
	array_close(array);
	rack_close(rack);
}

static void a_target_of_another_job_is_refused(void **state)
{
	struct rack rack;
	struct array *array = begin_replacing(&rack);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(rebuild(array, 0, SPARE, true, false, &err), ERR_STATE);
	/* The first one goes on. */
	err = (struct err){ 0 };
	assert_int_equal(rebuild(array, REPLACED, SPARE, true, false, &err), 0);
	end(&rack, array, LEFT);
}

static void a_replace_goes_on_as_a_rebuild_when_the_member_fails(void **state)
{
	struct rack rack;
	struct array *array = begin_replacing(&rack);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(array_set_member_state(array, REPLACED, MEMBER_FAILED, &err), 0);
	assert_int_equal(rebuild(array, REPLACED, SPARE, false, false, &err), 0);
	assert_int_equal(array_map(array)->job_count, 0);
	end(&rack, array, LEFT);
}

static void a_member_that_is_being_emptied_is_no_target(void **state)
{
	const struct relayout_request empty = {
		.kind = JOB_EVACUATE, .member = 2, .batch_blocks = 1, .watch.stop = stop_at_once
	};
	struct rack rack;
	struct array *array = begin(&rack);
	struct relayout_report report;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(array_set_member_state(array, SPARE, MEMBER_ONLINE, &err), 0);
	assert_int_equal(relayout_run(array, &empty, &report, &err), ERR_STOPPED);
	err = (struct err){ 0 };
	assert_int_equal(rebuild(array, SPARE, 2, true, false, &err), ERR_STATE);
	end(&rack, array, ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_of_another_job_is_refused),
		cmocka_unit_test(a_replace_goes_on_as_a_rebuild_when_the_member_fails),
		cmocka_unit_test(a_member_that_is_being_emptied_is_no_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
