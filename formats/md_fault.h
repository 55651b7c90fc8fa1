/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is wrong with a record of Linux MD: every field that cannot be as it is, by its name. A validate
 * function notes all of them, not the first, so that inspect shows the whole damage; whoever wants to use
 * the record asks whether there are any.
 */
#ifndef PG_FORMATS_MD_FAULT_H
#define PG_FORMATS_MD_FAULT_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define MD_FAULTS_MAX 32u /* further ones are only counted */

struct md_fault {
	const char *field; /* a constant: the field's name as shown */
	char text[160];
};

/* Zero-initialised. */
struct md_faults {
	uint32_t count; /* of all; those beyond MD_FAULTS_MAX have no text */
	struct md_fault at[MD_FAULTS_MAX];
};

void md_fault(struct md_faults *faults, const char *field, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Is one of the faults in `field`? */
bool md_fault_in(const struct md_faults *faults, const char *field);

#endif
