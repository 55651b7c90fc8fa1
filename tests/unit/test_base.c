/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the ground everything stands on: errors that cannot hurt a terminal, bytes that cannot be read
 * past their end, sums that equal zlib's, memory that may run out at any allocation.
 * Method: tables of cases, zlib as the other implementation, sweeps over all code points, and a hook
 * that lets the N-th allocation fail for every N.
 */
#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/err.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/base/text.h"
#include "core/base/units.h"
#include "core/base/uuid.h"
#include "core/base/vec.h"
#include "tests/unit/dev_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <zlib.h>

VEC_DEFINE(number_vec, uint64_t);

/* A seed for random tests, printed so that a bad one can be repeated. */
static struct rng seeded(const char *name)
{
	uint64_t seed = (uint64_t)time(NULL);

	print_message("%s: seed %llu\n", name, (unsigned long long)seed);
	return rng_seeded(seed);
}

static void fill(uint8_t *bytes, size_t size, struct rng *rng)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rng_next(rng);
}

/* ---- crc */

static void crc_equals_zlib_with_any_seed(void **state)
{
	static uint8_t bytes[9000];
	struct rng rng = seeded("crc");

	(void)state;
	fill(bytes, sizeof(bytes), &rng);
	for (unsigned i = 0; i < 5000; i++) {
		size_t offset = rng_below(&rng, 64);
		size_t size = rng_below(&rng, i % 2 ? 200 : sizeof(bytes) - 64);
		uint32_t seed = (uint32_t)rng_next(&rng);

		assert_int_equal(crc32_of(seed, bytes + offset, size),
				 crc32(seed, bytes + offset, (uInt)size));
		assert_int_equal(crc32_of(0, bytes + offset, size),
				 crc32(0, bytes + offset, (uInt)size));
	}
	assert_int_equal(crc32_of(0, "123456789", 9), 0xcbf43926);
}

static void crc_zero_block_is_the_sum_of_zeros(void **state)
{
	static const uint8_t zeros[BLOCK_SIZE];
	struct rng rng = seeded("zero block");

	(void)state;
	for (unsigned bit = 0; bit < 32; bit++)
		assert_int_equal(crc32_zero_block(1u << bit),
				 crc32(1u << bit, zeros, sizeof(zeros)));
	for (unsigned i = 0; i < 2000; i++) {
		uint32_t seed = (uint32_t)rng_next(&rng);

		assert_int_equal(crc32_zero_block(seed), crc32(seed, zeros, sizeof(zeros)));
	}
	assert_int_equal(crc32_zero_block(0), crc32(0, zeros, sizeof(zeros)));
}

static uint32_t linear_part(uint32_t seed, const uint8_t *block)
{
	return crc32_of(seed, block, BLOCK_SIZE) ^ crc32_zero_block(seed);
}

static void crc_linear_part_adds_up_under_any_seeds(void **state)
{
	static uint8_t a[BLOCK_SIZE], b[BLOCK_SIZE], both[BLOCK_SIZE];
	struct rng rng = seeded("linear part");

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		fill(a, sizeof(a), &rng);
		fill(b, sizeof(b), &rng);
		for (size_t at = 0; at < sizeof(both); at++)
			both[at] = a[at] ^ b[at];

		uint32_t part_a = linear_part((uint32_t)rng_next(&rng), a);
		uint32_t part_b = linear_part((uint32_t)rng_next(&rng), b);
		uint32_t seed = (uint32_t)rng_next(&rng);

		assert_int_equal(part_a ^ part_b, linear_part(seed, both));
		both[rng_below(&rng, sizeof(both))] ^= 1;
		assert_int_not_equal(part_a ^ part_b, linear_part(seed, both));
	}
}

/* ---- err */

static void assert_escapes(const char *text, size_t size, const char *expected)
{
	char out[100];

	err_escape(out, sizeof(out), text, size);
	assert_string_equal(out, expected);
}

static void escape_shows_what_would_move_the_cursor(void **state)
{
	(void)state;
	assert_escapes("plain: 100% \\ \"x\"", 17, "plain: 100% \\ \"x\"");
	assert_escapes("a\0b", 3, "a\\x00b");
	assert_escapes("\033[2J\r\n\t", 7, "\\x1b[2J\\x0d\\x0a\\x09");
	assert_escapes("\177", 1, "\\x7f");
	assert_escapes("caf\303\251 \342\202\254 \360\237\230\200", 14,
		       "caf\303\251 \342\202\254 \360\237\230\200");
	assert_escapes("\302\233", 2, "\\xc2\\x9b");                   /* C1: CSI */
	assert_escapes("\342\200\256", 3, "\\xe2\\x80\\xae");          /* U+202E */
	assert_escapes("\342\201\246", 3, "\\xe2\\x81\\xa6");          /* U+2066 */
	assert_escapes("\342\200\217", 3, "\\xe2\\x80\\x8f");          /* U+200F */
	assert_escapes("\300\257", 2, "\\xc0\\xaf");                   /* longer than needed */
	assert_escapes("\355\240\200", 3, "\\xed\\xa0\\x80");          /* a surrogate */
	assert_escapes("\364\220\200\200", 4, "\\xf4\\x90\\x80\\x80"); /* past U+10FFFF */
	assert_escapes("\342\202", 2, "\\xe2\\x82");                   /* cut short */
	assert_escapes("\342\202x", 3, "\\xe2\\x82x");
	assert_escapes("\200\377", 2, "\\x80\\xff");
}

static size_t utf8_encode(char out[static 4], uint32_t point)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

static void escape_treats_every_code_point_right(void **state)
{
	(void)state;
	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		bool surrogate = point >= 0xd800 && point <= 0xdfff;
		bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
		bool bidi = (point >= 0x202a && point <= 0x202e) || point == 0x200e ||
			    (point >= 0x2066 && point <= 0x2069) || point == 0x200f ||
			    point == 0x061c || point == 0x2028 || point == 0x2029;
		char in[4], out[20];
		size_t size = utf8_encode(in, point);

		err_escape(out, sizeof(out), in, size);
		if (surrogate || control || bidi)
			assert_int_equal(strlen(out), 4 * size);
		else
			assert_memory_equal(out, in, size);
	}
}

static void escape_is_cut_with_dots_between_characters(void **state)
{
	static const char text[] = "ab\303\251\033\342\202\254z\n0123456789";
	char whole[100], out[100];

	(void)state;
	err_escape(whole, sizeof(whole), text, sizeof(text) - 1);
	for (size_t room = 4; room < sizeof(out); room++) {
		memset(out, '#', sizeof(out));
		err_escape(out, room, text, sizeof(text) - 1);
		assert_true(strlen(out) < room);
		assert_int_equal(out[room], '#');
		if (room > strlen(whole)) {
			assert_string_equal(out, whole);
			continue;
		}
		size_t kept = strlen(out) - 3;
		assert_string_equal(out + kept, "...");
		assert_memory_equal(out, whole, kept);
		/* nothing is cut in the middle of a character or of an escape */
		assert_int_not_equal((unsigned char)whole[kept] & 0xc0, 0x80);
		assert_true(kept < 3 || whole[kept - 1] != '\\');
		assert_true(kept < 3 || memcmp(whole + kept - 2, "\\x", 2) != 0);
		assert_true(kept < 3 || memcmp(whole + kept - 3, "\\x", 2) != 0);
	}
}

static void err_text_keeps_its_order_and_is_escaped(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, ERR_CHECKSUM, "block %d of %s", 7, "a\033b"), ERR_CHECKSUM);
	assert_string_equal(err.text, "block 7 of a\\x1bb");
	assert_int_equal(err_prefix(&err, "member %u", 3u), ERR_CHECKSUM);
	assert_int_equal(err_prefix(&err, "array\n"), ERR_CHECKSUM);
	assert_string_equal(err.text, "array\\x0a: member 3: block 7 of a\\x1bb");
	assert_int_equal(err_hint(&err, "pgctl inspect %s", "x\r"), ERR_CHECKSUM);
	assert_string_equal(err.hint, "pgctl inspect x\\x0d");
	assert_int_equal(err_fact(&err, "offset", "%d", 4096), ERR_CHECKSUM);
	assert_int_equal(err.fact_count, 1);
	assert_string_equal(err.facts[0].name, "offset");
	assert_string_equal(err.facts[0].value, "4096");

	/* the old text as an argument of the new one */
	err_set(&err, ERR_IO, "again: %s", err.text);
	assert_string_equal(err.text, "again: array\\x0a: member 3: block 7 of a\\x1bb");
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(err.fact_count, 0);
	assert_string_equal(err.hint, "");
}

static void err_text_that_is_too_long_shows_the_cut(void **state)
{
	struct err err = { 0 };
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_IO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(err.text + sizeof(err.text) - 4, "...");
	err_set(&err, ERR_IO, "short");
	err_prefix(&err, "%s", text);
	assert_string_equal(err.text + sizeof(err.text) - 4, "...");
}

static void err_codes_have_names_and_back(void **state)
{
	(void)state;
	for (int code = -1; code > -(int)ERR_INDEX_COUNT; code--) {
		assert_int_equal(err_from_name(err_name(code)), code);
		assert_true(strlen(err_sentence(code)) > 10);
		assert_true(strlen(err_code_hint(code)) > 10);
	}
	assert_string_equal(err_name(-(int)ERR_INDEX_COUNT), "unknown");
	assert_string_equal(err_name(0), "unknown");
	assert_string_equal(err_name(5), "unknown");
	assert_int_equal(err_from_name("no such name"), 0);
	assert_int_equal(err_from_name("unknown"), 0);
	assert_string_equal(err_name(ERR_BUSY), "busy");
	assert_int_equal(err_class(ERR_USAGE), ERR_CLASS_USAGE);
	assert_int_equal(err_class(ERR_STOPPED), ERR_CLASS_SIGNAL);
	assert_int_equal(err_class(ERR_DATA_LOST), ERR_CLASS_ANSWER);
}

/* ---- bytes */

static void bytes_are_zero_sees_every_bit(void **state)
{
	uint8_t bytes[200] = { 0 };

	(void)state;
	for (size_t offset = 0; offset < 9; offset++) {
		for (size_t size = 0; size + offset <= 150; size++) {
			assert_true(bytes_are_zero(bytes + offset, size));
			for (size_t at = 0; at < size; at++) {
				bytes[offset + at] = (uint8_t)(1u << at % 8);
				assert_false(bytes_are_zero(bytes + offset, size));
				bytes[offset + at] = 0;
			}
			bytes[offset + size] = 1; /* just behind */
			assert_true(bytes_are_zero(bytes + offset, size));
			bytes[offset + size] = 0;
		}
	}
}

static void cursor_stops_at_the_end_and_stays_failed(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

	(void)state;
	for (size_t size = 0; size <= 16; size++) {
		struct cursor cursor = { .at = bytes, .left = size };
		uint8_t a = cursor_u8(&cursor);
		uint16_t b = cursor_u16(&cursor);
		uint32_t c = cursor_u32(&cursor);
		uint64_t d = cursor_u64(&cursor);

		assert_int_equal(a, size >= 1 ? 1 : 0);
		assert_int_equal(b, size >= 3 ? 0x0302 : 0);
		assert_int_equal(c, size >= 7 ? 0x07060504 : 0);
		assert_true(d == (size >= 15 ? UINT64_C(0x0f0e0d0c0b0a0908) : 0));
		assert_int_equal(cursor.failed, size < 15);
		assert_true(size < 15 || cursor.left == size - 15);
		assert_null(cursor_take(&cursor, 2));
		assert_true(cursor.failed);
		assert_int_equal(cursor_u8(&cursor), 0);
	}
	struct cursor cursor = { .at = bytes, .left = 4 };
	assert_null(cursor_take(&cursor, SIZE_MAX));
}

static void buffer_holds_what_was_put_in(void **state)
{
	struct buffer buffer = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		buffer_u8(&buffer, (uint8_t)i);
		buffer_u16(&buffer, (uint16_t)(i * 3));
		buffer_u32(&buffer, i * 5);
		buffer_u64(&buffer, UINT64_C(0x0102030405060708) + i);
		buffer_bytes(&buffer, "xyz", 3);
		assert_int_equal(buffer_add(&buffer, 2)[1], 0);
	}
	assert_false(buffer.failed);
	assert_int_equal(buffer.size, 20000);

	struct cursor cursor = { .at = buffer.bytes, .left = buffer.size };
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(cursor_u8(&cursor), (uint8_t)i);
		assert_int_equal(cursor_u16(&cursor), (uint16_t)(i * 3));
		assert_int_equal(cursor_u32(&cursor), i * 5);
		assert_true(cursor_u64(&cursor) == UINT64_C(0x0102030405060708) + i);
		assert_memory_equal(cursor_take(&cursor, 5), "xyz\0", 5);
	}
	assert_int_equal(cursor.left, 0);
	buffer_reset(&buffer);
	assert_null(buffer.bytes);
	assert_null(buffer_add(&buffer, SIZE_MAX));
	assert_true(buffer.failed);
	buffer_reset(&buffer);
}

/* ---- memory that runs out */

static void memory_refuses_sizes_that_overflow(void **state)
{
	(void)state;
	assert_null(mem_calloc(SIZE_MAX / 2, 3));
	assert_null(mem_realloc(NULL, SIZE_MAX / 2, 3));

	void *empty = mem_calloc(0, 8);
	assert_non_null(empty);
	mem_free(empty);

	uint8_t *pages = mem_pages(3 * BLOCK_SIZE);
	assert_int_equal((uintptr_t)pages % BLOCK_SIZE, 0);
	assert_true(bytes_are_zero(pages, 3 * BLOCK_SIZE));
	mem_pages_free(pages);

	char *copy = mem_strndup("abcdef", 3);
	assert_string_equal(copy, "abc");
	mem_free(copy);
}

/* Everything that grows, with the allocation that is `nth` ahead denied; true when it was reached. */
static bool grow_with_denied(unsigned nth)
{
	struct buffer buffer = { 0 };
	struct text text = { 0 };
	struct number_vec numbers = { 0 };
	size_t pushed = 0, size_before = 0;
	unsigned left = nth;

	mem_set_hook(deny_nth, &left);
	for (uint64_t i = 0; i < 300; i++) {
		buffer_u64(&buffer, i);
		if (!text.failed)
			size_before = text.size;
		text_add(&text, "number %03d\n", (int)i);
		if (number_vec_push(&numbers, i) == 0)
			pushed++;
	}
	mem_set_hook(NULL, NULL);

	assert_true(buffer.failed || buffer.size == 2400);
	assert_true(text.failed || text.size == 3300);
	if (text.failed && text.chars) {
		assert_int_equal(strlen(text.chars), text.size);
		assert_int_equal(text.size, size_before);
	}
	assert_int_equal(pushed, numbers.count);
	for (size_t i = 1; i < numbers.count; i++)
		assert_true(numbers.at[i] > numbers.at[i - 1]);

	bool reached = buffer.failed || text.failed || pushed < 300;
	buffer_reset(&buffer);
	text_reset(&text);
	number_vec_reset(&numbers);
	return reached;
}

static void no_memory_leaves_what_was_there(void **state)
{
	unsigned nth = 0;

	(void)state;
	while (grow_with_denied(nth))
		nth++;
	assert_true(nth > 10); /* it did grow several times */

	mem_set_hook(deny_nth, &(unsigned){ 0 });
	assert_null(mem_pages(BLOCK_SIZE));
	mem_set_hook(deny_nth, &(unsigned){ 0 });
	assert_null(mem_strdup("x"));
	mem_set_hook(NULL, NULL);
}

static void vec_reserve_keeps_its_word(void **state)
{
	struct number_vec numbers = { 0 };

	(void)state;
	assert_int_equal(number_vec_reserve(&numbers, 100), 0);
	const uint64_t *before = numbers.at;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(number_vec_push(&numbers, i), 0);
	assert_ptr_equal(numbers.at, before);
	assert_int_equal(number_vec_reserve(&numbers, SIZE_MAX / 4), ERR_NOMEM);
	assert_int_equal(numbers.count, 100);
	number_vec_reset(&numbers);
	assert_int_equal(numbers.capacity, 0);
}

/* ---- the rest */

static void units_are_parsed_whole(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "512B", 512 },
		{ "4K", 4096 },
		{ "4k", 4096 },
		{ "4KiB", 4096 },
		{ "4KB", 4000 },
		{ "4kb", 4000 },
		{ "1.5M", 1572864 },
		{ "2G", UINT64_C(2) << 30 },
		{ "1.5T", UINT64_C(3) << 39 },
		{ "1.5TB", UINT64_C(1500000000000) },
		{ "0.1K", 102 },
		{ "15E", UINT64_C(15) << 60 },
		{ "15.999999999E", UINT64_C(18446744072556630111) },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"",
		" ",
		"K",
		"-1",
		"+1",
		"1.5",
		"1.5B",
		"1..5K",
		"1.K",
		".5K",
		"4X",
		"4KK",
		"4Ki",
		"4 K",
		"4K ",
		"0x10",
		"1e3",
		"16E",
		"18446744073709551616",
		"1.0000000001G",
		"4K\n",
	};
	struct err err = { 0 };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(units_parse(&bytes, good[i].text, &err), 0);
		if (bytes != good[i].bytes)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bytes = 77;
		if (units_parse(&bytes, bad[i], &err) != ERR_SIZE || bytes != 77)
			fail_msg("'%s' was taken for %llu", bad[i], (unsigned long long)bytes);
		assert_true(strlen(err.text) > 0);
	}
}

static void units_text_is_short_and_right(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 4096, "4.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 102348, "99.9 KiB" },
		{ 102400, "100 KiB" },
		{ 1047551, "1023 KiB" },
		{ 1048064, "1.0 MiB" },
		{ UINT64_C(3) << 29, "1.5 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char out[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(units_text(out, cases[i].bytes), cases[i].text);
}

static void uuid_has_version_variant_and_prefix(void **state)
{
	static const uint8_t random[16] = { 0xde, 0xad, 0xbe, 0xef, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 1,    2,    3,    4,    5,    0xab };
	struct uuid uuid = uuid_from_random(random), other = uuid;
	char text[UUID_TEXT_SIZE];

	(void)state;
	uuid_text(text, &uuid);
	assert_string_equal(text, "deadbeef-ffff-4fff-bfff-0102030405ab");
	assert_true(uuid_has_prefix(&uuid, "dead"));
	assert_true(uuid_has_prefix(&uuid, "DEADBEEF-FFFF-4"));
	assert_true(uuid_has_prefix(&uuid, text));
	assert_false(uuid_has_prefix(&uuid, "dea"));
	assert_false(uuid_has_prefix(&uuid, ""));
	assert_false(uuid_has_prefix(&uuid, "deae"));
	assert_false(uuid_has_prefix(&uuid, "deadbeef-ffff-4fff-bfff-0102030405ab0"));
	assert_true(uuid_equal(&uuid, &other));
	assert_false(uuid_is_zero(&uuid));
	for (unsigned i = 0; i < 16; i++) {
		other = uuid;
		other.bytes[i] ^= 1;
		assert_false(uuid_equal(&uuid, &other));
		other = (struct uuid){ 0 };
		assert_true(uuid_is_zero(&other));
		other.bytes[i] = 1;
		assert_false(uuid_is_zero(&other));
	}
}

static void rng_gives_the_published_numbers(void **state)
{
	struct rng rng = rng_seeded(0);
	unsigned counts[10] = { 0 };

	(void)state;
	assert_true(rng_next(&rng) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(rng_next(&rng) == UINT64_C(0x6e789e6aa1b965f4));
	assert_true(rng_next(&rng) == UINT64_C(0x06c45d188009454f));
	for (unsigned i = 0; i < 100000; i++)
		counts[rng_below(&rng, 10)]++;
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(counts[i], 9500, 10500);
	assert_int_equal(rng_below(&rng, 1), 0);
	assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void size_arithmetic_says_overflow(void **state)
{
	uint64_t out = 7;

	(void)state;
	assert_false(size_add(UINT64_MAX, 1, &out));
	assert_false(size_multiply(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
	assert_true(out == 7);
	assert_true(size_add(UINT64_MAX - 1, 1, &out) && out == UINT64_MAX);
	assert_true(size_multiply(3, 5, &out) && out == 15);
	assert_true(size_divide_up(UINT64_MAX, 2) == UINT64_C(1) << 63);
	assert_true(size_round_up(4097, 4096) == 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_equals_zlib_with_any_seed),
		cmocka_unit_test(crc_zero_block_is_the_sum_of_zeros),
		cmocka_unit_test(crc_linear_part_adds_up_under_any_seeds),
		cmocka_unit_test(escape_shows_what_would_move_the_cursor),
		cmocka_unit_test(escape_treats_every_code_point_right),
		cmocka_unit_test(escape_is_cut_with_dots_between_characters),
		cmocka_unit_test(err_text_keeps_its_order_and_is_escaped),
		cmocka_unit_test(err_text_that_is_too_long_shows_the_cut),
		cmocka_unit_test(err_codes_have_names_and_back),
		cmocka_unit_test(bytes_are_zero_sees_every_bit),
		cmocka_unit_test(cursor_stops_at_the_end_and_stays_failed),
		cmocka_unit_test(buffer_holds_what_was_put_in),
		cmocka_unit_test(memory_refuses_sizes_that_overflow),
		cmocka_unit_test(no_memory_leaves_what_was_there),
		cmocka_unit_test(vec_reserve_keeps_its_word),
		cmocka_unit_test(units_are_parsed_whole),
		cmocka_unit_test(units_text_is_short_and_right),
		cmocka_unit_test(uuid_has_version_variant_and_prefix),
		cmocka_unit_test(rng_gives_the_published_numbers),
		cmocka_unit_test(size_arithmetic_says_overflow),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
