/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The directory of --overlay: one side file (core/dev/overlay.h) for each member that was written to.
 *
 *	overlay_dir_open()	takes its lock, for one process at a time; it need not exist
 *	overlay_dir_wrap()	a member, opened read-only, under what its side file says
 *	overlay_dir_new_make()	a member that exists here alone, until a commit
 *	overlay_dir_close()	after all devices
 *
 * A side file is made when a member is first opened for writing, and is there for the next command. It is found
 * by the member's path, else, after a renaming, by its identity. Nothing outside of the directory is ever written.
 *
 * Files: NAME.overlay; NAME.overlay.new, which a command that was killed left behind and nobody reads; and the
 * empty marks `committing`, `committed` and `discarded`, see enum overlay_state.
 */
#ifndef PG_CLI_OVERLAY_DIR_H
#define PG_CLI_OVERLAY_DIR_H

#include "core/dev/devices.h"
#include "core/dev/overlay.h"

struct overlay_dir; /* opaque */

/* Side files in one directory: members of several arrays, and spares that came and went. */
#define OVERLAY_SIDES_MAX 1024u

enum overlay_state {
	OVERLAY_OPEN,       /* takes writes */
	OVERLAY_COMMITTING, /* the members may have a part of it: only a commit may go on */
	OVERLAY_COMMITTED,  /* the members have all of it: what is left is to be removed */
	OVERLAY_DISCARDED,  /* nobody wants it: what is left is to be removed */
};

/*
 * ERR_BUSY names the process that uses it, ERR_FORMAT and ERR_CHECKSUM a side file that is damaged, ERR_LIMIT too
 * many. `damaged_too`: to remove them all, whatever they are. `path` is borrowed. A directory that does not exist is empty, and made when it is needed.
 */
int overlay_dir_open(struct overlay_dir **dir_out, struct env *env, const char *path,
		     enum dev_engine engine, bool damaged_too, struct err *err) MUST_CHECK;
void overlay_dir_close(struct overlay_dir *dir); /* NULL is allowed */
enum overlay_state overlay_dir_state(const struct overlay_dir *dir);
/* ERR_STATE when a commit or discard was begun: then it has to be ended. */
int overlay_dir_check_open(const struct overlay_dir *dir, struct err *err) MUST_CHECK;

/*
 * Put the side file of `path` over `member`, which was opened read-only. Without one it is made to write, and to
 * read *dev_out is `member` itself. On failure `member` is the caller's. ERR_CHANGED: it is not the member, or not
 * in the state, that the side file was made over.
 */
int overlay_dir_wrap(struct dev **dev_out, struct dev *member, struct overlay_dir *dir,
		     const char *path, bool write, struct err *err) MUST_CHECK;

/* Does `path` name a member that exists here alone? `dir` may be NULL. */
bool overlay_dir_has_new(struct overlay_dir *dir, const char *path);
int overlay_dir_new_make(struct overlay_dir *dir, const char *path, uint64_t size,
			 struct err *err) MUST_CHECK;
int overlay_dir_new_open(struct dev **dev_out, struct overlay_dir *dir, const char *path,
			 bool write, struct err *err) MUST_CHECK;
/* Forget such a member: its side file is removed. */
void overlay_dir_new_remove(struct overlay_dir *dir, const char *path);
/* The name of the next such member of `directory`, from side `*next` on; NULL: no more. Borrowed. */
const char *overlay_dir_new_in(struct overlay_dir *dir, const char *directory, size_t *next);

/* For the commands on the directory itself: its side files, in the order of the members' paths. */
size_t overlay_dir_count(const struct overlay_dir *dir);
const struct overlay_header *overlay_dir_header(const struct overlay_dir *dir, size_t index);
/* `member` under side file `index`, read-only; on failure `member` is the caller's. */
int overlay_dir_side_open(struct dev **dev_out, struct dev *member, struct overlay_dir *dir,
			  size_t index, struct err *err) MUST_CHECK;
/* Durable when it returns. From OPEN to COMMITTING to COMMITTED, or from any to DISCARDED. */
int overlay_dir_set_state(struct overlay_dir *dir, enum overlay_state state,
			  struct err *err) MUST_CHECK;
/* Remove all side files, then the marks of a commit, then the directory if nothing else is in it. */
int overlay_dir_remove_all(struct overlay_dir *dir, struct err *err) MUST_CHECK;

#endif
