/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Creating: aim is that an array is made whole or not at all: a member that fails on the way is an error that
 * names it, and nothing is left that opens; and that a member is added whole or not at all. Method: a rack of
 * disks of which one fails from the k-th write on, for all k of a create; then all work again. Power that fails
 * at each write of an addition.
 */
#include "core/store/super.h"
#include "tests/unit/array_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(4) << 20)
#define DISKS 3u
#define ALL 7u

static const struct policy policy = {
	.layout = LAYOUT_PARITY, .checks = 1, .columns = 3, .unit_blocks = 16
};

static void rack_make(struct rack *rack)
{
	static const uint64_t sizes[] = { DISK_SIZE, DISK_SIZE, DISK_SIZE };

	rack_open(rack, seeded_env(3), DISKS, sizes);
}

/* Writes and flushes of a create without faults. */
static uint64_t writes_of_create(void)
{
	struct rack rack;
	struct err err = { 0 };

	rack_make(&rack);
	struct array *array = rack_create(&rack, &policy, 0, &err);
	assert_non_null(array);
	array_close(array);
	uint64_t writes = rack.writes;
	rack_close(&rack);
	return writes;
}

/* No array, whichever of the disks are there; only reading of what a dead disk kept is possible. */
static void assert_no_array(struct rack *rack, uint32_t failed, uint64_t at)
{
	for (uint32_t disks = 1; disks <= ALL; disks++) {
		struct array *array = NULL;
		struct err err = { 0 };

		if (rack_array(rack, disks, ARRAY_WRITE, &array, &err) == 0)
			fail_msg("disk %u failed at write %u: opens with disks %u", failed,
				 (unsigned)at, disks);
		if (disks >> failed & 1)
			continue;
		assert_int_not_equal(rack_array(rack, disks, ARRAY_READ, &array, &err), 0);
	}
}

static void member_that_fails_is_an_error_and_leaves_no_array(void **state)
{
	uint64_t writes = writes_of_create();

	(void)state;
	for (uint64_t at = 0; at < writes; at++) {
		for (uint32_t disk = 0; disk < DISKS; disk++) {
			const char name[] = { 'd', 'i', 's', 'k', (char)('0' + disk), '\0' };
			struct rack rack;
			struct err err = { 0 };
			struct rng rng = rng_seeded(at);

			rack_make(&rack);
			rack.fail_at[disk] = at;
			struct array *array = rack_create(&rack, &policy, 0, &err);
			if (array && rack.writes == writes) { /* it had done its part before */
				array_close(array);
				rack_close(&rack);
				continue;
			}
			if (array)
				fail_msg("disk %u fails at write %u: created", disk, (unsigned)at);
			assert_int_equal(err.code, ERR_IO);
			if (!strstr(err.text, name))
				fail_msg("%s: no %s", err.text, name);
			rack.fail_at[disk] = UINT64_MAX;
			assert_no_array(&rack, disk, at);
			rack_crash(&rack, &rng);
			assert_no_array(&rack, disk, at);
			rack_close(&rack);
		}
	}
}

/* Refuse with ERR_NOSPACE every write of the map on disk 1. */
static int full_watch(void *arg, uint32_t disk, const struct io *io)
{
	(void)arg;
	return disk == 1 && io->op == IO_WRITE && io->role == IO_ROLE_MAP ? ERR_NOSPACE : 0;
}

static void full_file_system_is_an_error_and_leaves_no_array(void **state)
{
	struct rack rack;
	struct err err = { 0 };

	(void)state;
	rack_make(&rack);
	rack.watch = full_watch;
	assert_null(rack_create(&rack, &policy, 0, &err));
	assert_int_equal(err.code, ERR_NOSPACE);
	assert_non_null(strstr(err.text, "disk1"));
	rack.watch = NULL;
	for (uint32_t disk = 0; disk < DISKS; disk++)
		assert_no_array(&rack, disk, 0);
	rack_close(&rack);
}

#define JOINING DISKS /* the disk that is added */

/* An array on all disks but the last. */
static void rack_with_one_more(struct rack *rack, uint64_t seed)
{
	static const uint64_t sizes[] = { DISK_SIZE, DISK_SIZE, DISK_SIZE, DISK_SIZE };
	struct err err = { 0 };

	rack_open(rack, seeded_env(seed), DISKS + 1, sizes);
	rack->count = DISKS;
	array_close(rack_create(rack, &policy, 0, &err));
	rack->count = DISKS + 1;
}

static bool add_joining(struct rack *rack)
{
	struct array *array = rack_array_of(rack, ALL, ARRAY_WRITE);
	struct dev *dev = rack_dev(rack, JOINING);
	struct err err = { 0 };
	uint32_t slot;
	bool added = array_add_member(array, dev, false, &slot, &err) == 0;

	if (!added)
		dev_close(dev);
	array_close(array);
	return added;
}

/* How many members the array has. The one that joined is there where it has it. */
static uint32_t members_after(struct rack *rack)
{
	struct array *array = NULL, *alone = rack_array_of(rack, ALL, ARRAY_READ);
	uint32_t count = array_map(alone)->member_count;
	struct err err = { 0 };
	int rc = rack_array(rack, ALL | 1u << JOINING, ARRAY_WRITE, &array, &err);

	if (rc) { /* no superblock, or one that is torn: then the others do not know of it */
		assert_true(rc == ERR_NOT_MEMBER || rc == ERR_CHECKSUM);
		assert_int_equal(count, DISKS);
	} else {
		count = array_map(array)->member_count;
		for (uint32_t slot = 0; slot < count; slot++)
			assert_true(array_member_usable(array, slot));
		assert_int_equal(array_commit(array, &err), 0);
	}
	array_close(array);
	array_close(alone);
	return count;
}

static void member_that_joins_has_a_superblock_or_is_unknown(void **state)
{
	uint32_t before = 0, after = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		bool added = false;

		for (uint64_t k = 1; !added; k++) {
			struct rng rng = rng_seeded(seed * 1000 + k);
			struct rack rack;

			rack_with_one_more(&rack, seed);
			rack.writes_left = k;
			added = add_joining(&rack);
			rack_crash(&rack, &rng);
			uint32_t count = members_after(&rack);

			assert_true(count == DISKS ? !added : count == DISKS + 1);
			before += count == DISKS;
			after += count > DISKS && !added;
			rack_close(&rack);
		}
	}
	assert_true(before > 0 && after > 0);
}

/* The disk that is added fails for ever from its k-th write on: an error, and the array is as it was. */
static void member_that_fails_while_it_joins_is_an_error_and_no_member(void **state)
{
	bool added = false;

	(void)state;
	for (uint64_t k = 0; !added; k++) {
		struct rack rack;

		rack_with_one_more(&rack, k);
		rack.fail_at[JOINING] = rack.writes + k;
		added = add_joining(&rack);
		rack.fail_at[JOINING] = UINT64_MAX;
		assert_int_equal(members_after(&rack), DISKS + added);
		rack_close(&rack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(member_that_fails_is_an_error_and_leaves_no_array),
		cmocka_unit_test(full_file_system_is_an_error_and_leaves_no_array),
		cmocka_unit_test(member_that_joins_has_a_superblock_or_is_unknown),
		cmocka_unit_test(member_that_fails_while_it_joins_is_an_error_and_no_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
