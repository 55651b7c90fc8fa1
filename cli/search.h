/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the operator's ARRAY to the files of its members: by the rules of members.h, which opens them.
 */
#ifndef PG_CLI_SEARCH_H
#define PG_CLI_SEARCH_H

#include "cli/command.h"
#include "cli/scan.h"

/* Who made an array. */
enum maker { MAKER_US, MAKER_MD };
struct identity {
	enum maker maker;
	struct uuid uuid;
};
/*
 * False for a file that is no member. While an array is being adopted, or given back, its members are of the array that is
 * there now (candidates_settle()).
 */
bool candidate_identity(struct identity *identity_out, const struct candidate *candidate);
bool identity_equal(const struct identity *a, const struct identity *b);
/* Of the array. */
void candidate_name(char name_out[static NAME_SIZE], const struct candidate *candidate);

/* A search: everything seen, then narrowed to the members of one array. */
struct search {
	const struct invocation *inv;
	struct candidate_vec candidates;
	bool known; /* which array */
	struct identity array;
	bool from_member; /* the first candidate says which array is meant */
	bool headless;    /* ours only, and keep named files without a superblock */
};

/*
 * Everything seen, then narrowed to the members of the array that `name` leads to. Returns 0 or why there is none;
 * release with candidates_free() in both cases.
 */
int search_run(struct search *search, const char *name, struct err *err) MUST_CHECK;

/*
 * ERR_STATE with both ways on where the array was adopted in part, or given back in part: `adopt` and `adopt --undo` alone
 * go on with that.
 */
int search_refuse_half(const struct search *search, struct err *err) MUST_CHECK;

/* NBD URIs are for later: ERR_UNSUPPORTED. */
int refuse_uri(const char *name, struct err *err) MUST_CHECK;

/* How this invocation looks at files. */
struct scan_how search_how(const struct invocation *inv);

#endif
