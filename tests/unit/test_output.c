/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Output: aim is that the same calls give text and one valid document, whatever bytes they are given.
 * Method: fixed calls compared with their whole text; hostile and random bytes through the document, which
 * is then read by jansson and compared; every allocation made to fail once.
 */
#include "cli/output.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tests/unit/dev_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

/* What one run of calls printed. */
struct printed {
	char *out, *error;
	size_t out_size, error_size;
	int rc;
};

static const struct field inner_fields[] = {
	{ "member", FIELD_COUNT, "member" },
	{ "lba", FIELD_COUNT, "at" },
	{ "role", FIELD_TEXT, "" },
	{ "hidden", FIELD_COUNT, NULL },
	{ 0 },
};
static const struct field row_fields[] = {
	{ "name", FIELD_TEXT, "NAME" },       { "size", FIELD_BYTES, "SIZE" },
	{ "wanted", FIELD_FLAG, "WANTED" },   { "secret", FIELD_COUNT, NULL },
	{ "labels", FIELD_OBJECT, "LABELS" }, { "blocks", FIELD_LIST, "BLOCKS" },
	{ NULL, FIELD_TEXT, "NOTE" },         { 0 },
};

static void row(struct out *out, const char *name, uint64_t size, bool wanted)
{
	out_text(out, name);
	out_number(out, size);
	out_flag(out, wanted);
	out_number(out, 7);
	out_object_begin(out, "labels");
	if (wanted) {
		out_value_text(out, "node", "a");
		out_value_text(out, "power", "2");
	}
	out_object_end(out);
	out_list_begin(out, "blocks", inner_fields);
	for (uint64_t i = 0; wanted && i < 2; i++) {
		out_number(out, i);
		out_number(out, 4096 * i);
		out_text(out, i ? "parity" : "data");
		out_number(out, 9);
	}
	out_list_end(out);
	out_text(out, "only text");
}

static void calls(struct out *out)
{
	out_value_text(out, "name", "tank");
	out_value(out, "count", 12);
	out_value_bytes(out, "room", 1536);
	out_value_flag(out, "sound", true);
	out_value_none(out, "nothing");
	out_object_begin(out, "inside");
	out_value(out, "one", 1);
	out_object_end(out);
	out_list_begin(out, "rows", row_fields);
	row(out, "first", 4096, true);
	row(out, NULL, 0, false);
	out_list_end(out);
	out_list_begin(out, "empty", row_fields);
	out_list_end(out);
	out_texts_begin(out, "texts");
	out_texts_add(out, "x");
	out_texts_add_number(out, 5);
	out_texts_end(out);
	out_line(out, "a sentence about %s", "it");
}

static void print(struct printed *printed, bool json, void (*make)(struct out *out),
		  unsigned status)
{
	struct err err = { 0 };
	struct out_config config = { .json = json, .command = "volume list" };
	struct out *out;
	int rc;

	*printed = (struct printed){ 0 };
	config.file = open_memstream(&printed->out, &printed->out_size);
	config.error_file = open_memstream(&printed->error, &printed->error_size);
	assert_non_null(config.file);
	assert_non_null(config.error_file);
	rc = out_open(&out, &config, &err);
	if (rc == 0) {
		make(out);
		rc = out_finish(out, status, &err);
		out_free(out);
	}
	fclose(config.file);
	fclose(config.error_file);
	printed->rc = rc;
}

static void printed_reset(struct printed *printed)
{
	free(printed->out);
	free(printed->error);
}

static const char expected_text[] = "name: tank\n"
				    "count: 12\n"
				    "room: 1.5 KiB\n"
				    "sound: yes\n"
				    "\n"
				    "inside:\n"
				    "  one: 1\n";

static void text(void **state)
{
	struct printed printed;

	(void)state;
	print(&printed, false, calls, 0);
	assert_int_equal(printed.rc, 0);
	assert_memory_equal(printed.out, expected_text, sizeof(expected_text) - 1);
	assert_non_null(strstr(printed.out, "NAME     SIZE WANTED LABELS         BLOCKS"));
	assert_non_null(strstr(printed.out,
			       "first 4.0 KiB yes    node=a power=2 member 0 at 0 data; "
			       "member 1 at 4096 parity only text"));
	assert_non_null(strstr(printed.out, "texts: x, 5\n"));
	assert_non_null(strstr(printed.out, "a sentence about it\n"));
	assert_null(strstr(printed.out, "secret"));
	assert_null(strstr(printed.out, "hidden"));
	assert_null(strstr(printed.out, "nothing"));
	printed_reset(&printed);
}

static void document(void **state)
{
	static const char expected[] =
		"{\"schema\": \"pgctl.volume-list/1\", \"exit\": 5, \"name\": \"tank\", "
		"\"count\": 12, \"room\": 1536, \"sound\": true, \"nothing\": null, "
		"\"inside\": {\"one\": 1}, \"rows\": [{\"name\": \"first\", \"size\": 4096, "
		"\"wanted\": true, \"secret\": 7, \"labels\": {\"node\": \"a\", \"power\": \"2\"}, "
		"\"blocks\": [{\"member\": 0, \"lba\": 0, \"role\": \"data\", \"hidden\": 9}, "
		"{\"member\": 1, \"lba\": 4096, \"role\": \"parity\", \"hidden\": 9}]}, "
		"{\"name\": null, \"size\": 0, \"wanted\": false, \"secret\": 7, \"labels\": {}, "
		"\"blocks\": []}], \"empty\": [], \"texts\": [\"x\", 5]}\n";
	FILE *file = tmpfile();
	struct err err = { 0 };
	const struct out_config config = {
		.json = true, .command = "volume list", .file = file, .error_file = stderr
	};
	char bytes[sizeof(expected) + 64] = "";
	struct out *out;

	(void)state;
	assert_non_null(file);
	assert_int_equal(out_open(&out, &config, &err), 0);
	calls(out);
	assert_int_equal(out_finish(out, 5, &err), 0);
	out_free(out);
	rewind(file);
	assert_true(fread(bytes, 1, sizeof(bytes) - 1, file) > 0);
	assert_string_equal(bytes, expected);
	fclose(file);
}

static const char *hostile;

static void hostile_calls(struct out *out)
{
	static const struct field fields[] = { { "cell", FIELD_TEXT, "CELL" },
					       { "labels", FIELD_OBJECT, "LABELS" },
					       { 0 } };

	out_value_text(out, "named", hostile);
	out_list_begin(out, "rows", fields);
	out_text(out, hostile);
	out_object_begin(out, "labels");
	out_value_text(out, hostile, hostile);
	out_object_end(out);
	out_list_end(out);
	out_line(out, "line %s", hostile);
	out_warn(out, "warning %s", hostile);
}

static void hostile_error(struct out *out)
{
	struct err err = { 0 };

	err_set(&err, ERR_IO, "%s", hostile);
	err_fact(&err, "path", "%s", hostile);
	err_hint(&err, "pgctl inspect %s", hostile);
	out_error(out, &err);
}

/* No byte that a terminal obeys: all printable ASCII, newlines, or UTF-8 above the C1 range. */
static void assert_harmless(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		assert_true(byte == '\n' || (byte >= 0x20 && byte != 0x7f));
		assert_false(byte == 0xc2 && (unsigned char)bytes[i + 1] < 0xa0);
		assert_false(byte == 0xe2 && (unsigned char)bytes[i + 1] == 0x80 &&
			     (unsigned char)bytes[i + 2] >= 0xa8 &&
			     (unsigned char)bytes[i + 2] <= 0xae);
	}
}

static void try_hostile(const char *bytes)
{
	struct printed printed;
	json_error_t why;
	json_t *json;

	hostile = bytes;
	for (unsigned form = 0; form < 4; form++) {
		print(&printed, form & 1, form & 2 ? hostile_error : hostile_calls, 8);
		assert_int_equal(printed.rc, 0);
		assert_harmless(printed.out, printed.out_size);
		assert_harmless(printed.error, printed.error_size);
		if (form & 1) {
			json = json_loads(printed.out, 0, &why);
			assert_non_null(json);
			json_decref(json);
		}
		printed_reset(&printed);
	}
}

/* Terminal commands, C1, bidirectional marks, invalid UTF-8, quotes, and random bytes. */
static void escaped(void **state)
{
	static const char *const cases[] = {
		"\x1b[2J\x1b]0;x\x07",
		"a\nb\rc\td",
		"\x7f\x01",
		"\xc2\x9b"
		"31m",
		"\xe2\x80\xae"
		"gpj",
		"\xff\xfe\x80",
		"\xed\xa0\x80",
		"\xc0\x80",
		"\"\\/{}",
		"%s%n%d",
		"",
		"caf\xc3\xa9",
	};
	uint64_t seed = 20240801;
	struct rng rng = rng_seeded(seed);

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		try_hostile(cases[i]);
	for (unsigned round = 0; round < 500; round++) {
		char bytes[40] = "";
		size_t size = (size_t)rng_below(&rng, sizeof(bytes));

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)(1 + rng_below(&rng, 255));
		try_hostile(bytes);
	}
}

static void numbers_calls(struct out *out)
{
	out_value(out, "zero", 0);
	out_value(out, "most", INT64_MAX);
	out_value(out, "above", (uint64_t)INT64_MAX + 1);
	out_value(out, "all", UINT64_MAX);
}

static void numbers(void **state)
{
	struct printed printed;
	json_error_t why;
	json_t *json;

	(void)state;
	print(&printed, true, numbers_calls, 0);
	json = json_loads(printed.out, 0, &why);
	assert_non_null(json);
	assert_true(json_integer_value(json_object_get(json, "most")) == INT64_MAX);
	assert_string_equal(json_string_value(json_object_get(json, "above")),
			    "9223372036854775808");
	assert_string_equal(json_string_value(json_object_get(json, "all")),
			    "18446744073709551615");
	assert_null(strchr(printed.out, '-') ? strstr(printed.out, ": -") : NULL);
	json_decref(json);
	printed_reset(&printed);
}

static void signed_calls(struct out *out)
{
	out_value_signed(out, "least", INT64_MIN);
	out_value_signed(out, "less", -1);
	out_value_signed(out, "most", INT64_MAX);
}

/* Only what is signed may be negative. */
static void signed_numbers(void **state)
{
	struct printed printed;
	json_error_t why;
	json_t *json;

	(void)state;
	print(&printed, true, signed_calls, 0);
	json = json_loads(printed.out, 0, &why);
	assert_non_null(json);
	assert_true(json_integer_value(json_object_get(json, "least")) == INT64_MIN);
	assert_true(json_integer_value(json_object_get(json, "less")) == -1);
	assert_true(json_integer_value(json_object_get(json, "most")) == INT64_MAX);
	json_decref(json);
	printed_reset(&printed);
	print(&printed, false, signed_calls, 0);
	assert_non_null(strstr(printed.out, "less: -1\n"));
	printed_reset(&printed);
}

static void stopped_calls(struct out *out)
{
	struct err err = { 0 };

	out_list_begin(out, "rows", row_fields);
	row(out, "whole", 1, true);
	out_text(out, "half a row");
	err_set(&err, ERR_STOPPED, "stopped");
	err_fact(&err, "job", "%d", 7);
	out_error(out, &err);
}

/* An error in the middle of a row: what was there stays, the document is whole and says the error. */
static void error_in_the_middle(void **state)
{
	struct printed printed;
	json_error_t why;
	json_t *json, *error;

	(void)state;
	print(&printed, true, stopped_calls, 32);
	json = json_loads(printed.out, 0, &why);
	assert_non_null(json);
	error = json_object_get(json, "error");
	assert_string_equal(json_string_value(json_object_get(error, "code")), "stopped");
	assert_string_equal(json_string_value(json_object_get(error, "message")), "stopped");
	assert_non_null(json_object_get(error, "try"));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(error, "facts"), "job")), "7");
	assert_int_equal(json_array_size(json_object_get(json, "rows")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "exit")), 32);
	json_decref(json);
	printed_reset(&printed);

	print(&printed, false, stopped_calls, 32);
	assert_non_null(strstr(printed.error, "pgctl: volume list: stopped\ntry: "));
	assert_non_null(strstr(printed.out, "whole"));
	printed_reset(&printed);
}

/* A full disk behind standard output is an error, in both forms. */
static void write_error(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		FILE *full = fopen("/dev/full", "w");
		struct err err = { 0 };
		const struct out_config config = {
			.json = json, .command = "x", .file = full, .error_file = stderr
		};
		struct out *out;

		assert_non_null(full);
		assert_int_equal(out_open(&out, &config, &err), 0);
		calls(out);
		assert_int_equal(out_finish(out, 0, &err), ERR_IO);
		assert_non_null(strstr(err.text, "No space left"));
		out_free(out);
		fclose(full);
	}
}

/* Whichever allocation fails, the end says so and nothing is leaked or touched. */
static void out_of_memory(void **state)
{
	(void)state;
	hostile = "\xff";
	for (int json = 0; json < 2; json++) {
		bool whole = false;

		for (unsigned at = 0; !whole; at++) {
			struct printed printed;
			unsigned left = at;

			mem_set_hook(deny_nth, &left);
			print(&printed, json, hostile_calls, 0);
			mem_set_hook(NULL, NULL);
			whole = printed.rc == 0;
			assert_true(whole || printed.rc == ERR_NOMEM);
			printed_reset(&printed);
			assert_true(at < 100);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),           cmocka_unit_test(document),
		cmocka_unit_test(escaped),        cmocka_unit_test(numbers),
		cmocka_unit_test(signed_numbers), cmocka_unit_test(error_in_the_middle),
		cmocka_unit_test(write_error),    cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
