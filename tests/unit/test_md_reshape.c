/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a reshape leaves in doubt: aim is that it is said where the kernel writes over what it has not copied yet, and only
 * there. Method: shapes, positions and moved offsets, with what the rule of the kernel and the pieces of mdadm make of
 * them by hand; then all positions of a growth, where a doubt ends once and for all.
 */
#include "formats/md_reshape.h"
#include "tests/unit/md_help.h"

#include <cmocka.h>

#define KIB 1024u
#define MIB (1024u * KIB)

static bool doubt_of(struct md_reshape_doubt *doubt, struct md_member *member, uint32_t before,
		     uint32_t after, uint64_t position, int64_t moved)
{
	struct md_set_member entry = { member, 0, MD_VERDICT_CURRENT, 0 };
	struct md_set set = { .members = &entry, .member_count = 1, .newest = member };

	member->shape.level = member->before.level = member->after.level = MD_RAID5;
	member->shape.component_sectors = 100 * (MIB / MD_SECTOR);
	member->before = member->after = member->shape;
	member->before.raid_disks = before;
	member->after.raid_disks = member->shape.raid_disks = after;
	member->before.chunk_bytes = member->after.chunk_bytes = 64 * KIB;
	member->reshaping = true;
	member->reshape_position = position / MD_SECTOR;
	member->data_offset = 2048;
	member->new_data_offset = (uint64_t)(2048 + moved);
	return md_reshape_doubt(doubt, &set);
}

static void in_place_two_pieces_behind_the_position_are_in_doubt(void **state)
{
	static struct md_member member;
	struct md_reshape_doubt doubt;

	(void)state;
	/* Rows of both: 192 KiB of data; doubled until 32 of them are more than 100 MiB: 6 MiB. */
	member.reshape_backwards = false;
	assert_true(doubt_of(&doubt, &member, 4, 4, 30 * MIB, 0));
	assert_int_equal(doubt.first, 30 * MIB);
	assert_int_equal(doubt.end - doubt.first, 2 * 6144 * KIB);
	assert_true(doubt_of(&doubt, &member, 4, 4, 299 * MIB, 0));
	assert_int_equal(doubt.end, 300 * MIB);
	assert_false(doubt_of(&doubt, &member, 4, 4, 300 * MIB, 0));
	member.reshape_backwards = true;
	assert_true(doubt_of(&doubt, &member, 4, 4, MIB, 0));
	assert_int_equal(doubt.first, 0);
	assert_int_equal(doubt.end, MIB);
	/* Moved by a chunk nothing is written over, in the right direction. */
	assert_false(doubt_of(&doubt, &member, 4, 4, MIB, 128));
	assert_true(doubt_of(&doubt, &member, 4, 4, MIB, 127));
	assert_true(doubt_of(&doubt, &member, 4, 4, MIB, -128));
}

static void a_growth_is_in_doubt_in_its_first_rows_only(void **state)
{
	static struct md_member member;
	struct md_reshape_doubt doubt;

	(void)state;
	for (uint64_t position = 0; position <= 200 * MIB; position += 192 * KIB) {
		bool found = doubt_of(&doubt, &member, 3, 4, position, 0);

		assert_int_equal(found, position < 384 * KIB);
		if (found) {
			assert_int_equal(doubt.first, position);
			assert_int_equal(doubt.end, 768 * KIB);
		}
		assert_false(doubt_of(&doubt, &member, 3, 4, position, -128));
	}
}

static void a_shrinking_is_in_doubt_in_its_last_rows_only(void **state)
{
	static struct md_member member = { .reshape_backwards = true };
	struct md_reshape_doubt doubt;

	(void)state;
	assert_false(doubt_of(&doubt, &member, 5, 4, 300 * MIB, 0));
	assert_false(doubt_of(&doubt, &member, 5, 4, 192 * KIB, 0));
	assert_true(doubt_of(&doubt, &member, 5, 4, 128 * KIB, 0));
	assert_int_equal(doubt.first, 0);
	assert_int_equal(doubt.end, 128 * KIB);
	assert_false(doubt_of(&doubt, &member, 5, 4, 0, 0));
}

static void what_is_not_reshaped_has_no_doubt(void **state)
{
	static struct md_member member;
	struct md_set_member entry = { &member, 0, MD_VERDICT_CURRENT, 0 };
	struct md_set set = { .members = &entry, .member_count = 1, .newest = &member };
	struct md_reshape_doubt doubt;

	(void)state;
	(void)doubt_of(&doubt, &member, 4, 4, MIB, 0);
	member.reshaping = false;
	assert_false(md_reshape_doubt(&doubt, &set));
	set.newest = NULL;
	assert_false(md_reshape_doubt(&doubt, &set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place_two_pieces_behind_the_position_are_in_doubt),
		cmocka_unit_test(a_growth_is_in_doubt_in_its_first_rows_only),
		cmocka_unit_test(a_shrinking_is_in_doubt_in_its_last_rows_only),
		cmocka_unit_test(what_is_not_reshaped_has_no_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
