/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_bits.h"

#include "core/base/mem.h"
#include "formats/md_blocks.h"
#include "formats/md_shape.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BITS_SIZE_MAX (UINT64_C(64) << 20) /* of one bitmap: 2^29 chunks */

static int head_check(const struct md_bits *bits, const struct dev *dev, struct err *err)
{
	const struct md_bitmap *head = &bits->head;

	if (head->version != MD_BITMAP_HOST_ENDIAN && head->version != MD_BITMAP_LITTLE_ENDIAN)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: its bitmap has version %u, this program writes 3 and 4",
			       dev_name(dev), head->version);
	if (md_bitmap_bytes(head) > BITS_SIZE_MAX)
		return err_set(err, ERR_LIMIT, "%s: a bitmap of %" PRIu64 " bytes", dev_name(dev),
			       md_bitmap_bytes(head));
	return 0;
}

/* The first one makes room. */
static int bits_begin(struct md_bits *bits, struct err *err)
{
	bits->size = md_bitmap_bytes(&bits->head);
	bits->before = mem_calloc(bits->size, 1);
	return bits->before ? 0 : err_set(err, ERR_NOMEM, "no memory for a bitmap");
}

int md_bits_read(struct md_bits *bits, struct dev *dev, uint64_t sector,
		 const struct md_bitmap_place *place, struct err *err)
{
	struct md_faults faults = { 0 };
	struct md_bitmap head;
	struct md_blocks blocks;
	int rc = md_blocks_read(&blocks, dev, sector, MD_BITMAP_SIZE, "bitmap", err);

	if (rc)
		return rc;
	rc = md_bitmap_decode(&head, blocks.pages + blocks.skip, err);
	md_blocks_reset(&blocks);
	if (rc)
		return err_prefix(err, "%s", dev_name(dev));
	md_bitmap_validate(&faults, &head, place);
	if (!bits->before) {
		bits->head = head;
		rc = head_check(bits, dev, err);
		if (rc == 0 && md_fault_in(&faults, "sync_sectors"))
			rc = err_set(err, ERR_FORMAT, "%s: its bitmap does not fit its place",
				     dev_name(dev));
		if (rc == 0)
			rc = bits_begin(bits, err);
		if (rc)
			return rc;
	}
	if (faults.count || md_bitmap_bytes(&head) != bits->size) {
		memset(bits->before, 0xff, bits->size);
		return 0;
	}
	rc = md_blocks_read(&blocks, dev, sector, MD_BITMAP_SIZE + bits->size, "bitmap", err);
	if (rc)
		return rc;
	for (uint64_t i = 0; i < bits->size; i++)
		bits->before[i] |= blocks.pages[blocks.skip + MD_BITMAP_SIZE + i];
	md_blocks_reset(&blocks);
	return 0;
}

void md_bits_reset(struct md_bits *bits)
{
	mem_free(bits->before);
	*bits = (struct md_bits){ 0 };
}

/* Bits behind the last chunk are nobody's, and stay clear. */
static void bits_fill(uint8_t *at, const struct md_bits *bits)
{
	uint64_t chunks = md_bitmap_chunks(&bits->head);

	memset(at, 0xff, bits->size);
	if (chunks % 8)
		at[bits->size - 1] = (uint8_t)((1u << chunks % 8) - 1);
}

int md_bits_write(struct md_bits *bits, struct dev *dev, uint64_t sector, enum md_bits_are what,
		  uint64_t events, uint64_t events_cleared, struct err *err)
{
	struct md_blocks blocks;
	uint8_t *at;
	int rc = md_blocks_read(&blocks, dev, sector, MD_BITMAP_SIZE + bits->size, "bitmap", err);

	if (rc)
		return rc;
	assert(bits->before);
	bits->head.events = events;
	bits->head.events_cleared = events_cleared ? events_cleared : bits->head.events_cleared;
	bits->head.state &= ~(uint32_t)MD_BITMAP_STALE;
	at = blocks.pages + blocks.skip;
	md_bitmap_encode(at, &bits->head);
	at += MD_BITMAP_SIZE;
	if (what == MD_BITS_ALL)
		bits_fill(at, bits);
	else if (what == MD_BITS_BEFORE)
		memcpy(at, bits->before, bits->size);
	else
		memset(at, 0, bits->size);
	rc = md_blocks_write(&blocks, dev, "bitmap", err);
	md_blocks_reset(&blocks);
	return rc;
}
