/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Side files of overlays: any bytes to the decoders of header and record. `make fuzz-overlay`. Whatever decodes
 * encodes to the same bytes. tests/unit/test_dev_overlay.c replays the corpus.
 */
#include "tests/unit/overlay_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)overlay_try(data, size);
	return 0;
}
