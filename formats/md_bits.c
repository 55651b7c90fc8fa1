/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_bits.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"
#include "formats/md_shape.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BITS_SIZE_MAX (UINT64_C(64) << 20) /* of one bitmap: 2^29 chunks */

/* Whole blocks that hold so many bytes from a sector on. */
struct span_of_blocks {
	uint64_t offset; /* bytes, of the first block */
	size_t size;
	size_t skip; /* where in it they begin */
};

static struct span_of_blocks blocks_of(uint64_t sector, uint64_t size)
{
	uint64_t at = sector * MD_SECTOR, first = at - at % BLOCK_SIZE;

	return (struct span_of_blocks){
		.offset = first,
		.size = (size_t)(size_round_up(at + size, BLOCK_SIZE) - first),
		.skip = (size_t)(at - first),
	};
}

/* Read what lies there; the caller frees it. */
static int blocks_read(uint8_t **pages_out, const struct span_of_blocks *span, struct dev *dev,
		       struct err *err)
{
	uint8_t *pages = mem_pages(span->size);
	int rc;

	if (!pages)
		return err_set(err, ERR_NOMEM, "no memory for the bitmap of %s", dev_name(dev));
	rc = io_read(dev, IO_ROLE_LOG, span->offset, pages, span->size);
	if (rc) {
		mem_pages_free(pages);
		return err_set(err, rc, "%s: its bitmap cannot be read", dev_name(dev));
	}
	*pages_out = pages;
	return 0;
}

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
	struct span_of_blocks span = blocks_of(sector, MD_BITMAP_SIZE);
	struct md_faults faults = { 0 };
	struct md_bitmap head;
	uint8_t *pages;
	int rc = blocks_read(&pages, &span, dev, err);

	if (rc)
		return rc;
	rc = md_bitmap_decode(&head, pages + span.skip, err);
	mem_pages_free(pages);
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
	span = blocks_of(sector, MD_BITMAP_SIZE + bits->size);
	rc = blocks_read(&pages, &span, dev, err);
	if (rc)
		return rc;
	for (uint64_t i = 0; i < bits->size; i++)
		bits->before[i] |= pages[span.skip + MD_BITMAP_SIZE + i];
	mem_pages_free(pages);
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
	struct span_of_blocks span = blocks_of(sector, MD_BITMAP_SIZE + bits->size);
	uint8_t *pages;
	int rc = blocks_read(&pages, &span, dev, err);

	if (rc)
		return rc;
	assert(bits->before);
	bits->head.events = events;
	bits->head.events_cleared = events_cleared ? events_cleared : bits->head.events_cleared;
	bits->head.state &= ~(uint32_t)MD_BITMAP_STALE;
	md_bitmap_encode(pages + span.skip, &bits->head);
	if (what == MD_BITS_ALL)
		bits_fill(pages + span.skip + MD_BITMAP_SIZE, bits);
	else if (what == MD_BITS_BEFORE)
		memcpy(pages + span.skip + MD_BITMAP_SIZE, bits->before, bits->size);
	else
		memset(pages + span.skip + MD_BITMAP_SIZE, 0, bits->size);
	rc = io_write(dev, IO_ROLE_LOG, span.offset, pages, span.size);
	mem_pages_free(pages);
	return rc ? err_set(err, rc, "%s: its bitmap cannot be written", dev_name(dev)) : 0;
}
