/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two ends of output.h: a sink takes values in frames and makes text or JSON of them. Only output.c
 * calls it; it has checked by then that cells come in the order of their fields.
 */
#ifndef PG_CLI_OUTPUT_SINK_H
#define PG_CLI_OUTPUT_SINK_H

#include "cli/field.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum value_kind {
	VALUE_NONE,
	VALUE_NUMBER,
	VALUE_SIGNED,
	VALUE_BYTES,
	VALUE_TEXT,
	VALUE_FLAG,
	VALUE_SHARE
};

struct value {
	enum value_kind kind;
	uint64_t number; /* of NUMBER and BYTES; of FLAG 0 or 1 */
	int64_t signed_number;
	double share; /* of SHARE: from 0 to 1 */
	const char *text;
};

enum frame_kind {
	FRAME_OBJECT,
	FRAME_LIST,
	FRAME_TEXTS,
};

#define FRAMES_MAX 8u /* nesting; the deepest document (map) needs 4 */

struct sink; /* of either kind */

struct sink_ops {
	/* A value named `key`; `field` is not NULL where it is a cell of a list. */
	void (*value)(struct sink *sink, const char *key, const struct field *field,
		      const struct value *value);
	/* Open a frame as the value `key` of the frame around it. */
	void (*begin)(struct sink *sink, enum frame_kind kind, const char *key,
		      const struct field *field, const struct field *fields);
	void (*end)(struct sink *sink);
	void (*row_begin)(struct sink *sink); /* in a list: the cells that follow are one row */
	void (*row_end)(struct sink *sink);
	/* Print what is held back to `file`; false when memory had run out. */
	bool (*finish)(struct sink *sink, FILE *file, unsigned exit_status);
	void (*free)(struct sink *sink);
};

struct sink {
	const struct sink_ops *ops;
};

/* NULL without memory. Text is written to *file as it comes. */
struct sink *sink_text_create(FILE **file);
/* A document with "schema" and "exit" at its head. */
struct sink *sink_json_create(const char *schema);
/* "error" of the document. */
void sink_json_error(struct sink *sink, const struct err *failure, const char *hint);

#endif
