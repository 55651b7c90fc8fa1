/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The intent log as it was left, for what shows it or goes by it: log, history, scrub --dirty. */
#ifndef PG_CLI_LOG_OPEN_H
#define PG_CLI_LOG_OPEN_H

#include "cli/members.h"
#include "core/job/log_report.h"

/*
 * Open the array of operand 0, to be read, without recovering, and read its log. The caller ends with
 * log_report_reset() and array_close(); after a failure there is nothing to release.
 */
int cli_log_open(struct array **array_out, struct log_report *report_out,
		 const struct invocation *inv, enum access access, struct err *err) MUST_CHECK;

#endif
