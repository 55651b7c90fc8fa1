/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a layout file: what the fuzz program and the unit test have in common. No test library in it: what is wrong
 * ends the process.
 */
#ifndef PG_TESTS_LAYOUT_TRY_H
#define PG_TESTS_LAYOUT_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when it is a layout; then every promise of formats/layout_file.h has held for it. */
bool layout_try(const uint8_t *data, size_t size);
/* The same; the map, which takes most of the time, only if `mapped`. */
bool layout_try_some(const uint8_t *data, size_t size, bool mapped);

#endif
