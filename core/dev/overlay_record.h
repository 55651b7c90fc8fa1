/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a side file of an overlay (overlay.h) says about itself, byte by byte.
 *
 *	0	header: whose writes these are
 *	4 KiB	sums: CRC-32 of the member's telling blocks, where superblocks and logs lie
 *	8 KiB	record: pages of 8 sectors, each with the state of OVERLAY_SECTOR_BLOCKS blocks
 *	data_offset	block n of the member at data_offset + n * 4096, where it was written
 *
 * A sector of the record is written whole or not at all, and checks itself, so a torn page is harmless: each of
 * its sectors says what it said before or what it says now. All zero: nothing was written there.
 *
 * Pure. Decode takes any bytes.
 */
#ifndef PG_DEV_OVERLAY_RECORD_H
#define PG_DEV_OVERLAY_RECORD_H

#include "core/dev/overlay.h"

#define OVERLAY_SUMS_OFFSET BLOCK_SIZE
#define OVERLAY_RECORD_OFFSET (UINT64_C(2) * BLOCK_SIZE)
#define OVERLAY_SECTOR_SIZE 512u
#define OVERLAY_SECTOR_BLOCKS 1008u /* half a byte each */
#define OVERLAY_PAGE_BLOCKS 8064u   /* of the page's sectors together */
#define OVERLAY_SUMS_MAX 112u

/* Pages of the record, and where the data begins. Both fit for every member that OVERLAY_SIZE_MAX allows. */
uint64_t overlay_page_count(uint64_t member_size);
uint64_t overlay_data_offset(uint64_t member_size);

/* The telling blocks of a member: entry `index` of the sums; UINT64_MAX: a member of that size has none there. */
uint64_t overlay_telling_block(uint32_t index, uint64_t member_size);

void overlay_header_encode(uint8_t bytes[static BLOCK_SIZE], const struct overlay_header *header);
/* ERR_FORMAT, ERR_CHECKSUM or ERR_VERSION; *header_out is then untouched. */
int overlay_header_decode(struct overlay_header *header_out, const uint8_t bytes[static BLOCK_SIZE],
			  struct err *err) MUST_CHECK;

/* What was done to block `index` of the page: 0 nothing, else 1 + enum io_role. */
uint32_t overlay_page_get(const uint8_t page[static BLOCK_SIZE], uint32_t index);
void overlay_page_set(uint8_t page[static BLOCK_SIZE], uint32_t index, uint32_t state);
/* Number and check each sector in which there is something; `number` is the page's. */
void overlay_page_seal(uint8_t page[static BLOCK_SIZE], uint64_t number);
/* ERR_CHECKSUM or ERR_FORMAT when a sector is none of page `number` of a member with `block_count` blocks. */
int overlay_page_check(const uint8_t page[static BLOCK_SIZE], uint64_t number, uint64_t block_count,
		       struct err *err) MUST_CHECK;

#endif
