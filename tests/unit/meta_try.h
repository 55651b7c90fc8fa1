/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes to the decoder of a metadata archive's index: what the fuzz program and the unit test have in common. No
 * test library in it: what is wrong ends the process. The checksum at the end is put right first.
 */
#ifndef PG_TESTS_META_TRY_H
#define PG_TESTS_META_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when it decoded; then it encodes to the same bytes. */
bool meta_try(const uint8_t *data, size_t size);

#endif
