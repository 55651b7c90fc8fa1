/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words of the shell: aim is that a line is parted as shell_words.h says, or refused.
 * Method: lines with their words; then random lines, where joining the words quoted gives the words again.
 */
#include "cli/shell_words.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 5

static void words(void **state)
{
	static const struct {
		const char *line, *words[WORDS_MAX];
	} cases[] = {
		{ "", { NULL } },
		{ " \t\r\n", { NULL } },
		{ "# all of it", { NULL } },
		{ "status a.img", { "status", "a.img" } },
		{ "  put\ta  b ", { "put", "a", "b" } },
		{ "a # b", { "a" } },
		{ "a#b c", { "a#b", "c" } },
		{ "'a b' \"c d\"", { "a b", "c d" } },
		{ "'a\"\\b'", { "a\"\\b" } },
		{ "\"a\\\"\\\\\\n\"", { "a\"\\\\n" } },
		{ "a\\ b \\# \\\\", { "a b", "#", "\\" } },
		{ "x'y'\"z\"w", { "xyzw" } },
		{ "'' a \"\"", { "", "a", "" } },
		{ "'#' b", { "#", "b" } },
		{ "$HOME *.img | x", { "$HOME", "*.img", "|", "x" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shell_words found = { 0 };
		struct err err = { 0 };
		size_t count = 0;

		while (count < WORDS_MAX && cases[i].words[count])
			count++;
		assert_int_equal(shell_words_split(&found, cases[i].line, &err), 0);
		assert_int_equal(found.count, count);
		for (size_t w = 0; w < count; w++)
			assert_string_equal(found.at[w], cases[i].words[w]);
		assert_null(found.at[count]);
		shell_words_reset(&found);
	}
}

static void refused(void **state)
{
	static const char *const cases[] = { "'a", "a \"b", "a\\", "\"a\\\"", "'", "x \\\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shell_words found = { 0 };
		struct err err = { 0 };

		assert_int_equal(shell_words_split(&found, cases[i], &err), ERR_USAGE);
		assert_null(found.at);
	}
}

static void bounded(void **state)
{
	char line[2 * SHELL_WORDS_MAX + 3];
	struct shell_words found = { 0 };
	struct err err = { 0 };

	(void)state;
	memset(line, 'a', sizeof(line));
	for (size_t i = 1; i < sizeof(line); i += 2)
		line[i] = ' ';
	line[2 * SHELL_WORDS_MAX] = '\0';
	assert_int_equal(shell_words_split(&found, line, &err), 0);
	assert_int_equal(found.count, SHELL_WORDS_MAX);
	shell_words_reset(&found);
	line[2 * SHELL_WORDS_MAX] = 'a';
	line[2 * SHELL_WORDS_MAX + 1] = '\0';
	assert_int_equal(shell_words_split(&found, line, &err), ERR_USAGE);
}

/* A word in single quotes, where '\'' stands for one. */
static void quote(struct text *line, const char *word)
{
	text_add(line, " '");
	for (; *word; word++)
		text_add(line, *word == '\'' ? "'\\%c'" : "%c", *word);
	text_add(line, "'");
}

static void round_trip(void **state)
{
	uint64_t seed = 20240715;
	struct rng rng = rng_seeded(seed);

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 20000; round++) {
		char line[24] = "";
		struct shell_words once = { 0 }, again = { 0 };
		struct text quoted = { 0 };
		struct err err = { 0 };

		for (size_t i = 0; i < rng_below(&rng, sizeof(line)); i++)
			line[i] = "ab '\"\\#\t"[rng_below(&rng, 8)];
		if (shell_words_split(&once, line, &err))
			continue;
		text_add(&quoted, "%s", "");
		for (size_t i = 0; i < once.count; i++)
			quote(&quoted, once.at[i]);
		assert_int_equal(shell_words_split(&again, quoted.chars, &err), 0);
		assert_int_equal(again.count, once.count);
		for (size_t i = 0; i < once.count; i++)
			assert_string_equal(again.at[i], once.at[i]);
		shell_words_reset(&once);
		shell_words_reset(&again);
		text_reset(&quoted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(refused),
		cmocka_unit_test(bounded),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
