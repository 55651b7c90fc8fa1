/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a migration, for `migrate` and `job resume` (core/job/migrate.h). */
#ifndef PG_CLI_MIGRATING_H
#define PG_CLI_MIGRATING_H

#include "cli/command.h"
#include "core/array/array.h"

/* Plan or run, and show the report; an unfinished job of the volume goes on. */
int migrating_run(const struct invocation *inv, struct array *array, const char *volume,
		  const struct policy *policy, unsigned *verdict_out, struct err *err) MUST_CHECK;

#endif
