/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: layout files are refused by name where they are wrong, and the rest is one array. Method: texts that are wrong in one
 * way each; a map held against the placing by hand; and the fuzz program's corpus, whole, cut short and with each byte
 * changed.
 */
#include "formats/layout_file.h"

#include "tests/unit/corpus_help.h"
#include "tests/unit/layout_try.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"schema\":\"pgctl.layout/1\","
#define TWO "\"members\":[\"a\",\"b\"]}"

static void wrong(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *fact;
	} cases[] = {
		{ "", ERR_FORMAT, "line 1" },
		{ "{\"a\":1,\"a\":2}", ERR_FORMAT, "duplicate" },
		{ "[]", ERR_FORMAT, "schema: is missing" },
		{ "{}", ERR_FORMAT, "schema: is missing" },
		{ "{\"schema\":\"pgctl.layout/2\"}", ERR_VERSION, "can read pgctl.layout/1" },
		{ HEAD "\"levle\":\"raid1\"," TWO, ERR_FORMAT, "levle: no such key" },
		{ HEAD TWO, ERR_FORMAT, "level: is none of" },
		{ HEAD "\"level\":5," TWO, ERR_FORMAT, "level: is none of" },
		{ HEAD "\"level\":\"raid5\"," TWO, ERR_FORMAT, "chunk: is missing" },
		{ HEAD "\"level\":\"raid1\",\"chunk\":4096," TWO, ERR_FORMAT, "have none" },
		{ HEAD "\"level\":\"raid0\",\"chunk\":512," TWO, ERR_LIMIT, "512 is not within" },
		{ HEAD "\"level\":\"raid0\",\"chunk\":5000," TWO, ERR_FORMAT, "multiple of 4096" },
		{ HEAD "\"level\":\"raid0\",\"chunk\":-4096," TWO, ERR_LIMIT, "-4096 is not" },
		{ HEAD "\"level\":\"raid0\",\"chunk\":4096.0," TWO, ERR_FORMAT, "no whole number" },
		{ HEAD "\"level\":\"raid1\",\"offset\":100," TWO, ERR_FORMAT, "multiple of 512" },
		{ HEAD "\"level\":\"raid1\",\"order\":\"left-symmetric\"," TWO, ERR_FORMAT,
		  "only raid4" },
		{ HEAD "\"level\":\"raid5\",\"order\":\"left\",\"chunk\":4096," TWO, ERR_FORMAT,
		  "order: is none" },
		{ HEAD "\"level\":\"raid5\",\"order\":\"ddf-N-restart\",\"chunk\":4096," TWO,
		  ERR_LIMIT, "two checks" },
		{ HEAD "\"level\":\"raid6\",\"chunk\":4096," TWO, ERR_LIMIT, "too few" },
		{ HEAD "\"level\":\"raid5\",\"near\":2,\"chunk\":4096," TWO, ERR_FORMAT,
		  "only raid10" },
		{ HEAD "\"level\":\"raid10\",\"far\":3,\"chunk\":4096," TWO, ERR_LIMIT,
		  "do not fit" },
		{ HEAD "\"level\":\"raid1\",\"members\":[]}", ERR_FORMAT, "is no list" },
		{ HEAD "\"level\":\"raid1\",\"members\":[7]}", ERR_FORMAT, "neither a path" },
		{ HEAD "\"level\":\"raid1\",\"members\":[{\"pth\":\"a\"}]}", ERR_FORMAT,
		  "pth: no such key" },
		{ HEAD "\"level\":\"raid1\",\"members\":[{\"path\":\"a\",\"missing\":true}]}",
		  ERR_FORMAT, "has no path" },
		{ HEAD "\"level\":\"raid1\",\"uuid\":\"12\"," TWO, ERR_FORMAT, "is no uuid" },
		{ HEAD "\"level\":\"raid1\",\"name\":\"a/b\"," TWO, ERR_NAME, "layout: name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct layout_file layout = { 0 };
		struct err err = { 0 };
		int rc = layout_file_parse(&layout, cases[i].text, strlen(cases[i].text), "layout",
					   &err);

		if (rc != cases[i].code || !strstr(err.text, cases[i].fact))
			fail_msg("%s: %d %s", cases[i].text, rc, err.text);
	}
}

static void too_short(void **state)
{
	static const char text[] = HEAD "\"level\":\"raid1\",\"size\":8192,\"offset\":4096," TWO;
	const uint64_t sizes[] = { 12288, 12287 };
	struct layout_file layout = { 0 };
	struct map *map = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(layout_file_parse(&layout, text, strlen(text), "layout", &err), 0);
	assert_int_equal(layout_map_make(&map, &layout, sizes, &err), ERR_SIZE);
	assert_non_null(strstr(err.text, "b has 8191 bytes behind byte 4096"));
	layout_file_reset(&layout);
}

/* Left symmetric: the chunks of row 1 begin behind P, which is on member 1. */
static void map_is_the_arrays(void **state)
{
	static const char text[] =
		HEAD "\"level\":\"raid5\",\"chunk\":8192,\"members\":[\"a\",null,\"c\"]}";
	const uint64_t sizes[] = { 65536, 0, 70000 };
	struct layout_file layout = { 0 };
	struct map *map = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(layout_file_parse(&layout, text, strlen(text), "layout", &err), 0);
	assert_int_equal(layout_map_make(&map, &layout, sizes, &err), 0);
	assert_int_equal(map->member_count, 3);
	assert_int_equal(map->volume_count, 1);
	assert_string_equal(map->volumes[0]->name, "data");
	assert_int_equal(map->volumes[0]->length, 2 * 65536);
	map_free(map);
	layout_file_reset(&layout);
}

static bool corpus_try(uint8_t *bytes, size_t size)
{
	return layout_try(bytes, size);
}

/* Every byte changed to bytes that mean something in JSON, and every length. */
static void corpus_vary(uint8_t *bytes, size_t size)
{
	static const char other[] = { 0, '"', '{', '0', '9', ',', (char)0xff };

	for (size_t i = 0; i < size; i++) {
		uint8_t kept = bytes[i];

		layout_try(bytes, i);
		for (size_t c = 0; c < sizeof(other); c++) {
			bytes[i] = (uint8_t)other[c];
			layout_try(bytes, size);
		}
		bytes[i] = kept;
	}
}

static void corpus(void **state)
{
	struct corpus_count count = corpus_replay("layout", corpus_try, corpus_vary);

	(void)state;
	assert_true(count.true_count >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong),
		cmocka_unit_test(too_short),
		cmocka_unit_test(map_is_the_arrays),
		cmocka_unit_test(corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
