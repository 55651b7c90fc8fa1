/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bad-block log of a Linux MD member: up to a page of 64-bit entries, each a range of blocks that cannot be
 * read or hold nothing valid. Positions count from the start of the member, not of its data. All ones end
 * the list. It is valid only while the superblock has the feature bad-blocks.
 *
 * Sources: Linux include/uapi/linux/raid/md_p.h (bblog_shift, bblog_size, bblog_offset); that an entry has
 * 54 bits of position and 10 of length follows from the log of arrays made by the kernel.
 */
#ifndef PG_FORMATS_MD_BAD_BLOCKS_H
#define PG_FORMATS_MD_BAD_BLOCKS_H

#include "formats/md_fault.h"

#include <stddef.h>

#define MD_BAD_BLOCKS_MAX 512u /* of 4 KiB */
#define MD_BAD_BLOCK_SIZE 8u

struct md_bad_block {
	uint64_t first_sector; /* of the member */
	uint64_t sector_count;
};

struct md_bad_blocks {
	uint32_t shift; /* an entry counts blocks of 512 << shift bytes */
	uint32_t count;
	struct md_bad_block at[MD_BAD_BLOCKS_MAX];
};

/*
 * Decode `size` bytes, a multiple of MD_BAD_BLOCK_SIZE and at most MD_BAD_BLOCKS_MAX entries, whose blocks
 * are 512 << `shift` bytes; `shift` below 32. Returns 0, or ERR_FORMAT for an entry whose position does
 * not fit.
 */
int md_bad_blocks_decode(struct md_bad_blocks *blocks_out, const uint8_t *bytes, size_t size,
			 uint32_t shift, struct err *err) MUST_CHECK;
/* `size` has room for all entries; the rest becomes all ones. Entries are whole blocks. */
void md_bad_blocks_encode(uint8_t *bytes, size_t size, const struct md_bad_blocks *blocks);
void md_bad_blocks_validate(struct md_faults *faults, const struct md_bad_blocks *blocks,
			    uint64_t device_sectors);

#endif
