/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as an archive: what the fuzz program and the unit test have in common. No test library in it: what is
 * wrong ends the process.
 */
#ifndef PG_TESTS_ARCHIVE_TRY_H
#define PG_TESTS_ARCHIVE_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read all entries, as far as they go. True when the archive has a regular end. */
bool archive_try(const uint8_t *data, size_t size);
/* The same; what begins as a tar archive gets the sums of its headers put right, so that what they say is believed. */
bool archive_try_mended(const uint8_t *data, size_t size);

#endif
