/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every stream of choices that once found something: replayed, they must find nothing any more. */
#include "core/base/rng.h"
#include "tests/sim/sweep.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CORPUS "tests/sim/corpus"

static void corpus_finds_nothing(void **state)
{
	DIR *folder = opendir(CORPUS);
	const struct dirent *entry;
	unsigned count = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		struct wrong wrong = { 0 };
		char path[512];

		if (!strstr(entry->d_name, ".choices"))
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		if (!sweep_replay(path, &wrong))
			fail_msg("%s: %s: %s", path, wrong.what, wrong.text);
		count++;
	}
	closedir(folder);
	assert_true(count > 0);
}

/* A stream that is replayed makes the same choices, and choices past its end are zero. */
static void choices_replay(void **state)
{
	static struct choice first, again;
	uint32_t values[20];

	(void)state;
	choice_random(&first, 7);
	for (uint32_t i = 0; i < 20; i++)
		values[i] = choice_below(&first, i + 2);
	choice_replay(&again, first.value, first.count);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(choice_below(&again, i + 2), values[i]);
	assert_int_equal(choice_below(&again, 100), 0);
}

/* The odometer: two choices where the first says how many values the second has. */
static void odometer_counts_all(void **state)
{
	static const uint32_t expected[] = { 0, 1, 11, 2, 12, 22 };
	static struct choice choice;
	uint32_t seen = 0;

	(void)state;
	choice_odometer(&choice, NULL, 0);
	do {
		uint32_t first = choice_below(&choice, 3);

		assert_in_range(seen, 0, 5);
		assert_int_equal(choice_below(&choice, first + 1) * 10 + first, expected[seen]);
		seen++;
	} while (choice_next(&choice));
	assert_int_equal(seen, 6);
}

static bool fails_with_a_nine(void *arg, struct choice *choice)
{
	bool found = false;

	(void)arg;
	for (uint32_t i = 0; i < 30; i++)
		found = choice_below(choice, 12) >= 9 || found;
	return found;
}

/* A failure that hangs on one number becomes a stream of little more than that number. */
static void streams_shrink(void **state)
{
	static struct choice choice;

	(void)state;
	choice_random(&choice, 3);
	assert_true(fails_with_a_nine(NULL, &choice));
	choice_shrink(&choice, fails_with_a_nine, NULL);
	assert_int_equal(choice.count, 1);
	assert_int_equal(choice.value[0], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_finds_nothing),
		cmocka_unit_test(choices_replay),
		cmocka_unit_test(odometer_counts_all),
		cmocka_unit_test(streams_shrink),
	};

	sweep_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
