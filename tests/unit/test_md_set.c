/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members of Linux MD compared. Aim: who is current, stale, a duplicate or damaged is told by what the
 * superblocks say, the array is called readable exactly when it is, and the sentences name it.
 * Method: four members of a raid5 with one thing changed at a time; members as the records give them.
 */
#include "core/base/mem.h"
#include "formats/md_explain.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/md_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define INPUTS_MAX 6u

static const char *const paths[INPUTS_MAX] = { "a", "b", "c", "d", "e", "f" };
static struct md_member members[INPUTS_MAX];
static struct md_sentences sentences;

static void members_make(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct md1 super = md1_sample(i % MD_HELP_DISKS);

		members[i] = md1_member(&super);
	}
}

static struct md_sets compared(uint32_t count)
{
	struct md_set_input inputs[INPUTS_MAX];
	struct md_sets sets = { 0 };
	struct err err = { 0 };

	for (uint32_t i = 0; i < count; i++)
		inputs[i] = (struct md_set_input){ &members[i], i };
	assert_int_equal(md_sets_compare(&sets, inputs, count, &err), 0);
	sentences.count = 0;
	for (uint32_t i = 0; i < sets.count; i++)
		md_explain_set(&sentences, &sets.at[i], paths);
	return sets;
}

static void says(const char *text)
{
	for (uint32_t i = 0; i < sentences.count; i++) {
		if (strstr(sentences.at[i], text))
			return;
	}
	fail_msg("nobody says: %s; the first is: %s", text, sentences.at[0]);
}

static void whole_array_is_healthy(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(4);
	sets = compared(4);
	assert_int_equal(sets.count, 1);
	assert_int_equal(sets.at[0].health, MD_HEALTHY);
	assert_int_equal(sets.at[0].degraded, 0);
	assert_true(sets.at[0].array_bytes_known);
	assert_int_equal(sets.at[0].array_bytes, UINT64_C(30720) * 512 * 3);
	assert_int_equal(sentences.count, 0);
	md_sets_reset(&sets);
}

static void stale_members_are_told_by_their_events(void **state)
{
	(void)state;
	for (uint64_t behind = 0; behind < 4; behind++) {
		struct md_sets sets;

		members_make(4);
		members[2].events -= behind;
		sets = compared(4);
		assert_int_equal(sets.at[0].members[2].events_behind, behind);
		assert_int_equal(sets.at[0].members[2].verdict,
				 behind > 1 ? MD_VERDICT_STALE : MD_VERDICT_CURRENT);
		assert_int_equal(sets.at[0].health, behind > 1 ? MD_DEGRADED : MD_HEALTHY);
		if (behind > 1) {
			char text[64];

			snprintf(text, sizeof(text), "c is stale by %" PRIu64 " events", behind);
			says(text);
			says("slot 2 is missing");
		}
		md_sets_reset(&sets);
	}
}

/* One event behind is a stop that some missed, but not when the others wrote that it failed. */
static void a_member_that_failed_just_then_is_stale(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(4);
	members[1].events--;
	for (uint32_t i = 0; i < 4; i++) {
		if (i != 1)
			members[i].slots[1] = MD_SLOT_MISSING;
	}
	sets = compared(4);
	assert_int_equal(sets.at[0].members[1].verdict, MD_VERDICT_STALE);
	says("slot 1 is missing, as the newest superblock says");
	md_sets_reset(&sets);
}

/* The first two are stale, so the other two count, and they are too few. */
static void newest_count_whatever_their_number(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(4);
	members[0].events = members[1].events = 90;
	sets = compared(4);
	assert_int_equal(sets.at[0].degraded, 2);
	assert_int_equal(sets.at[0].health, MD_BROKEN);
	says("too few members");
	md_sets_reset(&sets);
}

static void others_do_not_count(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(6);
	members[0].faults.count = 1;         /* damaged, so that e holds slot 0 */
	members[1].shape.chunk_bytes = 4096; /* different, so that f holds slot 1 */
	members[2].role = MD_ROLE_FAULTY;
	members[3].role = MD_ROLE_SPARE;
	members[3].events = 200; /* a spare has no say */
	sets = compared(6);
	assert_int_equal(sets.at[0].members[0].verdict, MD_VERDICT_DAMAGED);
	assert_int_equal(sets.at[0].members[2].verdict, MD_VERDICT_FAULTY);
	assert_int_equal(sets.at[0].members[3].verdict, MD_VERDICT_SPARE);
	assert_int_equal(sets.at[0].members[1].verdict, MD_VERDICT_DIFFERENT);
	assert_int_equal(sets.at[0].members[4].verdict, MD_VERDICT_CURRENT);
	assert_int_equal(sets.at[0].members[5].verdict, MD_VERDICT_CURRENT);
	assert_int_equal(sets.at[0].newest->events, 100);
	says("a: its superblock has faults");
	says("c says of itself that it failed");
	md_sets_reset(&sets);
}

static void one_slot_has_one_member(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(5);
	members[0].events--; /* the newer one of the two holds the slot */
	sets = compared(5);
	assert_int_equal(sets.at[0].members[0].verdict, MD_VERDICT_DUPLICATE);
	assert_int_equal(sets.at[0].members[4].verdict, MD_VERDICT_CURRENT);
	says("a: slot 0 is held by another member");
	md_sets_reset(&sets);
}

static void members_being_filled_do_not_hold_their_slot(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(4);
	members[1].in_sync = false;
	members[1].recovery_start = 1000;
	sets = compared(4);
	assert_int_equal(sets.at[0].members[1].verdict, MD_VERDICT_RECOVERING);
	assert_int_equal(sets.at[0].degraded, 1);
	says("b holds the first 1000 sectors of slot 1");
	md_sets_reset(&sets);
}

static void arrays_are_kept_apart(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(4);
	members[1].array.bytes[0] ^= 1;
	members[3].metadata = MD_METADATA_0_90;
	sets = compared(4);
	assert_int_equal(sets.count, 3);
	assert_int_equal(sets.at[0].member_count, 2);
	md_sets_reset(&sets);
}

static void sums_need_all_members(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(4);
	for (uint32_t i = 0; i < 4; i++) {
		members[i].shape.level = MD_RAID0;
		members[i].data_sectors = 1024 * (i + 1);
	}
	sets = compared(4);
	assert_true(sets.at[0].array_bytes_known);
	assert_int_equal(sets.at[0].array_bytes, 10 * 1024 * 512);
	md_sets_reset(&sets);
	sets = compared(3);
	assert_false(sets.at[0].array_bytes_known);
	assert_int_equal(sets.at[0].health, MD_BROKEN);
	md_sets_reset(&sets);
}

static void nothing_but_damage_is_broken(void **state)
{
	struct md_sets sets;

	(void)state;
	members_make(2);
	members[0].faults.count = members[1].faults.count = 1;
	sets = compared(2);
	assert_null(sets.at[0].newest);
	assert_int_equal(sets.at[0].health, MD_BROKEN);
	assert_int_equal(sets.at[0].members[1].verdict, MD_VERDICT_DAMAGED);
	says("no superblock of this array is without faults");
	md_sets_reset(&sets);
}

/* No slot of a superblock leads outside of what is counted, whatever its reshape says. */
static void slots_of_a_shrinking_array_are_all_there(void **state)
{
	struct md1 super = md1_sample(3);
	struct md_sets sets;

	(void)state;
	super.features = MD1_RESHAPE_ACTIVE;
	super.raid_disks = 3;
	super.delta_disks = -1;
	super.new_level = MD_RAID5;
	super.new_layout = MD_LEFT_SYMMETRIC;
	super.new_chunk_sectors = 128;
	members[0] = md1_member(&super);
	assert_int_equal(members[0].faults.count, 0);
	assert_int_equal(members[0].before.raid_disks, 4);
	assert_int_equal(members[0].slot_count, 4);
	assert_true(members[0].reshape_backwards);
	sets = compared(1);
	assert_int_equal(sets.at[0].degraded, 3);
	assert_int_equal(sets.at[0].array_bytes, UINT64_C(30720) * 512 * 2);
	says("being reshaped from level 5 left-symmetric, 4 members");
	md_sets_reset(&sets);
}

static void memory_may_run_out(void **state)
{
	struct md_set_input inputs[4];

	(void)state;
	members_make(4);
	members[1].array.bytes[0] ^= 1;
	for (uint32_t i = 0; i < 4; i++)
		inputs[i] = (struct md_set_input){ &members[i], i };
	for (unsigned nth = 0;; nth++) {
		struct md_sets sets = { 0 };
		struct err err = { 0 };
		unsigned left = nth;
		int rc;

		mem_set_hook(deny_nth, &left);
		rc = md_sets_compare(&sets, inputs, 4, &err);
		mem_set_hook(NULL, NULL);
		md_sets_reset(&sets);
		if (rc == 0) {
			assert_true(nth >= 6);
			break;
		}
		assert_int_equal(rc, ERR_NOMEM);
	}
}

/* What each role, feature and flag of both formats becomes. */
static void members_say_what_their_records_say(void **state)
{
	struct md1 super = md1_sample(2);
	struct md0 old = md0_sample(1, true);
	static struct md_member member;

	(void)state;
	super.features = MD1_RECOVERY_OFFSET | MD1_REPLACEMENT | MD1_BITMAP_OFFSET |
			 MD1_RESHAPE_ACTIVE | MD1_NEW_OFFSET | MD1_BAD_BLOCKS;
	super.recovery_sectors = 77;
	super.bitmap_or_ppl = (uint32_t)-8;
	super.new_offset_sectors = -2048;
	super.devflags = MD1_WRITE_MOSTLY | MD1_FAILFAST;
	member = md1_member(&super);
	assert_int_equal(member.slot, 2);
	assert_false(member.in_sync);
	assert_true(member.replacement && member.write_mostly && member.failfast);
	assert_int_equal(member.recovery_start, 77);
	assert_int_equal(member.bitmap_sector, 0);
	assert_int_equal(member.new_data_offset, 0);
	assert_int_equal(member.bad_block_sector, 24);
	assert_true(member.bad_blocks_valid);
	super.new_offset_sectors = -2049;
	member = md1_member(&super);
	assert_int_equal(member.new_data_offset, MD_MEMBER_NONE);
	old.state = MD0_BITMAP_PRESENT;
	old.checkpoint_events = 100;
	old.resync_sectors = 5;
	old.disks[1].state |= MD0_DISK_WRITEMOSTLY;
	old.disks[3].state = MD0_DISK_FAULTY;
	md_member_from_md0(&member, &old, md0_sector(), MD_HELP_SECTORS);
	assert_int_equal(member.slot, 1);
	assert_true(member.in_sync && member.write_mostly && member.has_bitmap);
	assert_int_equal(member.bitmap_sector, md0_sector() + 8);
	assert_int_equal(member.resync_start, 5);
	assert_int_equal(md_member_degraded(&member), 1);
	old.checkpoint_events = 99;
	md_member_from_md0(&member, &old, md0_sector(), MD_HELP_SECTORS);
	assert_int_equal(member.resync_start, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_array_is_healthy),
		cmocka_unit_test(stale_members_are_told_by_their_events),
		cmocka_unit_test(a_member_that_failed_just_then_is_stale),
		cmocka_unit_test(newest_count_whatever_their_number),
		cmocka_unit_test(others_do_not_count),
		cmocka_unit_test(one_slot_has_one_member),
		cmocka_unit_test(members_being_filled_do_not_hold_their_slot),
		cmocka_unit_test(arrays_are_kept_apart),
		cmocka_unit_test(sums_need_all_members),
		cmocka_unit_test(nothing_but_damage_is_broken),
		cmocka_unit_test(slots_of_a_shrinking_array_are_all_there),
		cmocka_unit_test(memory_may_run_out),
		cmocka_unit_test(members_say_what_their_records_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
