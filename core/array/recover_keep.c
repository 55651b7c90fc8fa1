/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/recover_keep.h"

#include "core/code/kernel.h"

#include <string.h>

enum match { MATCH_STATE, MATCH_NONE, MATCH_DAMAGE };

/* Does this value of an entry say what the cell may be? One that its seal has outlived does not. */
static bool is_of_use(const struct slice_work *work, uint32_t cell, const struct log_cell *value)
{
	const struct seal_entry *old = slice_old_entry(work, cell);

	return value->generation != 0 && !(old && is_later(old->generation, value->generation));
}

/*
 * An entry that is not done may serve writes that no record names, of generations below its limit (WRITES.md
 * section 2). Its own write may have failed, and the seal know of later ones: then they have come so far at least.
 */
static bool may_serve_later(const struct slice_work *work, uint32_t cell,
			    const struct log_rows *entry)
{
	const struct seal_entry *old = slice_old_entry(work, cell);

	return !entry->done && old && is_later(entry->generation_limit - 1, old->generation);
}

struct matching {
	uint32_t cell, crc; /* what is found of it */
	enum match match;   /* so far */
	bool open;          /* an entry so far is not done */
};

/* What the next value says of the cell. */
static void match_value(struct matching *matching, bool done, uint32_t crc)
{
	if (crc == matching->crc)
		matching->match = MATCH_STATE;
	else if (done && (!matching->open || matching->match == MATCH_STATE))
		matching->match = MATCH_DAMAGE;
	else if (matching->match == MATCH_DAMAGE)
		matching->match = MATCH_NONE;
}

static void match_entry(struct slice_work *work, const struct log_rows *entry,
			struct matching *matching)
{
	const struct write_plan *plan = plan_of(work, entry);

	for (uint32_t i = 0; i < entry->cell_count; i++) {
		const struct log_cell *value = &entry_cells(work, entry)[i];

		if (plan->cells[i] != matching->cell)
			continue;
		matching->open = matching->open || (!entry->done && value->generation != 0);
		if (is_of_use(work, matching->cell, value))
			match_value(matching, entry->done, value->crc);
		else if (value->generation != 0 && matching->match == MATCH_DAMAGE &&
			 may_serve_later(work, matching->cell, entry))
			matching->match = MATCH_NONE;
	}
}

/*
 * What is found of a cell: a state that it may be in, or none. None is a write that was torn, but where the last
 * entry that names the cell is done, or none does, it is damage: whatever it was, it was whole; also an older state,
 * that was over. Unless an entry before, of a write that failed, is not done: it may serve writes to this day.
 */
static enum match match_crc(struct slice_work *work, uint32_t cell, uint32_t crc)
{
	const struct seal_entry *old = slice_old_entry(work, cell);
	struct matching matching = {
		.cell = cell,
		.crc = crc,
		.match = MATCH_DAMAGE, /* its seal may know of a later write than any entry */
	};

	if (old && old->crc == crc)
		matching.match = MATCH_STATE;
	for (uint32_t n = 0; n < work->request->name_count; n++)
		match_entry(work, work->request->names[n].rows, &matching);
	return matching.match;
}

static uint32_t found_crc(const struct slice_work *work, uint32_t cell)
{
	return crc_of(work, cell, work->found + (size_t)cell * BLOCK_SIZE);
}

static bool is_damaged(struct slice_work *work, uint32_t cell)
{
	uint32_t crc = found_crc(work, cell);

	/* The seal of a check that nobody knew fits no content, on purpose. */
	return was_read(work, cell) && seal_is_known(work, cell) &&
	       match_crc(work, cell, crc) == MATCH_DAMAGE &&
	       match_crc(work, cell, ~crc) != MATCH_STATE;
}

/* Sequential: what is recovered together. Cells of other levels may be named elsewhere. */
static uint32_t level_of(const struct slice_work *work, uint32_t cell)
{
	uint32_t segment = cell % work->rows->segments;
	uint32_t data = code_data_segments(work->rows->code);

	return segment < data ? segment / (work->rows->columns - 1) : segment - data;
}

/*
 * Did the disk of this cell, by another cell of the slice, not keep what it had acknowledged (FAULTS A13)? Then it is no
 * witness that this one was torn: it may never have had what was there before.
 */
static bool is_refuted(struct slice_work *work, uint32_t cell)
{
	uint32_t first = cell - cell % work->rows->segments;

	for (uint32_t other = first; other < first + work->rows->segments; other++) {
		if (other != cell && level_of(work, other) == level_of(work, cell) &&
		    is_damaged(work, other))
			return true;
	}
	return false;
}

static enum match match_found(struct slice_work *work, uint32_t cell)
{
	enum match match = MATCH_DAMAGE;

	if (was_read(work, cell))
		match = match_crc(work, cell, found_crc(work, cell));
	if (match == MATCH_NONE && (!seal_is_known(work, cell) || is_refuted(work, cell)))
		match = MATCH_DAMAGE;
	return match;
}

/*
 * A data cell as it is found; of a mirror any copy will do. None that is torn where the page of its seal is
 * damaged: the member may have forgotten both, and what is found be of another volume.
 */
static void keep_data(struct slice_work *work, struct named_cell *named)
{
	bool mirror = code_shape(work->rows->code)->layout == LAYOUT_MIRROR;
	uint32_t cell = named->cell;

	if (work->known[cell])
		return;
	for (uint32_t from = cell; from < (mirror ? work->cells : cell + 1); from++) {
		enum match match = match_found(work, from);

		if (match == MATCH_DAMAGE)
			continue;
		memcpy(work->image + (size_t)cell * BLOCK_SIZE,
		       work->found + (size_t)from * BLOCK_SIZE, BLOCK_SIZE);
		work->known[cell] = true;
		work->request->report->torn += match == MATCH_NONE;
		return;
	}
	named->poisoned = true;
}

static void poison(struct slice_work *work, struct named_cell *named)
{
	memset(work->image + (size_t)named->cell * BLOCK_SIZE, 0, BLOCK_SIZE);
	named->poisoned = true;
}

/* A check of what its equation covers now, if all of that is known. */
static void make_check(struct slice_work *work, struct named_cell *named)
{
	const struct code_equation *own =
		code_equation(work->rows->code, work->rows->defined_by[named->cell]);
	struct kernel_source sources[KERNEL_SOURCES_MAX];
	bool all = true, same = work->known[named->cell];

	for (uint16_t t = 0; t + 1 < own->term_count; t++) {
		uint32_t cell = own->terms[t].cell;
		uint16_t name = work->name_of[cell];

		all &= work->known[cell];
		/* Is what it covers of the newest state, as the check is if it stands? */
		same &= !name || (work->known[cell] &&
				  crc_of(work, cell, work->image + (size_t)cell * BLOCK_SIZE) ==
					  work->named[name - 1].newest.crc);
		sources[t] = (struct kernel_source){ work->image + (size_t)cell * BLOCK_SIZE,
						     own->terms[t].coefficient };
	}
	if (all)
		kernel_combine(work->image + (size_t)named->cell * BLOCK_SIZE, sources,
			       (uint32_t)own->term_count - 1u, BLOCK_SIZE);
	else if (!same)
		poison(work, named);
	work->known[named->cell] = all || same;
}

/* Is a cell of the equation one whose content comes from the record? */
static bool is_replayed(const struct slice_work *work, const struct code_equation *equation)
{
	for (uint16_t t = 0; t + 1 < equation->term_count; t++) {
		uint16_t name = work->name_of[equation->terms[t].cell];

		if (name && work->named[name - 1].newest_content)
			return true;
	}
	return false;
}

/*
 * Checks on absent columns that no entry computed: others are computed from them (a pure parity), so they have to
 * be of the same state.
 */
static void renew_absent_checks(struct slice_work *work)
{
	const struct code *code = work->rows->code;

	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);
		struct kernel_source sources[KERNEL_SOURCES_MAX];
		uint32_t check = equation->terms[equation->term_count - 1].cell;
		bool all = true;

		if (work->name_of[check] || !is_replayed(work, equation))
			continue;
		for (uint16_t t = 0; t + 1 < equation->term_count; t++) {
			uint32_t cell = equation->terms[t].cell;

			all &= work->known[cell];
			sources[t] =
				(struct kernel_source){ work->image + (size_t)cell * BLOCK_SIZE,
							equation->terms[t].coefficient };
		}
		work->known[check] = all;
		if (all)
			kernel_combine(work->image + (size_t)check * BLOCK_SIZE, sources,
				       (uint32_t)equation->term_count - 1u, BLOCK_SIZE);
	}
}

/* The state that fits is older than what the record has the content of: that comes on top. */
static void replay_content(struct slice_work *work)
{
	for (uint32_t i = 0; i < work->named_count; i++) {
		const struct named_cell *named = &work->named[i];

		if (!named->newest_content)
			continue;
		memcpy(work->image + (size_t)named->cell * BLOCK_SIZE, named->newest_content,
		       BLOCK_SIZE);
		work->known[named->cell] = true;
	}
	renew_absent_checks(work);
}

/* Nothing fits: data as they are found, checks of them; the rest is lost. The newest state was tried last. */
void recover_keep(struct slice_work *work)
{
	for (uint32_t cell = 0; cell < work->cells; cell++) {
		work->known[cell] = stands(work, cell);
		memcpy(work->image + (size_t)cell * BLOCK_SIZE, window_block(work, cell),
		       BLOCK_SIZE);
	}
	replay_content(work);
	for (uint32_t i = 0; i < work->named_count; i++) {
		if (work->rows->defined_by[work->named[i].cell] == NO_EQUATION)
			keep_data(work, &work->named[i]);
	}
	/* Pure parities cover row parities, so they come last. */
	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < work->named_count; i++) {
			struct named_cell *named = &work->named[i];
			enum cell_role role =
				code_cell_role(work->rows->code, (uint16_t)named->cell);

			if (role != CELL_DATA && (role == CELL_PURE) == (pass == 1))
				make_check(work, named);
		}
	}
	for (uint32_t i = 0; i < work->named_count; i++) {
		if (work->named[i].poisoned)
			poison(work, &work->named[i]);
	}
}
