/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Arrays of other makers for pgctl inspect: a row of "found" each, everything about one below it, and which
 * of several devices belong together.
 */
#ifndef PG_CLI_INSPECT_OTHER_H
#define PG_CLI_INSPECT_OTHER_H

#include "cli/output.h"
#include "formats/other_set.h"

/* Rows of "found": type, offset, uuid, name, details. In text the details are few. */
void inspect_other_rows(struct out *out, const struct other_probe *probe);

/* For people, one device: all facts and what they mean, below the table. In JSON it is in the rows. */
void inspect_other_explain(struct out *out, const struct other_probe *probe);

/* One device that was inspected. */
struct other_inspected {
	const char *path; /* borrowed */
	struct other_probe probe;
};

/* "sets" of all devices, and for people what they lack. Nothing when none is of a set. */
int inspect_other_compare(struct out *out, const struct other_inspected *devices, size_t count,
			  struct err *err) MUST_CHECK;

#endif
