/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes of a volume on standard output: `get -o -` and `read`. */
#ifndef PG_CLI_RAW_OUTPUT_H
#define PG_CLI_RAW_OUTPUT_H

#include "cli/command.h"

struct raw_output {
	const struct invocation *inv; /* NULL: not open */
	int fd;
	bool own; /* fd is our own description of standard output, which does not block */
};

/*
 * From now on standard output carries bytes: what is said goes to stderr. Refuses a terminal
 * (ERR_USAGE) unless `asked`, because bytes could change how it behaves.
 */
int raw_output_open(struct raw_output *raw, const struct invocation *inv, bool asked,
		    struct err *err) MUST_CHECK;
void raw_output_close(struct raw_output *raw); /* also when it was never opened, but zeroed */

/* Is a report beside the bytes wanted? Not by people: they look at what reads the pipe. */
bool raw_output_reports(const struct invocation *inv);

/* A get_request's sink; `arg` is the raw_output. ERR_STOPPED also while the reader sleeps. */
int raw_output_write(void *arg, const void *bytes, size_t size, uint64_t offset,
		     struct err *err) MUST_CHECK;

#endif
