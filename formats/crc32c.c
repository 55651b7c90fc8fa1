/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/crc32c.h"

#include <assert.h>
#include <isa-l/crc.h>
#include <limits.h>

uint32_t crc32c_of(uint32_t crc, const uint8_t *bytes, size_t size)
{
	assert(size <= INT_MAX);
	/* The library only reads them, though its type does not say so. */
	return crc32_iscsi((uint8_t *)(uintptr_t)bytes, (int)size, crc);
}
