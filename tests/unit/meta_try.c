/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/meta_try.h"

#include "core/base/crc.h"
#include "formats/meta_index.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
	if (!holds)
		abort();
}

bool meta_try(const uint8_t *data, size_t size)
{
	struct meta_index index = { 0 };
	struct buffer again = { 0 };
	struct err err = { 0 };
	uint8_t *bytes = malloc(size + 1);
	int rc;

	must(bytes != NULL);
	memcpy(bytes, data, size);
	if (size >= 4)
		put_le32(bytes + size - 4, crc32_of(0, bytes, size - 4));
	rc = meta_index_decode(&index, bytes, size, &err);
	must((rc == 0) == (err.code == 0));
	if (rc == 0) {
		meta_index_encode(&again, &index);
		must(!again.failed && again.size == size && memcmp(again.bytes, bytes, size) == 0);
		for (size_t i = 0; i < index.ranges.count; i++)
			must(meta_index_member(&index, index.ranges.at[i].slot) != NULL);
	}
	buffer_reset(&again);
	meta_index_reset(&index);
	free(bytes);
	return rc == 0;
}
