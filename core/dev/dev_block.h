/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Facts of a block device: how large it is, whether it takes writes, and who holds it.
 */
#ifndef PG_DEV_DEV_BLOCK_H
#define PG_DEV_DEV_BLOCK_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct block_facts {
	uint64_t size; /* bytes */
	bool read_only;
	uint64_t identity[2]; /* as in dev_info: of a loop device that of the file it stands on */
};

/*
 * Ask the kernel about the open block device `fd`. Returns 0, ERR_IO when it does not answer, or
 * ERR_UNSUPPORTED when its sectors are larger than BLOCK_SIZE.
 */
int dev_block_facts(struct block_facts *facts_out, int fd, dev_t device, const char *path,
		    struct err *err) MUST_CHECK;

/* After an exclusive open failed: ERR_BUSY with the mount point or the holder, where one is known. */
int dev_block_busy(dev_t device, const char *path, struct err *err);

#endif
