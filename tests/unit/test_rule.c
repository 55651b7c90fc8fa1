/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: columns lie where the kernel puts them. Method: tables drawn by hand as md(4) and the kernel's comments show
 * them, one letter a chunk; then for all numbers of members that no place is used twice and every row is full.
 */
#include "core/map/rule.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct picture {
	enum parity_order order;
	uint32_t members, checks;
	const char *rows[6]; /* one member a letter: data 0 is 'a' in each row */
};

static const struct picture pictures[] = {
	{ ORDER_LEFT_ASYMMETRIC, 4, 1, { "abcP", "abPc", "aPbc", "Pabc", "abcP" } },
	{ ORDER_RIGHT_ASYMMETRIC, 4, 1, { "Pabc", "aPbc", "abPc", "abcP", "Pabc" } },
	{ ORDER_LEFT_SYMMETRIC, 4, 1, { "abcP", "bcPa", "cPab", "Pabc", "abcP" } },
	{ ORDER_RIGHT_SYMMETRIC, 4, 1, { "Pabc", "cPab", "bcPa", "abcP", "Pabc" } },
	{ ORDER_PARITY_FIRST, 4, 1, { "Pabc", "Pabc" } },
	{ ORDER_PARITY_LAST, 4, 1, { "abcP", "abcP" } },
	{ ORDER_LEFT_ASYMMETRIC, 5, 2, { "QabcP", "abcPQ", "abPQc", "aPQbc", "PQabc", "QabcP" } },
	{ ORDER_RIGHT_ASYMMETRIC, 5, 2, { "PQabc", "aPQbc", "abPQc", "abcPQ", "QabcP", "PQabc" } },
	{ ORDER_LEFT_SYMMETRIC, 5, 2, { "QabcP", "abcPQ", "bcPQa", "cPQab", "PQabc", "QabcP" } },
	{ ORDER_RIGHT_SYMMETRIC, 5, 2, { "PQabc", "cPQab", "bcPQa", "abcPQ", "QabcP", "PQabc" } },
	{ ORDER_PARITY_FIRST, 5, 2, { "PQabc", "PQabc" } },
	{ ORDER_PARITY_LAST, 5, 2, { "abcPQ", "abcPQ" } },
	{ ORDER_DDF_ZERO_RESTART, 5, 2, { "PQabc", "aPQbc", "abPQc", "abcPQ", "QabcP", "PQabc" } },
	{ ORDER_DDF_N_RESTART, 5, 2, { "abcPQ", "abPQc", "aPQbc", "PQabc", "QabcP", "abcPQ" } },
	{ ORDER_DDF_N_CONTINUE, 5, 2, { "abcQP", "bcQPa", "cQPab", "QPabc", "PabcQ", "abcQP" } },
	{ ORDER_LEFT_ASYMMETRIC_6, 5, 2, { "abcPQ", "abPcQ", "aPbcQ", "PabcQ", "abcPQ" } },
	{ ORDER_RIGHT_ASYMMETRIC_6, 5, 2, { "PabcQ", "aPbcQ", "abPcQ", "abcPQ", "PabcQ" } },
	{ ORDER_LEFT_SYMMETRIC_6, 5, 2, { "abcPQ", "bcPaQ", "cPabQ", "PabcQ", "abcPQ" } },
	{ ORDER_RIGHT_SYMMETRIC_6, 5, 2, { "PabcQ", "cPabQ", "bcPaQ", "abcPQ", "PabcQ" } },
	{ ORDER_PARITY_FIRST_6, 5, 2, { "PabcQ", "PabcQ" } },
};

#define UNIT 4u

static struct rule parity_rule(enum parity_order order, uint32_t members, uint32_t checks)
{
	const struct rule rule = {
		.kind = RULE_TURNED_PARITY,
		.unit_blocks = UNIT,
		.members = members,
		.order = order,
		.checks = checks,
	};
	struct err err = { 0 };

	if (rule_check(&rule, &err))
		fail_msg("%s", err.text);
	return rule;
}

static void test_parity_orders_are_the_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
		const struct picture *picture = &pictures[i];
		struct rule rule = parity_rule(picture->order, picture->members, picture->checks);
		uint32_t data = picture->members - picture->checks;

		for (uint32_t s = 0; s < 6 && picture->rows[s]; s++) {
			char row[RULE_MEMBERS_MAX + 1] = "";

			for (uint32_t c = 0; c < picture->members; c++) {
				struct rule_place place = rule_place(&rule, c, s * UNIT + 1);

				assert_int_equal(place.block, s * UNIT + 1);
				assert_int_equal(place.run, UNIT - 1);
				row[place.position] = (char)(c < data    ? 'a' + (int)c
							     : c == data ? 'P'
									 : 'Q');
			}
			if (strcmp(row, picture->rows[s]) != 0)
				fail_msg("%s of %u, row %u: %s, not %s",
					 parity_order_name(picture->order), picture->members, s,
					 row, picture->rows[s]);
		}
	}
}

static void test_names_lead_back(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ORDER_COUNT; i++)
		assert_int_equal(parity_order_named(parity_order_name((enum parity_order)i)), i);
	assert_int_equal(parity_order_named("left"), ORDER_COUNT);
}

/* Exponents are 0..k-1, each once; DDF's are the members' numbers. */
static void test_exponents(void **state)
{
	struct rule left = parity_rule(ORDER_LEFT_ASYMMETRIC, 5, 2);
	struct rule same = parity_rule(ORDER_LEFT_SYMMETRIC, 6, 2);
	struct rule ddf = parity_rule(ORDER_DDF_N_CONTINUE, 5, 2);
	struct rule last = parity_rule(ORDER_RIGHT_SYMMETRIC_6, 5, 2);

	(void)state;
	/* abPQc: counted from behind Q it is c a b */
	assert_int_equal(rule_exponent(&left, 0, 2), 1);
	assert_int_equal(rule_exponent(&left, 1, 2), 2);
	assert_int_equal(rule_exponent(&left, 2, 2), 0);
	for (uint64_t s = 0; s < 12; s++) {
		for (uint32_t c = 0; c < 4; c++)
			assert_int_equal(rule_exponent(&same, c, s), c);
	}
	/* bcQPa */
	assert_int_equal(rule_exponent(&ddf, 0, 1), 4);
	assert_int_equal(rule_exponent(&ddf, 1, 1), 0);
	assert_int_equal(rule_exponent(&ddf, 2, 1), 1);
	/* cPabQ */
	assert_int_equal(rule_exponent(&last, 0, 1), 1);
	assert_int_equal(rule_exponent(&last, 1, 1), 2);
	assert_int_equal(rule_exponent(&last, 2, 1), 0);
}

/* Every column of a row on another member, for all orders and numbers of members. */
static void test_no_place_twice(void **state)
{
	(void)state;
	for (uint32_t o = 0; o < ORDER_COUNT; o++) {
		for (uint32_t n = 3; n <= 9; n++) {
			struct rule rule = parity_rule((enum parity_order)o, n, 2);

			for (uint64_t s = 0; s < 20; s++) {
				uint64_t members = 0;

				for (uint32_t c = 0; c < n; c++)
					members |= UINT64_C(1)
						   << rule_place(&rule, c, s * UNIT).position;
				assert_int_equal(members, (UINT64_C(1) << n) - 1);
			}
		}
	}
}

struct copies {
	uint32_t members, near, far;
	bool offset;
	uint32_t far_set;
	uint64_t stride;
	const char *rows[5]; /* chunk 0 is 'a'; rows of far copies from row `stride` on */
};

static const struct copies copy_pictures[] = {
	{ 4, 2, 1, false, 4, 0, { "aabb", "ccdd" } },
	{ 5, 2, 1, false, 5, 0, { "aabbc", "cddee", "ffggh" } },
	{ 5, 3, 1, false, 5, 0, { "aaabb", "bcccd", "ddeee" } },
	{ 4, 1, 2, false, 4, 2, { "abcd", "efgh", "dabc", "hefg" } },
	{ 4, 1, 2, false, 2, 2, { "abcd", "efgh", "badc", "fehg" } },
	{ 5, 1, 2, false, 2, 2, { "abcde", "fghij", "baecd", "gfjhi" } },
	{ 3, 1, 2, true, 3, 1, { "abc", "cab", "def", "fde" } },
	{ 4, 2, 2, false, 4, 2, { "aabb", "ccdd", "bbaa", "ddcc" } },
};

static void test_copies_are_the_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(copy_pictures) / sizeof(copy_pictures[0]); i++) {
		const struct copies *picture = &copy_pictures[i];
		const struct rule rule = {
			.kind = RULE_COPIES,
			.unit_blocks = UNIT,
			.members = picture->members,
			.near = picture->near,
			.far = picture->far,
			.offset = picture->offset,
			.far_set = picture->far_set,
			.far_stride_units = picture->stride,
		};
		char rows[5][8] = { "" };
		struct err err = { 0 };

		assert_int_equal(rule_check(&rule, &err), 0);
		for (uint64_t s = 0; s < 20; s++) {
			for (uint32_t c = 0; c < rule_columns(&rule); c++) {
				struct rule_place place = rule_place(&rule, c, s * UNIT + 3);

				assert_int_equal(place.run, 1);
				assert_int_equal(place.block % UNIT, 3);
				if (place.block / UNIT < 5 &&
				    !rows[place.block / UNIT][place.position])
					rows[place.block / UNIT][place.position] =
						(char)('a' + (int)s);
			}
		}
		for (uint32_t r = 0; r < 5 && picture->rows[r]; r++)
			assert_string_equal(rows[r], picture->rows[r]);
	}
}

static void test_numbers_out_of_bounds_are_refused(void **state)
{
	const struct rule bad[] = {
		{ RULE_TURNED_PARITY, 0, 4, ORDER_LEFT_SYMMETRIC, 1 },
		{ RULE_TURNED_PARITY, UNIT, 1, ORDER_LEFT_SYMMETRIC, 1 },
		{ RULE_TURNED_PARITY, UNIT, 65, ORDER_LEFT_SYMMETRIC, 1 },
		{ RULE_TURNED_PARITY, UNIT, 4, ORDER_COUNT, 1 },
		{ RULE_TURNED_PARITY, UNIT, 4, ORDER_DDF_N_RESTART, 1 },
		{ RULE_TURNED_PARITY, UNIT, 4, ORDER_LEFT_SYMMETRIC, 3 },
		{ RULE_COPIES, UNIT, 3, .near = 2, .far = 2, .far_set = 3, .far_stride_units = 1 },
		{ RULE_COPIES, UNIT, 4, .near = 1, .far = 2, .far_set = 1, .far_stride_units = 1 },
		{ RULE_COPIES, UNIT, 4, .near = 1, .far = 2, .far_set = 4 },
		{ RULE_COPIES, UNIT, 4, .near = 0, .far = 1, .far_set = 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };

		assert_int_equal(rule_check(&bad[i], &err), ERR_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parity_orders_are_the_kernels),
		cmocka_unit_test(test_names_lead_back),
		cmocka_unit_test(test_exponents),
		cmocka_unit_test(test_no_place_twice),
		cmocka_unit_test(test_copies_are_the_kernels),
		cmocka_unit_test(test_numbers_out_of_bounds_are_refused),
	};

	return cmocka_run_group_tests_name("rule", tests, NULL, NULL);
}
