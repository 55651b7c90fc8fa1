/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linux MD: any bytes to every decoder, and as a device. `make fuzz-md`, or one decoder with `KIND=n make fuzz-md`.
 * Whatever decodes encodes to the same bytes; nothing reads or computes past what it was given.
 * tests/unit/test_md_corpus.c replays the corpus.
 */
#include "tests/fuzz/fuzz_kind.h"
#include "tests/unit/md_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		(void)md_try_kind(fuzz_kind(data, MD_TRY_KINDS), data + 1, size - 1,
				  fuzz_one_in_eight(data, size));
	return 0;
}
