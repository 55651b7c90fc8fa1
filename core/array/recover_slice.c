/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/recover_slice.h"

#include "core/array/array_internal.h"
#include "core/array/recover_keep.h"
#include "core/array/recover_reread.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <string.h>

#define STATES_MAX 8u /* older entries than so many are taken as one: they are done long since */

void slice_work_free(struct slice_work *work)
{
	if (!work)
		return;
	mem_pages_free(work->found);
	mem_pages_free(work->image);
	mem_free(work->found_fates);
	mem_free(work->image_fates);
	mem_free(work->old_entries);
	mem_free(work->old_witnesses);
	mem_free(work->known);
	mem_free(work->named);
	mem_free(work->name_of);
	mem_free(work);
}

int slice_work_create(struct slice_work **work_out, const struct rows *rows)
{
	struct slice_work *work = mem_calloc(1, sizeof(*work));
	size_t cells = (size_t)rows->columns * rows->segments;

	if (!work)
		return ERR_NOMEM;
	work->cells = (uint32_t)cells;
	work->found = mem_pages(cells * BLOCK_SIZE);
	work->image = mem_pages(cells * BLOCK_SIZE);
	work->found_fates = mem_calloc(cells, 1);
	work->image_fates = mem_calloc(cells, 1);
	work->old_entries = mem_calloc(cells, sizeof(*work->old_entries));
	work->old_witnesses = mem_calloc(cells * CODE_COLUMNS_MAX, sizeof(*work->old_witnesses));
	work->known = mem_calloc(cells, sizeof(*work->known));
	work->named = mem_calloc(cells, sizeof(*work->named));
	work->name_of = mem_calloc(cells, sizeof(*work->name_of));
	if (!work->found || !work->image || !work->found_fates || !work->image_fates ||
	    !work->old_entries || !work->old_witnesses || !work->known || !work->named ||
	    !work->name_of) {
		slice_work_free(work);
		return ERR_NOMEM;
	}
	*work_out = work;
	return 0;
}

/*
 * So many of the names are surely done: their cells were written and flushed, and who wrote them since is in the
 * record as well. The slice is in no state before that, whatever is found.
 */
static uint32_t done_count(const struct slice_work *work)
{
	uint32_t count = work->request->name_count;

	while (count > 0 && !work->request->names[count - 1].rows->done)
		count--;
	return count;
}

/*
 * So many of the names have been acknowledged, perhaps, because the record has their content: no state before
 * that is what the slice becomes, though one may be what it is.
 */
static uint32_t content_count(const struct slice_work *work)
{
	uint32_t count = work->request->name_count;

	while (count > 0 && !work->request->names[count - 1].rows->content)
		count--;
	return count;
}

/* Which cells are named at all, and what the seals say of them. */
static void begin(struct slice_work *work, const struct slice_request *request)
{
	work->request = request;
	work->rows = request->rows;
	work->slice = request->names[0].slice;
	work->named_count = 0;
	work->plan_of = NULL;
	memset(work->name_of, 0, work->cells * sizeof(*work->name_of));
	rows_take_slice(work->rows, work->slice, work->found, work->found_fates);
	for (uint32_t n = 0; n < request->name_count; n++) {
		const struct log_rows *entry = request->names[n].rows;
		const struct write_plan *plan = plan_of(work, entry);

		for (uint32_t i = 0; i < entry->cell_count; i++) {
			uint32_t cell = plan->cells[i];

			if (entry_cells(work, entry)[i].generation == 0 || work->name_of[cell])
				continue;
			work->named[work->named_count++] = (struct named_cell){ .cell = cell };
			work->name_of[cell] = (uint16_t)work->named_count;
		}
	}
	for (uint32_t i = 0; i < work->named_count; i++) {
		uint32_t cell = work->named[i].cell, block = block_of(work, cell);
		const struct seal *seal = seal_of(work, cell);

		work->old_entries[cell] = seal->entries[block];
		if (block >= seal->shape.plain_blocks)
			memcpy(work->old_witnesses + (size_t)cell * CODE_COLUMNS_MAX,
			       seal_witnesses(seal, block),
			       seal->shape.witness_count * sizeof(uint16_t));
	}
}

/* ---- states */

/* The cell has a seal: does its check know of a write after this generation, or is it a check that missed one? */
static bool is_known_later(const struct slice_work *work, const struct code_equation *equation,
			   uint32_t cell, uint32_t generation)
{
	uint32_t check = equation->terms[equation->term_count - 1].cell;
	const struct seal_entry *own = work->name_of[check] ? slice_old_entry(work, check) : NULL;
	const uint16_t *witnesses = work->old_witnesses + (size_t)check * CODE_COLUMNS_MAX;

	for (uint16_t t = 0; t + 1 < equation->term_count; t++) {
		const struct seal_entry *covered = slice_old_entry(work, equation->terms[t].cell);

		/* The low bits of its generation, which is not after the check's. */
		if (equation->terms[t].cell == cell && own &&
		    is_later(own->generation - (uint16_t)(own->generation - witnesses[t]),
			     generation))
			return true;
		if (check == cell && covered && is_later(covered->generation, generation))
			return true;
	}
	return false;
}

/* The cell has none, or is a copy: is its check, or the last copy, of a later write? */
static bool is_written_later(const struct slice_work *work, const struct code_equation *equation,
			     uint32_t cell, uint32_t generation)
{
	uint32_t check = equation->terms[equation->term_count - 1].cell;
	bool has_cell = code_shape(work->rows->code)->layout == LAYOUT_MIRROR;

	for (uint16_t t = 0; t < equation->term_count; t++)
		has_cell |= equation->terms[t].cell == cell;
	return has_cell && work->name_of[check] && seal_is_known(work, check) &&
	       is_later(work->old_entries[check].generation, generation);
}

/*
 * Was the cell written again, after the write of this generation, and is that over? Its own seal says it; of an
 * absent one the seals of its checks do, since writers of a slice come one after the other. A cell that forgot the
 * later write has an old seal: then its checks know of it, or what it covers, or the other copies.
 */
static bool is_overtaken(const struct slice_work *work, uint32_t cell, uint32_t generation)
{
	const struct code *code = work->rows->code;
	bool mirror = code_shape(code)->layout == LAYOUT_MIRROR, known = seal_is_known(work, cell);

	if (known && is_later(work->old_entries[cell].generation, generation))
		return true;
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);

		if (known && !mirror ? is_known_later(work, equation, cell, generation)
				     : is_written_later(work, equation, cell, generation))
			return true;
	}
	return mirror && work->name_of[0] && seal_is_known(work, 0) &&
	       is_later(work->old_entries[0].generation, generation);
}

/* Take what the entry says of its cells, unless their seals know later of them. */
static void take_entry(struct slice_work *work, const struct log_rows *entry)
{
	const struct write_plan *plan = plan_of(work, entry);
	const struct log_cell *cells = entry_cells(work, entry);

	for (uint32_t i = 0; i < entry->cell_count; i++) {
		uint32_t cell = plan->cells[i];

		if (cells[i].generation == 0) { /* its column was absent by then */
			if (work->name_of[cell])
				work->named[work->name_of[cell] - 1].unknown = true;
			continue;
		}
		struct named_cell *named = &work->named[work->name_of[cell] - 1];
		const uint8_t *content = entry->content;
		uint32_t index = (work->slice - entry->first) * entry->cell_count + i;

		if (is_overtaken(work, cell, cells[i].generation))
			continue;
		named->value = cells[i];
		named->unknown = false;
		named->by_entry = true;
		named->content = content ? content + (size_t)index * BLOCK_SIZE : NULL;
		if (content && crc_of(work, cell, named->content) != cells[i].crc)
			named->content = NULL; /* no writer made that */
	}
}

/*
 * What a check knows of the cells that it covers: their generations, as far as they are known. Of writes that it
 * missed, by its own seal, the others know.
 */
static void set_witnesses(const struct slice_work *work, const struct code_equation *own,
			  uint16_t *witnesses)
{
	const struct seal_entry *check =
		slice_old_entry(work, own->terms[own->term_count - 1].cell);

	for (uint16_t t = 0; t + 1 < own->term_count; t++) {
		uint32_t cell = own->terms[t].cell;
		const struct seal_entry *covered = slice_old_entry(work, cell);
		uint16_t name = work->name_of[cell];

		if (name && (work->named[name - 1].by_entry || covered))
			witnesses[t] = (uint16_t)work->named[name - 1].value.generation;
		else if (check && covered && is_later(covered->generation, check->generation))
			witnesses[t] = (uint16_t)covered->generation;
	}
}

/* Seals as in the state that is tried, or as it is now. */
static void set_seals(struct slice_work *work)
{
	for (uint32_t i = 0; i < work->named_count; i++) {
		const struct named_cell *named = &work->named[i];

		if (seal_is_known(work, named->cell))
			seal_of(work, named->cell)->entries[block_of(work, named->cell)] =
				(struct seal_entry){ named->value.crc, named->value.generation };
	}
	for (uint32_t i = 0; i < work->named_count; i++) {
		uint32_t cell = work->named[i].cell;
		const struct seal *seal = seal_of(work, cell);

		if (work->rows->defined_by[cell] == NO_EQUATION || seal->shape.witness_count == 0 ||
		    !seal_is_known(work, cell))
			continue;
		const struct code_equation *own =
			code_equation(work->rows->code, work->rows->defined_by[cell]);
		uint16_t *witnesses = seal_witnesses(seal, block_of(work, cell));

		memcpy(witnesses, work->old_witnesses + (size_t)cell * CODE_COLUMNS_MAX,
		       seal->shape.witness_count * sizeof(*witnesses));
		/* A check that is as its seal says knows what that says, and who missed a write. */
		if (!work->named[i].by_entry)
			continue;
		set_witnesses(work, own, witnesses);
	}
}

/* The state after entries 0..count-1: what each cell must be, and what there is of it. */
static void set_state(struct slice_work *work, uint32_t count)
{
	for (uint32_t i = 0; i < work->named_count; i++) {
		struct named_cell *named = &work->named[i];
		const struct seal_entry *old = &work->old_entries[named->cell];

		named->value = (struct log_cell){ old->crc, old->generation };
		named->content = NULL;
		named->unknown = named->by_entry = false;
	}
	for (uint32_t n = 0; n < count; n++)
		take_entry(work, work->request->names[n].rows);
	set_seals(work);
	memcpy(work->image, work->found, (size_t)work->cells * BLOCK_SIZE);
	memcpy(work->image_fates, work->found_fates, work->cells);
	for (uint32_t i = 0; i < work->named_count; i++) {
		const struct named_cell *named = &work->named[i];

		if (!named->content || !is_usable(work, named->cell))
			continue;
		memcpy(work->image + (size_t)named->cell * BLOCK_SIZE, named->content, BLOCK_SIZE);
		work->image_fates[named->cell] = BLOCK_GOOD;
	}
}

/* Cells that a named data cell has an equation with must stand too, else what was solved is not all. */
static bool equation_stands(const struct slice_work *work, const struct code_equation *equation)
{
	bool concerned = false, all = true;

	for (uint16_t t = 0; t < equation->term_count; t++) {
		uint32_t cell = equation->terms[t].cell;

		concerned |= work->name_of[cell] && work->rows->defined_by[cell] == NO_EQUATION;
		all &= stands(work, cell);
	}
	return all || !concerned;
}

static bool state_fits(const struct slice_work *work)
{
	for (uint32_t i = 0; i < work->named_count; i++) {
		const struct named_cell *named = &work->named[i];

		if (!stands(work, named->cell))
			return false;
		/* What its own seal cannot say the entry can. */
		if (named->by_entry && !named->unknown && !seal_is_known(work, named->cell) &&
		    crc_of(work, named->cell, window_block(work, named->cell)) != named->value.crc)
			return false;
	}
	for (uint16_t e = 0; e < code_equation_count(work->rows->code); e++) {
		if (!equation_stands(work, code_equation(work->rows->code, e)))
			return false;
	}
	return true;
}

static int try_state(struct slice_work *work, uint32_t count, bool *fits_out)
{
	set_state(work, count);
	int rc = rows_try_slice(work->rows, work->slice, work->image, work->image_fates);

	*fits_out = !rc && state_fits(work);
	return rc;
}

/* ---- what it is now */

/* Above all generations that these cells ever had or may have had in this session's log. */
static uint32_t generation_above(const struct slice_work *work)
{
	uint32_t above = 0;

	for (uint32_t n = 0; n < work->request->name_count; n++)
		above = (uint32_t)size_max(above, work->request->names[n].rows->generation_limit);
	for (uint32_t i = 0; i < work->named_count; i++) {
		uint32_t cell = work->named[i].cell;

		uint32_t old = work->old_entries[cell].generation;

		if (seal_is_known(work, cell) && !is_later(above, old) && old < UINT32_MAX - 1)
			above = old + 1;
	}
	return above;
}

/*
 * The newest state may keep its generations, since they name this very content, unless others may have been
 * written under them (generation_limit). Whatever else it is gets a new one.
 */
static void set_values(struct slice_work *work)
{
	uint32_t above = generation_above(work), newest = 0;
	bool same = true;

	for (uint32_t i = 0; i < work->named_count; i++) {
		struct named_cell *named = &work->named[i];
		uint8_t *bytes = work->image + (size_t)named->cell * BLOCK_SIZE;

		named->value.crc = crc_of(work, named->cell, bytes);
		if (named->poisoned)
			named->value.crc = ~named->value.crc;
		else if (!work->known[named->cell]) /* absent, and nobody knows it */
			named->value.crc = named->newest.crc;
		same &= named->value.crc == named->newest.crc;
		newest = (uint32_t)size_max(newest, named->newest.generation);
	}
	same &= newest + 1 == above;
	for (uint32_t i = 0; i < work->named_count; i++) {
		work->named[i].value.generation = same ? work->named[i].newest.generation : above;
		work->named[i].by_entry = true;
	}
}

/* What is not so yet on the members has to be written. */
static void note_changes(struct slice_work *work)
{
	const struct rows *rows = work->rows;
	struct array_recovery *report = work->request->report;

	for (uint32_t i = 0; i < work->named_count; i++) {
		const struct named_cell *named = &work->named[i];
		uint32_t cell = named->cell;
		size_t at = (size_t)cell * BLOCK_SIZE;

		if (!is_usable(work, cell) ||
		    (was_read(work, cell) &&
		     memcmp(work->image + at, work->found + at, BLOCK_SIZE) == 0))
			continue;
		report->replayed += named->newest_content != NULL;
		report->bytes_written += BLOCK_SIZE;
		work->request->changed[rows_at(rows, cell / rows->segments, cell % rows->segments,
					       work->slice)] = true;
	}
}

/* Does what this equation gives depend on a named cell, by itself or through the check that it has? */
static bool is_concerned(const struct slice_work *work, const struct code_equation *equation)
{
	const struct rows *rows = work->rows;
	uint32_t check = equation->terms[equation->term_count - 1].cell;
	uint16_t above = rows->covered_by[check];
	bool concerned = false;

	for (uint16_t t = 0; t < equation->term_count; t++)
		concerned |= work->name_of[equation->terms[t].cell] != 0;
	if (above == NO_EQUATION || concerned)
		return concerned;
	return is_concerned(work, code_equation(rows->code, above));
}

static uint32_t lost_data(const struct slice_work *work)
{
	const struct rows *rows = work->rows;
	uint32_t lost = 0;

	for (uint32_t cell = 0; cell < work->cells; cell++) {
		uint16_t e = rows->covered_by[cell];

		if (rows->defined_by[cell] != NO_EQUATION || stands(work, cell))
			continue;
		lost += e == NO_EQUATION || is_concerned(work, code_equation(rows->code, e));
	}
	return lost;
}

/* What can be read of the slice from now on? Judged like any reader would. */
static int count_lost(struct slice_work *work)
{
	int rc;

	memcpy(work->image_fates, work->found_fates, work->cells);
	for (uint32_t i = 0; i < work->named_count; i++) {
		if (is_usable(work, work->named[i].cell))
			work->image_fates[work->named[i].cell] = BLOCK_GOOD;
	}
	set_seals(work);
	rc = rows_try_slice(work->rows, work->slice, work->image, work->image_fates);
	if (!rc)
		work->request->report->lost += lost_data(work);
	return rc;
}

/* The entries say now what is; so the seals can be made from them, and a second run finds it done. */
static void note_values(struct slice_work *work)
{
	for (uint32_t n = 0; n < work->request->name_count; n++) {
		const struct log_rows *entry = work->request->names[n].rows;
		const struct write_plan *plan = plan_of(work, entry);
		struct log_cell *cells = entry_cells(work, entry);

		for (uint32_t i = 0; i < entry->cell_count; i++) {
			if (cells[i].generation)
				cells[i] = work->named[work->name_of[plan->cells[i]] - 1].value;
		}
	}
}

/* The window as if it had been loaded now: another part of the slice may follow. */
static void restore_window(struct slice_work *work)
{
	const struct rows *rows = work->rows;

	for (uint32_t cell = 0; cell < work->cells; cell++) {
		bool written = work->name_of[cell] && is_usable(work, cell);
		const uint8_t *bytes =
			(written ? work->image : work->found) + (size_t)cell * BLOCK_SIZE;

		memcpy(window_block(work, cell), bytes, BLOCK_SIZE);
		rows->fates[rows_at(rows, cell / rows->segments, cell % rows->segments,
				    work->slice)] =
			written ? (uint8_t)BLOCK_GOOD : work->found_fates[cell];
	}
}

/* Try the states, the newest first. Afterwards the one that fits is in the window, else the newest. */
static int find_state(struct slice_work *work)
{
	struct array_recovery *report = work->request->report;
	uint32_t newest = work->request->name_count;
	uint32_t oldest = newest > STATES_MAX ? newest - STATES_MAX : 0;
	bool fits = false;

	oldest = (uint32_t)size_max(oldest, done_count(work));
	for (uint32_t count = newest + 1; count > oldest; count--) {
		int rc = try_state(work, count - 1, &fits);

		if (rc)
			return rc;
		if (fits) {
			bool forward = count - 1 == newest || count - 1 < content_count(work);

			report->rolled_forward += forward;
			report->rolled_back += !forward;
			return 0;
		}
	}
	report->kept++;
	return try_state(work, newest, &fits);
}

int slice_recover(struct slice_work *work, const struct slice_request *request)
{
	assert(request->name_count > 0);
	begin(work, request);
	recover_reread(work, work->image); /* which is not in use yet */
	set_state(work, request->name_count);
	for (uint32_t i = 0; i < work->named_count; i++) {
		work->named[i].newest = work->named[i].value;
		work->named[i].newest_content = work->named[i].content;
	}
	int rc = find_state(work);
	if (rc)
		return rc;
	recover_keep(work);
	set_values(work);
	note_changes(work);
	rc = count_lost(work);
	if (!rc)
		note_values(work);
	restore_window(work);
	return rc;
}
