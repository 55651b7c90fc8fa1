/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looking for members: which files and devices hold a superblock, ours or Linux MD's, and of which array.
 *
 * Everything is opened read-only, by plain system calls, probed and closed again. One file counts once
 * however many names lead to it. Only members.c uses this.
 */
#ifndef PG_CLI_SCAN_H
#define PG_CLI_SCAN_H

#include "core/array/array.h"
#include "core/base/vec.h"
#include "core/dev/devices.h"
#include "formats/adopt_record.h"
#include "formats/md_probe.h"

#define DIRECTORY_FILES_MAX 4096u /* probed in one directory; more is an error, not a silence */

struct overlay_dir;

struct candidate {
	char *path;          /* owned; what the operator named, or found in a directory */
	bool named;          /* by the operator */
	bool overlay_failed; /* what is wrong with it is its overlay */
	uint64_t identity[2];
	struct array_probe probe; /* valid_slots 0: not one of ours */
	struct md_probe md;       /* of what is not ours; owned */
	/* Adopted, and not committed: what says how it is put back; owned. NULL: nothing. */
	struct adopt_record *record;
	/* By candidates_settle(): of itself or of others of its array, borrowed; NULL: it has to do with no adoption. */
	const struct adopt_record *adoption;
	bool adoption_stands; /* the adopted array is there: it is a member of that, not of MD's */
};
/* What counts of the Linux MD superblocks on it: the latest that is sound, else any. NULL: there is none. */
const struct md_found *candidate_md(const struct candidate *candidate);

VEC_DEFINE(candidate_vec, struct candidate);

struct scan_how {
	struct env *env;
	enum dev_engine engine;
	uint64_t limit_ns; /* that a file may take to answer; 0: as long as the system waits */
	struct overlay_dir *overlay; /* members as they are there; or NULL */
};

/* What the operator named: every failure is an error; the same file named before is ERR_DUPLICATE. */
int scan_named(struct candidate_vec *candidates, const struct scan_how *how, const char *path,
	       struct err *err) MUST_CHECK;
/*
 * All regular files of a directory, in the order of their names; what cannot be read is no member.
 * More than DIRECTORY_FILES_MAX files are ERR_LIMIT.
 */
int scan_directory(struct candidate_vec *candidates, const struct scan_how *how, const char *path,
		   struct err *err) MUST_CHECK;
/* The same for the block devices of a directory such as /dev. */
int scan_devices(struct candidate_vec *candidates, const struct scan_how *how, const char *path,
		 struct err *err) MUST_CHECK;
/* All block devices that the kernel lists. */
int scan_block_devices(struct candidate_vec *candidates, const struct scan_how *how,
		       struct err *err) MUST_CHECK;
/*
 * Whether an adopted array is there or what was before is known of all candidates together, when all were found: to be
 * called then, and again after any were added or forgotten.
 */
void candidates_settle(struct candidate_vec *candidates);
/* Ours or a mark of ours is on it, and the array that they speak of is not there: half adopted, or half undone. */
bool candidate_is_half(const struct candidate *candidate);
/* Forget one, which leaves the vector. */
void candidate_reset(struct candidate *candidate);
void candidates_free(struct candidate_vec *candidates);

#endif
