/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is wrong? Checksum first: it knows the block by itself. Then time: every check remembers the low
 * 16 bits of the generation of each block that it covers, and its own generation is the greatest of them.
 *
 *	covered block newer than its check		the check missed a write
 *	check older than another check of its row	the check missed a write
 *	otherwise, and low bits differ from witness	the covered block missed a write
 *	copy of a mirror older than another		the copy missed a write
 *	plain block older than its group		the block missed a write
 *
 * A block that does not verify, or cannot be read, and has an entry older than others say: the write of
 * the entry was lost too. It is stale, so that nobody holds the old checksum against what is rebuilt.
 *
 * Sequential: a row parity and a data block of its row lie on one member, and its member may have lost the
 * writes of both. See judge_neighbour().
 */
#include "core/array/row_judge.h"

#include "core/base/crc.h"
#include "core/code/kernel.h"

#include <assert.h>
#include <string.h>

const char *block_fate_name(enum block_fate fate)
{
	static const char *const names[BLOCK_FATE_COUNT] = {
		[BLOCK_GOOD] = "good",         [BLOCK_UNREADABLE] = "unreadable",
		[BLOCK_MISMATCH] = "checksum", [BLOCK_STALE] = "stale",
		[BLOCK_MISSING] = "missing",   [BLOCK_UNSEALED] = "unsealed",
		[BLOCK_WRONG] = "wrong",
	};

	assert((unsigned)fate < BLOCK_FATE_COUNT);
	return names[fate];
}

/* Generations are 32 bits of a counter that may wrap. */
static bool is_later(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static uint32_t cell_block(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	return cell % rows->segments * rows->segment_blocks + slice;
}

static const struct seal_entry *cell_entry(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	return &rows->seals[cell / rows->segments].entries[cell_block(rows, cell, slice)];
}

static const uint16_t *cell_witnesses(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	return seal_witnesses(&rows->seals[cell / rows->segments], cell_block(rows, cell, slice));
}

static uint8_t *cell_fate(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	return &rows->fates[rows_at(rows, cell / rows->segments, cell % rows->segments, slice)];
}

void rows_judge_checksum(struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice)
{
	uint32_t block = segment * rows->segment_blocks + slice;
	uint8_t *fate = &rows->fates[rows_at(rows, column, segment, slice)];

	if (*fate != BLOCK_GOOD)
		return;
	if (!seal_knows(&rows->seals[column], block)) {
		*fate = BLOCK_UNSEALED;
		return;
	}
	uint32_t crc = crc32_of(seal_block_seed(rows->seeds[column], block),
				rows_block(rows, column, segment, slice), BLOCK_SIZE);
	if (crc != rows->seals[column].entries[block].crc)
		*fate = BLOCK_MISMATCH;
}

/* Nobody has shown the entry to be out of date; what it says holds also where its block is damaged. */
static bool entry_stands(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	enum block_fate fate = *cell_fate(rows, cell, slice);

	return fate == BLOCK_GOOD ||
	       ((fate == BLOCK_MISMATCH || fate == BLOCK_UNREADABLE) &&
		seal_knows(&rows->seals[cell / rows->segments], cell_block(rows, cell, slice)));
}

/* The cell was written with generation `written` at least: does its own entry know less? */
static void judge_older(struct rows *rows, uint32_t cell, uint32_t slice, uint32_t written)
{
	if (entry_stands(rows, cell, slice) &&
	    is_later(written, cell_entry(rows, cell, slice)->generation))
		*cell_fate(rows, cell, slice) = BLOCK_STALE;
}

static void judge_mirror(struct rows *rows, uint32_t slice)
{
	uint32_t newest = 0;
	bool any = false;

	for (uint32_t c = 0; c < rows->columns; c++) {
		uint32_t generation = cell_entry(rows, c, slice)->generation;

		if (*cell_fate(rows, c, slice) == BLOCK_GOOD &&
		    (!any || is_later(generation, newest))) {
			newest = generation;
			any = true;
		}
	}
	for (uint32_t c = 0; any && c < rows->columns; c++)
		judge_older(rows, c, slice, newest);
}

/* A plain block has no witness, but none of its blocks can be older than the group. */
static void judge_plain(struct rows *rows, uint32_t slice)
{
	if (*cell_fate(rows, 0, slice) == BLOCK_GOOD &&
	    is_later((uint32_t)rows->group->generation, cell_entry(rows, 0, slice)->generation))
		*cell_fate(rows, 0, slice) = BLOCK_STALE;
}

/*
 * The newest generation among the good blocks that `equation` covers, its check, and `*newest` if `any`.
 * False when there is none.
 */
static bool newest_of(const struct rows *rows, const struct code_equation *equation, uint32_t slice,
		      bool any, uint32_t *newest)
{
	for (uint16_t i = 0; i < equation->term_count; i++) {
		uint32_t cell = equation->terms[i].cell;
		uint32_t generation = cell_entry(rows, cell, slice)->generation;

		if (*cell_fate(rows, cell, slice) == BLOCK_GOOD &&
		    (!any || is_later(generation, *newest))) {
			*newest = generation;
			any = true;
		}
	}
	return any;
}

/* Checks of a parity group cover the same blocks, so they must all have the newest generation. */
static void judge_checks(struct rows *rows, uint32_t slice)
{
	uint16_t equations = code_equation_count(rows->code);
	bool shared = code_shape(rows->code)->layout == LAYOUT_PARITY;
	uint32_t newest = 0;
	bool any = false;

	for (uint16_t e = 0; shared && e < equations; e++)
		any = newest_of(rows, code_equation(rows->code, e), slice, any, &newest);
	for (uint16_t e = 0; e < equations; e++) {
		const struct code_equation *equation = code_equation(rows->code, e);

		if (!shared)
			any = newest_of(rows, equation, slice, false, &newest);
		if (any)
			judge_older(rows, equation->terms[equation->term_count - 1].cell, slice,
				    newest);
	}
}

/* The greatest generation not after `newest` with these low bits. */
static uint32_t widen(uint32_t newest, uint16_t low)
{
	return newest - (uint16_t)((uint16_t)newest - low);
}

/*
 * Covered blocks against the witnesses of a check. Its entry is written after the blocks that it names, so they
 * were written, even if the check itself has lost that write.
 */
static void judge_covered(struct rows *rows, const struct code_equation *equation, uint32_t slice)
{
	uint32_t check = equation->terms[equation->term_count - 1].cell;

	if (!entry_stands(rows, check, slice))
		return;
	const uint16_t *witnesses = cell_witnesses(rows, check, slice);
	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		uint32_t cell = equation->terms[i].cell;

		/* Only the low bits are known, so equal ones say nothing of the others. */
		if ((uint16_t)cell_entry(rows, cell, slice)->generation == witnesses[i])
			continue;
		if (*cell_fate(rows, cell, slice) == BLOCK_GOOD)
			*cell_fate(rows, cell, slice) = BLOCK_STALE;
		judge_older(rows, cell, slice,
			    widen(cell_entry(rows, check, slice)->generation, witnesses[i]));
	}
}

/* A block's checksum without its identity: XOR of blocks is XOR of these (crc.h). */
static uint32_t content_sum(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	uint32_t seed =
		seal_block_seed(rows->seeds[cell / rows->segments], cell_block(rows, cell, slice));

	return cell_entry(rows, cell, slice)->crc ^ crc32_zero_block(seed);
}

/* Sum of the blocks of an equation but one cell's, by checksums; false when one is not good. */
static bool sum_without(const struct rows *rows, const struct code_equation *equation,
			uint32_t cell, uint32_t slice, uint32_t *sum)
{
	for (uint16_t i = 0; i < equation->term_count; i++) {
		uint32_t other = equation->terms[i].cell;

		if (other == cell)
			continue;
		if (*cell_fate(rows, other, slice) != BLOCK_GOOD)
			return false;
		*sum ^= content_sum(rows, other, slice);
	}
	return true;
}

static uint16_t position_in(const struct code_equation *equation, uint32_t cell)
{
	uint16_t i = 0;

	while (equation->terms[i].cell != cell)
		i++;
	return i;
}

/* Does the pure parity know of a write to this row parity that none of the row's data blocks has? */
static bool row_missed_write(const struct rows *rows, const struct code_equation *row,
			     const struct code_equation *pure, uint32_t parity, uint32_t slice)
{
	uint32_t check = pure->terms[pure->term_count - 1].cell;
	uint16_t low = cell_witnesses(rows, check, slice)[position_in(pure, parity)];
	uint32_t written = widen(cell_entry(rows, check, slice)->generation, low);
	uint32_t newest = 0;

	return newest_of(rows, row, slice, false, &newest) && low != (uint16_t)newest &&
	       is_later(written, newest);
}

/*
 * The member forgot the row parity's last write, or has a damaged page in place of its seal, and with that the
 * witnesses. Where its block of the row does not verify either, the entry may be as old: what is rebuilt is not
 * held against it.
 */
static void distrust_neighbour(struct rows *rows, const struct code_equation *row, uint32_t slice)
{
	uint32_t column = row->terms[row->term_count - 1].cell / rows->segments;

	for (uint16_t i = 0; i + 1 < row->term_count; i++) {
		uint32_t cell = row->terms[i].cell;

		if (cell / rows->segments == column &&
		    *cell_fate(rows, cell, slice) != BLOCK_GOOD && entry_stands(rows, cell, slice))
			*cell_fate(rows, cell, slice) = BLOCK_STALE;
	}
}

/*
 * A row parity is no witness any more, and its member has a data block in the row, with the same bad luck
 * perhaps: then block and seal agree, and what knew better is lost. The pure parity lies on another member
 * and gives the row parity back, so the row can be summed without it. If the sum does not hold, a data
 * block of the row missed a write. All that is wrong lies on one member, as far as any promise goes: so it
 * is the block beside the parity.
 */
static void judge_neighbour(struct rows *rows, const struct code_equation *row, uint32_t slice)
{
	uint32_t parity = row->terms[row->term_count - 1].cell;
	uint32_t column = parity / rows->segments;
	enum block_fate fate = *cell_fate(rows, parity, slice);
	bool distrusted = fate == BLOCK_STALE || fate == BLOCK_UNSEALED;
	uint32_t sum = 0;

	if (fate == BLOCK_GOOD || fate == BLOCK_MISSING || rows->covered_by[parity] == NO_EQUATION)
		return;
	if (distrusted)
		distrust_neighbour(rows, row, slice);
	const struct code_equation *pure = code_equation(rows->code, rows->covered_by[parity]);
	if (!sum_without(rows, row, parity, slice, &sum) ||
	    !sum_without(rows, pure, parity, slice, &sum) || sum == 0)
		return;
	if (!distrusted && !row_missed_write(rows, row, pure, parity, slice))
		return;
	for (uint16_t i = 0; i + 1 < row->term_count; i++) {
		if (row->terms[i].cell / rows->segments == column)
			*cell_fate(rows, row->terms[i].cell, slice) = BLOCK_STALE;
	}
}

static void judge_witnesses(struct rows *rows, uint32_t slice)
{
	uint16_t equations = code_equation_count(rows->code);

	judge_checks(rows, slice);
	/* The pure parities come last: a row parity that they show to be stale judges nobody first. */
	for (uint16_t e = equations; e > 0; e--)
		judge_covered(rows, code_equation(rows->code, (uint16_t)(e - 1)), slice);
	for (uint16_t e = 0; code_shape(rows->code)->layout == LAYOUT_SEQUENTIAL && e < equations;
	     e++)
		judge_neighbour(rows, code_equation(rows->code, e), slice);
}

void rows_judge_slice(struct rows *rows, uint32_t slice)
{
	enum layout layout = code_shape(rows->code)->layout;

	if (layout == LAYOUT_MIRROR)
		judge_mirror(rows, slice);
	else if (layout == LAYOUT_PLAIN)
		judge_plain(rows, slice);
	else
		judge_witnesses(rows, slice);
}

void rows_judge(struct rows *rows)
{
	for (uint32_t i = 0; i < rows->count && !rows->bare; i++)
		rows_judge_slice(rows, rows->first + i);
}

uint32_t rows_verify_rebuilt(struct rows *rows, uint32_t slice)
{
	uint32_t taken_back = 0;

	for (uint32_t c = 0; c < rows->columns && !rows->bare; c++) {
		for (uint32_t s = 0; s < rows->segments; s++) {
			size_t at = rows_at(rows, c, s, slice);
			uint32_t block = s * rows->segment_blocks + slice;

			/* The seal of a stale block is stale too, and says nothing of this content. */
			if (!rows->rebuilt[at] || rows->fates[at] == BLOCK_STALE ||
			    !rows->usable[c] || !seal_knows(&rows->seals[c], block))
				continue;
			uint32_t crc = crc32_of(seal_block_seed(rows->seeds[c], block),
						rows_block(rows, c, s, slice), BLOCK_SIZE);
			if (crc == rows->seals[c].entries[block].crc)
				continue;
			rows->rebuilt[at] = 0;
			taken_back++;
		}
	}
	return taken_back;
}

/* Is the generation in this cell's own seal to be trusted? */
static bool generation_is_known(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	uint32_t column = cell / rows->segments;

	return rows->usable[column] && *cell_fate(rows, cell, slice) != BLOCK_STALE &&
	       seal_knows(&rows->seals[column], cell_block(rows, cell, slice));
}

static uint32_t cell_generation(const struct rows *rows, uint32_t cell, uint32_t slice);

/* Generation of a check cell that is not known: what covers it says it, or the newest it covers. */
static uint32_t check_generation(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	const struct code_equation *own = code_equation(rows->code, rows->defined_by[cell]);
	uint32_t newest = 0;
	bool any = false;

	/* Another check of a parity group covers the same cells, also those that are absent. */
	for (uint16_t e = 0;
	     code_shape(rows->code)->layout == LAYOUT_PARITY && e < code_equation_count(rows->code);
	     e++) {
		const struct code_equation *equation = code_equation(rows->code, e);
		uint32_t check = equation->terms[equation->term_count - 1].cell;

		if (check != cell && generation_is_known(rows, check, slice))
			return cell_entry(rows, check, slice)->generation;
	}
	for (uint16_t i = 0; i + 1 < own->term_count; i++) {
		uint32_t covered = own->terms[i].cell;

		/* Cells that are unknown themselves would only ask back. */
		if (!generation_is_known(rows, covered, slice) &&
		    rows->defined_by[covered] == NO_EQUATION)
			continue;
		uint32_t generation = generation_is_known(rows, covered, slice)
					      ? cell_entry(rows, covered, slice)->generation
					      : check_generation(rows, covered, slice);
		if (!any || is_later(generation, newest))
			newest = generation;
		any = true;
	}
	return newest;
}

/* Generation of a cell by its own seal, else by the witness of a known check, else the check's own. */
static uint32_t cell_generation(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	uint16_t e = rows->covered_by[cell];

	if (generation_is_known(rows, cell, slice))
		return cell_entry(rows, cell, slice)->generation;
	for (; e != NO_EQUATION && e < code_equation_count(rows->code); e++) {
		const struct code_equation *equation = code_equation(rows->code, e);
		uint32_t check = equation->terms[equation->term_count - 1].cell;
		uint16_t at = position_in(equation, cell);

		if (generation_is_known(rows, check, slice))
			return widen(cell_entry(rows, check, slice)->generation,
				     cell_witnesses(rows, check, slice)[at]);
		if (code_shape(rows->code)->layout != LAYOUT_PARITY)
			break; /* there is one equation that covers it */
	}
	if (rows->defined_by[cell] != NO_EQUATION)
		return check_generation(rows, cell, slice);
	assert(e == NO_EQUATION || e <= code_equation_count(rows->code));
	if (rows->covered_by[cell] != NO_EQUATION && e < code_equation_count(rows->code)) {
		const struct code_equation *equation = code_equation(rows->code, e);

		return cell_generation(rows, equation->terms[equation->term_count - 1].cell, slice);
	}
	return (uint32_t)rows->group->generation;
}

static uint32_t mirror_generation(const struct rows *rows, uint32_t slice)
{
	uint32_t newest = (uint32_t)rows->group->generation;
	bool any = false;

	for (uint32_t c = 0; c < rows->columns; c++) {
		uint32_t generation = cell_entry(rows, c, slice)->generation;

		if (!generation_is_known(rows, c, slice) || (any && !is_later(generation, newest)))
			continue;
		newest = generation;
		any = true;
	}
	return newest;
}

/* A check's is the greatest of what it covers, so all of that must be known. */
static bool check_is_known(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	const struct code_equation *own = code_equation(rows->code, rows->defined_by[cell]);
	bool all = true;

	for (uint16_t i = 0; all && i + 1 < own->term_count; i++) {
		uint32_t covered = own->terms[i].cell;

		all = generation_is_known(rows, covered, slice) ||
		      (rows->defined_by[covered] != NO_EQUATION &&
		       check_is_known(rows, covered, slice)); /* bounded: they cover earlier ones */
	}
	return all;
}

/* Of a row's cells: by itself, by a check of it, which has no less, or as a check by another one or by what it covers. */
static bool cell_is_bounded(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	bool parity = code_shape(rows->code)->layout == LAYOUT_PARITY, found = false;
	uint16_t e = parity ? 0 : rows->covered_by[cell];

	if (generation_is_known(rows, cell, slice))
		return true;
	for (; parity && !found && e < code_equation_count(rows->code); e++) {
		const struct code_equation *equation = code_equation(rows->code, e);

		found = generation_is_known(rows, equation->terms[equation->term_count - 1].cell,
					    slice);
	}
	if (!parity && e != NO_EQUATION) {
		const struct code_equation *equation = code_equation(rows->code, e);

		found = cell_is_bounded(rows, equation->terms[equation->term_count - 1].cell,
					slice); /* bounded: a pure parity has no check */
	}
	return found ||
	       (rows->defined_by[cell] != NO_EQUATION && check_is_known(rows, cell, slice));
}

bool rows_bounds_generation(const struct rows *rows, uint32_t column, uint32_t segment,
			    uint32_t slice)
{
	bool known = false;

	if (code_shape(rows->code)->layout != LAYOUT_MIRROR)
		return cell_is_bounded(rows, column * rows->segments + segment, slice);
	for (uint32_t c = 0; c < rows->columns; c++)
		known = known || generation_is_known(rows, c, slice);
	return known;
}

void rows_restore_entry(const struct rows *rows, uint32_t column, uint32_t segment, uint32_t slice,
			struct seal *seal)
{
	uint32_t cell = column * rows->segments + segment;
	uint32_t block = segment * rows->segment_blocks + slice;
	struct seal_entry *entry = &seal->entries[block];

	entry->crc = crc32_of(seal_block_seed(rows->seeds[column], block),
			      rows_block(rows, column, segment, slice), BLOCK_SIZE);
	entry->generation = code_shape(rows->code)->layout == LAYOUT_MIRROR
				    ? mirror_generation(rows, slice)
				    : cell_generation(rows, cell, slice);
	if (rows->defined_by[cell] == NO_EQUATION || seal->shape.witness_count == 0)
		return;
	const struct code_equation *own = code_equation(rows->code, rows->defined_by[cell]);
	for (uint16_t i = 0; i + 1 < own->term_count; i++)
		seal_witnesses(seal, block)[i] =
			(uint16_t)cell_generation(rows, own->terms[i].cell, slice);
}

bool rows_slice_holds(const struct rows *rows, uint32_t slice,
		      uint64_t failed_out[ROWS_FAILED_WORDS])
{
	uint16_t equations = code_equation_count(rows->code);
	bool holds = true;

	memset(failed_out, 0, ROWS_FAILED_WORDS * sizeof(*failed_out));
	for (uint16_t e = 0; e < equations; e++) {
		const struct code_equation *equation = code_equation(rows->code, e);
		uint32_t sum = 0;

		assert(code_is_xor(rows->code));
		for (uint16_t i = 0; i < equation->term_count; i++)
			sum ^= content_sum(rows, equation->terms[i].cell, slice);
		if (sum == 0)
			continue;
		failed_out[e / 64] |= UINT64_C(1) << e % 64;
		holds = false;
	}
	return holds;
}

bool rows_parity_holds(const struct rows *rows, uint32_t first, uint32_t count, uint8_t *scratch)
{
	const struct code_shape *shape = &rows->group->shape;
	uint32_t data_count = group_data_columns(rows->group);
	size_t size = (size_t)count * BLOCK_SIZE;
	const uint8_t *data[CODE_COLUMNS_MAX];
	uint8_t *checks[CODE_PARITY_MAX];

	assert(shape->layout == LAYOUT_PARITY && count <= ROWS_PARITY_RUN);
	for (uint32_t i = 0; i < data_count; i++)
		data[i] = rows_block(rows, i, 0, first);
	for (uint32_t j = 0; j < shape->checks; j++)
		checks[j] = scratch + (size_t)j * ROWS_PARITY_RUN * BLOCK_SIZE;
	kernel_encode(checks, shape->checks, data, shape->index, data_count, size);
	for (uint32_t j = 0; j < shape->checks; j++) {
		if (memcmp(checks[j], rows_block(rows, data_count + j, 0, first), size) != 0)
			return false;
	}
	return true;
}
