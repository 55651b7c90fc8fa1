/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CRC-32, zlib's polynomial and conventions: crc32(seed, bytes), seed 0 to begin.
 *
 * crc32_of() runs on ISA-L's crc32_gzip_refl, which equals zlib's crc32 also with a seed (compared
 * in a test). No other CRC is used anywhere.
 *
 * For blocks of one length CRC-32 is affine: with Z = crc32 of BLOCK_SIZE zero bytes under the same
 * seed, crc32(seed, x) ^ Z is linear in x and no longer depends on the seed. So an XOR equation over
 * blocks holds exactly where the XOR of their linear parts is 0 (up to 2^-32), whatever the seeds.
 */
#ifndef PG_BASE_CRC_H
#define PG_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_of(uint32_t seed, const void *bytes, size_t size);

/* crc32_of(seed, BLOCK_SIZE zero bytes) in a few table look-ups. */
uint32_t crc32_zero_block(uint32_t seed);

#endif
