/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * create --format md-…: arrays that the Linux kernel assembles, made without it.
 *
 * Turns words into the request of formats/md_create.h; which options go together is settled here, before any file is
 * touched, also for a create without --format.
 */
#ifndef PG_CLI_CREATE_MD_H
#define PG_CLI_CREATE_MD_H

#include "cli/command.h"

struct create_md_args {
	int format; /* enum md_metadata, or CREATE_NATIVE */
	const char *level;
	const char *order;
	bool bitmap;
};
#define CREATE_NATIVE (-1)

extern const char *const create_md_formats[];

/* Rows of an option table for `struct type`, which has the create_md_args in `field`. */
#define CREATE_MD_OPTIONS(type, field)                                                             \
	{ "format",                                                                                \
	  OPTION_CHOICE,                                                                           \
	  offsetof(struct type, field.format),                                                     \
	  "FORMAT",                                                                                \
	  "an array of Linux MD instead: md-0.90, md-1.0, md-1.1 or md-1.2",                       \
	  .choices = create_md_formats },                                                          \
		{ "level", OPTION_TEXT, offsetof(struct type, field.level), "LEVEL",               \
		  "of the MD array: linear, 0, 1, 4, 5, 6 or 10" },                                \
		{ "order", OPTION_TEXT, offsetof(struct type, field.order), "ORDER",               \
		  "of its chunks, in the words of inspect: left-symmetric, near=2" },              \
	{                                                                                          \
		"bitmap", OPTION_FLAG, offsetof(struct type, field.bitmap), NULL,                  \
			"the MD array has a write-intent bitmap"                                   \
	}

/*
 * ERR_USAGE for an option of MD arrays without --format, and for one of native arrays with it: what differs from the
 * command's defaults was given.
 */
int create_md_check(const struct invocation *inv, const struct create_md_args *args,
		    struct err *err) MUST_CHECK;

/* The words that both kinds of create have. */
struct create_md {
	const struct create_md_args *args;
	uint64_t size;  /* of new images; 0: none are made */
	uint64_t chunk; /* bytes; 0: not given */
	const struct text_list *spares;
};
int create_md_run(const struct invocation *inv, const struct create_md *create,
		  struct err *err) MUST_CHECK;

#endif
