/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The columns of a list: one table for its text and its JSON (output.h). */
#ifndef PG_CLI_FIELD_H
#define PG_CLI_FIELD_H

enum field_kind {
	FIELD_COUNT, /* out_number(): a bare number in both forms */
	FIELD_BYTES, /* out_number(): bytes; text says "4.0 KiB" */
	FIELD_TEXT,  /* out_text(), out_uuid() */
	FIELD_EITHER, /* out_number(), or out_text() for a word in its place: a slot or "undecidable" */
	FIELD_FLAG,   /* out_flag(): true/false; text says yes or nothing */
	FIELD_SHARE,  /* out_share(): a number from 0 to 1; text says per cent */
	FIELD_OBJECT, /* out_object_begin() … out_object_end() */
	FIELD_LIST,   /* out_list_begin() … out_list_end() */
};

/* Any cell may instead be out_none(): JSON null, text "-". */
struct field {
	const char *key; /* in JSON; NULL: only in text (never for OBJECT and LIST) */
	enum field_kind kind;
	const char *title; /* of the column, "" for none; NULL: only in JSON */
};

#endif
