/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two ends of an adoption: `adopt --undo`, from the records of whatever members are there, and `adopt --commit`, after
 * which there are none.
 */
#ifndef PG_CLI_ADOPT_BACK_H
#define PG_CLI_ADOPT_BACK_H

#include "cli/command.h"
#include "cli/search.h"

/*
 * Give the array back. Where it opens it is marked as being given back first; ERR_STATE when its adoption is committed, or
 * when nothing is there to be undone.
 */
int adopt_back_undo(const struct invocation *inv, struct err *err) MUST_CHECK;

/* Make it final: asks, unless --yes. With members absent only with --force. */
int adopt_back_commit(const struct invocation *inv, struct err *err) MUST_CHECK;

/* Put back what candidates that have a record keep, without a word: of an array that never was one of ours. */
int adopt_back_leftovers(const struct search *search, struct err *err) MUST_CHECK;

#endif
