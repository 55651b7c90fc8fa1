/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Did you mean": which known word is nearest to one that was mistyped. */
#ifndef PG_CLI_NEAREST_H
#define PG_CLI_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *typed; /* set by the caller, borrowed */
	const char *word;  /* the best so far; NULL while none is near enough */
	size_t distance;
};

/* Offer one word; borrowed. Near enough: a third of the letters wrong, or a beginning of 2 letters. */
void nearest_offer(struct nearest *nearest, const char *word);

#endif
