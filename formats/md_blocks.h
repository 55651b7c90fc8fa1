/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records of Linux MD that need not begin at a block: the whole blocks around them, read, to be changed and written. */
#ifndef PG_FORMATS_MD_BLOCKS_H
#define PG_FORMATS_MD_BLOCKS_H

#include "core/dev/dev.h"

struct md_blocks {
	uint64_t offset; /* bytes, of the first block */
	size_t size;
	size_t skip;    /* where in them the record begins */
	uint8_t *pages; /* owned */
};

/* `size` bytes from a sector on; `what` for people. ERR_NOMEM or the error of the read. */
int md_blocks_read(struct md_blocks *blocks_out, struct dev *dev, uint64_t sector, uint64_t size,
		   const char *what, struct err *err) MUST_CHECK;
void md_blocks_reset(struct md_blocks *blocks);

/* Back where they were; not flushed. */
int md_blocks_write(const struct md_blocks *blocks, struct dev *dev, const char *what,
		    struct err *err) MUST_CHECK;

#endif
