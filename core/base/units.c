/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/units.h"

#include "core/base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRACTION_DIGITS_MAX 9u /* keeps every product below 2^64 */

static const char unit_letters[] = "KMGTPE";

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* True when `text` is `word`, which is in capitals; case ignored. */
static bool is_word(const char *text, const char *word)
{
	while (*word && upper(*text) == *word) {
		text++;
		word++;
	}
	return *word == '\0' && *text == '\0';
}

/* The factor of a unit's text: "" "B" "K" "KiB" "KB" and so on, case ignored; 0 for another text. */
static uint64_t unit_factor(const char *unit)
{
	uint64_t base = 1024, factor = 1;
	const char *letter;

	if (!*unit || is_word(unit, "B"))
		return 1;
	letter = strchr(unit_letters, upper(*unit));
	if (!letter)
		return 0;
	if (is_word(unit + 1, "B"))
		base = 1000;
	else if (unit[1] && !is_word(unit + 1, "IB"))
		return 0;
	for (const char *at = unit_letters; at <= letter; at++)
		factor *= base;
	return factor;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *at to a number; *at moves behind them. False without a digit or past 2^64. */
static bool digits_parse(uint64_t *number_out, const char **at)
{
	uint64_t number = 0;

	if (!is_digit(**at))
		return false;
	for (; is_digit(**at); (*at)++) {
		if (!size_multiply(number, 10, &number) ||
		    !size_add(number, (uint64_t)(**at - '0'), &number))
			return false;
	}
	*number_out = number;
	return true;
}

int units_parse(uint64_t *bytes_out, const char *text, struct err *err)
{
	uint64_t whole, fraction = 0, scale = 1, factor, bytes;
	const char *at = text, *fraction_begin = NULL;

	if (!digits_parse(&whole, &at))
		return err_set(err, ERR_SIZE, "'%s' is not a size, or too large", text);
	if (*at == '.') {
		fraction_begin = ++at;
		if (!digits_parse(&fraction, &at) || at - fraction_begin > (int)FRACTION_DIGITS_MAX)
			return err_set(err, ERR_SIZE, "'%s': at most %u digits after the point",
				       text, FRACTION_DIGITS_MAX);
		for (const char *digit = fraction_begin; digit < at; digit++)
			scale *= 10;
	}
	factor = unit_factor(at);
	if (factor == 0)
		return err_set(err, ERR_SIZE, "'%s': unknown unit '%s'", text, at);
	if (fraction_begin && factor == 1)
		return err_set(err, ERR_SIZE, "'%s': a fraction of a byte", text);

	/* factor * fraction / scale, rounded down, in two parts that cannot overflow */
	fraction = factor / scale * fraction + factor % scale * fraction / scale;
	if (!size_multiply(whole, factor, &bytes) || !size_add(bytes, fraction, &bytes))
		return err_set(err, ERR_SIZE, "'%s' is too large", text);
	*bytes_out = bytes;
	return 0;
}

const char *units_text(char out[static UNITS_TEXT_SIZE], uint64_t bytes)
{
	uint64_t factor = 1024, tenths;
	unsigned unit = 0;

	if (bytes < 1024) {
		snprintf(out, UNITS_TEXT_SIZE, bytes ? "%u B" : "%u", (unsigned)bytes);
		return out;
	}
	/* The next unit from 1023.5 on, where this one would round to 1024. */
	while (unit_letters[unit + 1] && bytes >= factor * 1024 - factor / 2) {
		factor *= 1024;
		unit++;
	}
	/* Tenths, rounded; bytes % factor * 10 stays below 2^64 because factor is at most 2^60. */
	tenths = bytes / factor * 10 + (bytes % factor * 10 + factor / 2) / factor;
	if (tenths < 1000)
		snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 " %ciB", tenths / 10,
			 tenths % 10, unit_letters[unit]);
	else
		snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 " %ciB",
			 bytes / factor + (bytes % factor >= factor / 2), unit_letters[unit]);
	return out;
}
