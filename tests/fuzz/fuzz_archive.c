/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Archives: any bytes, as put --tar reads them. `make fuzz-archive`. What begins as a tar archive gets the sums of its
 * headers put right, so that what they say is believed. tests/unit/test_archive.c replays the corpus, and tries archives
 * with each of their first bytes changed.
 */
#include "tests/unit/archive_try.h"

#include <stdlib.h>
#include <string.h>

#define TAR_BLOCK 512u
#define INPUT_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void header_mend(uint8_t *header)
{
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += header[i];
	for (size_t i = 6; i-- > 0; sum /= 8)
		header[148 + i] = (uint8_t)('0' + sum % 8);
	header[154] = 0;
}

/* Blocks from one header to where it says that the next one is. */
static void tar_mend(uint8_t *bytes, size_t size)
{
	size_t at = 0;

	while (at + TAR_BLOCK <= size) {
		char digits[13] = "";
		unsigned long content;

		header_mend(bytes + at);
		memcpy(digits, bytes + at + 124, 12);
		content = strtoul(digits, NULL, 8);
		at += TAR_BLOCK;
		at += content < size ? (content + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK : 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[INPUT_MAX];

	if (size > sizeof(bytes))
		return 0;
	memcpy(bytes, data, size);
	if (size >= TAR_BLOCK && memcmp(bytes + 257, "ustar", 5) == 0)
		tar_mend(bytes, size);
	(void)archive_try(bytes, size);
	return 0;
}
