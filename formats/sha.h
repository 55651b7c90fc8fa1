/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SHA-1 and SHA-256 (FIPS 180-4), for records of others only: sums of ZFS labels and of btrfs, and the uuids
 * that mdadm gives to Intel Matrix volumes. It sees some hundred KiB: plain, not fast.
 */
#ifndef PG_FORMATS_SHA_H
#define PG_FORMATS_SHA_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE 20u
#define SHA256_SIZE 32u

void sha1_of(uint8_t out[static SHA1_SIZE], const uint8_t *bytes, size_t size);
void sha256_of(uint8_t out[static SHA256_SIZE], const uint8_t *bytes, size_t size);

#endif
