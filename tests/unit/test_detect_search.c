/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the search finds the layouts that leave exact traces, and the order that only content tells, also with a member
 * missing, and two arrays in one pile come apart. Method: half a MiB of a log, placed by rows that are written out here as
 * the pictures of md(4) show them, images in another order.
 */
#include "tests/unit/detect_help.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define VOLUME_BLOCKS 192u

static const char *const left_symmetric_5[] = { "012P", "12P0", "2P01", "P012", NULL };
static const char *const left_symmetric_6[] = { "Q01P", "01PQ", "1PQ0", "PQ01", NULL };
static const char *const striped[] = { "012", NULL };

struct expected {
	uint32_t level, chunk, start, members;
	const uint8_t *images;
};

static void assert_first(const struct detect_array *array, const struct expected *expected)
{
	const struct detect_layout *layout = &array->candidates[0].layout;

	assert_true(array->candidate_count > 0);
	assert_int_equal(layout->level, expected->level);
	assert_int_equal(layout->chunk_blocks, expected->chunk);
	assert_int_equal(layout->start, expected->start);
	assert_int_equal(layout->members, expected->members);
	assert_memory_equal(layout->images, expected->images, expected->members);
}

/* One array of these rows, whose first candidate is the truth. */
static void try_rows(const struct rows *rows, uint32_t level, uint32_t present)
{
	const struct expected expected = { level, rows->chunk, rows->start, rows->members,
					   rows->images };
	struct detect_report *report = mem_calloc(1, sizeof(*report));
	uint8_t *volume = log_make(VOLUME_BLOCKS, 5);
	struct pile_made pile;

	assert_non_null(report);
	pile_make(&pile, present, rows->start + 100);
	pile_place(&pile, rows, volume, VOLUME_BLOCKS);
	pile_detect(report, &pile);
	assert_int_equal(report->array_count, 1);
	assert_first(&report->arrays[0], &expected);
	assert_false(report->arrays[0].undecidable);
	assert_true(report->arrays[0].candidates[0].confidence < 0.99);
	detect_report_reset(report);
	mem_free(report);
	mem_free(volume);
	pile_free(&pile);
}

static void raid5_by_content(void **state)
{
	static const uint8_t images[] = { 2, 0, 3, 1 };
	const struct rows rows = { left_symmetric_5, 4, 2, 16, images };

	(void)state;
	try_rows(&rows, 5, 4);
}

static void raid5_with_a_member_missing(void **state)
{
	static const uint8_t images[] = { 1, DETECT_MISSING, 2, 0 };
	const struct rows rows = { left_symmetric_5, 4, 2, 16, images };

	(void)state;
	try_rows(&rows, 5, 3);
}

static void raid6_by_syndromes(void **state)
{
	static const uint8_t images[] = { 3, 1, 0, 2 }, without[] = { 2, 0, DETECT_MISSING, 1 };
	const struct rows rows = { left_symmetric_6, 4, 2, 16, images };
	const struct rows missing = { left_symmetric_6, 4, 2, 16, without };

	(void)state;
	try_rows(&rows, 6, 4);
	try_rows(&missing, 6, 3);
}

static void raid0_by_content(void **state)
{
	static const uint8_t images[] = { 1, 2, 0 };
	const struct rows rows = { striped, 3, 4, 0, images };

	(void)state;
	try_rows(&rows, 0, 3);
}

/* Nobody can know: it is said, and no candidate is believed. */
static void random_stripes_are_undecidable(void **state)
{
	struct detect_report *report = mem_calloc(1, sizeof(*report));
	struct rng rng = rng_seeded(11);
	struct pile_made pile;

	(void)state;
	assert_non_null(report);
	pile_make(&pile, 3, 64);
	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t at = 0; at < 64 * BLOCK_SIZE; at += 8)
			put_le64(pile.bytes[i] + at, rng_next(&rng));
	}
	pile_detect(report, &pile);
	assert_int_equal(report->array_count, 1);
	assert_true(report->arrays[0].undecidable);
	for (uint32_t i = 0; i < report->arrays[0].candidate_count; i++)
		assert_true(report->arrays[0].candidates[i].confidence < 0.5);
	detect_report_reset(report);
	mem_free(report);
	pile_free(&pile);
}

/* Two mirrors of one thing and a RAID-5 of another, of one size. */
static void arrays_in_one_pile_come_apart(void **state)
{
	static const uint8_t images[] = { 4, 0, 2 }, mirrors[] = { 1, 3 };
	static const char *const small[] = { "01P", "1P0", "P01", NULL };
	static const char *const copies[] = { "00", NULL };
	const struct rows rows = { small, 3, 2, 16, images };
	const struct rows pair = { copies, 2, 1, 16, mirrors };
	struct detect_report *report = mem_calloc(1, sizeof(*report));
	uint8_t *one = log_make(VOLUME_BLOCKS, 6), *other = log_make(VOLUME_BLOCKS, 7);
	struct pile_made pile;
	uint32_t found = 0;

	(void)state;
	assert_non_null(report);
	pile_make(&pile, 5, 112);
	pile_place(&pile, &rows, one, VOLUME_BLOCKS);
	pile_place(&pile, &pair, other, VOLUME_BLOCKS);
	pile_detect(report, &pile);
	assert_int_equal(report->array_count, 2);
	for (uint32_t a = 0; a < 2; a++) {
		const struct expected five = { 5, 2, 16, 3, images };

		found |= 1u << report->arrays[a].candidates[0].layout.level;
		if (report->arrays[a].candidates[0].layout.level == 5)
			assert_first(&report->arrays[a], &five);
	}
	assert_int_equal(found, 1u << 5 | 1u << 1);
	detect_report_reset(report);
	mem_free(report);
	mem_free(one);
	mem_free(other);
	pile_free(&pile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raid5_by_content),
		cmocka_unit_test(raid5_with_a_member_missing),
		cmocka_unit_test(raid6_by_syndromes),
		cmocka_unit_test(raid0_by_content),
		cmocka_unit_test(random_stripes_are_undecidable),
		cmocka_unit_test(arrays_in_one_pile_come_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
