/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Archives: any bytes, as put --tar reads them. `make fuzz-archive`. tests/unit/test_archive.c replays the corpus, and
 * tries archives with each of their first bytes changed.
 */
#include "tests/unit/archive_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)archive_try_mended(data, size);
	return 0;
}
