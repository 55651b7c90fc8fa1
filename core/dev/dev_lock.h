/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The writer's lock: one process at a time writes to a file or block device.
 *
 * It is flock(2) on the open descriptor, so it ends with the process however that ends. Readers take
 * none. A file that is attached to a loop device is somebody else's disk and is refused too.
 */
#ifndef PG_DEV_DEV_LOCK_H
#define PG_DEV_DEV_LOCK_H

#include "core/base/err.h"

#include <sys/stat.h>

struct env;

/*
 * Lock `fd`, whose facts are `stat`; `path` is for the text. Returns 0, or ERR_BUSY with the process
 * or the loop device that uses it. Closing the descriptor unlocks.
 */
int dev_lock_take(int fd, const struct stat *stat, struct env *env, const char *path,
		  struct err *err) MUST_CHECK;

#endif
