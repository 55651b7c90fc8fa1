/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The index of a metadata archive: any bytes to its decoder. `make fuzz-meta`. Whatever decodes encodes to the same
 * bytes. tests/unit/test_meta_index.c replays the corpus.
 */
#include "tests/unit/meta_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)meta_try(data, size);
	return 0;
}
