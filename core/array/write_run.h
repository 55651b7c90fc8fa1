/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Some slices of one segment of a group that are being written in place, in memory: new bytes, old bytes,
 * and what the record says of them. Does no I/O.
 */
#ifndef PG_ARRAY_WRITE_RUN_H
#define PG_ARRAY_WRITE_RUN_H

#include "core/array/row.h"
#include "core/array/seal_cache.h"
#include "core/array/write_plan.h"
#include "core/array/write_state.h"

/* Where the bytes of blocks come from: bytes from..stop-1 of a span, of which `bytes` is the first. */
struct write_source {
	const struct volume *volume;
	const struct span *span;
	uint32_t data_blocks;                 /* of each extent of the span */
	uint32_t positions[CODE_COLUMNS_MAX]; /* in the span, of the group's data columns */
	uint64_t from, stop;
	const uint8_t *bytes;
};

/* Slices first..first+count-1 of data columns `columns` (bits) of `segment`. */
struct write_run {
	uint32_t segment, first, count, columns;
};

#define WRITE_PARTIAL_MAX 2u /* blocks of a span that are written in part: its first and last one */

struct write_partial {
	uint32_t cell, slice;
	uint32_t begin, end; /* the bytes of the block that are new */
};

/*
 * So often may rows be written again under a record that names them already (claim 10), with --journal none.
 * What the record says is then older than the rows, so a member that is lost together with the crash may
 * cost them; the other policies promise more.
 */
#define WRITES_UNNAMED_MAX 64u

struct heal_list;
struct write_half;

/* One task's buffers, and what is being written. */
struct row_writer {
	struct array *array;
	struct sealed_group *sealed; /* held */
	const struct write_source *source;
	uint64_t volume; /* its id */
	struct array_write_result *result;
	bool content_wanted;        /* by the policy; of a degraded group it is always wanted */
	uint32_t generations_ahead; /* 1, or WRITES_UNNAMED_MAX */

	struct write_run run;
	struct write_plan plan;
	uint32_t absent; /* columns */
	struct write_partial partials[WRITE_PARTIAL_MAX];
	uint32_t partial_count;
	uint32_t generation_max; /* of the run's slices */
	struct log_cell *cells;
	size_t cells_capacity;
	uint8_t *content; /* of the record; it lives as long as that may be written again */
	struct write_half
		*half; /* with content: room to be kept in should it fail half-way (write_half.h) */
	uint8_t *fresh_pages, *old_pages;
	size_t fresh_capacity, old_capacity; /* bytes */
	uint8_t *fresh[CODE_CELLS_MAX];      /* run.count blocks each, of the closure */
	uint8_t *old[CODE_CELLS_MAX];        /* the same of what is read, else NULL */
	struct rows rows;                    /* for what has to be solved */
	struct heal_list *heal;          /* what had to be, beside the run; borrowed, may be NULL */
	struct log_intent *intent;       /* names the run */
	struct late *late;               /* room to keep it until the seals are durable */
	struct io ios[CODE_COLUMNS_MAX]; /* for the writes of one run */
	struct iovec iovs[CODE_COLUMNS_MAX]; /* of the run's cells */
};

/* NULL without memory. `result` is borrowed and added to. */
struct row_writer *row_writer_create(struct array *array, struct array_write_result *result);
void row_writer_free(struct row_writer *writer);
void row_writer_reset(struct row_writer *writer); /* its memory alone */
/* The run, its buffers and what names it change hands; the window of rows and what was read stay. */
void row_writer_move(struct row_writer *to, struct row_writer *from);

/* Where cell `cell` lies in its column: block `slice` of its segment. */
uint32_t writer_block(const struct row_writer *writer, uint32_t cell, uint32_t slice);

bool writer_is_absent(const struct row_writer *writer, uint32_t cell);
/* One read or write of slices first..first+count-1 of a cell. */
struct io writer_cell_io(const struct row_writer *writer, enum io_op op, uint16_t cell,
			 uint32_t first, uint32_t count, uint8_t *bytes, struct iovec *iov);

/*
 * Begin a run that writer->run and writer->absent describe: plan, buffers, new bytes, generations. Holds the
 * row lock. Returns 0, ERR_NOMEM, or ERR_LIMIT when a generation cannot rise any more.
 */
int writer_prepare(struct row_writer *writer, struct err *err) MUST_CHECK;

/* Put the old bytes of a block around its new ones. */
void writer_merge(struct row_writer *writer, const struct write_partial *partial,
		  const uint8_t *old);

/*
 * What the record says of slice `t` of the run (from 0), when its new bytes are all there. Checks that
 * `plan` left unknown get zeros: on a usable column an entry that does not match them, else none.
 */
void writer_note_cells(struct row_writer *writer, const struct write_plan *plan, uint32_t t);

/* The rows as the log names them; borrows from the writer. */
struct log_rows writer_rows(const struct row_writer *writer);

/* Make the content of the record: a copy, in its order. Returns 0 or ERR_NOMEM. */
int writer_make_content(struct row_writer *writer) MUST_CHECK;
void writer_drop_content(struct row_writer *writer);

#endif
