/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sizes as people write them: "64K" "1.5T" are powers of 1024, "4KB" of 1000, plain is bytes. */
#ifndef PG_BASE_UNITS_H
#define PG_BASE_UNITS_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_SIZE 24

/*
 * Parse `text` whole; fractions only with a unit, rounded down to bytes. Case is ignored, and "KiB" is
 * the same as "K". Returns 0 or ERR_SIZE with a text.
 */
int units_parse(uint64_t *bytes_out, const char *text, struct err *err) MUST_CHECK;

/* "0", "512 B", "4.0 KiB", "1.5 GiB", "120 GiB": three or four digits, for people only. */
const char *units_text(char out[static UNITS_TEXT_SIZE], uint64_t bytes);

#endif
