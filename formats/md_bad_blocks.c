/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_bad_blocks.h"

#include "core/base/bytes.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define COUNT_BITS 10u
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

int md_bad_blocks_decode(struct md_bad_blocks *blocks_out, const uint8_t *bytes, size_t size,
			 uint32_t shift, struct err *err)
{
	struct md_bad_blocks blocks = { .shift = shift };

	assert(size % MD_BAD_BLOCK_SIZE == 0 && size / MD_BAD_BLOCK_SIZE <= MD_BAD_BLOCKS_MAX);
	assert(shift < 32);
	for (size_t at = 0; at < size; at += MD_BAD_BLOCK_SIZE) {
		uint64_t entry = get_le64(bytes + at), first = entry >> COUNT_BITS;

		if (entry == UINT64_MAX)
			break;
		if (first << shift >> shift != first)
			return err_set(err, ERR_FORMAT,
				       "bad-block log: block %" PRIu64 " of 512 << %u bytes", first,
				       shift);
		blocks.at[blocks.count++] = (struct md_bad_block){
			.first_sector = first << shift,
			.sector_count = (entry & COUNT_MASK) << shift,
		};
	}
	*blocks_out = blocks;
	return 0;
}

void md_bad_blocks_encode(uint8_t *bytes, size_t size, const struct md_bad_blocks *blocks)
{
	assert(size / MD_BAD_BLOCK_SIZE >= blocks->count);
	memset(bytes, 0xff, size);
	for (uint32_t i = 0; i < blocks->count; i++) {
		uint64_t first = blocks->at[i].first_sector >> blocks->shift;
		uint64_t count = blocks->at[i].sector_count >> blocks->shift;

		assert(count <= COUNT_MASK && first <= UINT64_MAX >> COUNT_BITS);
		assert(first << blocks->shift == blocks->at[i].first_sector);
		assert(count << blocks->shift == blocks->at[i].sector_count);
		put_le64(bytes + (size_t)i * MD_BAD_BLOCK_SIZE, first << COUNT_BITS | count);
	}
}

void md_bad_blocks_validate(struct md_faults *faults, const struct md_bad_blocks *blocks,
			    uint64_t device_sectors)
{
	for (uint32_t i = 0; i < blocks->count; i++) {
		const struct md_bad_block *block = &blocks->at[i];

		if (block->sector_count == 0)
			md_fault(faults, "bad_blocks", "entry %u is empty", i);
		if (block->first_sector > device_sectors ||
		    block->sector_count > device_sectors - block->first_sector)
			md_fault(faults, "bad_blocks",
				 "entry %u: %" PRIu64 " sectors from %" PRIu64
				 ", the device has %" PRIu64,
				 i, block->sector_count, block->first_sector, device_sectors);
	}
}
