/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The operand JOB. */
#ifndef PG_CLI_JOB_NUMBER_H
#define PG_CLI_JOB_NUMBER_H

#include "core/base/err.h"

#include <stdint.h>

/* Decimal digits, not 0. Returns 0 or ERR_USAGE. */
int job_number_parse(uint64_t *id_out, const char *text, struct err *err) MUST_CHECK;

#endif
