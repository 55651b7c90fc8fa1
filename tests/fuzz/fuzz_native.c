/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The native format: any bytes to every decoder. `make fuzz-native`, or one decoder with `KIND=n make fuzz-native`.
 * Whatever decodes encodes to the same bytes. tests/unit/test_native_corpus.c replays the corpus.
 */
#include "tests/fuzz/fuzz_kind.h"
#include "tests/unit/native_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		(void)native_try_kind(fuzz_kind(data, NATIVE_TRY_KINDS), data + 1, size - 1);
	return 0;
}
