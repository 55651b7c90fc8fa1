/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CRC-32C (Castagnoli), for records of others only: the logs of Linux MD, btrfs. `crc` goes in and comes out as it
 * is, so that sums can be carried on; most formats begin with all ones.
 */
#ifndef PG_FORMATS_CRC32C_H
#define PG_FORMATS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c_of(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
