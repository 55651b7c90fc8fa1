/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/uuid.h"

#include "core/base/bytes.h"

#define UUID_PREFIX_MIN 4u /* fewer characters would name a member by accident */

struct uuid uuid_from_random(const uint8_t bytes[static 16])
{
	struct uuid uuid;

	memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
	uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40); /* version 4 */
	uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80); /* variant of RFC 4122 */
	return uuid;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool uuid_is_zero(const struct uuid *uuid)
{
	return bytes_are_zero(uuid->bytes, sizeof(uuid->bytes));
}

void uuid_text(char out[static UUID_TEXT_SIZE], const struct uuid *uuid)
{
	static const char digits[] = "0123456789abcdef";
	char *at = out;

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[uuid->bytes[i] >> 4];
		*at++ = digits[uuid->bytes[i] & 15];
	}
	*at = '\0';
}

bool uuid_has_prefix(const struct uuid *uuid, const char *prefix)
{
	char text[UUID_TEXT_SIZE];
	size_t size = strlen(prefix);

	if (size < UUID_PREFIX_MIN || size >= UUID_TEXT_SIZE)
		return false;
	uuid_text(text, uuid);
	for (size_t i = 0; i < size; i++) {
		char c = prefix[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (c != text[i])
			return false;
	}
	return true;
}
