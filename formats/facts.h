/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Facts: what a record of another maker says, as names and values in the order in which they are to be
 * shown. The print function of a record fills them; whoever shows them decides how (text or JSON).
 *
 * Texts may come from a disk: whoever shows them escapes them.
 */
#ifndef PG_FORMATS_FACTS_H
#define PG_FORMATS_FACTS_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACTS_MAX 128u     /* the longest record, an MD superblock with 27 devices, has about 90 */
#define FACT_TEXT_MAX 232u /* longer texts are cut */

enum fact_kind {
	FACT_NUMBER,
	FACT_SIGNED,
	FACT_FLAG,
	FACT_TEXT,
	FACT_WORDS, /* a list: words with ", " between them; "" for none */
	FACT_NONE,  /* it has no value here */
};

struct fact {
	const char *name; /* a constant: the key in JSON */
	enum fact_kind kind;
	uint64_t number; /* of NUMBER; of FLAG 0 or 1 */
	int64_t signed_number;
	char text[FACT_TEXT_MAX];
};

/* Zero-initialised. More than FACTS_MAX facts are an assert. */
struct facts {
	uint32_t count;
	struct fact at[FACTS_MAX];
};

void fact_number(struct facts *facts, const char *name, uint64_t number);
void fact_signed(struct facts *facts, const char *name, int64_t number);
void fact_flag(struct facts *facts, const char *name, bool flag);
void fact_text(struct facts *facts, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
void fact_none(struct facts *facts, const char *name);

/* `text`, or no value for NULL. */
void fact_text_or_none(struct facts *facts, const char *name, const char *text);
/* `number`, or the word `otherwise` for `none`. */
void fact_number_or(struct facts *facts, const char *name, uint64_t number, uint64_t none,
		    const char *otherwise);
/* The names of the bits that are set; bits without a name as "bit N". `count` names at most 64. */
void fact_bits(struct facts *facts, const char *name, uint64_t bits, const char *const *names,
	       uint32_t count);
/* The same as a text. */
void bits_text(char *out, size_t out_size, uint64_t bits, const char *const *names, uint32_t count);

#endif
