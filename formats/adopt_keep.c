/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/adopt_keep.h"

#include "core/base/crc.h"
#include "core/base/size.h"
#include "core/dev/dev.h"
#include "core/store/super.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PIECE_SIZE 65536u

void adopt_kept_reset(struct adopt_kept *kept)
{
	adopt_block_vec_reset(&kept->blocks);
	*kept = (struct adopt_kept){ .record = { .state = ADOPT_RECORD_KEEPS } };
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for an adoption record");
}

static int not_readable(const struct dev *dev, int rc, uint64_t offset, struct err *err)
{
	return err_set(err, rc, "%s: bytes from %" PRIu64 " on cannot be read", dev_name(dev),
		       offset);
}

static int not_writable(const struct dev *dev, int rc, uint64_t offset, struct err *err)
{
	return err_set(err, rc, "%s: bytes from %" PRIu64 " on cannot be written", dev_name(dev),
		       offset);
}

static int flush(struct dev *dev, struct err *err)
{
	int rc = io_flush(dev);

	return rc ? err_set(err, rc, "%s: cannot be flushed", dev_name(dev)) : 0;
}

/* The blocks of one piece that are not zero. */
static int piece_look(struct adopt_block_vec *blocks, uint64_t offset, const uint8_t *piece,
		      size_t size, struct err *err)
{
	for (size_t at = 0; at < size; at += BLOCK_SIZE) {
		const struct adopt_block block = { offset + at,
						   crc32_of(0, piece + at, BLOCK_SIZE) };

		if (bytes_are_zero(piece + at, BLOCK_SIZE))
			continue;
		if (blocks->count == ADOPT_BLOCKS_MAX)
			return err_set(err, ERR_LIMIT,
				       "more than %u blocks would have to be kept to undo it",
				       ADOPT_BLOCKS_MAX);
		if (adopt_block_vec_push(blocks, block))
			return no_memory(err);
	}
	return 0;
}

int adopt_keep_look(struct adopt_block_vec *blocks, struct dev *dev, struct adopt_area area,
		    struct err *err)
{
	uint8_t *piece = mem_pages(PIECE_SIZE);
	int rc = piece ? 0 : no_memory(err);

	assert(area.offset % BLOCK_SIZE == 0 && area.end % BLOCK_SIZE == 0);
	for (uint64_t at = area.offset; rc == 0 && at < area.end; at += PIECE_SIZE) {
		size_t size = (size_t)size_min(PIECE_SIZE, area.end - at);

		rc = io_read(dev, IO_ROLE_LOG, at, piece, size);
		if (rc)
			rc = not_readable(dev, rc, at, err);
		else
			rc = piece_look(blocks, at, piece, size, err);
	}
	mem_pages_free(piece);
	return rc;
}

int adopt_keep_room(struct dev *dev, uint64_t size, struct err *err)
{
	const struct adopt_area area = { ADOPT_RECORD_BEGIN, ADOPT_RECORD_BEGIN + size };
	struct adopt_block_vec found = { 0 };
	int rc = adopt_keep_look(&found, dev, area, err);

	if (rc == 0 && found.count > 0) {
		err_set(err, ERR_IN_USE,
			"%s: bytes %" PRIu64 " to %" PRIu64
			", where the adoption record has its place, hold something",
			dev_name(dev), found.at[0].offset,
			found.at[found.count - 1].offset + BLOCK_SIZE);
		rc = err_hint(err, "the room before the data belongs to nobody: repeat with "
				   "--force to give up what is there; undo leaves zeros");
	}
	adopt_block_vec_reset(&found);
	return rc;
}

/* One block of those to be kept goes to its copy. */
static int copy_write(const struct adopt_kept *kept, struct dev *dev, uint32_t number,
		      uint8_t *page, struct err *err)
{
	const struct adopt_block *block = &kept->blocks.at[number];
	uint64_t to = adopt_copy_offset(&kept->record, number);
	int rc = io_read(dev, IO_ROLE_LOG, block->offset, page, BLOCK_SIZE);

	if (rc)
		return not_readable(dev, rc, block->offset, err);
	if (crc32_of(0, page, BLOCK_SIZE) != block->crc)
		return err_set(err, ERR_CHANGED, "%s: byte %" PRIu64 " changes while it is read",
			       dev_name(dev), block->offset);
	rc = io_write(dev, IO_ROLE_LOG, to, page, BLOCK_SIZE);
	return rc ? not_writable(dev, rc, to, err) : 0;
}

static int header_write(const struct adopt_record *record, struct dev *dev, struct err *err)
{
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc;

	if (!page)
		return no_memory(err);
	adopt_record_encode(page, record);
	rc = io_write(dev, IO_ROLE_LOG, ADOPT_RECORD_BEGIN, page, BLOCK_SIZE);
	mem_pages_free(page);
	return rc ? not_writable(dev, rc, ADOPT_RECORD_BEGIN, err) : flush(dev, err);
}

static int table_write(struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	size_t size = (size_t)adopt_table_size(kept->record.block_count);
	uint8_t *table = mem_pages(size);
	int rc;

	if (!table)
		return no_memory(err);
	adopt_table_encode(table, &kept->record, kept->blocks.at);
	rc = io_write(dev, IO_ROLE_LOG, ADOPT_RECORD_BEGIN + BLOCK_SIZE, table, size);
	mem_pages_free(table);
	return rc ? not_writable(dev, rc, ADOPT_RECORD_BEGIN + BLOCK_SIZE, err) : 0;
}

static int area_zero(struct dev *dev, struct adopt_area area, struct err *err)
{
	struct io io = { .dev = dev,
			 .op = IO_ZERO,
			 .role = IO_ROLE_LOG,
			 .offset = area.offset,
			 .size = area.end - area.offset };

	if (io.size == 0)
		return 0;
	return io_run(&io, 1) ? not_writable(dev, io.result, area.offset, err) : 0;
}

int adopt_keep_write(struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	struct adopt_record *record = &kept->record;
	const struct adopt_area place = { ADOPT_RECORD_BEGIN + BLOCK_SIZE,
					  ADOPT_RECORD_BEGIN + record->size };
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc = page ? 0 : no_memory(err);

	assert(record->block_count == kept->blocks.count);
	/* Whatever a crash leaves in this room is known to be nobody's. */
	record->state = ADOPT_RECORD_VOID;
	if (rc == 0)
		rc = header_write(record, dev, err);
	if (rc == 0)
		rc = area_zero(dev, place, err);
	for (uint32_t i = 0; rc == 0 && i < record->block_count; i++)
		rc = copy_write(kept, dev, i, page, err);
	mem_pages_free(page);
	if (rc == 0)
		rc = table_write(kept, dev, err);
	if (rc == 0)
		rc = flush(dev, err);
	record->state = ADOPT_RECORD_KEEPS;
	return rc ? rc : header_write(record, dev, err);
}

int adopt_record_read(struct adopt_record *record_out, struct dev *dev, struct err *err)
{
	uint8_t *page;
	int rc;

	if (dev_info(dev)->size < ADOPT_RECORD_BEGIN + BLOCK_SIZE)
		return err_set(err, ERR_NOT_MEMBER, "no adoption record");
	page = mem_pages(BLOCK_SIZE);
	if (!page)
		return no_memory(err);
	rc = io_read(dev, IO_ROLE_LOG, ADOPT_RECORD_BEGIN, page, BLOCK_SIZE);
	if (rc)
		rc = not_readable(dev, rc, ADOPT_RECORD_BEGIN, err);
	else
		rc = adopt_record_decode(record_out, page, dev_info(dev)->size_exact, err);
	mem_pages_free(page);
	return rc;
}

static int table_read(struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	uint32_t count = kept->record.block_count;
	size_t size = (size_t)adopt_table_size(count);
	uint8_t *table = mem_pages(size);
	int rc;

	if (!table || adopt_block_vec_reserve(&kept->blocks, count)) {
		mem_pages_free(table);
		return no_memory(err);
	}
	rc = io_read(dev, IO_ROLE_LOG, ADOPT_RECORD_BEGIN + BLOCK_SIZE, table, size);
	if (rc)
		rc = not_readable(dev, rc, ADOPT_RECORD_BEGIN + BLOCK_SIZE, err);
	else
		rc = adopt_table_decode(kept->blocks.at, table, &kept->record, err);
	kept->blocks.count = rc ? 0 : count;
	mem_pages_free(table);
	return rc;
}

int adopt_kept_read(struct adopt_kept *kept_out, struct dev *dev, struct err *err)
{
	struct adopt_kept kept = { .record = { .state = ADOPT_RECORD_KEEPS } };
	int rc = adopt_record_read(&kept.record, dev, err);

	if (rc == 0 && kept.record.state == ADOPT_RECORD_KEEPS)
		rc = table_read(&kept, dev, err);
	if (rc)
		adopt_kept_reset(&kept);
	else
		*kept_out = kept;
	return rc;
}

int adopt_kept_copy(const struct adopt_kept *kept, struct dev *dev, uint32_t number, uint8_t *page,
		    struct err *err)
{
	uint64_t from = adopt_copy_offset(&kept->record, number);
	int rc = io_read(dev, IO_ROLE_LOG, from, page, BLOCK_SIZE);

	if (rc)
		return not_readable(dev, rc, from, err);
	if (crc32_of(0, page, BLOCK_SIZE) == kept->blocks.at[number].crc)
		return 0;
	return err_set(err, ERR_CHECKSUM,
		       "%s: what was kept of byte %" PRIu64 " is damaged: the adoption cannot be "
		       "undone",
		       dev_name(dev), kept->blocks.at[number].offset);
}

uint32_t adopt_kept_super_number(const struct adopt_kept *kept)
{
	uint32_t number = 0;

	while (kept->blocks.at[number].offset != kept->record.super_offset)
		number++;
	assert(number < kept->blocks.count);
	return number;
}

int adopt_kept_verify(const struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc = page ? 0 : no_memory(err);

	for (uint32_t i = 0; rc == 0 && i < kept->blocks.count; i++)
		rc = adopt_kept_copy(kept, dev, i, page, err);
	mem_pages_free(page);
	return rc;
}

static int copy_back(const struct adopt_kept *kept, struct dev *dev, uint32_t number, uint8_t *page,
		     struct err *err)
{
	uint64_t to = kept->blocks.at[number].offset;
	int rc = adopt_kept_copy(kept, dev, number, page, err);

	if (rc == 0 && io_write(dev, IO_ROLE_LOG, to, page, BLOCK_SIZE))
		rc = not_writable(dev, ERR_IO, to, err);
	return rc;
}

static bool is_spared(uint64_t offset, const struct adopt_area *spared, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (offset >= spared[i].offset && offset < spared[i].end)
			return true;
	return false;
}

/* Zeros to an area, around what is spared. */
static int area_clear(struct dev *dev, struct adopt_area area, const struct adopt_area *spared,
		      uint32_t count, struct err *err)
{
	int rc = 0;

	while (rc == 0 && area.offset < area.end) {
		struct adopt_area part = area;

		for (uint32_t i = 0; i < count; i++) {
			if (is_spared(part.offset, &spared[i], 1))
				part.offset = size_min(spared[i].end, area.end);
			else if (spared[i].offset > part.offset)
				part.end = size_min(part.end, spared[i].offset);
		}
		/* Behind one that is spared another may begin: look again. */
		if (part.offset > area.offset) {
			area.offset = part.offset;
			continue;
		}
		rc = area_zero(dev, part, err);
		area.offset = part.end;
	}
	return rc;
}

/* The block of our newest superblock of this member; 0: there is none that can be read. */
static uint64_t newest_find(const struct adopt_kept *kept, struct dev *dev, uint8_t *page)
{
	uint64_t generation = 0, newest = 0;

	for (uint64_t at = ADOPT_SUPERS_BEGIN; at < ADOPT_RECORD_BEGIN; at += BLOCK_SIZE) {
		struct err ignored = { 0 };
		struct super super;

		if (io_read(dev, IO_ROLE_SUPER, at, page, BLOCK_SIZE) ||
		    super_decode(&super, page, at, &ignored) ||
		    !uuid_equal(&super.member, &kept->record.member))
			continue;
		if (super.generation > generation) {
			generation = super.generation;
			newest = at;
		}
	}
	return newest;
}

/*
 * Superblocks go before the map that they name: what still has one has all of it. The newest goes last, as it alone says
 * that the array is being given back.
 */
static int supers_clear(const struct adopt_kept *kept, struct dev *dev, uint8_t *page,
			const struct adopt_area *spared, uint32_t spared_count, struct err *err)
{
	uint64_t newest = newest_find(kept, dev, page);
	int rc = 0;

	if (newest > 0) {
		const struct adopt_area parts[] = { { ADOPT_SUPERS_BEGIN, newest },
						    { newest + BLOCK_SIZE, ADOPT_RECORD_BEGIN } };

		for (uint32_t i = 0; rc == 0 && i < 2; i++)
			rc = area_clear(dev, parts[i], spared, spared_count, err);
		if (rc == 0)
			rc = flush(dev, err);
	}
	if (rc == 0)
		rc = area_clear(dev, (struct adopt_area){ ADOPT_SUPERS_BEGIN, ADOPT_RECORD_BEGIN },
				spared, spared_count, err);
	return rc ? rc : flush(dev, err);
}

int adopt_kept_restore(const struct adopt_kept *kept, struct dev *dev,
		       const struct adopt_area *spared, uint32_t spared_count, struct err *err)
{
	const struct adopt_record *record = &kept->record;
	const struct adopt_area behind = { ADOPT_RECORD_BEGIN + record->size, record->written_end };
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc = page ? 0 : no_memory(err);

	assert(record->state == ADOPT_RECORD_KEEPS);
	if (rc == 0)
		rc = supers_clear(kept, dev, page, spared, spared_count, err);
	if (rc == 0)
		rc = area_clear(dev, behind, spared, spared_count, err);
	for (uint32_t i = 0; rc == 0 && i < kept->blocks.count; i++) {
		uint64_t offset = kept->blocks.at[i].offset;

		if (offset != record->super_offset && !is_spared(offset, spared, spared_count))
			rc = copy_back(kept, dev, i, page, err);
	}
	mem_pages_free(page);
	return rc ? rc : flush(dev, err);
}

int adopt_kept_super(const struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc;

	if (!page)
		return no_memory(err);
	rc = copy_back(kept, dev, adopt_kept_super_number(kept), page, err);
	mem_pages_free(page);
	return rc ? rc : flush(dev, err);
}

int adopt_kept_finish(struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	struct adopt_record *record = &kept->record;
	const struct adopt_area header = { ADOPT_RECORD_BEGIN, ADOPT_RECORD_BEGIN + BLOCK_SIZE };
	const struct adopt_area rest = { header.end, ADOPT_RECORD_BEGIN + record->size };
	int rc = 0;

	if (record->state != ADOPT_RECORD_VOID) {
		record->state = ADOPT_RECORD_VOID;
		rc = header_write(record, dev, err);
	}
	if (rc == 0)
		rc = area_zero(dev, rest, err);
	if (rc == 0)
		rc = flush(dev, err);
	if (rc == 0)
		rc = area_zero(dev, header, err);
	return rc ? rc : flush(dev, err);
}
