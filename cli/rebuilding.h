/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What rebuild, replace and `job resume` share: from words to a rebuild_request, its run, its report.
 *
 * A target that is no member yet is opened with the checks of create, made where it does not exist,
 * and joins the array as a spare before the rebuild begins. If the rebuild cannot begin, it leaves again.
 */
#ifndef PG_CLI_REBUILDING_H
#define PG_CLI_REBUILDING_H

#include "cli/command.h"
#include "cli/rebuild_call.h"
#include "core/array/array.h"

/* Open the array of operand 0 and do it, or with --plan say what it would write. */
int rebuilding_run(const struct invocation *inv, const struct rebuild_call *call,
		   unsigned *verdict_out, struct err *err) MUST_CHECK;

/* Go on with an unfinished rebuild or replace of an array that is open for writing. */
int rebuilding_resume(const struct invocation *inv, struct array *array, const struct job *job,
		      unsigned *verdict_out, struct err *err) MUST_CHECK;

#endif
