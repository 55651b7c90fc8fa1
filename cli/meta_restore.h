/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Holding a metadata archive against members, and writing it back onto them. */
#ifndef PG_CLI_META_RESTORE_H
#define PG_CLI_META_RESTORE_H

#include "cli/command.h"

/*
 * Show for each range of the archive whether the member has the same; *differs_out: some do not, or members are not
 * found. Members are files of the names that they had: in the directory that `array` is or lies in, or what
 * --member names.
 */
int meta_diff(const struct invocation *inv, const char *array, const char *archive,
	      bool *differs_out, struct err *err) MUST_CHECK;

/*
 * The same, and after a question write what differs: maps and logs of all members, flush, then superblocks, flush.
 * Refused, with nothing written: an archive that is damaged, a member that is too small, whose superblock is another
 * member's or newer, whose map is another, or that has none of the extents that the archive knows of.
 */
int meta_restore(const struct invocation *inv, const char *array, const char *archive,
		 bool *differs_out, struct err *err) MUST_CHECK;

#endif
