/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_fields.h"

#include <string.h>

static uint64_t integer_get(const uint8_t *at, size_t size, bool big_endian)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[big_endian ? i : size - 1 - i];
	return value;
}

static void integer_put(uint8_t *at, size_t size, uint64_t value, bool big_endian)
{
	for (size_t i = 0; i < size; i++, value >>= 8)
		at[big_endian ? size - 1 - i : i] = (uint8_t)value;
}

void md_fields_get(void *record, const struct md_field *fields, const uint8_t *bytes,
		   bool big_endian)
{
	for (const struct md_field *field = fields; field->size; field++) {
		uint8_t *to = (uint8_t *)record + field->offset;
		const uint8_t *at = bytes + field->at;
		uint64_t value = field->size <= 8 ? integer_get(at, field->size, big_endian) : 0;

		switch (field->size) {
		case 1:
			*to = (uint8_t)value;
			break;
		case 2:
			memcpy(to, &(uint16_t){ (uint16_t)value }, sizeof(uint16_t));
			break;
		case 4:
			memcpy(to, &(uint32_t){ (uint32_t)value }, sizeof(uint32_t));
			break;
		case 8:
			memcpy(to, &value, sizeof(value));
			break;
		default:
			memcpy(to, at, field->size);
		}
	}
}

void md_fields_put(uint8_t *bytes, const struct md_field *fields, const void *record,
		   bool big_endian)
{
	for (const struct md_field *field = fields; field->size; field++) {
		const uint8_t *from = (const uint8_t *)record + field->offset;
		uint8_t *at = bytes + field->at;
		uint16_t two;
		uint32_t four;
		uint64_t eight;

		switch (field->size) {
		case 1:
			*at = *from;
			break;
		case 2:
			memcpy(&two, from, sizeof(two));
			integer_put(at, 2, two, big_endian);
			break;
		case 4:
			memcpy(&four, from, sizeof(four));
			integer_put(at, 4, four, big_endian);
			break;
		case 8:
			memcpy(&eight, from, sizeof(eight));
			integer_put(at, 8, eight, big_endian);
			break;
		default:
			memcpy(at, from, field->size);
		}
	}
}
