/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logs of Linux MD, replayed: any bytes as a partial parity log or a journal. `make fuzz-md_log`, or one of them with
 * `KIND=n make fuzz-md_log`. Nothing is written but to places of the array. tests/unit/test_md_log_corpus.c replays the
 * corpus.
 */
#include "tests/fuzz/fuzz_kind.h"
#include "tests/unit/md_log_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		(void)md_log_try_kind(fuzz_kind(data, MD_LOG_TRY_KINDS), data + 1, size - 1);
	return 0;
}
