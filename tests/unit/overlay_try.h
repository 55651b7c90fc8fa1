/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes to the decoders of an overlay's side file: what the fuzz program and the unit test have in common. No
 * test library in it: what is wrong ends the process.
 *
 * The first byte says which: 0 the header, 1 a page of the record. Sums are put right first.
 */
#ifndef PG_TESTS_OVERLAY_TRY_H
#define PG_TESTS_OVERLAY_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when it decoded; then it encodes to the same bytes. */
bool overlay_try(const uint8_t *data, size_t size);

#endif
