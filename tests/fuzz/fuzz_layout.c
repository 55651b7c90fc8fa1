/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Layout files: any bytes to the parser, and what it takes to the map. `make fuzz-layout`. tests/unit/test_layout_file.c
 * replays the corpus.
 */
#include "tests/fuzz/fuzz_kind.h"
#include "tests/unit/layout_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)layout_try_some(data, size, fuzz_one_in_eight(data, size));
	return 0;
}
