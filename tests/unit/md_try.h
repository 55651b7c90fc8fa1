/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes to the decoders of Linux MD: what the fuzz program and the unit tests have in common. No test
 * library in it: what is wrong ends the process.
 *
 * The first byte says which decoder, the second one a parameter of it, the rest are the bytes, with zeros
 * behind:
 *	0 superblock 0.90	1 superblock 1.x (minor version)	2 bitmap
 *	3 bad-block log (shift)	4 partial parity log			5 journal
 *	6 a whole device with a superblock at one of the four places, and what follows right behind it
 *
 * Sums are put right first, so that everything behind them is reached.
 */
#ifndef PG_TESTS_MD_TRY_H
#define PG_TESTS_MD_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MD_TRY_KINDS 7u

/* True when something decoded. */
bool md_try(const uint8_t *data, size_t size);

/*
 * The same without the first byte, for one decoder. `shown` also makes the facts that inspect shows and whole arrays,
 * which takes most of the time.
 */
bool md_try_kind(uint32_t kind, const uint8_t *data, size_t size, bool shown);

#endif
