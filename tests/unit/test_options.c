/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Options: aim is that every command line is read in exactly one way or refused with its reason.
 * Method: a table of options of every kind, lines with the values they must give, and lines that must be
 * refused with the words the operator needs.
 */
#include "cli/command.h"
#include "cli/options.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct test_args {
	bool repair;
	uint64_t percent;
	uint64_t size;
	const char *volume;
	struct text_list labels;
	int layout;
};

struct common_args {
	bool json;
	bool yes;
	const char *plan;
};

static const char *const layouts[] = { "plain", "mirror", "parity", NULL };
static const struct option_spec test_options[] = {
	{ "repair", OPTION_FLAG, offsetof(struct test_args, repair), NULL, "repair" },
	{ "percent", OPTION_NUMBER, offsetof(struct test_args, percent), "N", "percent",
	  .letter = 'p' },
	{ "size", OPTION_SIZE, offsetof(struct test_args, size), "SIZE", "size",
	  .alias = "length" },
	{ "volume", OPTION_TEXT, offsetof(struct test_args, volume), "NAME", "volume" },
	{ "label", OPTION_LIST, offsetof(struct test_args, labels), "K=V", "label" },
	{ "layout", OPTION_CHOICE, offsetof(struct test_args, layout), "LAYOUT", "layout",
	  .letter = 'l', .choices = layouts },
	{ 0 },
};
static const struct option_spec common_options[] = {
	{ "json", OPTION_FLAG, offsetof(struct common_args, json), NULL, "json", .letter = 'j' },
	{ "plan", OPTION_TEXT, offsetof(struct common_args, plan), "FILE", "plan", .letter = 'n',
	  .value_optional = true },
	{ "yes", OPTION_FLAG, offsetof(struct common_args, yes), NULL, "yes", .letter = 'y' },
	{ 0 },
};

#define WORDS_MAX 16

struct line {
	struct test_args args;
	struct common_args common;
	struct operands operands;
	struct option_set sets[2];
	struct err err;
	int rc;
};

/* Parse a line of words separated by blanks; release with line_reset(). */
static void line_parse(struct line *line, char *text)
{
	char *words[WORDS_MAX + 1] = { 0 };
	int count = 0;

	for (char *at = text; *at; at += strspn(at, " ")) {
		assert_true(count < WORDS_MAX);
		words[count++] = at;
		at += strcspn(at, " ");
		if (*at)
			*at++ = '\0';
	}
	*line = (struct line){ 0 };
	line->sets[0] = (struct option_set){ test_options, &line->args };
	line->sets[1] = (struct option_set){ common_options, &line->common };
	line->rc = options_parse(&line->operands, line->sets, 2, count, words, &line->err);
}

static void line_reset(struct line *line)
{
	if (line->rc == 0)
		options_reset(&line->operands, line->sets, 2);
	else
		assert_null(line->args.labels.at);
}

/* Each kind takes its values. */
static void kinds(void **state)
{
	char text[] = "a --repair -p 12 --size 4K --volume v --label x=1 --label y=2 -l parity b";
	struct line line;

	(void)state;
	line_parse(&line, text);
	assert_int_equal(line.rc, 0);
	assert_true(line.args.repair);
	assert_int_equal(line.args.percent, 12);
	assert_int_equal(line.args.size, 4096);
	assert_string_equal(line.args.volume, "v");
	assert_int_equal(line.args.labels.count, 2);
	assert_string_equal(line.args.labels.at[0], "x=1");
	assert_string_equal(line.args.labels.at[1], "y=2");
	assert_int_equal(line.args.layout, 2);
	assert_int_equal(line.operands.count, 2);
	assert_string_equal(line.operands.at[0], "a");
	assert_string_equal(line.operands.at[1], "b");
	line_reset(&line);
}

/* Values behind = and as the next word, the largest number, hexadecimal, the last of two counts. */
static void kinds_forms(void **state)
{
	static const struct {
		const char *text;
		uint64_t percent;
	} cases[] = {
		{ "--percent=7", 7 }, { "-p7", 7 },
		{ "--percent 0", 0 }, { "--percent 0x1f", 31 },
		{ "-p 1 -p 2", 2 },   { "--percent 18446744073709551615", UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		struct line line;

		snprintf(text, sizeof(text), "%s", cases[i].text);
		line_parse(&line, text);
		assert_int_equal(line.rc, 0);
		assert_true(line.args.percent == cases[i].percent);
		line_reset(&line);
	}
}

/* An alias writes the same field; an optional value is "" when absent and never the next word. */
static void kinds_alias_and_optional(void **state)
{
	char alias[] = "--length 1M", bare[] = "--plan a", with[] = "--plan=f a",
	     bundle[] = "-ny a";
	struct line line;

	(void)state;
	line_parse(&line, alias);
	assert_int_equal(line.rc, 0);
	assert_int_equal(line.args.size, 1 << 20);
	line_reset(&line);

	line_parse(&line, bare);
	assert_string_equal(line.common.plan, "");
	assert_int_equal(line.operands.count, 1);
	line_reset(&line);

	line_parse(&line, with);
	assert_string_equal(line.common.plan, "f");
	line_reset(&line);

	line_parse(&line, bundle);
	assert_int_equal(line.rc, 0);
	assert_string_equal(line.common.plan, "");
	assert_true(line.common.yes);
	line_reset(&line);
}

/* All orders of four parts give the same; 24 orders. */
static void anywhere(void **state)
{
	static const char *const parts[4] = { "a", "--repair", "--size 8", "-jp3" };

	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		unsigned order[4] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 };
		char text[64];
		struct line line;

		if ((1u << order[0] | 1u << order[1] | 1u << order[2] | 1u << order[3]) != 15)
			continue;
		snprintf(text, sizeof(text), "%s %s %s %s", parts[order[0]], parts[order[1]],
			 parts[order[2]], parts[order[3]]);
		line_parse(&line, text);
		assert_int_equal(line.rc, 0);
		assert_true(line.args.repair && line.common.json);
		assert_int_equal(line.args.size, 8);
		assert_int_equal(line.args.percent, 3);
		assert_int_equal(line.operands.count, 1);
		line_reset(&line);
	}
}

/* `--` ends options, `-` is an operand, POSIXLY_CORRECT changes nothing. */
static void anywhere_ends(void **state)
{
	char text[] = "a - -- --repair -j", empty[] = "";
	struct line line;

	(void)state;
	line_parse(&line, text);
	assert_int_equal(line.rc, 0);
	assert_false(line.args.repair || line.common.json);
	assert_int_equal(line.operands.count, 4);
	assert_string_equal(line.operands.at[1], "-");
	assert_string_equal(line.operands.at[2], "--repair");
	assert_string_equal(line.operands.at[3], "-j");
	line_reset(&line);

	line_parse(&line, empty);
	assert_int_equal(line.rc, 0);
	assert_int_equal(line.operands.count, 0);
	line_reset(&line);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *says;
		int code;
	} cases[] = {
		{ "--nothing-like-it", "unknown option '--nothing-like-it'", ERR_USAGE },
		{ "-z", "unknown option '-z'", ERR_USAGE },
		{ "--json -zj", "unknown option '-z'", ERR_USAGE },
		{ "--rep", "unknown option '--rep'", ERR_USAGE },
		{ "--l parity", "unknown option '--l'", ERR_USAGE },
		{ "--vol v a", "unknown option '--vol'", ERR_USAGE },
		{ "a --size", "--size needs a value: SIZE", ERR_USAGE },
		{ "-p", "--percent needs a value: N", ERR_USAGE },
		{ "--repair=1", "--repair takes no value", ERR_USAGE },
		{ "--percent x", "--percent: 'x' is not a number", ERR_USAGE },
		{ "--percent -1", "--percent: '-1' is not a number", ERR_USAGE },
		{ "--percent +1", "--percent: '+1' is not a number", ERR_USAGE },
		{ "--percent=", "--percent: '' is not a number", ERR_USAGE },
		{ "--percent 0x", "--percent: '0x' is not a number", ERR_USAGE },
		{ "--percent 12a", "--percent: '12a' is not a number", ERR_USAGE },
		{ "--percent 18446744073709551616", "is not a number", ERR_USAGE },
		{ "--size 4Q", "--size: '4Q': unknown unit 'Q'", ERR_SIZE },
		{ "--layout raid", "--layout: 'raid' is none of plain|mirror|parity", ERR_USAGE },
		{ "--label x --size", "--size needs a value", ERR_USAGE },
		{ "--volume \x1b[2J --x", "unknown option", ERR_USAGE },
		{ "--\x1b[2J", "\\x1b", ERR_USAGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		struct line line;

		snprintf(text, sizeof(text), "%s", cases[i].text);
		line_parse(&line, text);
		assert_int_equal(line.rc, cases[i].code);
		assert_int_equal(line.err.code, cases[i].code);
		if (!strstr(line.err.text, cases[i].says))
			fail_msg("%s: says '%s'", cases[i].text, line.err.text);
		line_reset(&line);
	}
}

static void suggests(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "--repiar", "did you mean '--repair'" },
		{ "--vol v", "did you mean '--volume'" },
		{ "--jsno", "did you mean '--json'" },
		{ "--sizes=4K", "did you mean '--size'" },
		{ "--lenght 4", "did you mean '--length'" },
	};
	char wrong[] = "--layout=partiy", far[] = "--qqqqqq";
	struct line line;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", cases[i].text);
		line_parse(&line, text);
		if (!strstr(line.err.text, cases[i].says))
			fail_msg("%s: says '%s'", cases[i].text, line.err.text);
		line_reset(&line);
	}
	line_parse(&line, wrong);
	assert_string_equal(line.err.hint, "--layout parity");
	line_reset(&line);
	line_parse(&line, far);
	assert_null(strstr(line.err.text, "did you mean"));
	line_reset(&line);
}

/* Words stay where they were, each the same bytes; random lines, most of them refused. */
static void untouched(void **state)
{
	static const char *const pool[] = { "--repair",  "a",       "-p",        "3",
					    "--",        "-",       "--size=1K", "-jn",
					    "--labe",    "--label", "-zz",       "--plan",
					    "--volume=", "" };
	uint64_t seed = 20240731;
	struct rng rng = rng_seeded(seed);

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 20000; round++) {
		char bytes[8][16], *words[9] = { 0 }, *before[9];
		int count = (int)rng_below(&rng, 8);
		struct line line = { 0 };

		for (int i = 0; i < count; i++) {
			snprintf(bytes[i], sizeof(bytes[i]), "%s",
				 pool[rng_below(&rng, sizeof(pool) / sizeof(pool[0]))]);
			words[i] = bytes[i];
		}
		memcpy(before, words, sizeof(words));
		line.sets[0] = (struct option_set){ test_options, &line.args };
		line.sets[1] = (struct option_set){ common_options, &line.common };
		line.rc = options_parse(&line.operands, line.sets, 2, count, words, &line.err);
		assert_memory_equal(before, words, sizeof(words));
		assert_true(line.rc == 0 || line.err.code == line.rc);
		line_reset(&line);
	}
}

static bool deny_at(void *arg)
{
	unsigned *left = arg;

	return (*left)-- == 0;
}

/* Whichever allocation fails, the line is refused as out of memory and nothing leaks. */
static void refused_without_memory(void **state)
{
	bool whole = false;

	(void)state;
	for (unsigned at = 0; !whole; at++) {
		char text[] = "a --label x --label y b";
		unsigned left = at;
		struct line line;

		mem_set_hook(deny_at, &left);
		line_parse(&line, text);
		mem_set_hook(NULL, NULL);
		whole = line.rc == 0;
		assert_true(whole || line.rc == ERR_NOMEM);
		line_reset(&line);
		assert_true(at < 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(kinds_forms),
		cmocka_unit_test(kinds_alias_and_optional),
		cmocka_unit_test(anywhere),
		cmocka_unit_test(anywhere_ends),
		cmocka_unit_test(refused),
		cmocka_unit_test(suggests),
		cmocka_unit_test(untouched),
		cmocka_unit_test(refused_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
