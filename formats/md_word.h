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

#define MD_MAGIC 0xa92b4efcu
#define MD_SUPER_SIZE 4096u

static inline uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

/* The carries of a sum of 32-bit words come back in from below. */
static inline uint32_t md_sum_fold(uint64_t sum)
{
	return (uint32_t)((sum & UINT32_MAX) + (sum >> 32));
}

#endif
