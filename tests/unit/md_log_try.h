/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the logs of a Linux MD array, replayed over members of memory: what the fuzz program and the unit test
 * have in common. No test library in it: what is wrong ends the process.
 *
 * The first byte says which: 0 a partial parity log, 1 a journal. Then four bytes are level, layout, members and chunk
 * of the array; the rest are the log's blocks, 256 bytes of each with zeros behind. Sums are put right first.
 */
#ifndef PG_TESTS_MD_LOG_TRY_H
#define PG_TESTS_MD_LOG_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MD_LOG_TRY_KINDS 2u

/* True when something was written to its place. */
bool md_log_try(const uint8_t *data, size_t size);
/* The same without the first byte, for one log. */
bool md_log_try_kind(uint32_t kind, const uint8_t *data, size_t size);

#endif
