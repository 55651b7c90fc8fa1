/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/other.h"

#include "core/base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void other_say(struct other_found *found, const char *format, ...)
{
	char sentence[480];
	va_list values;

	va_start(values, format);
	vsnprintf(sentence, sizeof(sentence), format, values);
	va_end(values);
	tree_text(&found->said, NULL, "%s", sentence);
}

void other_expect(struct other_found *found, const char *format, ...)
{
	char id[OTHER_ID_SIZE];
	va_list values;

	va_start(values, format);
	vsnprintf(id, sizeof(id), format, values);
	va_end(values);
	tree_text(&found->expected, NULL, "%s", id);
}

void other_text(char *out, size_t out_size, const uint8_t *bytes, size_t size)
{
	size = (size_t)size_min(strnlen((const char *)bytes, size), out_size - 1);
	while (size > 0 && (bytes[size - 1] == ' ' || bytes[size - 1] == 0xff))
		size--;
	memcpy(out, bytes, size);
	out[size] = '\0';
}

void other_uuid(char out[static 37], const uint8_t bytes[static 16])
{
	static const char digits[] = "0123456789abcdef";

	for (uint32_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}
