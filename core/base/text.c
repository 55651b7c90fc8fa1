/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/text.h"

#include "core/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_CAPACITY_MIN 256u /* a line or two */

/* Make room for `size` characters more and the terminator. */
static bool text_grow(struct text *text, size_t size)
{
	size_t capacity = text->capacity ? text->capacity : TEXT_CAPACITY_MIN;
	char *chars;

	while (capacity - text->size <= size) {
		if (capacity > SIZE_MAX / 2)
			return false;
		capacity *= 2;
	}
	if (capacity == text->capacity)
		return true;
	chars = mem_realloc(text->chars, capacity, 1);
	if (!chars)
		return false;
	chars[text->size] = '\0';
	text->chars = chars;
	text->capacity = capacity;
	return true;
}

void text_add(struct text *text, const char *format, ...)
{
	va_list args, again;
	int size;

	if (text->failed)
		return;
	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	if (size < 0 || !text_grow(text, (size_t)size)) {
		text->failed = true;
	} else {
		vsnprintf(text->chars + text->size, (size_t)size + 1, format, again);
		text->size += (size_t)size;
	}
	va_end(again);
	va_end(args);
}

void text_reset(struct text *text)
{
	mem_free(text->chars);
	*text = (struct text){ 0 };
}
