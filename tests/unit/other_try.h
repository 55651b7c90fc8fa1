/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes to the decoders of other makers' arrays: what the fuzz programs and the unit tests have in common.
 * No test library in it: what is wrong ends the process.
 *
 * The bytes become a device of the format, and the sums in it are put right so that everything behind them is
 * reached, unless the first byte is odd.
 *	ddf	byte, header, what follows it; anchor, primary and secondary header are made of the one
 *	imsm	byte, MPB
 *	lvm2	byte, label, header of the metadata area, text
 *	btrfs	byte, superblock, nodes from byte 131072 on
 *	zfs	byte, uberblock (256 bytes), name-value list
 */
#ifndef PG_TESTS_OTHER_TRY_H
#define PG_TESTS_OTHER_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `format` is its name in inspect. True when something decoded without faults. */
bool other_try(const char *format, const uint8_t *data, size_t size);
/* The same; unless `shown` without the facts for inspect, which take most of the time. */
bool other_try_some(const char *format, const uint8_t *data, size_t size, bool shown);

#endif
