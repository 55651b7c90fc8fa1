/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The corpus of the fuzz program for Linux MD: real records of arrays that a kernel made, and what the
 * fuzzer found worth keeping. Aim: each still decodes or is refused without harm. Method: every file through
 * md_try(), whole, cut short, and with each of its first bytes changed.
 */
#include "formats/md_journal.h"
#include "formats/md_ppl.h"
#include "tests/unit/corpus_help.h"
#include "tests/unit/md_help.h"
#include "tests/unit/md_try.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus/md"
#define INPUT_MAX 65536u

static size_t file_read(uint8_t *bytes, const char *name)
{
	char path[512];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	return size;
}

static bool try_it(uint8_t *bytes, size_t size)
{
	return md_try(bytes, size);
}

static void vary(uint8_t *bytes, size_t size)
{
	md_try(bytes, size / 2);
	for (size_t at = 0; at < size && at < 300; at++) {
		bytes[at] ^= 0xff;
		md_try(bytes, size);
		bytes[at] ^= 0xff;
	}
}

static void corpus_is_read(void **state)
{
	struct corpus_count count = corpus_replay("md", try_it, vary);

	(void)state;
	print_message("%u files, %u decode\n", count.files, count.true_count);
	assert_true(count.files >= 20 && count.true_count >= 20);
}

static struct md1 super_read(const char *name)
{
	static uint8_t bytes[INPUT_MAX];
	struct md1 super;
	struct err err = { 0 };

	memset(bytes, 0, sizeof(bytes));
	file_read(bytes, name);
	assert_int_equal(md1_decode(&super, bytes + 2, &err), 0);
	return super;
}

/* The kernel's own sums, which no encode of ours has made: of each record, and of two that need a uuid. */
static void sums_are_those_of_the_kernel(void **state)
{
	static uint8_t bytes[INPUT_MAX];
	const struct md1 super = super_read("raid5-journal-1.2-n4-m4.super");
	const struct md1 dirty = super_read("raid5-ppl-dirty-1.1-n5-m0.super");
	static struct md0 old;
	static struct md_ppl ppl;
	static struct md_journal journal;
	struct md_faults faults = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(super.checksum, super.checksum_expected);
	file_read(bytes, "raid5-ra-0.90-n3-c32-m1.super");
	assert_int_equal(md0_decode(&old, bytes + 2, &err), 0);
	assert_int_equal(old.checksum, old.checksum_expected);

	memset(bytes, 0, sizeof(bytes));
	file_read(bytes, "raid5-ppl-dirty-1.1-n5-m0.ppl");
	assert_int_equal(md_ppl_decode(&ppl, bytes + 2, &err), 0);
	md_ppl_validate(&faults, &ppl, dirty.set_uuid.bytes, 5, 1 << 20);
	memset(bytes, 0, sizeof(bytes));
	file_read(bytes, "raid5-journal-1.2-n4-m4.journal");
	assert_int_equal(md_journal_decode(&journal, bytes + 2, super.set_uuid.bytes, &err), 0);
	md_journal_validate(&faults, &journal, super.recovery_sectors);
	if (faults.count)
		fail_msg("%s: %s", faults.at[0].field, faults.at[0].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read),
		cmocka_unit_test(sums_are_those_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
