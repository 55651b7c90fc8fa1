/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bringing what an overlay keeps to the members, for good.
 *
 * The overlay is the redo journal: it stays whole until every member has all of it, durable, so whatever ends a
 * commit, the same command does it again. Order: data, checks and seals of all members, flush; logs, flush; maps,
 * flush; superblocks, flush. What nothing points to yet is written first, so what the members are in between is the
 * old array, as far as writes went where nobody reads.
 *
 * Every member is locked and compared with what its overlay was made over before anything is written.
 */
#ifndef PG_CLI_OVERLAY_COMMIT_H
#define PG_CLI_OVERLAY_COMMIT_H

#include "cli/command.h"
#include "cli/overlay_dir.h"

/* One member of an overlay directory. */
struct overlay_member {
	const struct overlay_header *header; /* borrowed */
	struct dev *overlay;                 /* read-only */
	struct dev *target;                  /* NULL until there is one to write to */
};
struct overlay_members {
	struct overlay_member *at;
	size_t count;
};

/* Open every member under its side file, to read. Nothing is open on failure. */
int overlay_members_open(struct overlay_members *members_out, const struct invocation *inv,
			 struct overlay_dir *dir, struct err *err) MUST_CHECK;
void overlay_members_close(struct overlay_members *members);
/* Bytes that were written, of one role or of all (IO_ROLE_COUNT). */
uint64_t overlay_member_bytes(struct overlay_member *member, enum io_role role);

/* Write, flush, and mark the directory as committed; ERR_STOPPED leaves it to be done again. */
int overlay_commit_run(struct overlay_members *members, const struct invocation *inv,
		       struct overlay_dir *dir, struct err *err) MUST_CHECK;

#endif
