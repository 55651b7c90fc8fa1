/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Arrays of other makers: the corpus of the fuzz programs, which has real records that mdadm, lvm and mkfs.btrfs
 * made and labels of ZFS written by tests/md/zfs_label.py, and the sums that these formats use. Aim: each still
 * decodes without faults or is refused without harm. Method: every file through other_try(), whole, cut short,
 * and with each of its first bytes changed; sums against vectors of their standards.
 */
#include "formats/crc32c.h"
#include "formats/ddf.h"
#include "formats/lvm_text.h"
#include "formats/sha.h"
#include "tests/unit/corpus_help.h"
#include "tests/unit/other_try.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_CHANGED 40u /* from the front; the whole of them is the fuzzer's business */

static const char *format;

static bool try_it(uint8_t *bytes, size_t size)
{
	return other_try(format, bytes, size);
}

static void vary(uint8_t *bytes, size_t size)
{
	other_try(format, bytes, size / 2);
	for (size_t at = 0; at < size && at < BYTES_CHANGED; at++) {
		bytes[at] ^= 0xff;
		other_try(format, bytes, size);
		bytes[at] ^= 0xff;
	}
}

/* How many files decode without faults. */
static unsigned replay(const char *name)
{
	format = name;
	return corpus_replay(name, try_it, vary).true_count;
}

static void corpus_is_read(void **state)
{
	(void)state;
	assert_true(replay("ddf") >= 3);
	assert_true(replay("imsm") >= 5);
	assert_true(replay("lvm2") >= 3);
	assert_true(replay("btrfs") >= 3);
	assert_true(replay("zfs") >= 4);
}

static void assert_digits(const uint8_t *bytes, size_t size, const char *digits)
{
	char text[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(text, digits);
}

/* FIPS 180-4's examples, and lengths around the padding; RFC 3720's for CRC-32C. */
static void sums_are_those_of_their_standards(void **state)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	uint8_t sum[SHA256_SIZE], many[119];

	(void)state;
	sha1_of(sum, (const uint8_t *)"abc", 3);
	assert_digits(sum, SHA1_SIZE, "a9993e364706816aba3e25717850c26c9cd0d89d");
	sha1_of(sum, (const uint8_t *)two, 56);
	assert_digits(sum, SHA1_SIZE, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	sha256_of(sum, (const uint8_t *)"", 0);
	assert_digits(sum, SHA256_SIZE,
		      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of(sum, (const uint8_t *)two, 56);
	assert_digits(sum, SHA256_SIZE,
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(many, 'a', sizeof(many));
	sha256_of(sum, many, 119);
	assert_digits(sum, SHA256_SIZE,
		      "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
	assert_int_equal(~crc32c_of(UINT32_MAX, (const uint8_t *)"123456789", 9), 0xe3069283);
}

/* Sections, lists, escapes, comments, signs; and texts that are none, each refused by what is wrong. */
static void text_of_a_volume_group(void **state)
{
	static const char good[] =
		"a { b = -3 # c\n d = \"x\\\"\\\\y\" e = [ \"p\", 7 ] f = [] g { h = 2.5 } }";
	static const char *const bad[] = {
		"a {",        "}",       "a",   "a =",   "a = [1",
		"a = [1 2]",  "a = \"x", "= 1", "a = x", "a = 99999999999999999999",
		"a { b { } ",
	};
	struct lvm_node_vec nodes = { 0 };
	struct err err = { 0 };
	char text[16];
	uint32_t section;

	(void)state;
	assert_int_equal(lvm_text_parse(&nodes, good, sizeof(good), &err), 0);
	section = lvm_find(&nodes, LVM_NO_NODE, "a", LVM_SECTION);
	assert_int_equal(section, 0);
	assert_int_equal((int64_t)lvm_number(&nodes, section, "b"), -3);
	lvm_string(text, sizeof(text), &nodes, section, "d");
	assert_string_equal(text, "x\"\\y");
	assert_int_equal(nodes.at[lvm_find(&nodes, section, "e", LVM_LIST)].end,
			 lvm_find(&nodes, section, "e", LVM_LIST) + 3);
	assert_int_equal(lvm_number(&nodes, lvm_find(&nodes, section, "g", LVM_SECTION), "h"), 2);
	assert_int_equal(lvm_find(&nodes, section, "h", LVM_NUMBER), LVM_NO_NODE);
	lvm_node_vec_reset(&nodes);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(lvm_text_parse(&nodes, bad[i], strlen(bad[i]), &err), ERR_FORMAT);
		lvm_node_vec_reset(&nodes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read),
		cmocka_unit_test(sums_are_those_of_their_standards),
		cmocka_unit_test(text_of_a_volume_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
