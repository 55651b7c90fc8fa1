/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/overlay_try.h"

#include "core/base/crc.h"
#include "core/dev/overlay_record.h"

#include <stdlib.h>
#include <string.h>

#define TRY_BLOCKS 5000u /* the first page's last sectors are behind the end of such a member */

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool header_try(uint8_t bytes[static BLOCK_SIZE])
{
	struct overlay_header header;
	uint8_t again[BLOCK_SIZE];
	struct err err = { 0 };

	put_le32(bytes + BLOCK_SIZE - 4, crc32_of(0, bytes, BLOCK_SIZE - 4));
	if (overlay_header_decode(&header, bytes, &err)) {
		must(err.code < 0 && err.text[0]);
		return false;
	}
	overlay_header_encode(again, &header);
	must(memcmp(again, bytes, BLOCK_SIZE) == 0);
	must(overlay_side_size(header.size) > header.size);
	return true;
}

static bool page_try(uint8_t page[static BLOCK_SIZE])
{
	uint8_t again[BLOCK_SIZE] = { 0 };
	struct err err = { 0 };

	overlay_page_seal(page, 0);
	if (overlay_page_check(page, 0, TRY_BLOCKS, &err)) {
		must(err.code < 0 && err.text[0]);
		return false;
	}
	for (uint32_t i = 0; i < OVERLAY_PAGE_BLOCKS; i++)
		overlay_page_set(again, i, overlay_page_get(page, i));
	overlay_page_seal(again, 0);
	must(memcmp(again, page, BLOCK_SIZE) == 0);
	return true;
}

bool overlay_try(const uint8_t *data, size_t size)
{
	uint8_t bytes[BLOCK_SIZE] = { 0 };

	if (size == 0)
		return false;
	memcpy(bytes, data + 1, size - 1 < BLOCK_SIZE ? size - 1 : BLOCK_SIZE);
	return data[0] % 2 ? page_try(bytes) : header_try(bytes);
}
