/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The corpus of the fuzz program for the native format: records that this program wrote, and what the fuzzer found worth
 * keeping. Aim: each still decodes and encodes to itself, or is refused without harm. Method: every file through
 * native_try(), whole, cut short, and with each of its first bytes changed.
 */
#include "tests/unit/corpus_help.h"
#include "tests/unit/native_try.h"

#include <cmocka.h>

#define BYTES_CHANGED 200u /* from the front; the whole of them is the fuzzer's business */

static unsigned decoded[NATIVE_TRY_KINDS];

static bool try_it(uint8_t *bytes, size_t size)
{
	bool any = native_try(bytes, size);

	if (size > 0)
		decoded[bytes[0] % NATIVE_TRY_KINDS] += any;
	return any;
}

static void vary(uint8_t *bytes, size_t size)
{
	native_try(bytes, size / 2);
	for (size_t at = 0; at < size && at < BYTES_CHANGED; at++) {
		bytes[at] ^= 0xff;
		native_try(bytes, size);
		bytes[at] ^= 0xff;
	}
}

static void corpus_is_read(void **state)
{
	struct corpus_count count = corpus_replay("native", try_it, vary);

	(void)state;
	for (unsigned kind = 0; kind < NATIVE_TRY_KINDS; kind++)
		print_message("kind %u: %u decode\n", kind, decoded[kind]);
	for (unsigned kind = 0; kind < NATIVE_TRY_KINDS; kind++)
		assert_true(decoded[kind] > 0);
	assert_true(count.files >= NATIVE_TRY_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
