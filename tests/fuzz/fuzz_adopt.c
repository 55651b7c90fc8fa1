/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Adoption records: any bytes to header and table. `make fuzz-adopt`. tests/unit/test_md_adopt.c replays the corpus.
 */
#include "tests/unit/adopt_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	adopt_try(data, size);
	return 0;
}
