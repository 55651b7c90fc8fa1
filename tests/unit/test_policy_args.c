/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words of create, put and volume: aim is that each option changes what it names and is refused where it
 * has no meaning; labels and job numbers likewise; lost ranges come out joined and in order. Method: tables
 * of words and what must come of them.
 */
#include "cli/job_number.h"
#include "cli/labels.h"
#include "cli/losses.h"
#include "cli/policy_args.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct geometry geometry = { .frame_body_blocks = 64 };
static const struct policy_args none = POLICY_ARGS_NONE;

/* An array of parity 2 and width 6 with extents of two frames. */
static struct policy base(void)
{
	return (struct policy){ .layout = LAYOUT_PARITY,
				.checks = 2,
				.columns = 6,
				.unit_blocks = 16,
				.size_class = 1,
				.journal = JOURNAL_SMALL };
}

static void no_option_changes_nothing(void **state)
{
	struct policy policy = base(), before = base();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(policy_args_apply(&policy, &none, &geometry, &err), 0);
	assert_memory_equal(&policy, &before, sizeof(policy));
}

static void another_layout_begins_with_its_own_defaults(void **state)
{
	static const uint16_t checks[LAYOUT_COUNT] = { 0, 1, 2, 1 };
	struct err err = { 0 };

	(void)state;
	for (int layout = 0; layout < LAYOUT_COUNT; layout++) {
		struct policy policy = base();
		struct policy_args args = none;

		args.layout = layout;
		assert_int_equal(policy_args_apply(&policy, &args, &geometry, &err), 0);
		assert_int_equal(policy.layout, layout);
		assert_int_equal(policy.checks, checks[layout]);
		assert_int_equal(policy.columns, layout == LAYOUT_PARITY ? 6 : 0);
		assert_int_equal(policy.unit_blocks, 16); /* the map never holds 0 */
		assert_int_equal(policy.journal, JOURNAL_SMALL);
	}
}

/* Each option with each layout: taken by one, refused by the others. */
static void options_belong_to_layouts(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
		unsigned layouts; /* bit per layout that takes it */
	} options[] = {
		{ offsetof(struct policy_args, parity), 1, 1u << LAYOUT_PARITY },
		{ offsetof(struct policy_args, copies), 2, 1u << LAYOUT_MIRROR },
		{ offsetof(struct policy_args, levels), 3, 1u << LAYOUT_SEQUENTIAL },
		{ offsetof(struct policy_args, chunk), 8192, 1u << LAYOUT_PARITY },
		{ offsetof(struct policy_args, pure_on), 0, 1u << LAYOUT_SEQUENTIAL },
		{ offsetof(struct policy_args, width), 1, 1u << LAYOUT_PLAIN },
		{ offsetof(struct policy_args, width), 2,
		  1u << LAYOUT_PARITY | 1u << LAYOUT_MIRROR | 1u << LAYOUT_SEQUENTIAL },
		{ offsetof(struct policy_args, extent), UINT64_C(1) << 20, 15 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		for (unsigned layout = 0; layout < LAYOUT_COUNT; layout++) {
			struct policy policy = { .layout = LAYOUT_PLAIN, .unit_blocks = 16 };
			struct policy_args args = none;
			struct err err = { 0 };
			int rc;

			args.layout = (int)layout;
			memcpy((char *)&args + options[i].offset, &options[i].value,
			       sizeof(uint64_t));
			rc = policy_args_apply(&policy, &args, &geometry, &err);
			assert_int_equal(rc == 0, options[i].layouts >> layout & 1);
			assert_int_equal(rc == 0, err.code == 0);
		}
	}
}

static void values_out_of_bounds_are_refused(void **state)
{
	static const struct {
		int layout;
		size_t offset;
		uint64_t value;
		int code;
	} wrong[] = {
		{ LAYOUT_PARITY, offsetof(struct policy_args, parity), 0, ERR_LIMIT },
		{ LAYOUT_PARITY, offsetof(struct policy_args, parity), 4, ERR_LIMIT },
		{ LAYOUT_PARITY, offsetof(struct policy_args, parity), UINT64_C(1) << 32,
		  ERR_LIMIT },
		{ LAYOUT_PARITY, offsetof(struct policy_args, width), 1, ERR_LIMIT },
		{ LAYOUT_PARITY, offsetof(struct policy_args, width), 33, ERR_LIMIT },
		{ LAYOUT_PARITY, offsetof(struct policy_args, chunk), 0, ERR_SIZE },
		{ LAYOUT_PARITY, offsetof(struct policy_args, chunk), 4095, ERR_SIZE },
		{ LAYOUT_PARITY, offsetof(struct policy_args, chunk), UINT64_C(1) << 52, ERR_SIZE },
		{ LAYOUT_PARITY, offsetof(struct policy_args, extent), UINT64_C(1) << 40,
		  ERR_SIZE },
		{ LAYOUT_MIRROR, offsetof(struct policy_args, copies), 1, ERR_LIMIT },
		{ LAYOUT_MIRROR, offsetof(struct policy_args, copies), 5, ERR_LIMIT },
		{ LAYOUT_MIRROR, offsetof(struct policy_args, width), 3, ERR_USAGE },
		{ LAYOUT_SEQUENTIAL, offsetof(struct policy_args, levels), 0, ERR_LIMIT },
		{ LAYOUT_SEQUENTIAL, offsetof(struct policy_args, levels), 9, ERR_LIMIT },
		{ LAYOUT_SEQUENTIAL, offsetof(struct policy_args, width), 17, ERR_LIMIT },
		{ LAYOUT_SEQUENTIAL, offsetof(struct policy_args, pure_on), 16, ERR_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct policy policy = { .layout = LAYOUT_PLAIN, .unit_blocks = 16 };
		struct policy_args args = none;
		struct err err = { 0 };

		args.layout = wrong[i].layout;
		memcpy((char *)&args + wrong[i].offset, &wrong[i].value, sizeof(uint64_t));
		assert_int_equal(policy_args_apply(&policy, &args, &geometry, &err), wrong[i].code);
	}
}

static void unmirrored_is_plain(void **state)
{
	struct policy policy = base();
	struct policy_args args = none;
	struct err err = { 0 };

	(void)state;
	args.unmirrored = true;
	assert_int_equal(policy_args_apply(&policy, &args, &geometry, &err), 0);
	assert_int_equal(policy.layout, LAYOUT_PLAIN);
	assert_int_equal(policy.checks, 0);
	args.layout = LAYOUT_MIRROR;
	assert_int_equal(policy_args_apply(&policy, &args, &geometry, &err), ERR_USAGE);
}

static void labels_go_to_the_member_that_is_named(void **state)
{
	static const char *const paths[] = { "a.img", "b:c.img", "1" };
	struct label_table *table = mem_calloc(1, sizeof(*table));
	struct err err = { 0 };

	(void)state;
	assert_non_null(table);
	assert_int_equal(label_table_add(table, paths, 3, "a.img:node=x,power=1=2", &err), 0);
	assert_int_equal(label_table_add(table, paths, 3, "b:c.img:node=y", &err), 0);
	assert_int_equal(label_table_add(table, paths, 3, "0:node=z", &err), 0);
	assert_int_equal(table->counts[0], 2);
	assert_string_equal(table->labels[0][0].value, "z");
	assert_string_equal(table->labels[0][1].key, "power");
	assert_string_equal(table->labels[0][1].value, "1=2");
	assert_int_equal(table->counts[1], 1);
	assert_string_equal(table->labels[1][0].value, "y");
	/* A path comes before a number when it looks like one. */
	assert_int_equal(label_table_add(table, paths, 3, "2:k=v", &err), 0);
	assert_int_equal(table->counts[2], 1);
	assert_ptr_equal(label_table_rows(table)[2], table->labels[2]);
	mem_free(table);
}

static void labels_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
	} wrong[] = {
		{ "", ERR_USAGE },
		{ "a.img", ERR_USAGE },
		{ "a.img:", ERR_USAGE },
		{ "a.img:key", ERR_USAGE },
		{ "a.img:=v", ERR_NAME },
		{ "a.img:k=", ERR_NAME },
		{ "a.img:k=v,", ERR_USAGE },
		{ "a.img:k=\x1b[m", ERR_NAME },
		{ "x.img:k=v", ERR_NOT_FOUND },
		{ "1:k=v", ERR_NOT_FOUND },
	};
	static const char *const paths[] = { "a.img" };
	struct label_table *table = mem_calloc(1, sizeof(*table));
	char text[128] = "a.img:k=";

	(void)state;
	assert_non_null(table);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = { 0 };

		assert_int_equal(label_table_add(table, paths, 1, wrong[i].text, &err),
				 wrong[i].code);
	}
	memset(text + strlen(text), 'v', LABEL_SIZE);
	assert_int_equal(label_table_add(table, paths, 1, text, &(struct err){ 0 }), ERR_NAME);
	table->counts[0] = 0;
	for (char key = 'a'; key < 'a' + (char)LABELS_MAX; key++) {
		char one[] = { '0', ':', key, '=', 'v', '\0' };

		assert_int_equal(label_table_add(table, paths, 1, one, &(struct err){ 0 }), 0);
	}
	assert_int_equal(label_table_add(table, paths, 1, "0:z=v", &(struct err){ 0 }), ERR_LIMIT);
	mem_free(table);
}

static void job_numbers(void **state)
{
	static const char *const wrong[] = { "",   "0",  "-1",
					     "+1", " 1", "1 ",
					     "x",  "1x", "18446744073709551616" };
	uint64_t id = 0;

	(void)state;
	assert_int_equal(job_number_parse(&id, "18446744073709551615", &(struct err){ 0 }), 0);
	assert_true(id == UINT64_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(job_number_parse(&id, wrong[i], &(struct err){ 0 }), ERR_USAGE);
}

/* Blocks of two volumes in any order give the same few ranges. */
static void losses_are_joined_and_in_order(void **state)
{
	struct rng rng = rng_seeded(3);

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct losses losses = { 0 };
		unsigned order[20];

		for (unsigned i = 0; i < 20; i++) {
			uint64_t other = rng_below(&rng, i + 1);

			order[i] = order[other];
			order[other] = i;
		}
		for (unsigned i = 0; i < 20; i++) {
			/* Blocks 0 to 9 of each volume, but 4 is not lost. */
			const struct job_loss loss = { order[i] < 10 ? "a" : "b",
						       order[i] % 10 * UINT64_C(4096), 4096 };

			if (order[i] % 10 != 4)
				losses_add(&losses, &loss);
		}
		losses_sort(&losses);
		assert_int_equal(losses.bytes, 18 * 4096);
		assert_int_equal(losses.vec.count, 4);
		for (unsigned i = 0; i < 4; i++) {
			assert_string_equal(losses.vec.at[i].volume, i < 2 ? "a" : "b");
			assert_int_equal(losses.vec.at[i].offset, i % 2 ? 5 * 4096 : 0);
			assert_int_equal(losses.vec.at[i].length, i % 2 ? 5 * 4096 : 4 * 4096);
		}
		losses_reset(&losses);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_option_changes_nothing),
		cmocka_unit_test(another_layout_begins_with_its_own_defaults),
		cmocka_unit_test(options_belong_to_layouts),
		cmocka_unit_test(values_out_of_bounds_are_refused),
		cmocka_unit_test(unmirrored_is_plain),
		cmocka_unit_test(labels_go_to_the_member_that_is_named),
		cmocka_unit_test(labels_that_are_none_are_refused),
		cmocka_unit_test(job_numbers),
		cmocka_unit_test(losses_are_joined_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
