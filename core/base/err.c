/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct err_row {
	const char *name;
	const char *sentence;
	const char *hint;
	enum err_class class;
};

#define ERR_ROW(code, name, class, text, hint) { name, text, hint, class },
static const struct err_row rows[] = {
	{ "unknown", "an error without a code", "", ERR_CLASS_OPERATIONAL }, ERR_LIST(ERR_ROW)
};
#undef ERR_ROW
_Static_assert(sizeof(rows) / sizeof(rows[0]) == ERR_INDEX_COUNT, "one row for each code");

static const struct err_row *row_of(int code)
{
	return &rows[code < 0 && code > -(int)ERR_INDEX_COUNT ? -code : 0];
}

const char *err_name(int code)
{
	return row_of(code)->name;
}

const char *err_sentence(int code)
{
	return row_of(code)->sentence;
}

const char *err_code_hint(int code)
{
	return row_of(code)->hint;
}

enum err_class err_class(int code)
{
	return row_of(code)->class;
}

int err_from_name(const char *name)
{
	for (int i = 1; i < (int)ERR_INDEX_COUNT; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return -i;
	}
	return 0;
}

/* How many bytes a UTF-8 character has that begins with `lead`; 0 for a byte that begins none. */
static size_t utf8_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc0)
		return 0;
	if (lead < 0xe0)
		return 2;
	if (lead < 0xf0)
		return 3;
	return lead < 0xf8 ? 4 : 0;
}

/*
 * The length in bytes of the UTF-8 character at `bytes` and its code point; 0 when it is not valid:
 * cut short, longer than needed, a surrogate, or past U+10FFFF.
 */
static size_t utf8_decode(uint32_t *point_out, const unsigned char *bytes, size_t size)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = utf8_length(bytes[0]);
	uint32_t point = bytes[0];

	if (length == 0 || length > size)
		return 0;
	if (length > 1)
		point &= 0x7fu >> length;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (bytes[i] & 0x3fu);
	}
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*point_out = point;
	return length;
}

/* True for what may move the cursor or change the order of what a terminal shows. */
static bool is_hostile(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||      /* C0, DEL, C1 */
	       point == 0x061c || point == 0x200e || point == 0x200f || /* bidi marks */
	       (point >= 0x2028 && point <= 0x202e) ||                  /* separators, embeddings */
	       (point >= 0x2066 && point <= 0x2069);                    /* bidi isolates */
}

/* One character of `text` as it will be shown, in `shown`; returns how many bytes it took. */
static size_t escape_one(char shown[static 20], const unsigned char *text, size_t size)
{
	uint32_t point = 0;
	size_t length = utf8_decode(&point, text, size);
	bool plain = length > 0 && !is_hostile(point);

	if (length == 0)
		length = 1;
	if (plain) {
		memcpy(shown, text, length);
		shown[length] = '\0';
		return length;
	}
	for (size_t i = 0; i < length; i++)
		snprintf(shown + 4 * i, 5, "\\x%02x", text[i]);
	return length;
}

void err_escape(char *out, size_t out_size, const char *text, size_t size)
{
	size_t used = 0, cut = 0; /* `cut`: the last place where "..." still fits */

	assert(out_size >= 4);
	for (size_t at = 0; at < size;) {
		char shown[20];
		size_t length;

		at += escape_one(shown, (const unsigned char *)text + at, size - at);
		length = strlen(shown);
		if (length >= out_size - used) {
			memcpy(out + cut, "...", 4);
			return;
		}
		memcpy(out + used, shown, length);
		used += length;
		if (out_size - used >= 4)
			cut = used;
	}
	out[used] = '\0';
}

/* Twice the longest text: what does not fit here is cut by err_escape(), which shows the cut. */
#define RAW_SIZE 1200u
_Static_assert(RAW_SIZE > sizeof(((struct err *)NULL)->text) + 4, "a cut is always shown");

PRINTF_LIKE(3, 0)
static void escape_args(char *out, size_t out_size, const char *format, va_list args)
{
	char raw[RAW_SIZE];

	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		raw[0] = '\0';
	err_escape(out, out_size, raw, strlen(raw));
}

int err_set(struct err *err, int code, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;

	assert(code < 0 && code > -(int)ERR_INDEX_COUNT);

	va_start(args, format); /* the arguments may lie in *err itself */
	escape_args(text, sizeof(text), format, args);
	va_end(args);

	*err = (struct err){ .code = code };
	memcpy(err->text, text, sizeof(text));
	return code;
}

int err_prefix(struct err *err, const char *format, ...)
{
	char context[sizeof(err->text)], raw[2 * sizeof(err->text) + 4];
	va_list args;

	va_start(args, format);
	escape_args(context, sizeof(context), format, args);
	va_end(args);

	snprintf(raw, sizeof(raw), "%s: %s", context, err->text);
	err_escape(err->text, sizeof(err->text), raw, strlen(raw));
	return err->code;
}

int err_hint(struct err *err, const char *format, ...)
{
	char hint[sizeof(err->hint)];
	va_list args;

	va_start(args, format);
	escape_args(hint, sizeof(hint), format, args);
	va_end(args);
	memcpy(err->hint, hint, sizeof(hint));
	return err->code;
}

int err_fact(struct err *err, const char *name, const char *format, ...)
{
	struct err_fact fact;
	va_list args;

	assert(err->fact_count < ERR_FACTS_MAX);
	assert(strlen(name) < sizeof(fact.name));

	snprintf(fact.name, sizeof(fact.name), "%s", name);
	va_start(args, format);
	escape_args(fact.value, sizeof(fact.value), format, args);
	va_end(args);
	err->facts[err->fact_count++] = fact;
	return err->code;
}
