/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong with a Linux MD array that opens, for status. */
#ifndef PG_CLI_MD_PROBLEM_H
#define PG_CLI_MD_PROBLEM_H

#include "cli/md_view.h"
#include "cli/problem.h"

/* Adds to what problems_find() gave. Returns 0 or ERR_NOMEM. */
int md_problems_add(struct problems *problems, const struct md_view *view,
		    const struct array *array, const char *name, struct err *err) MUST_CHECK;

#endif
