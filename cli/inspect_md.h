/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linux MD for pgctl inspect: a superblock as a row of "found", everything about one below it, and the
 * comparison of the members of one array.
 */
#ifndef PG_CLI_INSPECT_MD_H
#define PG_CLI_INSPECT_MD_H

#include "cli/output.h"
#include "formats/md_probe.h"
#include "formats/md_set.h"

#define MD_TYPE "md"

/* One device that was inspected. */
struct md_inspected {
	const char *path; /* borrowed */
	struct md_probe probe;
};

/* Rows of "found": type, offset, uuid, name, details. In text the details are few. */
int inspect_md_rows(struct out *out, const struct md_probe *probe, struct err *err) MUST_CHECK;

/* For people, one device: all facts and what they mean, below the table. In JSON it is in the rows. */
int inspect_md_explain(struct out *out, const struct md_probe *probe, struct err *err) MUST_CHECK;

/* Several devices: "arrays", and for people what they lack. Nothing when no MD is among them. */
int inspect_md_compare(struct out *out, const struct md_inspected *devices, size_t count,
		       struct err *err) MUST_CHECK;

#endif
