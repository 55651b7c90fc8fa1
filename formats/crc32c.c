/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */

uint32_t crc32c_of(uint32_t crc, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return crc;
}
