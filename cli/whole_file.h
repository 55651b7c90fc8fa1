/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An output file that appears whole or not at all.
 *
 *	whole_file_create()	a hidden file beside the wanted name
 *	whole_file_write()
 *	whole_file_commit()	flushed, then renamed to the wanted name
 *	whole_file_close()	before commit: nothing is left
 *
 * Promises
 *	whole		whoever opens the wanted name sees the old file, none, or all of the new one
 *	kept		a file that exists is not touched without `replace`, also if it appears meanwhile
 *	followed	no symbolic link is followed in the last part of the path
 *	private		until commit nobody but the owner can read it; then the umask decides
 *	taken_up	a file that may take several runs grows under PATH.part, which is left behind only when asked
 */
#ifndef PG_CLI_WHOLE_FILE_H
#define PG_CLI_WHOLE_FILE_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For ERR_NOSPACE of any output: no member of the array is meant. */
#define OUTPUT_ROOM_HINT "choose a place with room for it, on another file system"

struct env;
struct whole_file; /* opaque */

/*
 * Refuses ERR_EXISTS without `replace`, ERR_KIND over what is no regular file, and ERR_ACCESS in a
 * directory where everybody may replace the file meanwhile. `path` is borrowed until close.
 */
int whole_file_create(struct whole_file **file_out, struct env *env, const char *path, bool replace,
		      struct err *err) MUST_CHECK;
/*
 * The same for a file of `size` bytes, holes at first, that may be stopped and gone on with: it grows as PATH.part. With
 * `resume` a PATH.part is gone on with; where there is none but PATH itself, that is changed in place. Else a PATH.part
 * that exists is refused as PATH is, or replaced. With `resume`: ERR_NOT_FOUND when there is neither, ERR_SIZE when it
 * has another size.
 */
int whole_file_create_part(struct whole_file **file_out, const char *path, uint64_t size,
			   bool resume, bool replace, struct err *err) MUST_CHECK;
/* What was written stays as PATH.part when it is closed without a commit. */
void whole_file_keep(struct whole_file *file);
/* The range is zeros, and a hole where the file system has any. */
int whole_file_clear(struct whole_file *file, uint64_t offset, uint64_t size,
		     struct err *err) MUST_CHECK;
int whole_file_flush(struct whole_file *file, struct err *err) MUST_CHECK;
/* Any part, by any number of tasks at once. */
int whole_file_write(struct whole_file *file, const void *bytes, size_t size, uint64_t offset,
		     struct err *err) MUST_CHECK;
int whole_file_commit(struct whole_file *file, struct err *err) MUST_CHECK;
void whole_file_close(struct whole_file *file); /* NULL is allowed */

#endif
