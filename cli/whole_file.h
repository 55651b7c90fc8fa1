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
 */
#ifndef PG_CLI_WHOLE_FILE_H
#define PG_CLI_WHOLE_FILE_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;
struct whole_file; /* opaque */

/*
 * Refuses ERR_EXISTS without `replace`, ERR_KIND over what is no regular file, and ERR_ACCESS in a
 * directory where everybody may replace the file meanwhile. `path` is borrowed until close.
 */
int whole_file_create(struct whole_file **file_out, struct env *env, const char *path, bool replace,
		      struct err *err) MUST_CHECK;
/* Any part, by any number of tasks at once. */
int whole_file_write(struct whole_file *file, const void *bytes, size_t size, uint64_t offset,
		     struct err *err) MUST_CHECK;
int whole_file_commit(struct whole_file *file, struct err *err) MUST_CHECK;
void whole_file_close(struct whole_file *file); /* NULL is allowed */

#endif
