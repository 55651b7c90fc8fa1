/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the promises of formats/ddrescue.h. Method: lines that are wrong in one way each; random statuses on a map and on
 * an array of characters, compared after each; and the fuzz program's corpus through ddrescue_try(), whole, cut short and
 * with each byte changed.
 */
#include "formats/ddrescue.h"

#include "core/base/rng.h"
#include "core/base/size.h"
#include "tests/unit/corpus_help.h"
#include "tests/unit/ddrescue_try.h"
#include "tests/unit/dev_help.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct ddrescue_map *map, const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	return ddrescue_parse(map, text, strlen(text), "disk.map", err);
}

static void wrong(void **state)
{
	static const struct {
		const char *text, *fact;
	} cases[] = {
		{ "", "line 0: no status line" },
		{ "# only a comment\n", "line 1: no status line" },
		{ "0 X 1\n", "line 1: no status line" },
		{ "0x ? 1\n", "line 1: no status line" },
		{ "0 ?? 1\n", "line 1: no status line" },
		{ "0 ? 0\n", "line 1: no number of a pass" },
		{ "0 ? 0x1\n", "line 1: no number of a pass" },
		{ "0 ? 4294967296\n", "line 1: no number of a pass" },
		{ "0 ? 1 1\n", "line 1: more than" },
		{ "0 ? 1\n0 1 F\n", "line 2: no block" },
		{ "0 ? 1\n0 1\n", "line 2: no block" },
		{ "0 ? 1\n0 -1 +\n", "line 2: no block" },
		{ "0 ? 1\n08 1 +\n", "line 2: no block" },
		{ "0 ? 1\n0xg 1 +\n", "line 2: no block" },
		{ "0 ? 1\n0 1 + more\n", "line 2: no block" },
		{ "0 ? 1\n0 1 +#\n", "line 2: no block" },
		{ "0 ? 1\n0 0 +\n", "line 2: the block is empty" },
		{ "0 ? 1\n0x7fffffffffffffff 1 +\n", "line 2: the block ends past" },
		{ "0 ? 1\n0 0x8000000000000000 +\n", "line 2: no block" },
		{ "0 ? 1\n0 99999999999999999999 +\n", "line 2: no block" },
		{ "0 ? 1\n\n0 2 +\n#\n1 2 -\n", "line 5: the block begins before" },
		{ "0 ? 1\n0 2 +\n0 2 +\n", "line 3: the block begins before" },
		{ "0 ? 1\n0 2 +\n3 2 -\n", "line 3: there is a gap" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ddrescue_map map = { 0 };
		struct err err;

		if (parse(&map, cases[i].text, &err) != ERR_FORMAT ||
		    !strstr(err.text, cases[i].fact) || map.blocks.at)
			fail_msg("'%s': %s", cases[i].text, err.text);
	}
}

static void numbers_and_comments(void **state)
{
	struct ddrescue_map map = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(parse(&map,
			       "# a\n 0x1F0\t* 12 # b\r\n#c\n\n  010 0xAbC +\n2756 9 ?\n"
			       "2765 9223372036854773042 -",
			       &err),
			 0);
	assert_int_equal(map.position, 0x1f0);
	assert_int_equal(map.phase, '*');
	assert_int_equal(map.pass, 12);
	assert_int_equal(map.blocks.count, 3);
	assert_int_equal(map.blocks.at[0].offset, 8);
	assert_int_equal(map.blocks.at[0].size, 0xabc);
	assert_int_equal(map.blocks.at[2].status, DDRESCUE_BAD);
	assert_true(ddrescue_end(&map) == DDRESCUE_POSITION_MAX);
	ddrescue_reset(&map);
}

static void untried(void **state)
{
	struct ddrescue_map map = { 0 };
	struct err err;
	uint64_t run;

	(void)state;
	assert_int_equal(parse(&map, "0 + 1\n1024 512 +\n1536 512 /\n", &err), 0);
	assert_int_equal(ddrescue_status_at(&map, 0, &run), DDRESCUE_UNTRIED);
	assert_int_equal(run, 1024);
	assert_int_equal(ddrescue_status_at(&map, 1100, &run), DDRESCUE_RESCUED);
	assert_int_equal(run, 1536 - 1100);
	assert_int_equal(ddrescue_status_at(&map, 2048, &run), DDRESCUE_UNTRIED);
	assert_true(run == UINT64_MAX - 2048);
	assert_int_equal(ddrescue_total(&map, DDRESCUE_UNSCRAPED), 512);
	ddrescue_reset(&map);
	assert_int_equal(parse(&map, "0 + 1\n", &err), 0);
	assert_int_equal(ddrescue_status_at(&map, 0, &run), DDRESCUE_UNTRIED);
	ddrescue_reset(&map);
}

static void holes(void **state)
{
	static const struct hole expected[] = {
		{ 0, 512 }, { 1024, 1024 }, { 3072, 512 }, { 4096, 1024 }
	};
	struct ddrescue_map map = { 0 };
	struct hole_vec vec = { 0 };
	struct err err;

	(void)state;
	/* One byte spoils a sector; the member has half a sector more than the map knows of. */
	assert_int_equal(parse(&map,
			       "0 + 1\n0 1 -\n1 1023 +\n1024 1 ?\n1025 1022 +\n2047 1 *\n"
			       "2048 1100 +\n3148 10 /\n3158 938 +\n4096 512 -\n",
			       &err),
			 0);
	assert_int_equal(ddrescue_holes(&map, 4096 + 512 + 256, &vec), 0);
	assert_int_equal(vec.count, 4);
	assert_memory_equal(vec.at, expected, sizeof(expected));
	hole_vec_reset(&vec);
	ddrescue_reset(&map);
}

#define MODEL_BYTES 64u

static void order(void **state)
{
	static const enum ddrescue_status statuses[] = { DDRESCUE_UNTRIED, DDRESCUE_BAD,
							 DDRESCUE_RESCUED };
	struct rng rng = rng_seeded(5);

	(void)state;
	print_message("seed 5\n");
	for (unsigned round = 0; round < 300; round++) {
		enum ddrescue_status model[MODEL_BYTES];
		struct ddrescue_map map = { 0 };

		assert_int_equal(ddrescue_begin(&map, MODEL_BYTES, DDRESCUE_UNTRIED), 0);
		for (unsigned i = 0; i < MODEL_BYTES; i++)
			model[i] = DDRESCUE_UNTRIED;
		for (unsigned step = 0; step < 40; step++) {
			uint64_t offset = rng_below(&rng, MODEL_BYTES);
			uint64_t size = 1 + rng_below(&rng, size_min(MODEL_BYTES - offset, 12));
			enum ddrescue_status status = statuses[rng_below(&rng, 3)];

			assert_int_equal(ddrescue_set(&map, offset, size, status), 0);
			for (uint64_t i = offset; i < offset + size; i++)
				model[i] = status;
			for (uint64_t i = 0; i < MODEL_BYTES; i++)
				assert_int_equal(ddrescue_status_at(&map, i, NULL), model[i]);
			for (size_t i = 1; i < map.blocks.count; i++)
				assert_int_not_equal(map.blocks.at[i].status,
						     map.blocks.at[i - 1].status);
			assert_int_equal(ddrescue_end(&map), MODEL_BYTES);
		}
		ddrescue_reset(&map);
	}
}

static bool corpus_try(uint8_t *bytes, size_t size)
{
	return ddrescue_try(bytes, size);
}

static void corpus_vary(uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size; at++) {
		ddrescue_try(bytes, at);
		bytes[at] ^= 0x11;
		ddrescue_try(bytes, size);
		bytes[at] ^= 0x11;
	}
}

static void same(void **state)
{
	struct corpus_count count = corpus_replay("ddrescue", corpus_try, corpus_vary);

	(void)state;
	print_message("%u files, %u are maps\n", count.files, count.true_count);
	assert_true(count.files >= 8 && count.true_count >= 6);
}

static void without_memory_a_map_stays_as_it_was(void **state)
{
	struct ddrescue_map map = { 0 };
	unsigned refusals = 0;

	(void)state;
	assert_int_equal(ddrescue_begin(&map, 1000, DDRESCUE_UNTRIED), 0);
	for (uint64_t i = 1; i < 400; i += 2) {
		unsigned left = 0;
		size_t count = map.blocks.count;

		mem_set_hook(deny_nth, &left);
		if (ddrescue_set(&map, i, 1, DDRESCUE_BAD)) {
			mem_set_hook(NULL, NULL);
			refusals++;
			assert_int_equal(map.blocks.count, count);
			assert_int_equal(ddrescue_status_at(&map, i, NULL), DDRESCUE_UNTRIED);
			assert_int_equal(ddrescue_set(&map, i, 1, DDRESCUE_BAD), 0);
		}
		mem_set_hook(NULL, NULL);
	}
	assert_true(refusals >= 4 && refusals < 20);
	assert_int_equal(ddrescue_total(&map, DDRESCUE_BAD), 200);
	ddrescue_reset(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong),
		cmocka_unit_test(numbers_and_comments),
		cmocka_unit_test(untried),
		cmocka_unit_test(holes),
		cmocka_unit_test(order),
		cmocka_unit_test(same),
		cmocka_unit_test(without_memory_a_map_stays_as_it_was),
	};

	return cmocka_run_group_tests_name("ddrescue", tests, NULL, NULL);
}
