/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/facts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct fact *fact_add(struct facts *facts, const char *name, enum fact_kind kind)
{
	assert(facts->count < FACTS_MAX);

	struct fact *fact = &facts->at[facts->count++];

	*fact = (struct fact){ .name = name, .kind = kind };
	return fact;
}

void fact_number(struct facts *facts, const char *name, uint64_t number)
{
	fact_add(facts, name, FACT_NUMBER)->number = number;
}

void fact_signed(struct facts *facts, const char *name, int64_t number)
{
	fact_add(facts, name, FACT_SIGNED)->signed_number = number;
}

void fact_flag(struct facts *facts, const char *name, bool flag)
{
	fact_add(facts, name, FACT_FLAG)->number = flag;
}

void fact_text(struct facts *facts, const char *name, const char *format, ...)
{
	struct fact *fact = fact_add(facts, name, FACT_TEXT);
	va_list values;

	va_start(values, format);
	vsnprintf(fact->text, sizeof(fact->text), format, values);
	va_end(values);
}

void fact_none(struct facts *facts, const char *name)
{
	fact_add(facts, name, FACT_NONE);
}

void fact_text_or_none(struct facts *facts, const char *name, const char *text)
{
	if (text)
		fact_text(facts, name, "%s", text);
	else
		fact_none(facts, name);
}

void fact_number_or(struct facts *facts, const char *name, uint64_t number, uint64_t none,
		    const char *otherwise)
{
	if (number == none)
		fact_text(facts, name, "%s", otherwise);
	else
		fact_number(facts, name, number);
}

void bits_text(char *out, size_t out_size, uint64_t bits, const char *const *names, uint32_t count)
{
	size_t used = 0;

	assert(out_size > 0 && count <= 64);
	out[0] = '\0';
	for (uint32_t bit = 0; bit < 64 && used < out_size; bit++) {
		const char *separator = used ? ", " : "";
		int size;

		if (!(bits >> bit & 1))
			continue;
		if (bit < count && names[bit])
			size = snprintf(out + used, out_size - used, "%s%s", separator, names[bit]);
		else
			size = snprintf(out + used, out_size - used, "%sbit %u", separator, bit);
		used += (size_t)size;
	}
}

void fact_bits(struct facts *facts, const char *name, uint64_t bits, const char *const *names,
	       uint32_t count)
{
	struct fact *fact = fact_add(facts, name, FACT_WORDS);

	bits_text(fact->text, sizeof(fact->text), bits, names, count);
}
