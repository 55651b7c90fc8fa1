/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fields of a record of Linux MD as a table, which decode and encode both go through: where a field lies
 * on disk, and where in the struct. Integers of 1, 2, 4 and 8 bytes are in the byte order of the record;
 * a field of any other size is bytes, kept as they are.
 */
#ifndef PG_FORMATS_MD_FIELDS_H
#define PG_FORMATS_MD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct md_field {
	uint16_t at;     /* byte of the record */
	uint16_t offset; /* of the struct */
	uint16_t size;   /* bytes, in both */
};

#define MD_FIELD(record, field, at_byte)                                                           \
	{                                                                                          \
		(at_byte), offsetof(record, field), sizeof(((record *)0)->field)                   \
	}
/* Text, whose NUL is not on disk. */
#define MD_FIELD_TEXT(record, field, at_byte)                                                      \
	{                                                                                          \
		(at_byte), offsetof(record, field), sizeof(((record *)0)->field) - 1               \
	}

/* `fields` ends with one of size 0. */
void md_fields_get(void *record, const struct md_field *fields, const uint8_t *bytes,
		   bool big_endian);
void md_fields_put(uint8_t *bytes, const struct md_field *fields, const void *record,
		   bool big_endian);

#endif
