/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults that are asked for: any bytes as a fault file or a SPEC. `make fuzz-faults`, or one with `KIND=n make
 * fuzz-faults`. tests/unit/test_fault_file.c replays the corpus.
 */
#include "tests/fuzz/fuzz_kind.h"
#include "tests/unit/faults_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		(void)faults_try_kind(fuzz_kind(data, FAULTS_TRY_KINDS), data + 1, size - 1);
	return 0;
}
