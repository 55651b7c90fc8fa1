/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_rows.h"

#include "core/array/degrade.h"
#include "core/array/row_lock.h"
#include "core/array/write_behind.h"
#include "core/array/write_finish.h"
#include "core/array/write_solve.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>

/* ---- reading what the plan needs */

static bool is_planned(const struct write_plan *plan, uint32_t cell)
{
	return plan->read[cell / 64] >> cell % 64 & 1;
}

/* Does a block that was read stand, by the seal? */
static bool verifies(const struct row_writer *writer, uint16_t cell, uint32_t slice)
{
	const struct sealed_group *sealed = writer->sealed;
	uint32_t column = cell / sealed->segments, block = writer_block(writer, cell, slice);
	const uint8_t *bytes = writer->old[cell] + (size_t)(slice - writer->run.first) * BLOCK_SIZE;

	return seal_knows(&sealed->seals[column], block) &&
	       sealed->seals[column].entries[block].crc ==
		       crc32_of(seal_block_seed(sealed->seeds[column], block), bytes, BLOCK_SIZE);
}

/* Blocks to read: of each cell of the plan all slices, of other cells those that are written in part. */
struct reads {
	struct io ios[CODE_COLUMNS_MAX * 2 + WRITE_PARTIAL_MAX];
	struct iovec iovs[CODE_COLUMNS_MAX * 2 + WRITE_PARTIAL_MAX];
	uint16_t cells[CODE_COLUMNS_MAX * 2 + WRITE_PARTIAL_MAX];
	uint32_t firsts[CODE_COLUMNS_MAX * 2 + WRITE_PARTIAL_MAX];
	size_t count;
};

static void reads_add(const struct row_writer *writer, struct reads *reads, uint16_t cell,
		      uint32_t first, uint32_t count)
{
	size_t i = reads->count++;

	assert(i < sizeof(reads->ios) / sizeof(reads->ios[0]));
	reads->cells[i] = cell;
	reads->firsts[i] = first;
	reads->ios[i] =
		writer_cell_io(writer, IO_READ, cell, first, count,
			       writer->old[cell] + (size_t)(first - writer->run.first) * BLOCK_SIZE,
			       &reads->iovs[i]);
}

/* False when a block that is needed is on an absent column. */
static bool reads_make(const struct row_writer *writer, struct reads *reads)
{
	const struct write_run *run = &writer->run;

	for (uint16_t cell = 0; cell < code_cell_count(writer->sealed->code); cell++) {
		if (is_planned(&writer->plan, cell))
			reads_add(writer, reads, cell, run->first, run->count);
	}
	for (uint32_t i = 0; i < writer->partial_count; i++) {
		const struct write_partial *partial = &writer->partials[i];

		if (writer_is_absent(writer, partial->cell))
			return false;
		if (!is_planned(&writer->plan, partial->cell))
			reads_add(writer, reads, (uint16_t)partial->cell, partial->slice, 1);
	}
	return true;
}

static const struct seal_entry *entry_of(const struct row_writer *writer, uint16_t cell,
					 uint32_t slice)
{
	const struct seal *seal = &writer->sealed->seals[cell / writer->sealed->segments];
	uint32_t block = writer_block(writer, cell, slice);

	return seal_knows(seal, block) ? &seal->entries[block] : NULL;
}

/* Do check and covered cell know of the same last write? `term` is the covered cell's place. */
static bool agree(const struct row_writer *writer, const struct code_equation *equation,
		  uint16_t term, uint32_t slice)
{
	uint16_t check = equation->terms[equation->term_count - 1].cell;
	const struct seal *seal = &writer->sealed->seals[check / writer->sealed->segments];
	const struct seal_entry *own = entry_of(writer, check, slice);
	const struct seal_entry *other = entry_of(writer, equation->terms[term].cell, slice);

	if (!own || !other)
		return true;                /* an absent column has nothing to say */
	if (seal->shape.witness_count == 0) /* copies of a mirror */
		return own->generation == other->generation;
	return own->generation >= other->generation &&
	       seal_witnesses(seal, writer_block(writer, check, slice))[term] ==
		       (uint16_t)other->generation;
}

/*
 * A block that missed a write agrees with its own seal; what is computed from it would be wrong, and verify.
 * So generations and witnesses of the slice must agree before anything that was read is used.
 */
static bool slice_agrees(const struct row_writer *writer, uint32_t slice)
{
	const struct write_plan *plan = &writer->plan;

	for (uint16_t i = 0; i + plan->data_count < plan->cell_count; i++) {
		const struct code_equation *equation =
			code_equation(writer->sealed->code, plan->equations[i]);

		for (uint16_t n = 0; n + 1 < equation->term_count; n++) {
			if (!agree(writer, equation, n, slice))
				return false;
		}
	}
	if (plan->cell_count > plan->data_count)
		return true;
	const struct seal_entry *plain = entry_of(writer, plan->cells[0], slice);
	return plain && plain->generation >= (uint32_t)writer->sealed->group->generation;
}

static bool all_agree(const struct row_writer *writer)
{
	for (uint32_t t = 0; t < writer->run.count; t++) {
		if (!slice_agrees(writer, writer->run.first + t))
			return false;
	}
	return true;
}

/* Read what is needed and compute; *done_out is false when that takes solving rows. */
static int compute_straight(struct row_writer *writer, bool *done_out)
{
	const struct write_plan *plan = &writer->plan;
	struct reads *reads = mem_calloc(1, sizeof(*reads));
	bool stands = reads != NULL;

	*done_out = false;
	if (!reads)
		return ERR_NOMEM;
	stands = !plan->solve && reads_make(writer, reads);
	if (stands && reads->count > 0)
		stands = all_agree(writer) && io_run(reads->ios, reads->count) == 0;
	for (size_t i = 0; stands && i < reads->count; i++) {
		uint32_t blocks = (uint32_t)(reads->ios[i].size / BLOCK_SIZE);

		writer->result->bytes_read += reads->ios[i].size;
		for (uint32_t b = 0; stands && b < blocks; b++)
			stands = verifies(writer, reads->cells[i], reads->firsts[i] + b);
	}
	mem_free(reads);
	if (!stands)
		return 0;
	for (uint32_t i = 0; i < writer->partial_count; i++) {
		const struct write_partial *partial = &writer->partials[i];

		writer_merge(writer, partial,
			     writer->old[partial->cell] +
				     (size_t)(partial->slice - writer->run.first) * BLOCK_SIZE);
	}
	write_plan_compute(plan, writer->sealed->code, writer->fresh,
			   (const uint8_t *const *)writer->old,
			   (size_t)writer->run.count * BLOCK_SIZE);
	for (uint32_t t = 0; t < writer->run.count; t++)
		writer_note_cells(writer, plan, t);
	*done_out = true;
	return 0;
}

static int compute(struct row_writer *writer, struct err *err)
{
	bool done;
	int rc = compute_straight(writer, &done);

	if (rc)
		return err_set(err, rc, "no memory to write rows");
	return done ? 0 : write_solve(writer, err);
}

/* ---- naming and writing */

static uint32_t absent_now(const struct row_writer *writer)
{
	const struct sealed_group *sealed = writer->sealed;
	uint32_t usable = array_usable_columns(writer->array, sealed->group);

	return ~usable & (uint32_t)((UINT64_C(1) << sealed->columns) - 1);
}

static int look_at_columns(struct row_writer *writer, struct err *err)
{
	const struct sealed_group *sealed = writer->sealed;

	writer->absent = absent_now(writer);
	if (code_survives(sealed->code, writer->absent))
		return 0;
	return err_set(err, ERR_IO,
		       "group %" PRIu64 " has lost more columns than it survives: it cannot be "
		       "written",
		       sealed->group->id);
}

/* The record carries the content where a column cannot be written, or the policy wants it. */
static int make_content(struct row_writer *writer, struct err *err)
{
	if (!writer->absent && !writer->content_wanted)
		return 0;
	if (write_half_reserve(writer) || writer_make_content(writer))
		return err_set(err, ERR_NOMEM, "no memory for the content of a log record");
	return 0;
}

/* Name the rows in a durable record. After an error nothing may be written, and nothing is named. */
static int declare(struct row_writer *writer, struct log_intent **intent_out, struct err *err)
{
	const struct log_rows rows = writer_rows(writer);
	struct intent_log *log = writer->array->log;
	bool covered;
	int rc = write_state_declare(writer->array, &rows, intent_out, &covered, err);

	if (rc)
		return rc;
	if (covered && !rows.content)
		return 0;
	rc = intent_log_ask(log, *intent_out, err);
	if (rc) { /* a copy of the record may be there: its generations are used up */
		seal_cache_note_failed(writer->array->seal_cache, writer->sealed,
				       writer->generation_max);
		intent_log_clean(log, *intent_out);
		write_state_done(writer->array);
	}
	return rc;
}

static void count_rows(struct row_writer *writer)
{
	writer->result->bytes_written +=
		(uint64_t)writer->plan.writes * writer->run.count * BLOCK_SIZE;
	switch (writer->plan.way) {
	case WRITE_FULL_ROW:
		writer->result->full_rows += writer->run.count;
		break;
	case WRITE_RECONSTRUCT:
		writer->result->reconstructs += writer->run.count;
		break;
	case WRITE_MODIFY:
		writer->result->modifies += writer->run.count;
		break;
	}
}

/* Name what was computed; what absent members miss is noted first. */
static int name_rows(struct row_writer *writer, struct err *err)
{
	int rc = 0;

	if (writer->absent)
		rc = array_mark_missed(writer->array, writer->sealed->group->id, err);
	if (!rc)
		rc = make_content(writer, err);
	return rc ? rc : declare(writer, &writer->intent, err);
}

/*
 * A member was lost after the rows were named, in healthy times without their content. As nothing is written yet they
 * are named again with it: a crash in a degraded group loses nothing. The same generations still name the same content.
 */
static int name_again(struct row_writer *writer, struct err *err)
{
	struct array *array = writer->array;
	int rc;

	intent_log_clean(array->log, writer->intent);
	write_state_done(array);
	rc = look_at_columns(writer, err);
	if (!rc)
		rc = name_rows(writer, err);
	if (rc)
		seal_cache_note_failed(array->seal_cache, writer->sealed, writer->generation_max);
	return rc;
}

/*
 * Everything is computed: name it, write it, remember its seals. Where the record carries the content because the
 * policy wants it so, that is enough, and the rest happens behind: then `behind` has the row lock.
 */
static int put_in_place(struct row_writer *writer, struct behind **behind, struct err *err)
{
	struct array *array = writer->array;
	int rc = name_rows(writer, err);

	if (!rc && !writer->content && absent_now(writer) != writer->absent)
		rc = name_again(writer, err);
	if (rc) {
		writer_drop_content(writer);
		return rc;
	}
	count_rows(writer);
	if (*behind && write_behind_add(array, *behind, writer)) {
		*behind = NULL;
		return 0;
	}
	return write_finish(array, &writer, 1, writer->ios, err);
}

/* ---- one run */

/* Rows that a failed write left half-way: see seal_cache_note_half(). */
static int look_at_halves(const struct row_writer *writer, struct err *err)
{
	const struct write_run *run = &writer->run;
	const struct half_rows rows = { run->segment, run->first, run->count, run->columns };

	if (!seal_cache_is_half(writer->array->seal_cache, writer->sealed, &rows))
		return 0;
	return err_set(err, ERR_NOSPACE,
		       "a write to rows of group %" PRIu64
		       " failed half-way: repeat that one, or open the array anew",
		       writer->sealed->group->id);
}

/* What has to be done, without the row lock, before the rows can be written. */
enum first { FIRST_NOTHING, FIRST_HALVES, FIRST_PAGES };

static struct half_place place_of(const struct row_writer *writer)
{
	return (struct half_place){ writer->sealed->group->id, writer->run.first,
				    writer->run.count };
}

/* Holds the row lock. */
static int write_locked(struct row_writer *writer, struct behind **behind, enum first *first_out,
			struct err *err)
{
	const struct half_place mine = place_of(writer);
	struct half_place half;
	int rc = look_at_columns(writer, err);

	if (!rc && write_half_find(writer->array, &mine, &half)) {
		*first_out = FIRST_HALVES;
		return 0;
	}
	if (!rc)
		rc = look_at_halves(writer, err);
	if (!rc)
		rc = writer_prepare(writer, err);
	if (rc)
		return rc;
	if (write_pages_damaged(writer)) {
		*first_out = FIRST_PAGES;
		return 0;
	}
	rc = compute(writer, err);
	return rc ? rc : put_in_place(writer, behind, err);
}

/* The row lock of the run. Writes that were acknowledged may hold it, and may wait for space. */
static int take_rows(struct row_writer *writer, struct row_lock *lock, struct err *err)
{
	struct row_locks *locks = writer->array->row_locks;
	const struct write_run *run = &writer->run;
	uint64_t group = writer->sealed->group->id;

	if (row_lock_is_taken(locks, group, run->first, run->count))
		write_behind_hurry(writer->array);
	int rc = row_lock_take(locks, lock, group, run->first, run->count);
	return rc ? err_set(err, rc, "rows of group %" PRIu64 " wait for space", group) : 0;
}

static int do_first(struct row_writer *writer, enum first first, struct err *err)
{
	const struct half_place mine = place_of(writer);

	switch (first) {
	case FIRST_NOTHING:
		break;
	case FIRST_HALVES:
		return write_finish_halves(writer->array, &mine, err);
	case FIRST_PAGES:
		return write_restore_pages(writer, err);
	}
	return 0;
}

int write_rows(struct row_writer *writer, const struct write_run *run, struct err *err)
{
	struct row_locks *locks = writer->array->row_locks;
	struct behind *behind = NULL;
	enum first first;
	int rc = 0;

	assert(run->count > 0 && run->columns);
	writer->run = *run;
	if (writer->content_wanted) /* without memory for it nothing is left behind */
		behind = behind_create();
	do {
		struct row_lock own = { 0 }, *lock = behind ? behind_lock(behind) : &own;
		bool has_behind = behind != NULL;

		rc = take_rows(writer, lock, err);
		if (rc)
			break;
		first = FIRST_NOTHING;
		rc = write_locked(writer, &behind, &first, err);
		if (!has_behind || behind)
			row_lock_give(locks, lock);
		if (!rc)
			rc = do_first(writer, first, err);
	} while (!rc && first != FIRST_NOTHING);
	behind_free(behind);
	return rc;
}
