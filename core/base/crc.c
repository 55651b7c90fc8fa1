/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/crc.h"

#include "core/base/bytes.h"

#include <isa-l/crc.h>

/* The register after BLOCK_SIZE zero bytes, for each byte of the register before; it is linear. */
static uint32_t zero_block[4][256];

uint32_t crc32_of(uint32_t seed, const void *bytes, size_t size)
{
	return crc32_gzip_refl(seed, bytes, size);
}

/* Runs before main(), so that no task ever sees the table half made. */
__attribute__((constructor)) static void zero_block_fill(void)
{
	static const uint8_t zeros[BLOCK_SIZE];

	for (unsigned byte = 0; byte < 4; byte++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint32_t before = UINT32_C(1) << (8 * byte + bit);

			zero_block[byte][1u << bit] = ~crc32_of(~before, zeros, sizeof(zeros));
		}
		for (unsigned i = 1; i < 256; i++) {
			unsigned lowest = i & -i;

			zero_block[byte][i] =
				zero_block[byte][lowest] ^ zero_block[byte][i ^ lowest];
		}
	}
}

uint32_t crc32_zero_block(uint32_t seed)
{
	uint32_t before = ~seed;

	return ~(zero_block[0][before & 0xff] ^ zero_block[1][before >> 8 & 0xff] ^
		 zero_block[2][before >> 16 & 0xff] ^ zero_block[3][before >> 24]);
}
