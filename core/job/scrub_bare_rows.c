/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/scrub_bare_rows.h"

#include "core/array/array_internal.h"
#include "core/array/bare_write.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <string.h>

struct bare_scrub {
	struct rows *rows;
	struct array *array;
	const struct group *group;
	const struct scrub_bare_request *request;
	struct scrub_teller teller;
	uint32_t columns, checks; /* checks: how many columns may be lost */
	uint8_t *scratch;         /* checks of a run; one block, to read back and to sum */
	uint8_t *taken;           /* a slice as it was read, a block a column */
	uint8_t taken_fates[CODE_COLUMNS_MAX];
};

static uint32_t count_erased(const uint8_t *fates, uint32_t columns)
{
	uint32_t erased = 0;

	for (uint32_t c = 0; c < columns; c++)
		erased += fates[c] != BLOCK_GOOD;
	return erased;
}

static uint32_t slice_erased(const struct rows *rows, uint32_t slice)
{
	uint32_t erased = 0;

	for (uint32_t c = 0; c < rows->columns; c++)
		erased += rows_fate(rows, c, 0, slice) != BLOCK_GOOD;
	return erased;
}

static bool slice_has_errors(const struct rows *rows, uint32_t slice)
{
	for (uint32_t c = 0; c < rows->columns; c++) {
		if (rows_fate(rows, c, 0, slice) == BLOCK_UNREADABLE)
			return true;
	}
	return false;
}

/* ---- do the equations hold? */

static bool mirror_run_holds(const struct bare_scrub *scrub, uint32_t first, uint32_t count)
{
	for (uint32_t c = 1; c < scrub->columns; c++) {
		if (memcmp(rows_block(scrub->rows, 0, 0, first),
			   rows_block(scrub->rows, c, 0, first), (size_t)count * BLOCK_SIZE) != 0)
			return false;
	}
	return true;
}

/* Slices of which every block is good or rebuilt. */
static bool run_holds(const struct bare_scrub *scrub, uint32_t first, uint32_t count)
{
	switch (scrub->group->shape.layout) {
	case LAYOUT_PARITY:
		return rows_parity_holds(scrub->rows, first, count, scrub->scratch);
	case LAYOUT_MIRROR:
		return mirror_run_holds(scrub, first, count);
	case LAYOUT_PLAIN:
	case LAYOUT_SEQUENTIAL:
	case LAYOUT_COUNT:
		break;
	}
	return true;
}

/* ---- one slice, held against what was read of it with other columns left out */

/* Solve it as if the columns with another fate than good could not be read. */
static int try_fates(const struct bare_scrub *scrub, uint32_t slice, const uint8_t *fates,
		     struct err *err)
{
	if (rows_try_slice(scrub->rows, slice, scrub->taken, fates) == 0)
		return 0;
	return err_set(err, ERR_NOMEM, "no memory to rebuild blocks");
}

/* The same with column `left_out` missing too; *explains_out: then all agrees. */
static int try_without(const struct bare_scrub *scrub, uint32_t slice, uint32_t left_out,
		       bool *explains_out, struct err *err)
{
	uint8_t fates[CODE_COLUMNS_MAX];

	memcpy(fates, scrub->taken_fates, sizeof(fates));
	fates[left_out] = BLOCK_UNREADABLE;
	int rc = try_fates(scrub, slice, fates, err);

	if (!rc)
		*explains_out = run_holds(scrub, slice, 1);
	return rc;
}

/* The only column that explains it; MEMBER_NONE where none or several do. */
static int locate_parity(const struct bare_scrub *scrub, uint32_t slice, uint32_t *column_out,
			 struct err *err)
{
	uint32_t found = MEMBER_NONE;

	*column_out = MEMBER_NONE;
	if (count_erased(scrub->taken_fates, scrub->columns) + 2 > scrub->checks)
		return 0;
	for (uint32_t c = 0; c < scrub->columns; c++) {
		bool explains = false;

		if (scrub->taken_fates[c] != BLOCK_GOOD)
			continue;
		int rc = try_without(scrub, slice, c, &explains, err);

		if (rc)
			return rc;
		if (explains && found != MEMBER_NONE)
			return 0;
		if (explains)
			found = c;
	}
	*column_out = found;
	return 0;
}

static const uint8_t *taken_block(const struct bare_scrub *scrub, uint32_t column)
{
	return scrub->taken + (size_t)column * BLOCK_SIZE;
}

static bool copies_equal(const struct bare_scrub *scrub, uint32_t a, uint32_t b)
{
	return scrub->taken_fates[a] == BLOCK_GOOD && scrub->taken_fates[b] == BLOCK_GOOD &&
	       memcmp(taken_block(scrub, a), taken_block(scrub, b), BLOCK_SIZE) == 0;
}

/* Mark the copies that are outvoted as wrong; false when nobody has more than half. */
static bool vote(const struct bare_scrub *scrub, uint8_t fates[static CODE_COLUMNS_MAX])
{
	uint32_t readable = scrub->columns - count_erased(scrub->taken_fates, scrub->columns);

	for (uint32_t c = 0; c < scrub->columns; c++) {
		uint32_t votes = 0;

		for (uint32_t d = 0; d < scrub->columns; d++)
			votes += copies_equal(scrub, c, d);
		if (votes * 2 <= readable)
			continue;
		for (uint32_t d = 0; d < scrub->columns; d++) {
			if (fates[d] == BLOCK_GOOD && !copies_equal(scrub, c, d))
				fates[d] = BLOCK_WRONG;
		}
		return true;
	}
	return false;
}

/* Columns whose block is wrong for sure get the fate BLOCK_WRONG; false when nothing tells. */
static int locate(const struct bare_scrub *scrub, uint32_t slice,
		  uint8_t fates[static CODE_COLUMNS_MAX], bool *found_out, struct err *err)
{
	uint32_t column;

	memcpy(fates, scrub->taken_fates, CODE_COLUMNS_MAX);
	if (scrub->group->shape.layout == LAYOUT_MIRROR) {
		*found_out = vote(scrub, fates);
		return 0;
	}
	int rc = locate_parity(scrub, slice, &column, err);

	*found_out = !rc && column != MEMBER_NONE;
	if (*found_out)
		fates[column] = BLOCK_WRONG;
	return rc;
}

/* ---- repair and report */

/* Write the rebuilt block and read it back; *repaired_out: it is there. Returns an error only of the session. */
static int write_back(struct bare_scrub *scrub, uint32_t column, uint32_t slice, bool *repaired_out,
		      struct err *err)
{
	const struct extent *extent = &scrub->group->extents[column];
	const uint8_t *bytes = rows_block(scrub->rows, column, 0, slice);
	const struct iovec iov = { (void *)(uintptr_t)bytes, BLOCK_SIZE };
	struct dev *dev = array_dev(scrub->array, extent->slot);
	struct io io = {
		.dev = dev,
		.op = IO_WRITE,
		.role = rows_role(scrub->rows, column, 0),
		.offset = extent_offset(scrub->array->map, extent, slice),
		.size = BLOCK_SIZE,
		.iov = &iov,
		.iov_count = 1,
	};
	int rc = bare_write(scrub->array, extent->slot, &io, err);

	*repaired_out = false;
	if (rc)
		return io.result ? 0 : rc; /* what cannot be written is left */
	*repaired_out = io_read(dev, io.role, io.offset, scrub->scratch, BLOCK_SIZE) == 0 &&
			memcmp(bytes, scrub->scratch, BLOCK_SIZE) == 0;
	return 0;
}

static void tell(const struct bare_scrub *scrub, struct mismatch *mismatch, uint32_t column,
		 uint32_t slice)
{
	const struct address at = { scrub->group, column, slice };

	scrub_tell_block(&scrub->teller, mismatch, &at);
}

static void explain(const struct bare_scrub *scrub, struct mismatch *mismatch, uint8_t fate)
{
	mismatch->kind = mismatch->basis = "read-error";
	if (fate == BLOCK_UNREADABLE)
		return;
	mismatch->kind = "parity";
	mismatch->basis =
		scrub->group->shape.layout == LAYOUT_MIRROR ? "mirror-majority" : "second-parity";
}

/* Each block that is wrong or cannot be read: written, if it stands and may be, and told. */
static int settle(struct bare_scrub *scrub, uint32_t slice, const uint8_t *fates, bool proven,
		  struct err *err)
{
	struct rows *rows = scrub->rows;
	bool repairs = scrub->request->mode == SCRUB_REPAIR && proven;
	int rc = 0;

	for (uint32_t c = 0; c < scrub->columns; c++) {
		if (fates[c] == BLOCK_WRONG) /* as told; it stands, being rebuilt */
			rows->fates[rows_at(rows, c, 0, slice)] = BLOCK_WRONG;
	}
	for (uint32_t c = 0; !rc && c < scrub->columns; c++) {
		struct mismatch mismatch = { .suspect = scrub->group->extents[c].slot };

		if (fates[c] == BLOCK_GOOD || fates[c] == BLOCK_MISSING)
			continue;
		if (repairs && rows_is_rebuilt(rows, c, 0, slice))
			rc = write_back(scrub, c, slice, &mismatch.repaired, err);
		explain(scrub, &mismatch, fates[c]);
		if (!rc)
			tell(scrub, &mismatch, c, slice);
	}
	return rc;
}

static bool all_data_read(const struct bare_scrub *scrub)
{
	for (uint32_t c = 0; c < group_data_columns(scrub->group); c++) {
		if (scrub->taken_fates[c] != BLOCK_GOOD)
			return false;
	}
	return scrub->group->shape.layout == LAYOUT_PARITY;
}

/* The operator says that data are right: checks that can be written are what data make them. */
static int write_checks(struct bare_scrub *scrub, uint32_t slice, bool *repaired_out,
			struct err *err)
{
	uint8_t fates[CODE_COLUMNS_MAX];
	int rc;

	memcpy(fates, scrub->taken_fates, sizeof(fates));
	for (uint32_t c = group_data_columns(scrub->group); c < scrub->columns; c++)
		fates[c] = fates[c] == BLOCK_GOOD ? BLOCK_UNREADABLE : fates[c];
	rc = try_fates(scrub, slice, fates, err);
	*repaired_out = true;
	for (uint32_t c = group_data_columns(scrub->group); !rc && c < scrub->columns; c++) {
		bool repaired = true;

		if (fates[c] != BLOCK_MISSING && (scrub->taken_fates[c] != BLOCK_GOOD ||
						  memcmp(rows_block(scrub->rows, c, 0, slice),
							 taken_block(scrub, c), BLOCK_SIZE) != 0))
			rc = write_back(scrub, c, slice, &repaired, err);
		*repaired_out &= repaired;
	}
	return rc;
}

/* Something is wrong, and nothing tells who. */
static int settle_undecidable(struct bare_scrub *scrub, uint32_t slice, struct err *err)
{
	struct mismatch mismatch = { .suspect = SUSPECT_UNDECIDABLE, .kind = "parity" };
	bool accepts = scrub->request->mode == SCRUB_REPAIR && scrub->request->accept_data &&
		       all_data_read(scrub);
	uint32_t column = 0;
	int rc = 0;

	if (accepts)
		rc = write_checks(scrub, slice, &mismatch.repaired, err);
	if (!rc)
		rc = try_fates(scrub, slice, scrub->taken_fates, err);
	if (rc)
		return rc;
	while (scrub->taken_fates[column] != BLOCK_GOOD)
		column++;
	tell(scrub, &mismatch, column, slice);
	/* With the checks made anew an unreadable one has been written as well. */
	return accepts ? 0 : settle(scrub, slice, scrub->taken_fates, false, err);
}

/* A slice that does not hold, or of which something could not be read. */
static int examine(struct bare_scrub *scrub, uint32_t slice, struct err *err)
{
	uint8_t fates[CODE_COLUMNS_MAX];
	bool found = false;

	rows_take_slice(scrub->rows, slice, scrub->taken, scrub->taken_fates);
	uint32_t erased = count_erased(scrub->taken_fates, scrub->columns);
	int rc = try_fates(scrub, slice, scrub->taken_fates, err);

	if (rc)
		return rc;
	if (scrub->request->mode == SCRUB_MEDIA || erased > scrub->checks)
		return settle(scrub, slice, scrub->taken_fates, false, err);
	if (erased == scrub->checks || run_holds(scrub, slice, 1))
		return settle(scrub, slice, scrub->taken_fates, true, err);
	rc = locate(scrub, slice, fates, &found, err);
	if (rc)
		return rc;
	if (!found)
		return settle_undecidable(scrub, slice, err);
	for (uint32_t c = 0; c < scrub->columns; c++) /* what is wrong is no source */
		scrub->taken_fates[c] = fates[c] == BLOCK_WRONG ? BLOCK_UNREADABLE : fates[c];
	rc = try_fates(scrub, slice, scrub->taken_fates, err);
	return rc ? rc : settle(scrub, slice, fates, true, err);
}

static int scan_run(struct bare_scrub *scrub, uint32_t first, uint32_t count, struct err *err)
{
	int rc = 0;

	if (scrub->request->mode == SCRUB_MEDIA || run_holds(scrub, first, count))
		return 0;
	for (uint32_t i = 0; !rc && i < count; i++) {
		if (!run_holds(scrub, first + i, 1))
			rc = examine(scrub, first + i, err);
	}
	return rc;
}

/* All there is of it was read, and there is more than would do: what is rebuilt of the rest can be compared. */
static bool slice_compares(const struct bare_scrub *scrub, uint32_t slice)
{
	uint32_t erased = slice_erased(scrub->rows, slice);

	return erased == 0 || (erased < scrub->checks && !slice_has_errors(scrub->rows, slice));
}

static int load(struct bare_scrub *scrub, uint32_t first, uint32_t count, struct err *err)
{
	struct rows *rows = scrub->rows;
	uint32_t erased = 0, lost;
	int rc = rows_load(rows, first, count);

	for (uint32_t t = first; !rc && t < first + count; t++)
		erased += slice_erased(rows, t);
	if (!rc && erased && scrub->request->mode != SCRUB_MEDIA)
		rc = rows_solve(rows, &lost);
	return rc ? err_set(err, ERR_NOMEM, "no memory to read rows") : 0;
}

static int scrub_window(struct bare_scrub *scrub, uint32_t first, uint32_t count, struct err *err)
{
	uint32_t end = first + count;
	int rc = load(scrub, first, count, err);

	while (!rc && first < end) {
		uint32_t run = 0;

		while (run < ROWS_PARITY_RUN && first + run < end &&
		       slice_compares(scrub, first + run))
			run++;
		if (run)
			rc = scan_run(scrub, first, run, err);
		else if (slice_has_errors(scrub->rows, first))
			rc = examine(scrub, first, err);
		first += run ? run : 1;
	}
	scrub->teller.counts->rows += rc ? 0 : count;
	return rc;
}

int scrub_bare_rows(struct rows *rows, struct array *array, const struct group *group,
		    uint32_t first, uint32_t count, const struct scrub_bare_request *request,
		    struct scrub_counts *counts, struct err *err)
{
	struct bare_scrub scrub = {
		.rows = rows,
		.array = array,
		.group = group,
		.request = request,
		.teller = { rows, request->found, request->found_arg, counts },
		.columns = group->shape.columns,
		.checks = group_tolerance(group),
	};
	uint32_t window = rows_window(array, group);
	int rc;

	assert(request->mode != SCRUB_QUICK);
	rc = rows_open(rows, array, group, 0, window, ROWS_WHOLE, err);
	if (rc)
		return rc;
	scrub.scratch = mem_pages((size_t)ROWS_PARITY_SCRATCH * BLOCK_SIZE);
	scrub.taken = mem_pages((size_t)scrub.columns * BLOCK_SIZE);
	if (!scrub.scratch || !scrub.taken)
		rc = err_set(err, ERR_NOMEM, "no memory to scrub");
	for (uint32_t done = 0; !rc && done < count; done += window)
		rc = scrub_window(&scrub, first + done, (uint32_t)size_min(window, count - done),
				  err);
	counts->bytes_read += rows->bytes_read;
	mem_pages_free(scrub.scratch);
	mem_pages_free(scrub.taken);
	rows_close(rows);
	return rc;
}
