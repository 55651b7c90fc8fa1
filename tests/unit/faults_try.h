/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as faults that are asked for: what the fuzz program and the unit test have in common. No test library in it:
 * what is wrong ends the process. The first byte says as what: 0 a fault file, 1 a SPEC of --fault.
 */
#ifndef PG_TESTS_FAULTS_TRY_H
#define PG_TESTS_FAULTS_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULTS_TRY_KINDS 2u

/* True when it is one. */
bool faults_try(const uint8_t *data, size_t size);
/* The same without the first byte, for one of them. */
bool faults_try_kind(uint32_t kind, const uint8_t *data, size_t size);

#endif
