/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Output of a command: the same calls give text for people or one JSON document for programs.
 *
 * Values are named (`key: value` lines, members of a JSON object) or cells of a list (a table, a JSON
 * array of objects). A list has a field table; its rows are filled cell by cell in the order of the
 * fields, and a row ends by itself when its last field was given:
 *
 *	out_object_begin(out, "array");		"array": {		array
 *	out_value_text(out, "name", name);	   "name": "a"		  name: a
 *	out_object_end(out);			}
 *	out_list_begin(out, "members", fields);	"members": [
 *	for each:
 *		out_number(out, slot);		   { "slot": 0,		SLOT STATE
 *		out_text(out, state);		     "state": "online" }	   0 online
 *	out_list_end(out);			]
 *
 * Objects and lists may nest: inside a row a field of kind FIELD_OBJECT or FIELD_LIST is filled by
 * out_object_begin/out_list_begin with that field's key. In text a nested list is one cell: its rows
 * joined with "; ", each value behind its field's title; an object in a row is "key=value key=value".
 *
 * Promises: JSON numbers are bare (a number above 2^63-1 becomes a string of digits), and negative only
 * where out_value_signed() gave them;
 * no byte from a disk or a user reaches the terminal or the document unescaped; a document is always
 * whole and valid UTF-8; colour only on a terminal, and never with NO_COLOR.
 *
 * Programs read keys: they are part of the contract (CLI.md). Titles are for people and may change.
 * Nothing here fails early: memory or write errors are kept and out_finish() returns them.
 */
#ifndef PG_CLI_OUTPUT_H
#define PG_CLI_OUTPUT_H

#include "cli/field.h"
#include "core/base/err.h"
#include "core/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct out; /* opaque */

struct out_config {
	bool json;
	bool color;          /* already decided */
	bool quiet;          /* out_line() says nothing */
	FILE *file;          /* stdout; borrowed */
	FILE *error_file;    /* stderr; borrowed */
	const char *command; /* full name, for the schema; copied */
};
/* Called before anything is printed (progress_hide); NULL switches it off. `arg` is borrowed. */
void out_before(struct out *out, void (*before)(void *arg), void *arg);
int out_open(struct out **out_out, const struct out_config *config, struct err *err) MUST_CHECK;

/* Named values: in an object, or at the top of the document. */
void out_value(struct out *out, const char *key, uint64_t number);
void out_value_signed(struct out *out, const char *key, int64_t number);
void out_value_bytes(struct out *out, const char *key, uint64_t bytes); /* text: with its unit */
void out_value_text(struct out *out, const char *key,
		    const char *text); /* NULL: as out_value_none */
void out_value_flag(struct out *out, const char *key, bool flag);
void out_value_uuid(struct out *out, const char *key, const struct uuid *uuid);
void out_value_none(struct out *out, const char *key); /* JSON null; no line of text */

void out_object_begin(struct out *out, const char *key);
void out_object_end(struct out *out);

/* A list; `fields` ends with { 0 } (kind 0 and both names NULL) and outlives the list. */
void out_list_begin(struct out *out, const char *key, const struct field *fields);
void out_list_end(struct out *out);

/* The next cell of the row. A wrong kind for the field is an assert. */
void out_number(struct out *out, uint64_t number);
void out_text(struct out *out, const char *text); /* NULL: as out_none() */
void out_flag(struct out *out, bool flag);
void out_share(struct out *out, double share); /* 0 to 1; text: in per cent */
void out_uuid(struct out *out, const struct uuid *uuid);
void out_none(struct out *out);

/* A list of plain strings or numbers: {"types": ["a", "b"]}; in text "types: a, b". */
void out_texts_begin(struct out *out, const char *key);
void out_texts_add(struct out *out, const char *text);
void out_texts_add_number(struct out *out, uint64_t number);
void out_texts_end(struct out *out);

/* A sentence for people, not in JSON and not with -q; a newline is added. */
void out_line(struct out *out, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same on stderr, "pgctl: COMMAND: …", also with --json; not with -q. For warnings. */
void out_warn(struct out *out, const char *format, ...) PRINTF_LIKE(2, 3);
/* Copies `text` as it is (help, version): text mode only. */
void out_plain(struct out *out, const char *text);
bool out_is_json(const struct out *out);

/* From now on stdout carries a command's raw bytes: text and the document go to stderr. */
void out_use_stderr(struct out *out);

/* The error: two lines on stderr, or "error" in the document. Open lists and objects are closed. */
void out_error(struct out *out, const struct err *failure);
/* End: print what is held back, "exit" included, and flush. Returns 0, ERR_NOMEM or ERR_IO. */
int out_finish(struct out *out, unsigned exit_status, struct err *err) MUST_CHECK;
void out_free(struct out *out);

#endif
