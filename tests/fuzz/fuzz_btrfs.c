/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a device of btrfs. `make fuzz-btrfs`. Nothing reads or computes past what it was given, and whatever
 * is found has facts of one form. tests/unit/test_other_corpus.c replays the corpus.
 */
#include "tests/fuzz/fuzz_kind.h"
#include "tests/unit/other_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)other_try_some("btrfs", data, size, fuzz_one_in_eight(data, size));
	return 0;
}
