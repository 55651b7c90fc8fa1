/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The layout options that create, volume create and put share, and how they change a policy.
 *
 * A command embeds `struct policy_args` in its args, puts POLICY_OPTIONS() into its option table and
 * begins with POLICY_ARGS_NONE, since 0 is a value that somebody may have given.
 *
 * Knows which options belong to which layout; limits of widths and counts are the core's business.
 */
#ifndef PG_CLI_POLICY_ARGS_H
#define PG_CLI_POLICY_ARGS_H

#include "cli/command.h"
#include "core/array/array.h"

#define POLICY_ARG_NONE UINT64_MAX /* the option was not given */

struct policy_args {
	int layout; /* enum layout, or -1 */
	bool unmirrored;
	bool literal_claim16;
	uint64_t parity, copies, levels;
	uint64_t width;
	uint64_t chunk;  /* bytes */
	uint64_t extent; /* bytes */
	uint64_t pure_on;
};

#define POLICY_ARGS_NONE                                                                           \
	{                                                                                          \
		.layout = -1, .parity = POLICY_ARG_NONE, .copies = POLICY_ARG_NONE,                \
		.levels = POLICY_ARG_NONE, .width = POLICY_ARG_NONE, .chunk = POLICY_ARG_NONE,     \
		.extent = POLICY_ARG_NONE, .pure_on = POLICY_ARG_NONE,                             \
	}

extern const char *const policy_layout_words[];

/* Rows of an option table for `struct type`, which has the policy_args in `field`. */
#define POLICY_OPTIONS(type, field)                                                                \
	{ "layout",                                                                                \
	  OPTION_CHOICE,                                                                           \
	  offsetof(struct type, field.layout),                                                     \
	  "LAYOUT",                                                                                \
	  "plain, mirror, parity or sequential",                                                   \
	  'l',                                                                                     \
	  policy_layout_words },                                                                   \
		{ "parity",                                                                        \
		  OPTION_NUMBER,                                                                   \
		  offsetof(struct type, field.parity),                                             \
		  "N",                                                                             \
		  "check extents of a parity group, 1 to 3",                                       \
		  'p' },                                                                           \
		{ "copies", OPTION_NUMBER, offsetof(struct type, field.copies), "N",               \
		  "copies of a mirror, the first one counted" },                                   \
		{ "width",                                                                         \
		  OPTION_NUMBER,                                                                   \
		  offsetof(struct type, field.width),                                              \
		  "N",                                                                             \
		  "extents of a group, each on another member",                                    \
		  .alias = "extents" },                                                            \
		{ "chunk",                                                                         \
		  OPTION_SIZE,                                                                     \
		  offsetof(struct type, field.chunk),                                              \
		  "SIZE",                                                                          \
		  "bytes on one data extent before the next one is used",                          \
		  'c' },                                                                           \
		{ "extent", OPTION_SIZE, offsetof(struct type, field.extent), "SIZE",              \
		  "bytes of a full extent without its seal" },                                     \
		{ "levels", OPTION_NUMBER, offsetof(struct type, field.levels), "R",               \
		  "sequential: parity segments of an extent, R(WIDTH-1) data segments" },          \
		{ "pure-on", OPTION_NUMBER, offsetof(struct type, field.pure_on), "K",             \
		  "sequential: the pure parity is always on column K; else it rotates" },          \
	{                                                                                          \
		"literal-claim-16", OPTION_FLAG, offsetof(struct type, field.literal_claim16),     \
			NULL, "sequential: refused, naming the segment that would be lost"         \
	}

/*
 * Change `policy` by the options. Another layout than before begins with that layout's own defaults;
 * options of another layout are refused.
 *
 * geometry	of the open array, for --extent; NULL at create, where --extent is the request's
 *
 * Returns 0; ERR_USAGE, ERR_SIZE or ERR_LIMIT with a text that names the option; `policy` is then
 * undefined.
 */
int policy_args_apply(struct policy *policy, const struct policy_args *args,
		      const struct geometry *geometry, struct err *err) MUST_CHECK;

/*
 * With --literal-claim-16: always an error, ERR_UNSAFE naming the data segment that would be lost.
 * Without: 0.
 *
 * member_count	stands for the width where the policy leaves it open
 */
int policy_args_literal(const struct policy *policy, const struct policy_args *args,
			uint32_t member_count, struct err *err) MUST_CHECK;

/* Named values of the object that is being filled: layout, parity, copies, levels, width, chunk, …. */
void policy_show(struct out *out, const struct policy *policy, const struct geometry *geometry);

/* What `create` begins with: one member plain, two a mirror, more parity 1. */
struct policy policy_for_members(uint32_t member_count);

#endif
