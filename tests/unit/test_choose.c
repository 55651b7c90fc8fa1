/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Choosing: aim is that of any superblocks the commit is taken that was acknowledged last, and that each
 * other one is known for what it is.
 * Method: a truth table, written as the story of an array: epochs 1 (both members), 2 (one), 3 (both).
 */
#include "core/store/choose.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAP_CRC 0xc0ffeeu

/* Epochs of a map at generation 30: 5 from generation 10, 6 from 20, 8 from 28. */
static const struct map map = {
	.generation = 30,
	.epoch_count = 3,
	.epochs = { { 5, 500, 10, { 3 } }, { 6, 600, 20, { 1 } }, { 8, 800, 28, { 3 } } },
};

static struct super super_at(uint64_t epoch, uint64_t id, uint64_t generation)
{
	return (struct super){ .epoch = epoch,
			       .epoch_id = id,
			       .generation = generation,
			       .map_crc = MAP_CRC,
			       .present = { 3 } };
}

static struct super super_of(uint32_t slot, uint64_t epoch, uint64_t id, uint64_t generation,
			     uint64_t present)
{
	struct super super = super_at(epoch, id, generation);

	super.member_slot = slot;
	super.present.bits = present;
	return super;
}

/* A commit that began an epoch reached one member, which was then away while the others went on. */
static void epoch_that_nobody_else_knows_never_was(void **state)
{
	const struct super alone = super_of(0, 8, 801, 40, 7), other = super_of(1, 8, 800, 30, 6),
			   third = super_of(2, 8, 800, 30, 6);
	const struct super supers[] = { alone, other, third };

	(void)state;
	assert_true(choose_refuted(&alone, &other));
	assert_false(choose_refuted(&other, &alone)); /* which took no part in that epoch */
	assert_int_equal(choose_newest(supers, 3), 1);
	assert_int_equal(choose_judge(&map, MAP_CRC, &alone), CHOOSE_FORK); /* by itself */
}

/*
 * The commit that took member 0 in again reached it alone; the others, who are still in the epoch without it, went
 * on in that one.
 */
static void epoch_that_began_on_a_member_that_left_again_never_was(void **state)
{
	const struct super alone = super_of(0, 8, 801, 40, 7), other = super_of(1, 7, 700, 40, 6);
	const struct super third = super_of(2, 7, 700, 41, 6), behind = super_of(1, 7, 700, 39, 6);

	(void)state;
	assert_int_equal(choose_newest((const struct super[]){ alone, other, third }, 3), 2);
	/* As a commit leaves it that was cut off, and may be completed. */
	assert_false(choose_refuted(&alone, &behind));
	assert_int_equal(choose_newest((const struct super[]){ behind, alone }, 2), 1);
}

/* Each branch was written without a member of the other: nobody can say which one counts. */
static void branches_without_a_common_member_refute_nobody(void **state)
{
	const struct super one = super_of(0, 8, 801, 40, 1), other = super_of(1, 8, 800, 30, 6);
	const struct super before = super_of(2, 6, 600, 27, 7);

	(void)state;
	assert_false(choose_refuted(&one, &other));
	assert_false(choose_refuted(&other, &one));
	assert_false(choose_refuted(&one, &before)); /* an ancestor of both proves nothing */
	assert_int_equal(choose_newest((const struct super[]){ before, other, one }, 3), 2);
}

static void verdicts_follow_the_list_of_epochs(void **state)
{
	static const struct {
		const char *story;
		uint64_t epoch, id, generation;
		uint32_t crc;
		enum choose_verdict verdict;
	} cases[] = {
		{ "the commit itself", 8, 800, 30, MAP_CRC, CHOOSE_CURRENT },
		{ "same numbers, other content", 8, 800, 30, 1, CHOOSE_FORK },
		{ "missed the last commit", 8, 800, 29, 1, CHOOSE_STALE },
		{ "missed all of this epoch but the first", 8, 800, 28, 1, CHOOSE_STALE },
		{ "lone newer slot whose map was not taken", 8, 800, 31, 1, CHOOSE_AHEAD },
		{ "present epoch, begun by another", 8, 801, 30, MAP_CRC, CHOOSE_FORK },
		{ "present epoch, begun by another, older", 8, 801, 29, 1, CHOOSE_FORK },
		{ "last of the epoch before", 6, 600, 27, 1, CHOOSE_STALE },
		{ "first of the epoch before", 6, 600, 20, 1, CHOOSE_STALE },
		{ "commit that the next epoch overtook", 6, 600, 28, 1, CHOOSE_AHEAD },
		{ "several such commits", 6, 600, 31, 1, CHOOSE_AHEAD },
		{ "epoch before, written apart", 6, 601, 25, 1, CHOOSE_FORK },
		{ "an epoch that this array never had", 7, 700, 27, 1, CHOOSE_FORK },
		{ "a later epoch that nobody chose", 9, 900, 31, 1, CHOOSE_FORK },
		{ "oldest epoch that is remembered", 5, 500, 19, 1, CHOOSE_STALE },
		{ "ahead in the oldest epoch", 5, 500, 20, 1, CHOOSE_AHEAD },
		{ "older than the map remembers", 4, 400, 9, 1, CHOOSE_UNKNOWN },
		{ "from the very beginning", 1, 1, 1, 1, CHOOSE_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct super super = super_at(cases[i].epoch, cases[i].id, cases[i].generation);

		super.map_crc = cases[i].crc;
		enum choose_verdict verdict = choose_judge(&map, MAP_CRC, &super);
		if (verdict != cases[i].verdict)
			fail_msg("%s: %d, expected %d", cases[i].story, (int)verdict,
				 (int)cases[i].verdict);
	}
}

/* Epoch before generation: an old branch may have counted further. All orders of three. */
static void newest_is_by_epoch_then_generation(void **state)
{
	const struct super all[] = { super_at(5, 500, 99), super_at(8, 800, 29),
				     super_at(8, 800, 30) };
	static const uint32_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct super supers[3];

		for (uint32_t j = 0; j < 3; j++)
			supers[j] = all[orders[i][j]];
		uint32_t best = choose_newest(supers, 3);
		assert_int_equal(supers[best].generation, 30);
		assert_int_equal(choose_newest(supers, 1), 0);
	}
}

static void same_commit_means_the_same_bytes(void **state)
{
	const struct super a = super_at(8, 800, 30);
	struct super b;

	(void)state;
	assert_true(choose_same_commit(&a, &a));
	b = a;
	b.member_slot = 7; /* whose it is does not matter */
	assert_true(choose_same_commit(&a, &b));
	b = a;
	b.epoch_id++;
	assert_false(choose_same_commit(&a, &b));
	b = a;
	b.generation++;
	assert_false(choose_same_commit(&a, &b));
	b = a;
	b.map_crc++;
	assert_false(choose_same_commit(&a, &b));
	b = a;
	b.map_length += BLOCK_SIZE;
	assert_false(choose_same_commit(&a, &b));
	b = a;
	b.map_half = 1;
	assert_false(choose_same_commit(&a, &b));
}

/* Going back is right only where a member that took part shows that nobody was told of the commit. */
static void falling_back_needs_a_witness(void **state)
{
	static const struct {
		const char *story;
		uint64_t epoch, id, generation;
		uint32_t member;
		bool may;
	} cases[] = {
		{ "took part, has the one before", 8, 800, 29, 1, true },
		{ "took part, has an older one", 8, 800, 28, 0, true },
		{ "did not take part", 8, 800, 29, 2, false },
		{ "knows the commit", 8, 800, 30, 1, false },
		{ "of an older epoch", 6, 600, 27, 1, false },
		{ "of another branch", 8, 801, 29, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct super supers[2] = { super_at(8, 800, 30),
					   super_at(cases[i].epoch, cases[i].id,
						    cases[i].generation) };

		supers[1].member_slot = cases[i].member;
		uint32_t chosen = choose_fallback(supers, 2, 0);
		if (chosen != (cases[i].may ? 1 : 2))
			fail_msg("%s: %u", cases[i].story, chosen);
	}
	/* of several witnesses the newest */
	const struct super supers[3] = { super_at(8, 800, 28), super_at(8, 800, 30),
					 super_at(8, 800, 29) };
	assert_int_equal(choose_fallback(supers, 3, 1), 2);
	assert_int_equal(choose_fallback(supers, 3, 2), 0);
	assert_int_equal(choose_fallback(supers, 3, 0), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_follow_the_list_of_epochs),
		cmocka_unit_test(epoch_that_nobody_else_knows_never_was),
		cmocka_unit_test(epoch_that_began_on_a_member_that_left_again_never_was),
		cmocka_unit_test(branches_without_a_common_member_refute_nobody),
		cmocka_unit_test(newest_is_by_epoch_then_generation),
		cmocka_unit_test(same_commit_means_the_same_bytes),
		cmocka_unit_test(falling_back_needs_a_witness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
