/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the records of Linux MD share: the magic, both byte orders, and the sum that superblocks of both
 * formats carry.
 *
 * Source: Linux include/uapi/linux/raid/md_p.h; the sum as drivers/md/md.c makes it.
 */
#ifndef PG_FORMATS_MD_WORD_H
#define PG_FORMATS_MD_WORD_H

#include "core/base/bytes.h"
#include "formats/big_endian.h"

#define MD_MAGIC 0xa92b4efcu
#define MD_SUPER_SIZE 4096u

/* The carries of a sum of 32-bit words come back in from below. */
static inline uint32_t md_sum_fold(uint64_t sum)
{
	return (uint32_t)((sum & UINT32_MAX) + (sum >> 32));
}

#endif
