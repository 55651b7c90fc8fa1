/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: starts are those that makers choose between what is empty and what is not, headers are known, and candidates are kept,
 * ordered and believed as detect_rank.h says. Method: a small striped pile whose layout is known, true and wrong candidates
 * put in by hand.
 */
#include "tests/unit/detect_help.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START 16u
#define CHUNK 4u
#define VOLUME_BLOCKS 160u

/* Two stripes of a log behind START blocks of zeros. */
struct bench {
	struct pile_made made;
	struct detect_pile pile;
	struct joins *joins;
	struct detect_starts starts;
	uint8_t *volume;
	struct ranked *ranked;
	struct ranking ranking;
};

static int bench_open(void **state)
{
	static const char *const slots[] = { "01", NULL };
	static const uint8_t images[] = { 0, 1 };
	const struct rows rows = { slots, 2, CHUNK, START, images };
	struct bench *bench = mem_calloc(1, sizeof(*bench));
	struct err err = { 0 };

	assert_non_null(bench);
	bench->volume = log_make(VOLUME_BLOCKS, 3);
	bench->ranked = mem_calloc(1, sizeof(*bench->ranked));
	assert_non_null(bench->ranked);
	pile_make(&bench->made, 2, START + VOLUME_BLOCKS / 2);
	pile_place(&bench->made, &rows, bench->volume, VOLUME_BLOCKS);
	assert_int_equal(detect_pile_read(&bench->pile, bench->made.list, 2, &err), 0);
	assert_int_equal(joins_create(&bench->joins, &bench->pile, &err), 0);
	detect_starts_find(&bench->starts, &bench->pile, bench->joins, images, 2, 0);
	bench->ranking = (struct ranking){ &bench->pile, bench->joins, &bench->starts, NULL };
	*state = bench;
	return 0;
}

static int bench_close(void **state)
{
	struct bench *bench = *state;

	joins_free(bench->joins);
	detect_pile_reset(&bench->pile);
	pile_free(&bench->made);
	mem_free(bench->volume);
	mem_free(bench->ranked);
	mem_free(bench);
	return 0;
}

static struct detect_candidate striped(uint32_t chunk, uint32_t start, uint8_t first)
{
	struct detect_candidate candidate = {
		.layout = {
			.members = 2,
			.chunk_blocks = chunk,
			.start = start,
			.images = { first, (uint8_t)(1 - first) },
			.computed = DETECT_MISSING,
		},
	};

	return candidate;
}

static void starts_lie_before_the_first_content(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(bench->starts.lead, START);
	assert_int_equal(bench->starts.at[0].block, START);
	for (uint32_t i = 0; i < bench->starts.count; i++) {
		assert_true(bench->starts.at[i].block <= START);
		assert_true(i == 0 || bench->starts.at[i].prior <= bench->starts.at[i - 1].prior);
	}
}

static void headers_are_known_where_they_begin(void **state)
{
	struct bench *bench = *state;
	uint8_t *block = bench->pile.images[1].bytes + START * BLOCK_SIZE;
	uint8_t *kept = mem_calloc(1, BLOCK_SIZE);
	double none = detect_start_worth(&bench->pile, 1, START);

	assert_non_null(kept);
	memcpy(kept, block, BLOCK_SIZE);
	assert_true(none < 0.001);
	memcpy(block, "XFSB", 4);
	assert_true(detect_start_worth(&bench->pile, 1, START) > 5);
	memcpy(block, "LUKS\xba\xbe", 6);
	assert_true(detect_start_worth(&bench->pile, 1, START) > 5);
	assert_true(detect_start_worth(&bench->pile, 1, START + 1) < 0.001);
	assert_true(detect_start_worth(&bench->pile, 1, UINT64_C(1) << 40) < 0.001);
	memcpy(block, kept, BLOCK_SIZE);
	mem_free(kept);
}

static void one_volume_is_one_candidate(void **state)
{
	struct bench *bench = *state;
	struct detect_candidate one = striped(4, 16, 0), again = one, mirror = one;

	bench->ranked->count = 0;
	one.nats = 1;
	again.nats = 2;
	ranked_add(bench->ranked, &one);
	ranked_add(bench->ranked, &again);
	assert_int_equal(bench->ranked->count, 1);
	assert_true(bench->ranked->at[0].nats > 1.5);
	ranked_add(bench->ranked, &one);
	assert_true(bench->ranked->at[0].nats > 1.5);
	mirror.layout.images[0] = 1;
	mirror.layout.images[1] = 0;
	ranked_add(bench->ranked, &mirror);
	assert_int_equal(bench->ranked->count, 2);
}

static void the_truth_is_believed_but_not_quite(void **state)
{
	struct bench *bench = *state;

	bench->ranked->count = 0;
	for (uint32_t chunk = 1; chunk <= 16; chunk *= 2) {
		for (uint8_t first = 0; first < 2; first++) {
			const struct detect_candidate candidate = striped(chunk, START, first);

			ranked_add(bench->ranked, &candidate);
		}
	}
	assert_true(ranked_judge(bench->ranked, &bench->ranking));
	assert_int_equal(bench->ranked->at[0].layout.chunk_blocks, CHUNK);
	assert_int_equal(bench->ranked->at[0].layout.images[0], 0);
	assert_true(bench->ranked->at[0].confidence > 0.9);
	assert_true(bench->ranked->at[0].confidence < 0.99);
	assert_int_equal(bench->ranked->at[0].bytes, VOLUME_BLOCKS * BLOCK_SIZE);
}

static void what_fails_costs(void **state)
{
	struct bench *bench = *state;
	struct detect_candidate right = striped(CHUNK, START, 0), wrong = striped(CHUNK, START, 1);

	bench->ranked->count = 0;
	right.misfit = 100000;
	ranked_add(bench->ranked, &right);
	ranked_add(bench->ranked, &wrong);
	(void)ranked_judge(bench->ranked, &bench->ranking);
	assert_int_equal(bench->ranked->at[0].layout.images[0], 1);
}

static void without_candidates_nothing_is_decided(void **state)
{
	struct bench *bench = *state;

	bench->ranked->count = 0;
	assert_false(ranked_judge(bench->ranked, &bench->ranking));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_lie_before_the_first_content),
		cmocka_unit_test(headers_are_known_where_they_begin),
		cmocka_unit_test(one_volume_is_one_candidate),
		cmocka_unit_test(the_truth_is_believed_but_not_quite),
		cmocka_unit_test(what_fails_costs),
		cmocka_unit_test(without_candidates_nothing_is_decided),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
