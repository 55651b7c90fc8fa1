/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The corpus of the fuzz program for logs of Linux MD. Aim: each is replayed to places of the array, or not at all, and
 * never harms. Method: every file through md_log_try(), whole and with each of its first bytes changed.
 */
#include "tests/unit/corpus_help.h"
#include "tests/unit/md_log_try.h"

#include <cmocka.h>

#define BYTES_CHANGED 60u

static bool try_it(uint8_t *bytes, size_t size)
{
	return md_log_try(bytes, size);
}

static void vary(uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size && at < BYTES_CHANGED; at++) {
		bytes[at] ^= 0xff;
		md_log_try(bytes, size);
		bytes[at] ^= 0xff;
	}
}

static void corpus_is_replayed(void **state)
{
	struct corpus_count count = corpus_replay("md_log", try_it, vary);

	(void)state;
	print_message("%u files, %u are replayed\n", count.files, count.true_count);
	assert_true(count.files >= 4 && count.true_count >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
