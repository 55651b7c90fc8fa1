/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/scrub_group.h"

#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/array/io_role.h"
#include "core/array/seal_write.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/code/kernel.h"
#include "core/map/address.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* A seal page that must be written again. */
struct page_state {
	uint32_t restored; /* entries known anew */
	bool damaged;      /* it was not good when it was read */
	bool dirty;        /* an entry changed */
};

struct scrub {
	struct rows *rows;
	struct array *array;
	const struct group *group;
	const struct scrub_group_request *request;
	struct scrub_counts *counts;
	struct page_state *pages[CODE_COLUMNS_MAX];
	uint8_t *scratch; /* one block, for reading back; with it the GF checks of a window */
	bool wrote[CODE_COLUMNS_MAX];
	bool repairs;
};

static struct scrub_teller teller_of(const struct scrub *scrub)
{
	return (struct scrub_teller){ .rows = scrub->rows,
				      .found = scrub->request->found,
				      .found_arg = scrub->request->found_arg,
				      .counts = scrub->counts };
}

static void report(const struct scrub *scrub, const struct mismatch *mismatch,
		   const struct address *at)
{
	const struct scrub_teller teller = teller_of(scrub);

	scrub_tell_block(&teller, mismatch, at);
}

/* A finding on a page of a seal: one block, which belongs to no row. */
static void report_seal(struct scrub *scrub, uint32_t column, uint32_t page, const char *kind,
			bool repaired)
{
	const struct extent *extent = &scrub->group->extents[column];
	const struct mismatch_block block = {
		.slot = extent->slot,
		.lba = extent_seal_offset(scrub->array->map, extent) + (uint64_t)page * BLOCK_SIZE,
		.role = "seal",
		.state = BLOCK_UNSEALED,
	};
	const struct mismatch mismatch = {
		.group = scrub->group->id,
		.kind = kind,
		.basis = "checksum",
		.suspect = extent->slot,
		.repaired = repaired,
		.block_count = 1,
		.blocks = &block,
	};

	const struct scrub_teller teller = teller_of(scrub);

	scrub_tell(&teller, &mismatch);
}

static uint32_t block_number(const struct scrub *scrub, uint32_t segment, uint32_t slice)
{
	return segment * scrub->group->segment_blocks + slice;
}

/* Does this block hold what belongs to another block of the group? Its checksum without identity says. */
static bool is_misplaced(const struct scrub *scrub, const uint8_t *bytes)
{
	uint32_t content = crc32_of(0, bytes, BLOCK_SIZE) ^ crc32_zero_block(0);

	if (content == 0) /* zeros are everywhere */
		return false;
	for (uint32_t c = 0; c < scrub->rows->columns; c++) {
		const struct seal *seal = &scrub->rows->seals[c];
		uint32_t blocks = seal->shape.plain_blocks + seal->shape.witness_blocks;

		for (uint32_t b = 0; b < blocks; b++) {
			uint32_t seed = seal_block_seed(scrub->rows->seeds[c], b);

			if (seal_knows(seal, b) &&
			    (seal->entries[b].crc ^ crc32_zero_block(seed)) == content)
				return true;
		}
	}
	return false;
}

/* Write one block, read it back and compare. Absent members miss it: never where too many are. */
static int write_back(struct scrub *scrub, uint32_t column, enum io_role role, uint64_t offset,
		      const uint8_t *bytes, struct err *err)
{
	const struct extent *extent = &scrub->group->extents[column];
	struct dev *dev = array_dev(scrub->array, extent->slot);

	if (array_mark_missed(scrub->array, scrub->group->id, err))
		return err->code;
	int rc = io_write(dev, role, offset, bytes, BLOCK_SIZE);
	if (!rc)
		rc = io_read(dev, role, offset, scrub->scratch, BLOCK_SIZE);
	if (rc)
		return err_set(err, rc, "repair of %s at %" PRIu64 " failed", dev_name(dev),
			       offset);
	if (memcmp(bytes, scrub->scratch, BLOCK_SIZE) != 0)
		return err_set(err, ERR_IO,
			       "%s at %" PRIu64
			       " does not hold what was written: replace the member",
			       dev_name(dev), offset);
	scrub->wrote[column] = true;
	return 0;
}

/* Write the rebuilt block to its place; its entry is set if the old one cannot stand. */
static int repair_block(struct scrub *scrub, uint32_t column, uint32_t segment, uint32_t slice,
			struct err *err)
{
	struct rows *rows = scrub->rows;
	const struct extent *extent = &scrub->group->extents[column];
	uint32_t block = block_number(scrub, segment, slice);
	enum block_fate fate = rows_fate(rows, column, segment, slice);
	struct seal *seal = &rows->seals[column];
	struct page_state *page = &scrub->pages[column][seal_page_of(&seal->shape, block)];

	if (fate == BLOCK_STALE || fate == BLOCK_UNSEALED) {
		rows_restore_entry(rows, column, segment, slice, seal);
		page->dirty = true;
	}
	if (fate == BLOCK_UNSEALED)
		page->restored++;
	if (rows->rebuilt[rows_at(rows, column, segment, slice)] & ROWS_AS_READ)
		return 0;
	return write_back(scrub, column, rows_role(rows, column, segment),
			  extent_offset(scrub->array->map, extent, block),
			  rows_block(rows, column, segment, slice), err);
}

static void explain(const struct scrub *scrub, enum block_fate fate, bool misplaced,
		    struct mismatch *mismatch)
{
	bool witnessed = scrub->group->shape.layout == LAYOUT_PARITY ||
			 scrub->group->shape.layout == LAYOUT_SEQUENTIAL;

	mismatch->kind = mismatch->basis = "checksum";
	if (fate == BLOCK_UNREADABLE) {
		mismatch->kind = mismatch->basis = "read-error";
	} else if (fate == BLOCK_STALE) {
		mismatch->kind = "stale";
		mismatch->basis = witnessed ? "witness" : "generation";
	} else if (misplaced) {
		mismatch->kind = "identity";
	}
}

/* What was in the blocks that are not good, before they are rebuilt. */
static void find_misplaced(const struct scrub *scrub, uint32_t slice, bool *misplaced)
{
	const struct rows *rows = scrub->rows;

	for (uint32_t c = 0; c < rows->columns; c++) {
		for (uint32_t s = 0; s < rows->segments; s++)
			misplaced[c * rows->segments + s] =
				rows_fate(rows, c, s, slice) == BLOCK_MISMATCH &&
				is_misplaced(scrub, rows_block(rows, c, s, slice));
	}
}

/* One block of a slice that was solved: repair and report it. */
static int settle_block(struct scrub *scrub, uint32_t column, uint32_t segment, uint32_t slice,
			bool misplaced, struct err *err)
{
	struct rows *rows = scrub->rows;
	struct address at = { scrub->group, column, block_number(scrub, segment, slice) };
	struct mismatch mismatch = { .suspect = scrub->group->extents[column].slot };
	enum block_fate fate = rows_fate(rows, column, segment, slice);
	bool rebuilt = rows_is_rebuilt(rows, column, segment, slice);
	bool as_read = rows->rebuilt[rows_at(rows, column, segment, slice)] & ROWS_AS_READ;

	if (fate == BLOCK_GOOD || fate == BLOCK_MISSING)
		return 0;
	if (rebuilt && scrub->repairs) {
		int rc = repair_block(scrub, column, segment, slice, err);

		if (rc && rc != ERR_IO) /* what cannot be written is left */
			return rc;
		mismatch.repaired = rc == 0;
	}
	/* A block whose seal page alone is damaged is reported with its page. */
	if (fate == BLOCK_UNSEALED && (as_read || !rebuilt))
		return 0;
	explain(scrub, fate, misplaced, &mismatch);
	report(scrub, &mismatch, &at);
	return 0;
}

/* The one column whose damage explains the equations that fail in a slice of good blocks. */
static void locate(const struct scrub *scrub, const uint64_t *failed, const uint8_t *syndromes,
		   uint32_t slice, struct address *at, struct mismatch *mismatch)
{
	int cell = code_locate(scrub->rows->code, failed, syndromes);
	uint32_t segments = scrub->rows->segments;

	*at = (struct address){ scrub->group, 0, slice };
	mismatch->kind = "parity";
	mismatch->suspect = SUSPECT_UNDECIDABLE;
	mismatch->basis = "checksum"; /* they all hold, so nothing tells who is wrong */
	if (cell < 0) {
		for (uint16_t e = 0; e < code_equation_count(scrub->rows->code); e++) {
			const struct code_equation *equation = code_equation(scrub->rows->code, e);
			uint32_t first = equation->terms[0].cell;

			if (!(failed[e / 64] >> e % 64 & 1))
				continue;
			at->column = first / segments;
			at->block = block_number(scrub, first % segments, slice);
			return;
		}
		return;
	}
	at->column = (uint32_t)cell / segments;
	at->block = block_number(scrub, (uint32_t)cell % segments, slice);
	mismatch->suspect = scrub->group->extents[at->column].slot;
	switch (scrub->group->shape.layout) {
	case LAYOUT_SEQUENTIAL:
		mismatch->basis = "pure-parity";
		break;
	case LAYOUT_MIRROR:
		mismatch->basis = "mirror-majority";
		break;
	case LAYOUT_PARITY:
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		mismatch->basis = "second-parity";
		break;
	}
}

/* GF(2^8) codes: sum each equation of a slice; syndromes at the first byte where one is not zero. */
static bool gf_slice_holds(struct scrub *scrub, uint32_t slice, uint64_t *failed,
			   uint8_t *syndromes)
{
	const struct code *code = scrub->rows->code;
	uint16_t equations = code_equation_count(code);
	struct kernel_source sources[KERNEL_SOURCES_MAX];
	size_t first = BLOCK_SIZE;

	memset(failed, 0, ROWS_FAILED_WORDS * sizeof(*failed));
	for (uint16_t e = 0; e < equations; e++) {
		const struct code_equation *equation = code_equation(code, e);
		uint8_t *sum = scrub->scratch + (size_t)e * BLOCK_SIZE;

		for (uint16_t i = 0; i < equation->term_count; i++)
			sources[i] = (struct kernel_source){
				rows_block(scrub->rows, equation->terms[i].cell, 0, slice),
				equation->terms[i].coefficient,
			};
		kernel_combine(sum, sources, equation->term_count, BLOCK_SIZE);
		if (bytes_are_zero(sum, BLOCK_SIZE))
			continue;
		failed[0] |= UINT64_C(1) << e;
		size_t at = 0;
		while (sum[at] == 0)
			at++;
		first = size_min(first, at);
	}
	for (uint16_t e = 0; first < BLOCK_SIZE && e < equations; e++)
		syndromes[e] = scrub->scratch[(size_t)e * BLOCK_SIZE + first];
	return first == BLOCK_SIZE;
}

/* All blocks verify: do the equations hold too? */
static void check_equations(struct scrub *scrub, uint32_t slice)
{
	uint64_t failed[ROWS_FAILED_WORDS];
	uint8_t syndromes[CODE_PARITY_MAX] = { 0 };
	bool is_xor = code_is_xor(scrub->rows->code);
	struct mismatch mismatch = { 0 };
	struct address at;

	if (is_xor ? rows_slice_holds(scrub->rows, slice, failed)
		   : gf_slice_holds(scrub, slice, failed, syndromes))
		return;
	locate(scrub, failed, is_xor ? NULL : syndromes, slice, &at, &mismatch);
	report(scrub, &mismatch, &at);
}

/* Slices first..end-1, in which every block verifies. */
static void check_slices(struct scrub *scrub, uint32_t first, uint32_t end)
{
	bool is_xor = code_is_xor(scrub->rows->code);

	while (first < end) {
		uint32_t count = is_xor ? 1 : (uint32_t)size_min(ROWS_PARITY_RUN, end - first);
		bool holds =
			!is_xor && rows_parity_holds(scrub->rows, first, count, scrub->scratch);

		for (uint32_t i = 0; !holds && i < count; i++)
			check_equations(scrub, first + i);
		first += count;
	}
}

enum slice_state { SLICE_GOOD, SLICE_PARTIAL, SLICE_DAMAGED };

/* Good: every block is. Partial: blocks are only missing with their member. */
static enum slice_state slice_state(const struct rows *rows, uint32_t slice)
{
	enum slice_state state = SLICE_GOOD;

	for (uint32_t c = 0; c < rows->columns; c++) {
		for (uint32_t s = 0; s < rows->segments; s++) {
			enum block_fate fate = rows_fate(rows, c, s, slice);

			if (fate == BLOCK_MISSING)
				state = state == SLICE_GOOD ? SLICE_PARTIAL : state;
			else if (fate != BLOCK_GOOD)
				return SLICE_DAMAGED;
		}
	}
	return state;
}

static int settle_slice(struct scrub *scrub, uint32_t slice, const bool *misplaced, struct err *err)
{
	const struct rows *rows = scrub->rows;

	for (uint32_t c = 0; c < rows->columns; c++) {
		for (uint32_t s = 0; s < rows->segments; s++) {
			int rc = settle_block(scrub, c, s, slice,
					      misplaced[(size_t)c * rows->segments + s], err);

			if (rc)
				return rc;
		}
	}
	return 0;
}

/* Damaged slices of the window: rebuild, repair, report. */
static int settle_window(struct scrub *scrub, struct err *err)
{
	struct rows *rows = scrub->rows;
	size_t cells = (size_t)rows->columns * rows->segments;
	bool *misplaced = mem_calloc(cells * rows->count, sizeof(*misplaced));
	uint32_t lost;
	int rc = 0;

	if (!misplaced)
		return err_set(err, ERR_NOMEM, "no memory to scrub");
	for (uint32_t i = 0; i < rows->count; i++) {
		if (slice_state(rows, rows->first + i) == SLICE_DAMAGED)
			find_misplaced(scrub, rows->first + i, misplaced + i * cells);
	}
	if (rows_solve(rows, &lost))
		rc = err_set(err, ERR_NOMEM, "no memory to rebuild blocks");
	for (uint32_t i = 0; !rc && i < rows->count; i++) {
		if (slice_state(rows, rows->first + i) == SLICE_DAMAGED)
			rc = settle_slice(scrub, rows->first + i, misplaced + i * cells, err);
	}
	mem_free(misplaced);
	return rc;
}

/* Else each slice is of all rows: they are counted once, at the end. */
static bool rows_are_slices(const struct scrub *scrub)
{
	return scrub->group->shape.layout != LAYOUT_SEQUENTIAL;
}

static int scrub_window(struct scrub *scrub, uint32_t first, uint32_t count, struct err *err)
{
	struct rows *rows = scrub->rows;
	uint32_t end = first + count;
	bool damaged = false;

	if (rows_load(rows, first, count))
		return err_set(err, ERR_NOMEM, "no memory to read rows");
	if (scrub->request->mode != SCRUB_MEDIA)
		rows_judge(rows);
	for (uint32_t t = first; t < end;) {
		enum slice_state state = slice_state(rows, t);
		uint32_t run = 1;

		damaged |= state == SLICE_DAMAGED;
		while (state == SLICE_GOOD && t + run < end &&
		       slice_state(rows, t + run) == SLICE_GOOD)
			run++;
		if (state == SLICE_GOOD && scrub->request->mode != SCRUB_MEDIA)
			check_slices(scrub, t, t + run);
		t += run;
	}
	scrub->counts->rows += rows_are_slices(scrub) ? count : 0;
	return damaged ? settle_window(scrub, err) : 0;
}

static int repair_header(struct scrub *scrub, uint32_t column, struct err *err)
{
	const struct extent *extent = &scrub->group->extents[column];
	const struct volume *volume = NULL;
	const struct span *span = NULL;
	uint8_t *page = mem_pages(BLOCK_SIZE);

	if (!page)
		return err_set(err, ERR_NOMEM, "no memory to repair a seal");
	if (!seal_write_find(scrub->array->map, seal_write_named(scrub->group, column), &volume,
			     &span))
		volume = NULL;
	seal_write_header(page, scrub->array, scrub->group, column, volume, span);
	int rc = write_back(scrub, column, IO_ROLE_SEAL,
			    extent_seal_offset(scrub->array->map, extent), page, err);
	mem_pages_free(page);
	return rc;
}

static int scrub_headers(struct scrub *scrub, struct err *err)
{
	for (uint32_t c = 0; c < scrub->rows->columns; c++) {
		int rc = ERR_IO;

		if (!scrub->rows->usable[c] ||
		    seal_header_is_of(rows_seal_header(scrub->rows, c), scrub->array->map,
				      scrub->group, c))
			continue;
		if (scrub->repairs)
			rc = repair_header(scrub, c, err);
		if (rc && rc != ERR_IO)
			return rc;
		report_seal(scrub, c, 0, "checksum", rc == 0);
	}
	return 0;
}

static int flush_written(struct scrub *scrub, struct err *err)
{
	for (uint32_t c = 0; c < scrub->rows->columns; c++) {
		uint32_t slot = scrub->group->extents[c].slot;
		int rc = scrub->wrote[c] ? array_flush_member(scrub->array, slot, err) : 0;

		scrub->wrote[c] = false;
		if (rc && array_poisoned(scrub->array))
			return rc;
		scrub->rows->usable[c] &= !rc; /* out of service: no source any more */
	}
	return 0;
}

/* Write page `page` of a column's entries if all of them are known; *right_out says so. */
static int repair_page(struct scrub *scrub, uint32_t column, uint32_t page, bool *right_out,
		       struct err *err)
{
	struct seal *seal = &scrub->rows->seals[column];
	const struct page_state *state = &scrub->pages[column][page];
	uint32_t first, count;
	uint8_t *bytes;

	seal_page_blocks(&seal->shape, page, &first, &count);
	*right_out = !state->damaged || state->restored == count;
	if (!*right_out || !state->dirty)
		return 0;
	bytes = mem_pages(BLOCK_SIZE);
	if (!bytes)
		return err_set(err, ERR_NOMEM, "no memory to repair a seal");
	seal_encode_page(seal, page, bytes);
	int rc = write_back(scrub, column, io_role_of_seal(&seal->shape),
			    extent_seal_offset(scrub->array->map, &scrub->group->extents[column]) +
				    (uint64_t)(page + 1) * BLOCK_SIZE,
			    bytes, err);
	mem_pages_free(bytes);
	return rc;
}

static int settle_pages(struct scrub *scrub, struct err *err)
{
	for (uint32_t c = 0; c < scrub->rows->columns; c++) {
		uint32_t pages = seal_entry_pages(&scrub->rows->seals[c].shape);

		assert(scrub->pages[c]);
		for (uint32_t p = 0; scrub->rows->usable[c] && p < pages; p++) {
			bool right = false;
			int rc = scrub->repairs ? repair_page(scrub, c, p, &right, err) : 0;

			if (rc && (rc != ERR_IO || !scrub->pages[c][p].damaged))
				return rc;
			right &= !rc;
			if (scrub->pages[c][p].damaged)
				report_seal(scrub, c, p + 1, "checksum", right);
		}
	}
	return 0;
}

static int begin(struct scrub *scrub, struct err *err)
{
	/* Checks of a run of slices; for all else one block is enough, which XOR codes do with. */
	uint32_t blocks = code_is_xor(scrub->rows->code) ? 1 : ROWS_PARITY_SCRATCH;

	scrub->scratch = mem_pages((size_t)blocks * BLOCK_SIZE);
	if (!scrub->scratch)
		return err_set(err, ERR_NOMEM, "no memory to scrub");
	for (uint32_t c = 0; c < scrub->rows->columns; c++) {
		const struct seal *seal = &scrub->rows->seals[c];
		uint32_t pages = seal_entry_pages(&seal->shape);

		scrub->pages[c] = mem_calloc(pages, sizeof(*scrub->pages[c]));
		if (!scrub->pages[c])
			return err_set(err, ERR_NOMEM, "no memory to scrub");
		for (uint32_t p = 0; p < pages; p++)
			scrub->pages[c][p].damaged = !seal->page_good[p];
	}
	return 0;
}

/*
 * Without reading data: tails of sequential groups against their seals, and what the seals of all columns
 * say of each other: generations, witnesses, and the equations by their checksums alone (crc.h).
 */
static int scrub_quick(struct scrub *scrub, struct err *err)
{
	struct rows *rows = scrub->rows;
	int rc = rows_load_tails(rows);

	if (rc)
		return err_set(err, rc, "no memory to read tails");
	rows_judge(rows);
	for (uint32_t t = rows->first; t < rows->first + rows->count; t++) {
		if (slice_state(rows, t) == SLICE_GOOD && code_is_xor(rows->code))
			check_equations(scrub, t);
		for (uint32_t c = 0; c < rows->columns; c++) {
			for (uint32_t s = 0; s < rows->segments; s++) {
				struct address at = { scrub->group, c, block_number(scrub, s, t) };
				struct mismatch mismatch = {
					.suspect = scrub->group->extents[c].slot,
				};
				enum block_fate fate = rows_fate(rows, c, s, t);

				if (fate == BLOCK_GOOD || fate == BLOCK_MISSING ||
				    fate == BLOCK_UNSEALED)
					continue;
				explain(scrub, fate, false, &mismatch);
				report(scrub, &mismatch, &at);
			}
		}
	}
	scrub->counts->rows += group_row_count(scrub->group);
	return settle_pages(scrub, err);
}

static int scrub_all(struct scrub *scrub, struct err *err)
{
	const struct scrub_slices all = { 0, scrub->group->segment_blocks };
	const struct scrub_slices *at = scrub->request->slices ? scrub->request->slices : &all;
	uint32_t count = at == &all ? 1 : scrub->request->slice_count;
	uint32_t window = scrub->rows->slices_max;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < count; i++, at++) {
		for (uint32_t done = 0; !rc && done < at->count; done += window)
			rc = scrub_window(scrub, at->first + done,
					  (uint32_t)size_min(window, at->count - done), err);
	}
	if (!rc && !rows_are_slices(scrub))
		scrub->counts->rows +=
			scrub->request->slices ? count : group_row_count(scrub->group);
	if (!rc)
		rc = flush_written(scrub, err);
	if (!rc)
		rc = settle_pages(scrub, err);
	if (!rc)
		rc = scrub_headers(scrub, err);
	return rc ? rc : flush_written(scrub, err);
}

int scrub_group(struct rows *rows, struct array *array, const struct group *group,
		const struct scrub_group_request *request, struct scrub_counts *counts,
		struct err *err)
{
	struct scrub scrub = {
		.rows = rows,
		.array = array,
		.group = group,
		.request = request,
		.counts = counts,
		.repairs = request->mode == SCRUB_REPAIR &&
			   array_columns_gone(array, group) <= group_tolerance(group),
	};
	bool quick = request->mode == SCRUB_QUICK;
	int rc;

	rc = rows_open(rows, array, group, 0, quick ? 0 : rows_window(array, group), ROWS_WHOLE,
		       err);
	if (rc)
		return rc;
	rc = begin(&scrub, err);
	if (!rc)
		rc = quick ? scrub_quick(&scrub, err) : scrub_all(&scrub, err);
	counts->bytes_read += rows->bytes_read;
	for (uint32_t c = 0; c < CODE_COLUMNS_MAX; c++)
		mem_free(scrub.pages[c]);
	mem_pages_free(scrub.scratch);
	rows_close(rows);
	return rc;
}
