/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as an adoption record: what the fuzz program and the unit test have in common. No test library in it: what is
 * wrong ends the process. Sums are put right first, so that everything behind them is reached.
 */
#ifndef PG_TESTS_ADOPT_TRY_H
#define PG_TESTS_ADOPT_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The header, then its table; true when both decode: then every promise of formats/adopt_record.h has held. */
bool adopt_try(const uint8_t *data, size_t size);

#endif
