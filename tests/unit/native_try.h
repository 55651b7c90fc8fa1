/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes to the decoders of the native format: what the fuzz program and the unit test have in common. No test library
 * in it: what is wrong ends the process. Whatever decodes encodes to the same bytes.
 *
 * The first byte says which decoder, the rest are the bytes, with zeros behind:
 *	0 superblock				1 map half: records one behind the other
 *	2 items of a map: two bytes how many are the full record's and how many the delta's, two where the delta's
 *	  begin, then the items
 *	3 record of the intent log		4 entry page of a seal (first byte: the shape)
 *	5 header page of a seal
 *
 * Sums are put right first, so that everything behind them is reached.
 */
#ifndef PG_TESTS_NATIVE_TRY_H
#define PG_TESTS_NATIVE_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATIVE_TRY_KINDS 6u

/* True when it decoded. */
bool native_try(const uint8_t *data, size_t size);
/* The same without the first byte, for one decoder. */
bool native_try_kind(uint32_t kind, const uint8_t *data, size_t size);

#endif
