/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A growing string for print functions; after a failed allocation it stays as it was. */
#ifndef PG_BASE_TEXT_H
#define PG_BASE_TEXT_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *chars; /* always terminated once something was added; may be NULL */
	size_t size;
	size_t capacity;
	bool failed;
};

void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_reset(struct text *text);

#endif
