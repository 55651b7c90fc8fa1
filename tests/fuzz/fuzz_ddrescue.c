/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Map files of ddrescue: any bytes to the parser, and what it takes to everything else. `make fuzz-ddrescue`.
 * tests/unit/test_ddrescue.c replays the corpus.
 */
#include "tests/unit/ddrescue_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ddrescue_try(data, size);
	return 0;
}
