/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UUIDs: 16 bytes, made from random bytes (RFC 4122 version 4), printed in the usual form. */
#ifndef PG_BASE_UUID_H
#define PG_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37

struct uuid {
	uint8_t bytes[16];
};

/* Turn 16 random bytes into a version 4 uuid. */
struct uuid uuid_from_random(const uint8_t bytes[static 16]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *uuid);
void uuid_text(char out[static UUID_TEXT_SIZE], const struct uuid *uuid);
/* True when the text of `uuid` begins with `prefix` (at least 4 characters, case ignored). */
bool uuid_has_prefix(const struct uuid *uuid, const char *prefix);

#endif
