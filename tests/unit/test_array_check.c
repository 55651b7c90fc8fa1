/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking an array: aim is that every damaged superblock slot and every damaged block of a copy of the map
 * is found, at its place, that nothing else is, and that nothing is written.
 * Method: damage on simulated disks, one place at a time, all places that the last commits wrote.
 */
#include "core/array/array_internal.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct geometry native = { 0 };

#define DISK_SIZE (UINT64_C(4) << 20)
#define DISKS 3u
#define FINDINGS_MAX 16u

struct findings {
	uint32_t count;
	struct array_finding at[FINDINGS_MAX];
	char texts[FINDINGS_MAX][200];
};

static void note(void *arg, const struct array_finding *finding)
{
	struct findings *findings = arg;

	assert_true(findings->count < FINDINGS_MAX);
	findings->at[findings->count] = *finding;
	snprintf(findings->texts[findings->count], sizeof(findings->texts[0]), "%s", finding->text);
	findings->count++;
}

static struct findings check(struct rack *rack, struct array *array)
{
	struct findings findings = { 0 };
	struct err err = { 0 };
	uint64_t writes = rack->writes, count = 99;

	if (array_check(array, note, &findings, &count, &err))
		fail_msg("%s", err.text);
	for (uint32_t i = 0; i < findings.count; i++)
		count += findings.at[i].harmless;
	assert_int_equal(count, findings.count);
	assert_int_equal(rack->writes, writes);
	return findings;
}

/* The only finding is of this kind and covers this byte. */
static void assert_found(const struct findings *findings, const char *kind, uint32_t slot,
			 uint64_t offset, const char *fact)
{
	const struct array_finding *finding = &findings->at[0];

	if (findings->count != 1 || strcmp(finding->kind, kind) != 0 || finding->slot != slot ||
	    finding->offset > offset || offset >= finding->offset + finding->length ||
	    !strstr(findings->texts[0], fact))
		fail_msg("%u findings for %s of member %u at %zu; the first is %s: %s",
			 findings->count, kind, slot, (size_t)offset, finding->kind,
			 findings->texts[0]);
}

static struct array *array_make(struct rack *rack)
{
	const struct policy policy = { .layout = LAYOUT_PARITY, .checks = 1 };

	struct array *array = rack_begin(rack, seeded_env(5), DISKS, DISK_SIZE, &policy);

	for (int i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "v%d", i);
		put_bytes(array, name, &array_map(array)->policy, 70000, (uint64_t)i);
	}
	return array;
}

static void sound_array_has_no_findings(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);

	(void)state;
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	array = rack_array_of(&rack, 7, ARRAY_READ);
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	rack_close(&rack);
}

/* One byte of each 64 of each slot. Harmless is only the one that the next commit writes. */
static void every_damaged_slot_is_found(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);
	uint32_t next = (uint32_t)((array_map(array)->generation + 1) % SUPER_SLOTS);

	(void)state;
	for (uint32_t slot = 0; slot < DISKS; slot++) {
		const struct uuid uuid = map_member(array_map(array), slot)->uuid;

		for (uint32_t n = 0; n < SUPER_SLOTS; n++) {
			uint64_t offset = super_offset(&uuid, n, &native);

			for (uint64_t at = 0; at < BLOCK_SIZE; at += 64) {
				uint8_t *byte = rack_bytes(&rack, slot) + offset + at;

				*byte ^= 0x10;
				struct findings findings = check(&rack, array);
				assert_found(&findings, "superblock", slot, offset, "superblock");
				assert_int_equal(findings.at[0].harmless, n == next);
				*byte ^= 0x10;
			}
		}
	}
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	rack_close(&rack);
}

/* Slots that verify but are not what should be there. */
static void slots_that_verify_but_are_wrong_are_found(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);
	const struct uuid uuid = map_member(array_map(array), 0)->uuid;
	uint32_t last = (uint32_t)(array_map(array)->generation % SUPER_SLOTS);
	uint8_t *slot = rack_bytes(&rack, 0) + super_offset(&uuid, last, &native),
		before[BLOCK_SIZE];
	struct super super;
	struct err err = { 0 };
	struct findings findings;

	(void)state;
	memcpy(before, slot, BLOCK_SIZE);
	assert_int_equal(super_decode(&super, slot, super_offset(&uuid, last, &native), &err), 0);

	memset(slot, 0, BLOCK_SIZE); /* an empty one, where the last commit wrote */
	findings = check(&rack, array);
	assert_found(&findings, "superblock", 0, super.offset, "no pgctl superblock");

	struct super wrong = super;
	wrong.generation -= SUPER_SLOTS; /* a write that was lost */
	super_encode(slot, &wrong);
	findings = check(&rack, array);
	assert_found(&findings, "superblock", 0, super.offset, "last commit");

	wrong = super;
	wrong.map_length += BLOCK_SIZE;
	super_encode(slot, &wrong);
	findings = check(&rack, array);
	assert_found(&findings, "superblock", 0, super.offset, "something else");

	wrong = super;
	wrong.map_crc ^= 1;
	super_encode(slot, &wrong);
	findings = check(&rack, array);
	assert_found(&findings, "superblock", 0, super.offset, "apart");

	wrong = super;
	wrong.generation += SUPER_SLOTS;
	super_encode(slot, &wrong);
	findings = check(&rack, array);
	assert_found(&findings, "superblock", 0, super.offset, "later commit");

	wrong = super;
	wrong.array.bytes[0] ^= 1;
	super_encode(slot, &wrong);
	findings = check(&rack, array);
	assert_found(&findings, "superblock", 0, super.offset, "another array");

	memcpy(slot, before, BLOCK_SIZE);
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	rack_close(&rack);
}

/* One byte in each block of each copy: found to the block. */
static void every_damaged_block_of_a_copy_is_found(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);
	uint64_t length = array->commit.length;

	(void)state;
	assert_true(length >= 5 * BLOCK_SIZE);
	for (uint32_t slot = 0; slot < DISKS; slot++) {
		uint64_t offset = array->members[slot].regions.map_offset +
				  array->commit.half * array_map(array)->geometry.map_half_size;

		for (uint64_t at = 0; at < length; at += BLOCK_SIZE) {
			uint8_t *byte = rack_bytes(&rack, slot) + offset + at + 77;

			*byte ^= 0x10;
			struct findings findings = check(&rack, array);
			assert_found(&findings, "map", slot, offset + at, "differs");
			assert_int_equal(findings.at[0].length, BLOCK_SIZE);
			assert_int_equal(findings.at[0].offset, offset + at);
			*byte ^= 0x10;
		}
	}
	array_close(array);
	rack_close(&rack);
}

/* No copy verifies any more: each is named with what is wrong with it. */
static void damage_in_all_copies_is_found_in_each(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);

	(void)state;
	for (uint32_t slot = 0; slot < DISKS; slot++) {
		uint64_t offset = array->members[slot].regions.map_offset +
				  array->commit.half * array_map(array)->geometry.map_half_size;

		rack_bytes(&rack, slot)[offset + 200] ^= 1;
	}
	struct findings findings = check(&rack, array);
	assert_int_equal(findings.count, DISKS);
	for (uint32_t i = 0; i < DISKS; i++) {
		assert_string_equal(findings.at[i].kind, "map");
		assert_int_equal(findings.at[i].slot, i);
		assert_non_null(strstr(findings.texts[i], "bad checksum"));
	}
	array_close(array);
	rack_close(&rack);
}

/* A disk that cannot be read is a finding for each place, not the end of the check. */
static void what_cannot_be_read_is_found(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);

	(void)state;
	rack.fail_at[1] = 0;
	struct findings findings = check(&rack, array);
	assert_int_equal(findings.count, SUPER_SLOTS + 1);
	for (uint32_t i = 0; i < findings.count; i++) {
		assert_int_equal(findings.at[i].slot, 1);
		assert_non_null(strstr(findings.texts[i], "cannot be read"));
	}
	array_close(array);
	rack_close(&rack);
}

/* A member that missed commits is behind, not damaged; one that is absent is not looked at. */
static void members_behind_or_absent_are_no_findings(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);
	struct err err = { 0 };

	(void)state;
	array_close(array);
	array = rack_array_of(&rack, 3, ARRAY_WRITE);
	assert_int_equal(check(&rack, array).count, 0);
	assert_int_equal(array_volume_rename(array, "v0", "w", &err), 0);
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	array = rack_array_of(&rack, 7, ARRAY_WRITE);
	assert_int_equal(array_presence(array, 2), PRESENT_STALE);
	assert_int_equal(check(&rack, array).count, 0);
	assert_int_equal(array_volume_rename(array, "v1", "x", &err), 0);
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	rack_close(&rack);
}

/* A rule that the map breaks, and free space that is not what the map leaves. */
static void rules_and_free_space_are_checked(void **state)
{
	struct rack rack;
	struct array *array = array_make(&rack);
	struct group *group = array_map(array)->groups[0];
	uint32_t slot = group->extents[1].slot, frame;

	(void)state;
	group->extents[1].slot = group->extents[0].slot;
	struct findings findings = check(&rack, array);
	assert_int_equal(findings.count, 1);
	assert_string_equal(findings.at[0].kind, "rule");
	assert_int_equal(findings.at[0].slot, MEMBER_NONE);
	assert_non_null(strstr(findings.texts[0], "two extents on member"));
	group->extents[1].slot = slot;

	assert_true(space_take(array->space, 1, 0, false, &frame));
	findings = check(&rack, array);
	assert_int_equal(findings.count, 1);
	assert_string_equal(findings.at[0].kind, "rule");
	assert_non_null(strstr(findings.texts[0], "member 1"));
	space_give(array->space, 1, 0, frame);
	assert_int_equal(check(&rack, array).count, 0);
	array_close(array);
	rack_close(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_array_has_no_findings),
		cmocka_unit_test(every_damaged_slot_is_found),
		cmocka_unit_test(slots_that_verify_but_are_wrong_are_found),
		cmocka_unit_test(every_damaged_block_of_a_copy_is_found),
		cmocka_unit_test(damage_in_all_copies_is_found_in_each),
		cmocka_unit_test(what_cannot_be_read_is_found),
		cmocka_unit_test(members_behind_or_absent_are_no_findings),
		cmocka_unit_test(rules_and_free_space_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
